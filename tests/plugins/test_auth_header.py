"""The plugin auth_header: who gets in because a proxy says so."""

from __future__ import annotations

import contextlib
import json
from base64 import b64encode
from pathlib import Path

import nginx
import pytest
from faces import FACES, REFUSED, Caller, configured
from harness import Chat, Script, chatting

from chatd.accounts import create_token, ensure_user, registered_user, vouch
from chatd.errors import ConfigError

CONFIG = """
[plugins]
enabled = ["auth_token", "auth_header", "presets_store"]

[plugins.auth_header]
networks = ["{network}"]
roles_header = "x-remote-groups"
admin_role = "chat-admins"
accounts = {{ "alice@example.org" = "alice" }}
"""
ALICE = {"X-Remote-User": "alice"}


def chat_behind(
    directory: Path, network: str = "127.0.0.1", more: str = "", **settings: str
) -> contextlib.AbstractAsyncContextManager[Chat]:
    """Run a chatd that trusts proxies in this network."""
    config = configured(directory / "conf", CONFIG.format(network=network) + more)
    return chatting(directory, Script(), **config, **settings)


def basic(name: str, **headers: str) -> dict[str, str]:
    """Return the headers of somebody who gives the proxy their name and password."""
    credentials = b64encode(f"{name}:secret of {name}".encode()).decode()
    return {"Authorization": f"Basic {credentials}", **headers}


@pytest.mark.skipif(nginx.find_nginx() is None, reason=f"nginx: {nginx.NONE}")
async def test_through_nginx(tmp_path: Path) -> None:
    """Whom nginx has let in is that user over every face, whatever headers they send themselves."""
    people = {"alice": "secret of alice", "bob": "secret of bob"}
    async with chat_behind(tmp_path) as chat:
        with nginx.proxying(tmp_path / "nginx", chat.url, **people) as url:
            forged = {"X-Remote-User": "bob", "X-Remote-Groups": "chat-admins"}
            alice = Caller(url, basic("alice", **forged))
            bob = Caller(url, basic("bob", **forged))
            assert [await alice.turn(face) for face in FACES] == ["hello world"] * 3
            found = [await alice.me(), await bob.me()]
            nobody = await Caller(url, ALICE).ask("GET", "/me/")
    assert [user["name"] for user in found] == ["alice", "bob"]
    # What the proxy calls chat-admins is the role admin here; its admin is nothing.
    assert [user["roles"] for user in found] == [["admin", "staff"], ["staff"]]
    assert nobody.status_code == 401 and nobody.headers["WWW-Authenticate"].startswith("Basic")


@pytest.mark.parametrize("face", FACES)
async def test_directly(tmp_path: Path, face: str) -> None:
    """Whoever is not the proxy is refused with the header, also when a header says they are it."""
    claims = {"X-Forwarded-For": "10.1.2.3", "X-Real-IP": "10.1.2.3", "Forwarded": "for=10.1.2.3"}
    async with chat_behind(tmp_path, network="10.0.0.0/8") as chat:
        for headers in (ALICE, ALICE | claims):
            assert await Caller(chat.url, headers).refusal(face) in (401, REFUSED)


async def test_a_token_does_not_help_a_forger(tmp_path: Path) -> None:
    """A plugin that stands before this one may let them in; none behind it is asked."""
    enabled = '["auth_header", "auth_token", "presets_store"]'
    text = CONFIG.format(network="10.0.0.0/8")
    config = configured(
        tmp_path / "conf",
        text.replace('["auth_token", "auth_header", "presets_store"]', enabled),
    )
    async with chatting(tmp_path, Script(), **config) as chat:
        token = {"Authorization": f"Token {(await chat.client('alice')).token}"}
        assert (await Caller(chat.url, token).me())["name"] == "alice"
        assert await Caller(chat.url, token | ALICE).refusal("rest") == 401


