"""The HTTP client for upstream servers: httpx over aiohttp, which takes half the time.

Loading them takes a tenth of a second, so it is done when the first client is made.
"""

from __future__ import annotations

import http.cookiejar
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx


def new_client(
    headers: Mapping[str, str], *, max_connections: int, environment_proxies: bool
) -> httpx.AsyncClient:
    """Return a client for the running loop: no redirects, no cookies, no time-outs of its own."""
    import aiohttp
    import httpx
    from httpx_aiohttp import AiohttpTransport

    # It writes a line with the URL for every request.
    if logging.getLogger("httpx").level == logging.NOTSET:
        logging.getLogger("httpx").setLevel(logging.WARNING)
    session = aiohttp.ClientSession(
        # uvicorn, under most servers, closes idle connections after 5 s: be the first.
        connector=aiohttp.TCPConnector(limit=max_connections, keepalive_timeout=4),
        # All users share the client: no cookie may be kept. (httpx has a jar of its own.)
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=environment_proxies,
    )
    no_cookies = http.cookiejar.CookieJar(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
    # Certificates are checked by the session's connector; `verify` only makes a context that is
    # not used, which takes 20 ms when it has to read the authorities.
    transport = AiohttpTransport(verify=False, client=session)
    return httpx.AsyncClient(
        transport=transport, headers=headers, cookies=no_cookies, timeout=None, trust_env=False
    )


def transport_errors() -> tuple[type[Exception], ...]:
    """Return what the client raises; evaluated when something was raised, so that it is loaded."""
    import aiohttp
    import httpx

    # The transport translates most of aiohttp's errors, not that of an answer that is not HTTP, and
    # stumbles over a reason phrase that is not UTF-8. OSError is also TimeoutError, as in Deadline.
    return httpx.HTTPError, aiohttp.ClientError, OSError, UnicodeError
