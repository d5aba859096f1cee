"""An identity provider that publishes its keys over HTTP, and does it wrong when it is told to."""

from __future__ import annotations

import contextlib
import functools
import json
import time
import warnings
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

AUDIENCE = "chatd"
DISCOVERY = "/.well-known/openid-configuration"
JWKS = "/keys"


@functools.cache
def private_key(name: str, algorithm: str = "RS256") -> Any:
    """Return a key of this name, the same each time: making one takes long."""
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm.startswith("ES"):
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(
        public_exponent=65537, key_size=1024 if name == "short" else 2048
    )


def public_jwk(name: str, algorithm: str = "RS256", **changes: Any) -> dict[str, Any]:
    """Return the public half of a key as a provider publishes it."""
    kinds: dict[str, Any] = {"R": RSAAlgorithm, "P": RSAAlgorithm, "E": ECAlgorithm}
    kind = OKPAlgorithm if algorithm == "EdDSA" else kinds[algorithm[0]]
    jwk = kind.to_jwk(private_key(name, algorithm).public_key(), as_dict=True)
    return {**jwk, "kid": name, "use": "sig", "alg": algorithm, **changes}


def public_pem(name: str, algorithm: str = "RS256") -> str:
    """Return the public half of a key in PEM."""
    public = private_key(name, algorithm).public_key()
    pem: bytes = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode()


class IdentityProvider:
    """What is published, how often it was asked for, and what it answers instead, if anything."""

    url = ""

    def __init__(self) -> None:
        self.keys: list[Any] = [public_jwk("one")]
        self.asked: Counter[str] = Counter()
        self.instead: dict[str, Callable[[RequestHandler], Any]] = {}

    def sign(
        self, key: str = "one", algorithm: str = "RS256", kid: str | None = "", **changes: Any
    ) -> str:
        """Return a token; None in `changes` leaves a claim out."""
        claims = {"iss": self.url, "aud": AUDIENCE, "sub": "s-1", "exp": time.time() + 300}
        claims = {k: v for k, v in {**claims, **changes}.items() if v is not None}
        headers = {} if kid is None else {"kid": kid or key}
        secret = private_key(key, algorithm)
        with warnings.catch_warnings(action="ignore"):  # at a short key, which is what is wanted
            return jwt.encode(claims, secret, algorithm=algorithm, headers=headers)

    def answer(self, path: str) -> Any:
        """Return what is published at a path."""
        if path == DISCOVERY:
            return {"issuer": self.url, "jwks_uri": f"{self.url}{JWKS}"}
        return {"keys": self.keys}


class _Published(RequestHandler):
    provider: IdentityProvider

    def initialize(self, provider: IdentityProvider) -> None:
        """Take the provider."""
        self.provider = provider

    async def get(self) -> None:
        """Answer what is published, or what is to be answered instead."""
        path = self.request.path
        self.provider.asked[path] += 1
        if path in self.provider.instead:
            result = self.provider.instead[path](self)
            if result is not None:
                await result
        else:
            self.finish(json.dumps(self.provider.answer(path)))


@contextlib.asynccontextmanager
async def publishing(provider: IdentityProvider) -> AsyncIterator[IdentityProvider]:
    """Run a provider on a free port, the same one each time that it is run."""
    port = int(provider.url.rpartition(":")[2] or 0)
    server = HTTPServer(Application([(r"/.*", _Published, {"provider": provider})]))
    sockets = bind_sockets(port, "127.0.0.1")
    server.add_sockets(sockets)
    provider.url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    try:
        yield provider
    finally:
        server.stop()
        await server.close_all_connections()
