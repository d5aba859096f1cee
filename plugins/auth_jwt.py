"""Lets in who has a JSON Web Token of an identity provider (RFC 7519, OpenID Connect)."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import importlib.util
import logging
import time
import weakref
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeGuard

import marshmallow as ma
import msgspec
from marshmallow import validate

import chatd

logger = logging.getLogger(__name__)

LONGEST = 8192  # characters of a token
REMEMBERED = 10_000  # tokens that were verified
SHORTEST_SECRETS = {"HS256": 32, "HS384": 48, "HS512": 64}  # bytes (RFC 7518, section 3.2)


class ConfigSchema(ma.Schema):
    """The table [plugins.auth_jwt]. Without jwks_url, key and secret the issuer is asked."""

    issuer = ma.fields.String(required=True, validate=validate.Length(1))
    audience = ma.fields.String(required=True, validate=validate.Length(1))
    algorithms = ma.fields.List(
        ma.fields.String(validate=validate.OneOf(chatd.keysets.KINDS)), validate=validate.Length(1)
    )
    jwks_url = ma.fields.String(load_default="")
    key = ma.fields.String(load_default="")
    secret = ma.fields.String(load_default="")
    name_claim = ma.fields.String(load_default="preferred_username")
    roles_claim = ma.fields.String(load_default="")
    admin_role = ma.fields.String(load_default="admin", validate=validate.Length(1))
    accounts = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.String(validate=validate.Length(1, 64)),
        load_default={},
    )
    leeway = ma.fields.Float(load_default=30.0, validate=validate.Range(0, 300))
    refresh = ma.fields.Float(load_default=3600.0, validate=validate.Range(0.1))
    pause = ma.fields.Float(load_default=30.0, validate=validate.Range(0.1))
    timeout = ma.fields.Float(load_default=5.0, validate=validate.Range(0.1, 60))
    insecure_http = ma.fields.Boolean(load_default=False)

    @ma.validates_schema
    def check(self, data: dict[str, Any], **kwargs: Any) -> None:
        """Refuse what contradicts itself, or would take keys from whoever is on the way."""
        if sum(bool(data[name]) for name in ("jwks_url", "key", "secret")) > 1:
            raise ma.ValidationError("Only one of jwks_url, key and secret.", "jwks_url")
        kinds = {chatd.keysets.KINDS[name][0] for name in data.get("algorithms", ())}
        if kinds and (kinds == {"oct"}) != bool(data["secret"]):
            raise ma.ValidationError(
                "HS256 and its like go with a secret alone, the others never.", "algorithms"
            )
        shortest = max(SHORTEST_SECRETS.get(name, 32) for name in data.get("algorithms", ["HS256"]))
        if data["secret"] and len(data["secret"].encode()) < shortest:
            raise ma.ValidationError(f"At least {shortest} bytes.", "secret")
        if not data["key"] and not data["secret"]:
            name = "jwks_url" if data["jwks_url"] else "issuer"
            if not chatd.keysets.is_safe(data[name], data["insecure_http"]):
                raise ma.ValidationError(
                    "Expected https://, as keys come from there; or set insecure_http.", name
                )

    @ma.post_load
    def pin(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Fill in the algorithms that go with the kind of key."""
        return {"algorithms": ["HS256"] if data["secret"] else ["RS256", "ES256"], **data}


class Caller(NamedTuple):
    """What a verified token says of who sent it, and until when (seconds since 1970)."""

    subject: str
    name: str
    roles: tuple[str, ...] | None
    until: float


_verifiers: weakref.WeakKeyDictionary[chatd.App, Verifier] = weakref.WeakKeyDictionary()


@chatd.hookimpl
async def startup(app: chatd.App) -> None:
    """Make what verifies. The provider is not asked before a token comes: it may start later."""
    if not (importlib.util.find_spec("jwt") and importlib.util.find_spec("cryptography")):
        raise chatd.ConfigError("auth_jwt needs PyJWT: pip install 'chatd[jwt]'.")
    config = app.plugin_config("auth_jwt")
    _verifiers[app] = Verifier(config, await _keys(config))


async def _keys(config: Mapping[str, Any]) -> chatd.keysets.Keys:
    algorithms = config["algorithms"]
    if config["secret"]:
        return chatd.keysets.from_secret(config["secret"], algorithms)
    if config["key"]:
        try:
            return await asyncio.to_thread(chatd.keysets.from_pem, config["key"], algorithms)
        except ValueError as exc:
            raise chatd.ConfigError(
                f"[plugins.auth_jwt] key: expected a public key in PEM: {exc}."
            ) from exc
    options = {name: config[name] for name in ("refresh", "pause", "timeout", "insecure_http")}
    return chatd.keysets.PublishedKeys(config["issuer"], config["jwks_url"], algorithms, **options)


