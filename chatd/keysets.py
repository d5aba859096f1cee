"""The keys that verify tokens: those that an identity provider publishes, or one that is given.

Which algorithm a key is good for is decided here, by the kind of the key and by what the operator
allows, never by a token: a public key must not serve as a secret.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import ipaddress
import itertools
import logging
import math
import time
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from chatd.errors import Unavailable

logger = logging.getLogger(__name__)

MOST_BYTES = 256 * 1024  # of what a provider answers
MOST_KEYS = 64
SHORTEST_RSA = 2048  # bits (RFC 7518, section 3.3)
AGAIN_WITHOUT_KEYS = 5.0  # seconds until a provider is asked again that has never answered

# An algorithm is good for one kind of key only: a public key must never serve as a secret.
KINDS: dict[str, tuple[str, tuple[str | None, ...]]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", (None,))),
    "ES256": ("EC", ("P-256",)),
    "ES384": ("EC", ("P-384",)),
    "ES512": ("EC", ("P-521",)),
    "EdDSA": ("OKP", ("Ed25519", "Ed448")),
    **dict.fromkeys(("HS256", "HS384", "HS512"), ("oct", (None,))),
}
PUBLIC_PARTS = ("kty", "crv", "n", "e", "x", "y")


def is_safe(url: str, insecure_http: bool) -> bool:
    """Return whether nobody on the way can change what a URL answers."""
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return True
    is_here = parts.hostname == "localhost"
    with contextlib.suppress(ValueError):
        is_here = is_here or ipaddress.ip_address(parts.hostname or "").is_loopback
    return parts.scheme == "http" and bool(parts.hostname) and (is_here or insecure_http)


class Key(NamedTuple):
    """A key for one algorithm; one without an id is for tokens of every id."""

    kid: str | None
    algorithm: str
    key: Any


class Keys:
    """Keys that do not change. `current` is None as long as there has been none."""

    def __init__(self, current: Sequence[Key] | None = None) -> None:
        self.current = current

    async def find(self, kid: str | None, algorithm: str) -> Any:
        """Return the one key for a token, None if there is none. Raises Unavailable without any."""
        found = self.fitting(kid, algorithm)
        return found[0].key if len(found) == 1 else None

    def fitting(self, kid: str | None, algorithm: str) -> list[Key]:
        """Return the keys that a token may mean; one that names none may mean all."""
        return [
            key
            for key in self.current or ()
            if key.algorithm == algorithm and (kid is None or key.kid in (None, kid))
        ]

    def renew(self) -> None:
        """Begin to ask for the keys again if they are old; nobody waits for it."""

    async def aclose(self) -> None:
        """Stop asking."""


class PublishedKeys(Keys):
    """The keys that a provider publishes (RFC 7517), at `url` or where its discovery says.

    They are asked for again when they are `refresh` seconds old, or when a token names one that is
    not there; never more often than once in `pause` seconds, however many tokens name one that
    nobody has. While the provider does not answer, those that are known go on.
    """

    def __init__(
        self,
        issuer: str,
        url: str,
        algorithms: Sequence[str],
        *,
        refresh: float,
        pause: float,
        timeout: float,
        insecure_http: bool,
    ) -> None:
        super().__init__()
        self._issuer, self._url, self._algorithms = issuer, url, algorithms
        self._refresh, self._pause, self._timeout = refresh, pause, timeout
        self._insecure_http = insecure_http
        self._published: list[Any] = []
        self._asking: asyncio.Task[None] | None = None
        self._asked_at = self._got_at = -math.inf

    async def find(self, kid: str | None, algorithm: str) -> Any:
        """Return the one key for a token; the provider may be asked first, see the class."""
        if not self.fitting(kid, algorithm):
            # One that has never answered may have started by now.
            self._ask(self._pause if self.current else min(self._pause, AGAIN_WITHOUT_KEYS))
            if self._asking is not None:
                await asyncio.wait([self._asking])
        if self.current is None:
            raise Unavailable("The keys of the identity provider cannot be had.")
        self.renew()
        return await super().find(kid, algorithm)

    def renew(self) -> None:
        """Begin to ask for the keys again if they are old; nobody waits for it."""
        if time.monotonic() - self._got_at >= self._refresh:
            self._ask(self._pause)

    def _ask(self, pause: float) -> None:
        now = time.monotonic()
        if self._asking is None and now - self._asked_at >= pause:
            self._asked_at = now
            self._asking = asyncio.create_task(self._load(), name=f"keys of {self._issuer}")

    async def _load(self) -> None:
        try:
            published = await self._fetch_keys()
            if self.current is None or published != self._published:
                # Kept as it is when nothing has changed, so that others see what has.
                found = await asyncio.to_thread(usable, published, self._algorithms)
                self.current, self._published = found, published
            self._got_at = time.monotonic()
        except Exception as exc:
            logger.warning("the keys of %s were not had: %r", self._issuer, exc)
        finally:
            self._asking = None

    async def _fetch_keys(self) -> list[Any]:
        url = self._url
        if not url:
            well_known = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
            about = await fetch_json(well_known, self._timeout)
            url = about["jwks_uri"]
            if about["issuer"] != self._issuer or not is_safe(url, self._insecure_http):
                raise ValueError(f"{well_known} is of another issuer, or names no https URL")
        keys = (await fetch_json(url, self._timeout))["keys"]
        if not isinstance(keys, list):
            raise ValueError(f"the keys of {url} are no list")
        return keys

    async def aclose(self) -> None:
        """Stop asking."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])