@pytest.mark.parametrize("face", FACES)
async def test_without_the_header(tmp_path: Path, face: str) -> None:
    """A request of the proxy that names nobody is nobody's, and others may know its token."""
    async with chat_behind(tmp_path) as chat:
        alice = await chat.client("alice")
        for headers in ({}, {"X-Remote-User": ""}):
            assert await Caller(chat.url, headers).refusal(face) in (401, REFUSED)
        known = Caller(chat.url, {"Authorization": f"Token {alice.token}"})
        assert await known.turn(face) == "hello world"


STRANGE = [
    [("X-Remote-User", "alice"), ("X-Remote-User", "mallory")],
    [("X-Remote-User", "mallory"), ("x-remote-user", "alice")],
    [("X-Remote-User", "alice,mallory")],
    [("X-Remote-User", "a" * 257)],
    [("X-Remote-User", "a\tb")],
    [("X-Remote-User", "\u200b")],
]


async def test_names_that_make_no_sense(tmp_path: Path) -> None:
    """A name that may be half the client's own, or is none, lets nobody in."""
    async with chat_behind(tmp_path) as chat:
        for headers in STRANGE:
            caller = Caller(chat.url)
            caller.headers = [(name, value.encode()) for name, value in headers]
            assert await caller.refusal("rest") == 401, headers


async def test_names_are_utf_8(tmp_path: Path) -> None:
    """The bytes of a name are UTF-8; the same name is the same user, another is another."""
    async with chat_behind(tmp_path) as chat:
        caller = Caller(chat.url)
        found = []
        for name in ("José", "José", "jose"):
            caller.headers = [("X-Remote-User", name.encode())]
            found.append(await caller.me())
        caller.headers = [("X-Remote-User", b"Jos\xe9")]
        assert await caller.refusal("rest") == 401
    assert found[0]["name"] == "José"
    assert found[0]["id"] == found[1]["id"]
    assert len({user["id"] for user in found}) == 2


async def test_an_account_of_the_same_name_is_not_theirs(tmp_path: Path) -> None:
    """Who is called like somebody else, or like the owner, has an account of their own."""
    async with chat_behind(tmp_path) as chat:
        alice, owner = await chat.client("alice"), await ensure_user(chat.app.store, "owner")
        found = await Caller(chat.url, ALICE).me()
        named_owner = await Caller(chat.url, {"X-Remote-User": "owner"}).me()
    assert found["id"] != alice.user.id and found["name"].startswith("alice-")
    assert named_owner["id"] != owner.id and named_owner["roles"] == []


async def test_accounts_that_the_operator_gives(tmp_path: Path) -> None:
    """`accounts` says whose account a name of the proxy has."""
    async with chat_behind(tmp_path) as chat:
        alice = await chat.client("alice")
        found = await Caller(chat.url, {"X-Remote-User": "alice@example.org"}).me()
    assert found["id"] == alice.user.id


async def test_roles(tmp_path: Path) -> None:
    """The role that the proxy calls admin's gives its rights; preferences do not lose it."""
    admin = ALICE | {"X-Remote-Groups": "chat-admins"}
    async with chat_behind(tmp_path) as chat:
        await chat.app.models.sync()
        path = "/models/script%2Fmodel/"
        may, may_not = Caller(chat.url, admin), Caller(chat.url, ALICE)
        assert (await may_not.ask("PATCH", path, {"is_default": True})).status_code == 403
        assert (await may.ask("PATCH", path, {"is_default": True})).status_code == 200
        changed = await may.ask("PATCH", "/me/", {"preferences": {"default_model": "m"}})
        assert changed.json() == await may.me()
    assert changed.json()["roles"] == ["admin"]


@pytest.mark.parametrize("face", FACES)
async def test_roles_that_came_twice(tmp_path: Path, face: str) -> None:
    """One of two headers with roles may be the client's own: nobody is let in with both."""
    async with chat_behind(tmp_path) as chat:
        caller = Caller(chat.url)
        caller.headers = [
            ("X-Remote-User", "alice"),
            ("X-Remote-Groups", "chat-admins"),
            ("X-Remote-Groups", "readers"),
        ]
        assert await caller.refusal(face) in (401, REFUSED)


