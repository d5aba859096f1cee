"""The HTTP transport to upstream servers: httpx over aiohttp, which takes half the time.

Loading them takes a tenth of a second, so it is done when the first one is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from httpx_aiohttp import AiohttpTransport


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


def transport_errors() -> tuple[type[Exception], ...]:
    """Return what the transport raises. Called when something was raised: it is loaded then."""
    import aiohttp
    import httpx

    # The transport translates most of aiohttp's errors, not that of an answer that is not HTTP, and
    # stumbles over a reason phrase that is not UTF-8. OSError is also TimeoutError, as in Deadline.
    return httpx.HTTPError, aiohttp.ClientError, OSError, UnicodeError
