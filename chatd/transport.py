"""The HTTP transport to upstream servers: httpx over aiohttp, which takes half the time.

Loading them takes a tenth of a second, so it is done when the first one is made.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx
    from httpx_aiohttp import AiohttpTransport

FULL_READ = 16 * 1024  # bytes of a read at most; a shorter one has taken all that had come

Read = Callable[[], Awaitable[bytes]]


def new_transport(*, max_connections: int, environment_proxies: bool) -> AiohttpTransport:
    """Return a transport for the running loop.

    It is used without httpx's client, which takes as long again: what that adds (redirects,
    cookies, authentication, time-outs, a line in the log with each URL) is not wanted here.
    """
    import aiohttp
    from httpx_aiohttp import AiohttpTransport

    session = aiohttp.ClientSession(
        # uvicorn, under most servers, closes idle connections after 5 s: be the first.
        connector=aiohttp.TCPConnector(limit=max_connections, keepalive_timeout=4),
        # All users share the session: no cookie may be kept.
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=environment_proxies,
    )
    # The session's connector checks certificates. `verify` only makes a context that is not used,
    # which takes 20 ms when it has to read the authorities.
    return AiohttpTransport(verify=False, client=session)


def body_of(response: httpx.Response) -> Read:
    """Return what reads the next bytes of a body that has not been read, nothing at its end.

    It is aiohttp's own, where that is found under httpx's stream: the generators around it take a
    fifteenth of what a chunk costs. httpx's aiter_raw() would cut and count what is not to be cut.
    """
    if response.headers.get("content-encoding", "identity") == "identity":
        content = getattr(getattr(response.stream, "_aiohttp_response", None), "content", None)
        if content is not None:
            return partial(content.read, FULL_READ)
        chunks = aiter(response.stream)  # type: ignore[arg-type]
    else:
        chunks = aiter(response.aiter_bytes())
    return lambda: anext(chunks, b"")


def transport_errors() -> tuple[type[Exception], ...]:
    """Return what the transport raises. Called when something was raised: it is loaded then."""
    import aiohttp
    import httpx

    # The transport translates most of aiohttp's errors, not that of an answer that is not HTTP, and
    # stumbles over a reason phrase that is not UTF-8. OSError is also TimeoutError, as in Deadline.
    return httpx.HTTPError, aiohttp.ClientError, OSError, UnicodeError
