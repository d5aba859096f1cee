"""The plugin auth_jwt: who gets in with a token of an identity provider."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from faces import FACES, REFUSED, Caller, close_code, configured
from harness import Chat, Script, chatting
from identity_provider import (
    AUDIENCE,
    DISCOVERY,
    JWKS,
    IdentityProvider,
    private_key,
    public_jwk,
    public_pem,
    publishing,
)
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from chatd.errors import ConfigError

CONFIG = """
[plugins]
enabled = ["auth_token", "auth_jwt", "presets_store"]

[plugins.auth_jwt]
issuer = "{issuer}"
audience = "chatd"
leeway = 0
roles_claim = "realm_access.roles"
admin_role = "chat-admins"
accounts = {{ "s-boss" = "boss" }}
"""


def chat_of(
    directory: Path, issuer: str, more: str = ""
) -> contextlib.AbstractAsyncContextManager[Chat]:
    """Run a chatd that takes the tokens of an issuer."""
    patience = "" if "timeout" in more else "timeout = 20\n"  # a test machine may be busy
    text = CONFIG.format(issuer=issuer) + patience + more
    return chatting(directory, Script(), **configured(directory / "conf", text))


def bearing(chat: Chat, token: str) -> Caller:
    """Return a caller with a token."""
    return Caller(chat.url, {"Authorization": f"Bearer {token}"})


async def until(holds: Callable[[], Any]) -> None:
    """Wait until something holds, asking again and again."""
    async with asyncio.timeout(20):
        while True:
            if await holds():
                return
            await asyncio.sleep(0.02)


async def test_a_token_of_the_provider(tmp_path: Path) -> None:
    """A good token lets its user in over every face; the provider is asked for its keys once."""
    async with publishing(IdentityProvider()) as provider, chat_of(tmp_path, provider.url) as chat:
        roles = {"realm_access": {"roles": ["staff", "chat-admins", "admin", 7]}}
        caller = bearing(chat, provider.sign(preferred_username="Zoë", **roles))
        assert [await caller.turn(face) for face in FACES] == ["hello world"] * 3
        me = await caller.me()
        again = await bearing(chat, provider.sign(preferred_username="other")).me()
        assert provider.asked == {DISCOVERY: 1, JWKS: 1}
    assert (me["name"], me["roles"]) == ("Zoë", ["admin", "staff"])
    assert (again["id"], again["name"], again["roles"]) == (me["id"], "Zoë", [])


async def test_where_sockets_have_it(tmp_path: Path) -> None:
    """A socket may bring its token in the query or as a subprotocol, as it may one of chatd's."""
    async with publishing(IdentityProvider()) as provider, chat_of(tmp_path, provider.url) as chat:
        token = provider.sign()
        url = f"{chat.url.replace('http', 'ws')}/ws/ai-chat/sessions/"
        offered: Any = ["chatd.v1", f"chatd.token.{token}"]
        async with (
            connect(f"{url}?token={token}") as one,
            connect(url, subprotocols=offered) as two,
        ):
            for socket in (one, two):
                assert json.loads(await socket.recv())["type"] == "connection_established"
            assert two.subprotocol == "chatd.v1"


