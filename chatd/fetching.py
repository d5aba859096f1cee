"""A document at a URL that somebody wrote: within a size and a time, and not from inside.

What a server fetches for others could come from its own network (SSRF). So each connection is held
against the address that it is made to, and not the name: https://owasp.org/www-community/attacks/
Server_Side_Request_Forgery.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

logger = logging.getLogger(__name__)

REDIRECTS = 3
NAT64 = ipaddress.ip_network("64:ff9b::/96")
# All that the internet uses of IPv6 today (IANA, IPv6 Global Unicast Address Assignments).
GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")


class Unusable(Exception):
    """The document cannot be had; the message says why, for the log."""


class NotPublic(OSError):
    """The host has an address that must not be called."""


def is_public(address: str) -> bool:
    """Whether an address is one of the internet, also one that holds an address of IPv4."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = [found.ipv4_mapped, found.sixtofour, *(found.teredo or ())]
        if found in NAT64:
            inner.append(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF))
        if any(each is not None and not is_public(str(each)) for each in inner):
            return False
        if not (found in GLOBAL_UNICAST or found in NAT64 or found.ipv4_mapped):
            return False
    return found.is_global and not found.is_multicast


class Fetched(NamedTuple):
    """A document, and what its server calls this version of it."""

    body: bytes
    etag: str


class Document:
    """What is at a URL. Between two calls nothing is kept, no connection either.

    An address that is not public is called only at the URL's own origin, and if that is allowed;
    a redirect never leads to one. `key` goes to that origin alone, as a bearer token.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str = "",
        timeout: float,
        max_bytes: int,
        allow_private: bool = False,
    ) -> None:
        self._url, self._key, self._timeout = url, key, timeout
        self._max_bytes, self._allow_private = max_bytes, allow_private

    async def fetch(self, etag: str = "") -> Fetched | None:
        """Return the document, None when it has still this `etag`. Raises Unusable."""
        import aiohttp

        try:
            async with asyncio.timeout(self._timeout):
                url = self._url
                for _ in range(1 + REDIRECTS):
                    found = await self._get(url, etag)
                    if not isinstance(found, str):
                        return found
                    url = self._redirected(url, found)
        except TimeoutError as exc:
            raise Unusable("it took too long") from exc
        except NotPublic as exc:
            raise Unusable(str(exc)) from exc
        except aiohttp.ClientConnectorError as exc:
            refused = exc.os_error if isinstance(exc.os_error, NotPublic) else None
            raise Unusable(str(refused or "it cannot be reached")) from exc
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            logger.debug("%s: %r", urlsplit(self._url).hostname, exc)
            raise Unusable("it cannot be reached") from exc
        raise Unusable("there are too many redirects")

    async def _get(self, url: str, etag: str) -> Fetched | str | None:
        """Return what is there, or where it redirects to."""
        import aiohttp

        is_own = _origin(url) == _origin(self._url)
        allow_private = self._allow_private and is_own

        def connect(info: Any) -> socket.socket:
            # Here, where the address is final: names that resolve differently a moment later, and
            # odd forms of addresses, cannot get past it.
            if not allow_private and not is_public(str(info[4][0])):
                raise NotPublic(f"{urlsplit(url).hostname} is at an address that is not public")
            return socket.socket(info[0], info[1], info[2])

        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        headers |= {"User-Agent": "chatd"} | ({"If-None-Match": etag} if etag else {})
        if self._key and is_own:
            headers["Authorization"] = f"Bearer {self._key}"
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(socket_factory=connect, force_close=True),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            ) as session,
            session.get(url, headers=headers, allow_redirects=False) as response,
        ):
            if response.status == 304 and etag:
                return None
            if response.status in (301, 302, 303, 307, 308) and "location" in response.headers:
                return response.headers["location"]
            if response.status != 200:
                raise Unusable(f"it answered {response.status}")
            return Fetched(await self._body(response), response.headers.get("etag", "")[:200])

    async def _body(self, response: Any) -> bytes:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise Unusable("it is compressed, which was not asked for")
        body = bytearray()
        async for data in response.content.iter_any():
            body += data
            if len(body) > self._max_bytes:
                raise Unusable(f"it has more than {self._max_bytes} bytes")
        return bytes(body)

    def _redirected(self, url: str, location: str) -> str:
        target = urljoin(url, location)
        if urlsplit(target).scheme not in {"https", urlsplit(url).scheme}:
            raise Unusable("it redirects to what is no secure URL")
        return target


def _origin(url: str) -> tuple[str, str | None, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
