"""Which web pages may talk to this server."""

from __future__ import annotations

from tornado.httputil import HTTPServerRequest


def is_allowed(request: HTTPServerRequest, allowed: tuple[str, ...]) -> bool:
    """Return whether a request's Origin is our own, one of `allowed`, or absent (no browser).

    Compared whole. Both schemes of our own host count: TLS may end in front of us.
    """
    origin = request.headers.get("Origin")
    if origin is None or origin in allowed or "*" in allowed:
        return True
    host = request.headers.get("Host", "")
    return bool(host) and origin.lower() in (f"http://{host.lower()}", f"https://{host.lower()}")