def part(value: Any) -> str:
    """Return a part of a token."""
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def hostile(provider: IdentityProvider) -> dict[str, str]:
    """Return tokens that must not let anybody in, by what is wrong with them."""
    now, good = time.time(), provider.sign()
    head, body, signature = good.split(".")
    claims = part({"iss": provider.url, "aud": AUDIENCE, "sub": "s-1", "exp": now + 300})

    def unsigned(algorithm: str, end: str = "") -> str:
        return f"{part({'alg': algorithm, 'kid': 'one'})}.{claims}.{end}"

    def confused(secret: bytes) -> str:
        text = f"{part({'alg': 'HS256', 'kid': 'one'})}.{claims}"
        return f"{text}.{part(hmac.digest(secret, text.encode(), 'sha256'))}"

    public = private_key("one").public_key().public_numbers()
    modulus = public.n.to_bytes(256, "big")
    return {
        "none": unsigned("none"),
        "None": unsigned("None"),
        "NONE with a signature": unsigned("NONE", signature),
        "the public key as a secret": confused(public_pem("one").encode()),
        "the modulus as a secret": confused(modulus),
        "its JWK as a secret": confused(json.dumps(public_jwk("one")).encode()),
        "no secret": confused(b""),
        "no signature": f"{head}.{body}.",
        "half a signature": good[:-10],
        "another's signature": provider.sign("two", kid="one"),
        "other claims": f"{head}.{claims}.{signature}",
        "another algorithm": provider.sign(algorithm="RS512"),
        "another padding": provider.sign(algorithm="PS256"),
        "a short key": provider.sign("short"),
        "a key for encryption": provider.sign("encrypting"),
        "a curve instead": provider.sign("curve", "ES256", kid="one"),
        "unknown kid": provider.sign(kid="nobody"),
        "kid of a path": provider.sign(kid="../../dev/null"),
        "long kid": provider.sign(kid="k" * 300),
        "no kid, and several keys": provider.sign(kid=None),
        "kid that is no text": f"{part({'alg': 'RS256', 'kid': ['one']})}.{body}.{signature}",
        "its own key": f"{part({'alg': 'RS256', 'jwk': public_jwk('two')})}.{body}.{signature}",
        "critical": f"{part({'alg': 'RS256', 'kid': 'one', 'crit': ['b64']})}.{body}.{signature}",
        "wrong audience": provider.sign(aud="another"),
        "no audience": provider.sign(aud=None),
        "wrong issuer": provider.sign(iss="https://evil.example.com"),
        "issuer with a slash": provider.sign(iss=f"{provider.url}/"),
        "no issuer": provider.sign(iss=None),
        "expired": provider.sign(exp=now - 10),
        "no expiry": provider.sign(exp=None),
        "expiry that is no time": provider.sign(exp="tomorrow"),
        "expiry at infinity": provider.sign(exp=float("inf")),
        "expiry that is no number": provider.sign(exp=float("nan")),
        "not yet": provider.sign(nbf=now + 300),
        "made in the future": provider.sign(iat=now + 300),
        "no subject": provider.sign(sub=None),
        "empty subject": provider.sign(sub=""),
        "long subject": provider.sign(sub="s" * 300),
        "huge": provider.sign(more="x" * 10_000),
        "claims that are no JSON": f"{head}.{part(b'{')}.{signature}",
        "deep claims": f"{head}.{part(b'[' * 5000)}.{signature}",
        "deep header": f"{part(b'[' * 5000)}.{body}.{signature}",
        "header that is no JSON": f"{part(b'{')}.{body}.{signature}",
        "header that is a list": f"{part([])}.{body}.{signature}",
        "no algorithm": f"{part({'kid': 'one'})}.{body}.{signature}",
        "algorithm that is no text": f"{part({'alg': ['RS256']})}.{body}.{signature}",
        "not base64": "e yJ.e yJ.e yJ",
        "dots": "..",
        "encrypted": f"{good}.a.b",
    }


