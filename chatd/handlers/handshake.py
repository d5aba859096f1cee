"""How a socket begins: what is a handshake, and with which code one is closed that is refused."""

from __future__ import annotations

from tornado.httputil import HTTPHeaders

from chatd.errors import ChatdError, Forbidden, NotFound, Unauthenticated

# Of a handshake's headers, those that say nothing of its caller.
NOISE = ("Connection", "Upgrade", "User-Agent", "Accept", "Accept-Encoding", "Pragma",
         "Accept-Language", "Cache-Control", "Sec-Websocket-Key", "Sec-Websocket-Version",
         "Sec-Websocket-Extensions", "Sec-Websocket-Protocol")  # fmt: skip

_CODES = {Unauthenticated: 4501, Forbidden: 4503, NotFound: 4504}


def is_upgrade(headers: HTTPHeaders) -> bool:
    """Return whether this is a handshake; Tornado would answer any other in plain text."""
    return (
        headers.get("Upgrade", "").lower() == "websocket"
        and "upgrade" in headers.get("Connection", "").lower()
        and headers.get("Sec-WebSocket-Version") == "13"  # of RFC 6455; before it were drafts
        and "Sec-WebSocket-Key" in headers
    )


def without_noise(headers: HTTPHeaders) -> HTTPHeaders:
    """Return the headers that may tell of the caller; by any case, as plugins get those of HTTP."""
    kept = HTTPHeaders()
    for name, value in headers.get_all():
        if name not in NOISE:
            kept.add(name, value)
    return kept


def close_code(error: ChatdError) -> int:
    """Return the close code that tells a client what to do about an error."""
    if error.status == 503:
        return 1012
    return next((code for kind, code in _CODES.items() if isinstance(error, kind)), 1011)