@chatd.hookimpl
async def shutdown(app: chatd.App) -> None:
    """Stop to ask for keys."""
    await _verifiers.pop(app).keys.aclose()


@chatd.hookimpl
async def authenticate(app: chatd.App, request: chatd.Request) -> chatd.User | None:
    """Return the user of a token, None for what is no JSON Web Token.

    Raises Unauthenticated, and Unavailable while there has been no key to verify it with.
    """
    token = request.token or ""
    if token.count(".") != 2:
        return None
    verifier = _verifiers[app]
    caller = await verifier.verify(token)
    if caller is None:
        return None
    config = verifier.config
    return await chatd.outside_user(
        app.store,
        config["issuer"],
        caller.subject,
        name=caller.name,
        account=config["accounts"].get(caller.subject, ""),
        roles=caller.roles,
        admin_role=config["admin_role"],
    )


class Verifier:
    """The tokens of one provider. Those that were good are remembered by their digests."""

    def __init__(self, config: Mapping[str, Any], keys: chatd.keysets.Keys) -> None:
        self.config, self.keys = config, keys
        self._verified: dict[str, Caller] = {}
        self._by: object = None  # the keys that verified those

    async def verify(self, token: str) -> Caller | None:
        """Return who sent a token, None for what is none. Raises Unauthenticated, Unavailable."""
        digest = chatd.digest_token(token)
        if self._by is not self.keys.current:  # a key may have been withdrawn
            self._by = self.keys.current
            self._verified.clear()
        found = self._verified.get(digest)
        if found is not None and time.time() < found.until:
            self.keys.renew()
            return found
        self._verified.pop(digest, None)
        header = _header(token)
        if header is None:
            return None
        caller = self._checked(token, header["alg"], await self._key(token, header))
        if len(self._verified) >= REMEMBERED:
            self._verified.pop(next(iter(self._verified)))
        if self._by is self.keys.current:
            self._verified[digest] = caller
        return caller

    async def _key(self, token: str, header: dict[str, Any]) -> Any:
        """Return the key to verify with; nothing of an unverified token chooses its kind."""
        kid = header.get("kid")
        if (
            len(token) > LONGEST
            or header["alg"] not in self.config["algorithms"]
            or "crit" in header
            or not (kid is None or (isinstance(kid, str) and len(kid) <= 256))
        ):
            raise _refused("header")
        key = await self.keys.find(kid, header["alg"])
        if key is None:
            raise _refused("unknown key")
        return key

    def _checked(self, token: str, algorithm: str, key: Any) -> Caller:
        import jwt

        config = self.config
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=config["audience"],
                issuer=config["issuer"],
                leeway=config["leeway"],
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
            return self._caller(claims)
        except jwt.ExpiredSignatureError:
            raise chatd.Unauthenticated("This token has expired.") from None
        except Exception as exc:  # a stranger's text: whatever it is that does not work, it is no
            raise _refused(type(exc).__name__) from None

    def _caller(self, claims: dict[str, Any]) -> Caller:
        config, subject = self.config, claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= 256:
            raise ValueError
        name, roles = _claim(claims, config["name_claim"]), None
        if config["roles_claim"]:
            given = _claim(claims, config["roles_claim"])
            words = given.split() if isinstance(given, str) else given
            roles = tuple(filter(_is_text, words)) if isinstance(words, list) else ()
        until = float(claims["exp"]) + config["leeway"]
        return Caller(subject, name if _is_text(name) else subject, roles, until)


def _is_text(value: Any) -> TypeGuard[str]:
    return isinstance(value, str)


def _refused(why: str) -> chatd.Unauthenticated:
    logger.debug("a token was refused: %s", why)  # never the token
    return chatd.Unauthenticated("This token is not accepted.")


def _header(token: str) -> dict[str, Any] | None:
    """Return the header of a JSON Web Token, None for another text with two dots."""
    part = token[:LONGEST].partition(".")[0]
    with contextlib.suppress(ValueError, RecursionError):
        header = msgspec.json.decode(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        if isinstance(header, dict) and isinstance(header.get("alg"), str):
            return header
    return None


def _claim(claims: dict[str, Any], path: str) -> Any:
    """Return a claim by its name, else by a path with dots such as realm_access.roles."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found