async def test_hostile_tokens(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is not signed by the provider, for us and for now, lets nobody in, and is not logged."""
    caplog.set_level(logging.DEBUG)
    provider = IdentityProvider()
    provider.keys += [public_jwk("short"), public_jwk("encrypting", use="enc"), public_jwk("spare")]
    provider.keys += [{"kty": "oct", "k": part(b"s" * 32), "kid": "shared"}, {"kty": "RSA"}, None]
    async with publishing(provider), chat_of(tmp_path, provider.url) as chat:
        tokens = hostile(provider)
        let_in = []
        for what, token in tokens.items():
            answer = await bearing(chat, token).ask("GET", "/me/")
            if answer.status_code != 401:
                let_in.append((what, answer.status_code))
        assert let_in == []
        assert await bearing(chat, tokens["none"]).refusal("socket") == REFUSED
        assert await bearing(chat, provider.sign()).refusal("rest") != 401
        assert len(await chat.app.store.list_accounts()) == 1
    clients = ("httpx", "httpcore", "websockets")  # of the test
    ours = [record for record in caplog.records if not record.name.startswith(clients)]
    logged = "".join([f"{record.getMessage()} {record.exc_text}" for record in ours])
    assert "a token was refused" in logged
    parts = {part for token in tokens.values() for part in token.split(".") if len(part) > 20}
    assert [part for part in parts if part in logged] == []


async def test_a_flood_of_unknown_keys(tmp_path: Path) -> None:
    """However many tokens name keys that nobody has, the provider is asked once more at most."""
    async with publishing(IdentityProvider()) as provider, chat_of(tmp_path, provider.url) as chat:
        good, bad = bearing(chat, provider.sign()), provider.sign(kid="nobody")
        async with bearing(chat, bad).http() as http:
            answers = await asyncio.gather(*(http.get("/ai-chat/api/me/") for _ in range(100)))
        assert {answer.status_code for answer in answers} == {401}
        assert (await good.me())["name"] == "s-1"
        assert provider.asked[JWKS] == 1


async def test_a_new_key(tmp_path: Path) -> None:
    """A token of a new key is good as soon as the provider may be asked again."""
    async with (
        publishing(IdentityProvider()) as provider,
        chat_of(tmp_path, provider.url, "pause = 0.1\n") as chat,
    ):
        assert await bearing(chat, provider.sign()).refusal("rest") == 404
        provider.keys.append(public_jwk("two"))
        new = bearing(chat, provider.sign("two"))

        async def is_known() -> bool:
            return await new.refusal("rest") == 404

        await until(is_known)
        assert await bearing(chat, provider.sign()).refusal("rest") == 404


async def test_a_withdrawn_key(tmp_path: Path) -> None:
    """A key that is no longer published ends its tokens and their sockets, also remembered ones."""
    async with (
        publishing(IdentityProvider()) as provider,
        chat_of(tmp_path, provider.url, "refresh = 0.1\npause = 0.1\n") as chat,
    ):
        old = bearing(chat, provider.sign())
        async with old.open_socket() as socket:
            await socket.recv()
            provider.keys = [public_jwk("two")]

            async def is_gone() -> bool:
                return await old.refusal("rest") == 401

            await until(is_gone)
            await socket.send(json.dumps({"type": "ping"}))
            assert await close_code(socket) == REFUSED


async def test_the_provider_is_down(tmp_path: Path) -> None:
    """Keys that are known go on; without any the answer is 503, and a socket may come back."""
    provider = IdentityProvider()
    async with publishing(provider):
        pass
    async with chat_of(tmp_path, provider.url, "refresh = 0.1\npause = 0.1\n") as chat:
        caller = bearing(chat, provider.sign())
        assert await caller.refusal("rest") == 503
        assert await caller.refusal("socket") == 1012
        async with publishing(provider):

            async def is_let_in() -> bool:
                return await caller.refusal("rest") == 404

            await until(is_let_in)
        for seconds in (300, 301):  # one that is not remembered each time
            later = bearing(chat, provider.sign(exp=time.time() + seconds))
            assert await later.refusal("rest") == 404


def redirect(to: str) -> Callable[[Any], Any]:
    """Return an answer that leads elsewhere."""
    return lambda handler: handler.redirect(to)


WRONG: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "a redirect": (JWKS, redirect("/elsewhere")),
    "a redirect of the discovery": (DISCOVERY, redirect(JWKS)),
    "too much": (JWKS, lambda handler: handler.finish(b'{"keys": [' + b" " * 300_000 + b"]}")),
    "nothing": (JWKS, lambda handler: asyncio.sleep(3600)),
    "no JSON": (JWKS, lambda handler: handler.finish("<html>")),
    "no keys": (JWKS, lambda handler: handler.finish("{}")),
    "keys that are no list": (JWKS, lambda handler: handler.finish('{"keys": {"one": 1}}')),
    "a list": (DISCOVERY, lambda handler: handler.finish("[]")),
    "an error": (JWKS, lambda handler: handler.send_error(500)),
    "another issuer": (
        DISCOVERY,
        lambda handler: handler.finish(
            {"issuer": "http://127.0.0.1", "jwks_uri": handler.provider.url + JWKS}
        ),
    ),
    "keys anybody could change": (
        DISCOVERY,
        lambda handler: handler.finish(
            {"issuer": handler.provider.url, "jwks_uri": "http://keys.example.com/"}
        ),
    ),
    "keys in a file": (
        DISCOVERY,
        lambda handler: handler.finish(
            {"issuer": handler.provider.url, "jwks_uri": "file:///etc/passwd"}
        ),
    ),
}


async def test_a_provider_that_answers_nonsense(tmp_path: Path) -> None:
    """Whatever it answers, nobody gets in by it, no redirect is followed, and it may get better."""
    more = "pause = 0.1\nrefresh = 0.1\ntimeout = 0.5\n"
    async with (
        publishing(IdentityProvider()) as provider,
        chat_of(tmp_path, provider.url, more) as chat,
    ):
        caller = bearing(chat, provider.sign())
        for path, answer in WRONG.values():
            provider.instead = {path: answer}
            before = provider.asked[path]

            async def is_asked_again(path: str = path, before: int = before) -> bool:
                assert await caller.refusal("rest") == 503
                return provider.asked[path] > before

            await until(is_asked_again)
        provider.instead = {}

        async def is_let_in() -> bool:
            return await caller.refusal("rest") == 404

        await until(is_let_in)
        assert "/elsewhere" not in provider.asked


async def test_expiry_ends_a_socket(tmp_path: Path) -> None:
    """A socket whose token expires is closed at its next event, though it was good when opened."""
    async with publishing(IdentityProvider()) as provider, chat_of(tmp_path, provider.url) as chat:
        await bearing(chat, provider.sign()).me()  # the keys are there
        for lifetime in (1, 4, 16):  # the first is long enough, but on a very busy machine
            caller = bearing(chat, provider.sign(exp=time.time() + lifetime))
            async with caller.open_socket() as socket:
                first = json.loads(await socket.recv())["type"]
                with contextlib.suppress(ConnectionClosed):
                    while True:
                        await socket.send(json.dumps({"type": "ping"}))
                        await socket.recv()
                        await asyncio.sleep(0.05)
                assert await close_code(socket) == REFUSED
            if first == "connection_established":
                return
        raise AssertionError("no socket was opened in time")


async def test_whose_account_it_is(tmp_path: Path) -> None:
    """It goes by issuer and subject, or by what the operator says, and never by a name."""
    async with publishing(IdentityProvider()) as provider, chat_of(tmp_path, provider.url) as chat:
        boss = await chat.client("boss")
        claimed = await bearing(chat, provider.sign(preferred_username="boss")).me()
        owner = await bearing(chat, provider.sign(preferred_username="owner", sub="s-2")).me()
        linked = await bearing(chat, provider.sign(sub="s-boss")).me()
        ours = await bearing(chat, boss.token).me()
    assert claimed["id"] != boss.user.id and claimed["name"].startswith("boss-")
    assert owner["name"].startswith("owner-") and owner["roles"] == []
    assert linked["id"] == ours["id"] == boss.user.id


async def test_a_disabled_account(tmp_path: Path) -> None:
    """The operator can shut out whom the provider still lets in."""
    async with publishing(IdentityProvider()) as provider, chat_of(tmp_path, provider.url) as chat:
        caller = bearing(chat, provider.sign())
        await chat.app.store.update_account((await caller.me())["id"], is_active=False)
        assert await caller.refusal("rest") == 401


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_key_that_is_given(tmp_path: Path, algorithm: str) -> None:
    """A public key in the configuration is enough; its kind says which algorithms it is for."""
    pem = tmp_path / "key.pem"
    pem.write_text(public_pem("given", algorithm))
    more = f'key = {{ file = "{pem}" }}\nalgorithms = ["RS256", "ES256", "EdDSA"]\n'
    provider = IdentityProvider()
    provider.url = "https://id.example.com"
    async with chat_of(tmp_path, provider.url, more) as chat:
        for kid in ("one", None):
            token = provider.sign("given", algorithm, kid=kid)
            assert await bearing(chat, token).refusal("rest") == 404
        others = {"RS256": "ES256", "ES256": "RS256", "EdDSA": "RS256"}
        wrong = provider.sign("given", others[algorithm])
        assert await bearing(chat, wrong).refusal("rest") == 401
        assert await bearing(chat, "chatd_unknown.a.b").refusal("rest") == 401


async def test_a_secret_that_is_shared(tmp_path: Path) -> None:
    """A secret verifies HS256, and nothing else; what it is does not show."""
    claims = {"iss": "us", "aud": "chatd", "sub": "s", "exp": time.time() + 300}
    secret = "s" * 48
    (tmp_path / "secret").write_text(secret)
    more = f'secret = {{ file = "{tmp_path}/secret" }}\n'
    async with chat_of(tmp_path, "us", more) as chat:
        good = jwt.encode(claims, secret, algorithm="HS256")
        assert await bearing(chat, good).refusal("rest") == 404
        for another, algorithm in (("t" * 48, "HS256"), (secret, "HS384")):
            bad = jwt.encode(claims, another, algorithm=algorithm)
            assert await bearing(chat, bad).refusal("rest") == 401
        assert secret not in repr(chat.app.config)


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ('audience = "a"', "issuer"),
        ('issuer = "https://i"', "audience"),
        ('issuer = "http://id.example.com"\naudience = "a"', "issuer.*https"),
        ('issuer = "i"\naudience = "a"\njwks_url = "http://k.example.com/"', "jwks_url.*https"),
        ('issuer = "i"\naudience = "a"\njwks_url = "file:///k"', "jwks_url.*https"),
        ('issuer = "https://i"\naudience = "a"\nalgorithms = ["none"]', "algorithms"),
        ('issuer = "https://i"\naudience = "a"\nalgorithms = []', "algorithms"),
        ('issuer = "https://i"\naudience = "a"\nalgorithms = ["HS256"]', "algorithms.*secret"),
        ('issuer = "i"\naudience = "a"\nsecret = "short"', "secret.*32 bytes"),
        (
            f'issuer = "i"\naudience = "a"\nsecret = "{"s" * 32}"\nalgorithms = ["HS256", "RS256"]',
            "algorithms.*secret",
        ),
        (f'issuer = "i"\naudience = "a"\nsecret = "{"s" * 32}"\nkey = "k"', "Only one"),
        ('issuer = "i"\naudience = "a"\nkey = "no key"', "key: expected a public key in PEM"),
        ('issuer = "https://i"\naudience = "a"\nleeway = 3600', "leeway"),
        ('issuer = "https://i"\naudience = "a"\nverify = false', "verify"),
    ],
)
async def test_what_is_wrong_stops_the_start(tmp_path: Path, table: str, complaint: str) -> None:
    """A configuration that would let anybody in, or makes no sense, is refused with its key."""
    text = f'[plugins]\nenabled = ["auth_jwt"]\n[plugins.auth_jwt]\n{table}\n'
    with pytest.raises(ConfigError, match=rf"\[plugins\.auth_jwt\].*{complaint}"):
        async with chatting(tmp_path, **configured(tmp_path / "conf", text)):
            pass


async def test_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PyJWT the start says what to install."""
    monkeypatch.setitem(sys.modules, "jwt", None)
    with pytest.raises(ConfigError, match=r"pip install 'chatd\[jwt\]'"):
        async with chat_of(tmp_path, "https://id.example.com"):
            pass