async def test_a_disabled_account(tmp_path: Path) -> None:
    """The operator can shut out whom the proxy still lets through; an open socket closes."""
    async with chat_behind(tmp_path) as chat:
        caller = Caller(chat.url, ALICE)
        user_id = (await caller.me())["id"]
        async with caller.open_socket() as socket:
            await socket.recv()
            await chat.app.store.update_account(user_id, is_active=False)
            await socket.send(json.dumps({"type": "ping"}))
            await socket.wait_closed()
            assert socket.close_code == REFUSED
        assert await caller.refusal("rest") == 401


async def test_a_ticket_for_a_socket(tmp_path: Path) -> None:
    """Who came through the proxy gets tickets; what one opens ends with the account."""
    async with chat_behind(tmp_path) as chat:
        caller = Caller(chat.url, ALICE)
        ticket = (await caller.ask("POST", "/ws_ticket/")).json()["ticket"]
        async with Caller(chat.url).open_socket(f"sessions/?ticket={ticket}&") as socket:
            assert json.loads(await socket.recv())["type"] == "connection_established"


async def test_ipv4_seen_through_ipv6(tmp_path: Path) -> None:
    """A proxy with an address of IPv4 is the same when the server listens on IPv6."""
    from chatd_plugins.auth_header import ConfigSchema, _is_trusted

    [network] = ConfigSchema().load({"networks": ["10.0.0.0/8"]})["networks"]
    assert _is_trusted("::ffff:10.1.2.3", (network,))
    assert not _is_trusted("::ffff:11.1.2.3", (network,))
    assert not _is_trusted("", (network,))


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("networks = []", "networks"),
        ('networks = ["0.0.0.0/0"]', "everybody"),
        ('networks = ["::/0"]', "everybody"),
        ('networks = ["proxy"]', "Expected a network"),
        ('user_header = "X-Forwarded-For"', "your proxy alone"),
        ('user_header = "Authorization"', "your proxy alone"),
        ('user_header = "X Remote"', "your proxy alone"),
        ('header = "X-Remote-User"', "header"),
    ],
)
async def test_what_is_wrong_stops_the_start(tmp_path: Path, line: str, complaint: str) -> None:
    """A configuration that trusts everybody, or makes no sense, is refused with its key."""
    text = f'[plugins]\nenabled = ["auth_header"]\n[plugins.auth_header]\n{line}\n'
    with pytest.raises(ConfigError, match=rf"\[plugins\.auth_header\].*{complaint}"):
        async with chatting(tmp_path, **configured(tmp_path / "conf", text)):
            pass


async def test_every_origin(tmp_path: Path) -> None:
    """With pages of every origin the start is refused: each could use the proxy's word."""
    settings = {"CHATD_ALLOWED_ORIGINS": "*", "CHATD_SERVER_DEV": "true"}
    with pytest.raises(ConfigError, match="auth_header with allowed_origins"):
        async with chat_behind(tmp_path, **settings):
            pass


@pytest.mark.parametrize("face", FACES)
async def test_foreign_pages(tmp_path: Path, face: str) -> None:
    """A page of another origin cannot use what the proxy adds to its requests."""
    async with chat_behind(tmp_path) as chat:
        foreign = ALICE | {"Origin": "https://evil.example.com"}
        assert await Caller(chat.url, foreign).refusal(face) == 403


async def test_somebody_was_faster(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Who registered under a configured name is not whom the proxy means, until vouched for."""
    async with chat_behind(tmp_path) as chat:
        store = chat.app.store
        mallory = await registered_user(store, "auth_password", "alice")
        token = await create_token(store, mallory)
        caller = Caller(chat.url, {"X-Remote-User": "alice@example.org"})
        assert (await caller.ask("GET", "/me/")).status_code == 401
        assert "chatd users vouch alice" in caplog.text
        assert (await Caller(chat.url, ALICE).me())["name"].startswith("alice-")
        await vouch(store, mallory)
        assert (await caller.me())["id"] == mallory.id
        ended = Caller(chat.url, {"Authorization": f"Token {token}"})
        assert (await ended.ask("GET", "/me/")).status_code == 401