async def fetch_json(url: str, seconds: float) -> Any:
    """Return the JSON at a URL. No redirect, no proxy; bounded in time and size."""
    aiohttp = await asyncio.to_thread(importlib.import_module, "aiohttp")
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    limit = aiohttp.ClientTimeout(total=seconds)
    body = bytearray()
    async with (
        aiohttp.ClientSession(timeout=limit, auto_decompress=False) as session,
        session.get(url, headers=headers, allow_redirects=False) as answer,
    ):
        if answer.status != 200:
            raise ValueError(f"{url} answered {answer.status}")
        async for piece in answer.content.iter_chunked(MOST_BYTES):
            body += piece
            if len(body) > MOST_BYTES:
                raise ValueError(f"{url} answered more than {MOST_BYTES} bytes")
    return msgspec.json.decode(body)


def usable(published: Sequence[Any], algorithms: Sequence[str]) -> tuple[Key, ...]:
    """Return the keys of a set (JWKs) that fit one of the algorithms. Loads what verifies."""
    found = []
    for jwk, algorithm in itertools.product(published[:MOST_KEYS], algorithms):
        with contextlib.suppress(Exception):  # one that is broken costs no other
            if _fits(jwk, algorithm):
                found.append(Key(jwk.get("kid", ""), algorithm, _loaded(jwk, algorithm)))
    return tuple(found)


def _fits(jwk: dict[str, Any], algorithm: str) -> bool:
    kind, curves = KINDS[algorithm]
    is_of_kind = kind == jwk["kty"] != "oct" and jwk.get("crv") in curves
    is_to_verify = jwk.get("use", "sig") == "sig" and "verify" in jwk.get("key_ops", ["verify"])
    return is_of_kind and is_to_verify and bool(jwk.get("alg", algorithm) == algorithm)


def _loaded(jwk: dict[str, Any], algorithm: str) -> Any:
    import jwt

    key = jwt.PyJWK({name: jwk[name] for name in PUBLIC_PARTS if name in jwk}, algorithm).key
    if jwk["kty"] == "RSA" and key.key_size < SHORTEST_RSA:
        raise ValueError("too short")
    return key


def from_secret(secret: str, algorithms: Sequence[str]) -> Keys:
    """Return the key that a provider shares with us."""
    return Keys([Key(None, algorithm, secret.encode()) for algorithm in algorithms])


def from_pem(text: str, algorithms: Sequence[str]) -> Keys:
    """Return a public key in PEM. Raises ValueError if it goes with none of the algorithms."""
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

    key: Any = load_pem_public_key(text.encode())
    for kind in (RSAAlgorithm, ECAlgorithm, OKPAlgorithm):
        with contextlib.suppress(Exception):  # a key of another kind
            jwk = kind.to_jwk(key, as_dict=True)
            if found := usable([jwk], algorithms):
                return Keys([one._replace(kid=None) for one in found])
    raise ValueError(f"it goes with none of {', '.join(algorithms)}")
