"""The plugin auth_password: signing in by name and password."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import os
import pty
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from chatd_plugins import auth_password
from commands import Commands
from faces import FACES, REFUSED, Caller, close_code, configured
from harness import Chat, Script, chatting
from process import environment

import chatd
from chatd.accounts import create_token, ensure_user, registered_by
from chatd.addresses import client_address
from chatd.errors import ConfigError, RateLimited
from chatd.limits import Tries
from chatd.types import Request

CONFIG = """
[plugins]
enabled = ["auth_token", "auth_password", "presets_store"]

[plugins.auth_password]
time_cost = 1
memory_kib = 64
parallelism = 1
"""
OPEN = "register = true\n"
GOOD = "correct horse"


def chat_with(
    directory: Path, more: str = OPEN, **settings: str
) -> contextlib.AbstractAsyncContextManager[Chat]:
    """Run a chatd that takes passwords, cheap ones to compute."""
    config = configured(directory / "conf", CONFIG + more)
    return chatting(directory, Script(), **config, **settings)


async def sign_in(chat: Chat, name: str, password: str, **headers: str) -> httpx.Response:
    """Return the answer to somebody who signs in."""
    body = {"name": name, "password": password}
    return await Caller(chat.url).ask("POST", "/sign_in/", body, **headers)


async def register(chat: Chat, name: str = "alice", password: str = GOOD) -> httpx.Response:
    """Return the answer to somebody who makes an account."""
    body = {"name": name, "password": password}
    return await Caller(chat.url).ask("POST", "/x/auth_password/register/", body)


async def signed_in(chat: Chat, name: str = "alice", password: str = GOOD) -> Caller:
    """Return a caller with the token that a password got."""
    answer = await sign_in(chat, name, password)
    assert answer.status_code == 200, answer.text
    return Caller(chat.url, {"Authorization": f"Token {answer.json()['token']}"})


async def change(caller: Caller, old: str, new: str) -> int:
    """Return the status of the answer to a change of password."""
    body = {"old_password": old, "new_password": new}
    return (await caller.ask("POST", "/x/auth_password/change", body)).status_code


@pytest.mark.usefixtures("each_store")
async def test_from_register_to_a_turn(tmp_path: Path) -> None:
    """Who has made an account signs in, and has a turn over every face."""
    async with chat_with(tmp_path) as chat:
        made = await register(chat)
        caller = await signed_in(chat)
        assert [await caller.turn(face) for face in FACES] == ["hello world"] * 3
        me = await caller.me()
        stored = await chat.app.store.list_data("auth_password")
    assert made.status_code == 201
    assert made.json() == {"id": me["id"], "name": "alice"}
    assert me["roles"] == []
    assert stored[0].value["hash"].startswith("$argon2id$")
    assert GOOD not in str(stored)


async def test_the_client_of_the_harness(tmp_path: Path) -> None:
    """What sign_in/ answers is what the contract says, for a refusal as well."""
    async with chat_with(tmp_path, OPEN + "tries_per_account = 1\n") as chat:
        await register(chat)
        anybody, body = chat.anonymous(), {"name": "alice", "password": GOOD}
        answer = await anybody.call("POST", "/sign_in/", json=body)
        assert answer["expires_at"] is not None
        await anybody.call("POST", "/sign_in/", 401, json=body | {"password": "wrong"})
        await anybody.call("POST", "/sign_in/", 429, json=body)


async def test_wrong_ones_are_all_the_same(tmp_path: Path) -> None:
    """A wrong password, an unknown name, no password, a disabled account: all answer alike."""
    async with chat_with(tmp_path) as chat:
        await register(chat)
        await register(chat, "disabled")
        await ensure_user(chat.app.store, "without")
        account = await chat.app.store.get_account(name="disabled")
        assert account is not None
        await chat.app.store.update_account(account.user.id, is_active=False)
        bodies = [
            (await sign_in(chat, name, password))
            for name, password in [
                *(("alice", "wrong horse"), ("alice", ""), ("alice", GOOD + " "), ("bob", GOOD)),
                *(("disabled", GOOD), ("without", GOOD), ("without", ""), ("", GOOD)),
                *(("alice", "x" * 5000), ("a" * 5000, GOOD), ("alice", GOOD.upper())),
            ]
        ]
        assert {answer.status_code for answer in bodies} == {401}
        assert len({answer.text for answer in bodies}) == 1
        for strange in ({"name": 1, "password": GOOD}, {"name": "alice"}, {"password": GOOD}):
            assert (await Caller(chat.url).ask("POST", "/sign_in/", strange)).status_code == 401


async def test_an_unknown_name_takes_as_long(tmp_path: Path) -> None:
    """As much is computed for a name that nobody has, in CPU time of the whole process."""
    more = OPEN.replace("\n", "\ntries_per_account = 1000\ntries_per_address = 1000\n")
    text = (CONFIG + more).replace("memory_kib = 64", "memory_kib = 4096")
    async with chatting(tmp_path, Script(), **configured(tmp_path / "conf", text)) as chat:
        await register(chat)

        async def cost(name: str) -> float:
            begun = time.process_time()
            await sign_in(chat, name, "wrong horse")
            return time.process_time() - begun

        await cost("alice")
        known, unknown = [], []
        for _ in range(15):
            known.append(await cost("alice"))
            unknown.append(await cost("nobody"))
    assert 0.5 < statistics.median(known) / statistics.median(unknown) < 2


@pytest.mark.parametrize(
    ("made", "given"),
    [
        ("alice", "Alice"),
        ("ALICE", "alice"),
        ("Ａｌｉｃｅ", "alice"),
        ("jose\u0301", "jos\u00e9"),
        ("straße", "STRASSE"),
        ("alice@example.org", " alice@example.org "),
    ],
)
async def test_ways_to_write_a_name(tmp_path: Path, made: str, given: str) -> None:
    """A name is the same however it is written; nobody else can have it in another way."""
    async with chat_with(tmp_path) as chat:
        assert (await register(chat, made)).status_code == 201
        assert (await register(chat, given)).status_code == 409
        await signed_in(chat, given)


async def test_names_of_the_operators(tmp_path: Path) -> None:
    """An account that the operator made signs in with its own name, capitals and all."""
    async with chat_with(tmp_path, "") as chat:
        user = await ensure_user(chat.app.store, "Jane Doe")
        await passwords_of(chat).set(user.id, GOOD)
        assert (await (await signed_in(chat, "Jane Doe")).me())["id"] == user.id


def passwords_of(chat: Chat) -> Any:
    """Return the passwords of a running chatd."""
    from chatd_plugins.auth_password import _passwords

    return _passwords[chat.app]


async def test_what_cannot_be_registered(tmp_path: Path) -> None:
    """Names that are taken or none, passwords that are too short or long, and foreign fields."""
    async with chat_with(tmp_path, OPEN + "tries_per_address = 100\n") as chat:
        await ensure_user(chat.app.store, "taken")
        names = ("owner", "OWNER", "taken", "", " ", "a b", "a\nb", "a" * 65, "a\u200bb", "a/b")
        answers = [(await register(chat, name)).status_code for name in names]
        assert answers == [409, 409, 409, *[400] * 7]
        passwords = ["", "1234567", "x" * 1025]
        answers = [(await register(chat, "bob", one)).status_code for one in passwords]
        assert answers == [400] * 3
        body = {"name": "bob", "password": GOOD, "roles": ["admin"]}
        answer = await Caller(chat.url).ask("POST", "/x/auth_password/register/", body)
        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["roles"])
        for one in ("12345678", "ü" * 1024):
            name = f"user{len(one)}"
            assert (await register(chat, name, one)).status_code == 201
            await signed_in(chat, name, one)


async def test_registering_at_the_same_time(tmp_path: Path) -> None:
    """Of all who want a name at once one gets it, with the password that they gave."""
    async with chat_with(tmp_path) as chat:
        answers = await asyncio.gather(
            *(register(chat, password=f"password {n}") for n in range(8))
        )
        statuses = [answer.status_code for answer in answers]
        assert sorted(statuses) == [201, *[409] * 7]
        await signed_in(chat, "alice", f"password {statuses.index(201)}")
        assert len(await chat.app.store.list_data("auth_password")) == 1


async def test_registering_is_closed(tmp_path: Path) -> None:
    """Unless the configuration opens it there is no such path."""
    async with chat_with(tmp_path, "") as chat:
        assert (await register(chat)).status_code == 404


@pytest.mark.usefixtures("each_store")
async def test_changing(tmp_path: Path) -> None:
    """Who knows the old password sets a new one; all other tokens end, with their sockets."""
    async with chat_with(tmp_path) as chat:
        await register(chat)
        await register(chat, "bob")
        caller, other, bob = (
            await signed_in(chat),
            await signed_in(chat),
            await signed_in(chat, "bob"),
        )
        async with other.open_socket() as socket:
            await socket.recv()
            assert await change(caller, "wrong horse", "battery staple") == 403
            assert await change(caller, GOOD, "short") == 400
            assert await change(Caller(chat.url), GOOD, "battery staple") == 401
            assert (await other.me())["name"] == "alice"
            assert await change(caller, GOOD, "battery staple") == 204
            await socket.send(json.dumps({"type": "ping"}))
            assert await close_code(socket) == REFUSED
        assert await other.refusal("rest") == 401
        assert (await caller.me())["name"] == "alice"
        assert (await bob.me())["name"] == "bob"
        assert (await sign_in(chat, "alice", GOOD)).status_code == 401
        await signed_in(chat, "alice", "battery staple")


class Between:
    """Does something between the check of a password and the token."""

    act: Callable[[], Awaitable[object]] | None = None

    @chatd.hookimpl
    async def sign_in(
        self, app: chatd.App, credentials: Mapping[str, Any], request: chatd.Request
    ) -> chatd.SignedIn | None:
        """Ask the plugin, and then act."""
        found = await auth_password.sign_in(app, credentials, request)
        if self.act is not None:
            await self.act()
        return found


async def test_changing_while_somebody_signs_in(tmp_path: Path) -> None:
    """Who was let in by the old password has no token; with the same, hashed anew, they have."""
    between = Between()
    config = configured(tmp_path / "conf", CONFIG + OPEN)
    async with chatting(tmp_path, Script(), between, **config) as chat:
        await register(chat)
        alice = await signed_in(chat)
        between.act = lambda: change(alice, GOOD, "another one")
        assert (await sign_in(chat, "alice", GOOD)).status_code == 401
        assert len(await chat.app.store.list_tokens()) == 1
        user_id = (await alice.me())["id"]
        between.act = lambda: auth_password.Passwords(chat.app).set(user_id, "another one")
        assert (await sign_in(chat, "alice", "another one")).status_code == 200


async def test_who_registers_is_marked(tmp_path: Path) -> None:
    """It is kept who has made their account themselves; who came too late leaves nothing."""
    async with chat_with(tmp_path) as chat:
        store = chat.app.store
        bob = await ensure_user(store, "bob")
        alice = (await register(chat)).json()
        assert (await register(chat)).status_code == 409
        assert await registered_by(store, alice["id"]) == "auth_password"
        assert await registered_by(store, bob.id) == ""
        with pytest.raises(chatd.Conflict):
            await chatd.registered_user(store, "mine", "bob", id="x")
        assert await registered_by(store, "x") == ""


async def test_changing_without_a_password(tmp_path: Path) -> None:
    """Who has tokens only, and so never a password, cannot give themselves one."""
    async with chat_with(tmp_path) as chat:
        alice = await chat.client("alice")
        caller = Caller(chat.url, {"Authorization": f"Token {alice.token}"})
        assert await change(caller, "", GOOD) == 403
        assert await change(caller, GOOD, GOOD) == 403


async def test_tries_of_an_account(tmp_path: Path) -> None:
    """After some wrong tries even the right password is refused, with when to come again."""
    more = OPEN + "tries_per_account = 3\nwindow = 600\n"
    async with chat_with(tmp_path, more) as chat:
        await register(chat)
        for name in ("alice", "nobody"):
            wrong = [(await sign_in(chat, name, "wrong horse")).status_code for _ in range(3)]
            assert wrong == [401] * 3
        for name in ("alice", "ALICE", "nobody"):  # who is not there is not told apart by it
            refused = await sign_in(chat, name, GOOD)
            assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
            assert 150 < int(refused.headers["Retry-After"]) <= 200


async def test_tries_at_the_same_time(tmp_path: Path) -> None:
    """A try counts before it is made: many at once are no more than one after the other."""
    async with chat_with(tmp_path, OPEN + "tries_per_account = 5\n") as chat:
        await register(chat)
        answers = await asyncio.gather(*(sign_in(chat, "alice", f"wrong {n}") for n in range(20)))
        assert [answer.status_code for answer in answers].count(401) == 5


async def test_megabytes(tmp_path: Path) -> None:
    """A name or a password of megabytes is wrong, is not worked on, and is not remembered."""
    huge = "\ufdfa" * 1_000_000  # each becomes 18 characters
    async with chat_with(tmp_path) as chat:
        await register(chat)
        begun = time.process_time()
        for name, password in ((huge, GOOD), ("alice", huge), ("alice" + " " * 500 + "x", GOOD)):
            assert (await sign_in(chat, name, password)).status_code == 401
        assert (await register(chat, huge)).status_code == 400
        assert (await register(chat, "bob", huge)).status_code == 400
        assert time.process_time() - begun < 5
        kept = passwords_of(chat)._names._buckets
        assert {len(key) for key in kept} == {64}


async def test_tries_of_a_change(tmp_path: Path) -> None:
    """Who has somebody's token cannot guess their password with it either."""
    async with chat_with(tmp_path, OPEN + "tries_per_account = 3\n") as chat:
        await register(chat)
        caller = await signed_in(chat)
        wrong = [await change(caller, f"wrong {n}", "battery staple") for n in range(5)]
        assert wrong == [403, 403, 403, 429, 429]


async def test_right_ones_do_not_count(tmp_path: Path) -> None:
    """Who signs in often with the right password is never refused."""
    more = OPEN + "tries_per_account = 2\ntries_per_address = 3\n"
    async with chat_with(tmp_path, more) as chat:
        await register(chat)
        for _ in range(6):
            await signed_in(chat)


async def test_tries_of_an_address(tmp_path: Path) -> None:
    """One address has so many tries for all names together, and for making accounts."""
    async with chat_with(tmp_path, OPEN + "tries_per_address = 4\n") as chat:
        tried = [(await sign_in(chat, f"user{n}", GOOD)).status_code for n in range(4)]
        assert tried == [401] * 4
        forged = {"X-Forwarded-For": "192.0.2.7"}
        assert (await sign_in(chat, "user", GOOD, **forged)).status_code == 429
        assert (await register(chat)).status_code == 429


async def test_addresses_behind_a_proxy(tmp_path: Path) -> None:
    """Of a proxy in `proxies` it is whom that names last; the rest is a client's claim."""
    more = 'tries_per_address = 2\nproxies = ["127.0.0.1", "10.0.0.0/8"]\n'
    async with chat_with(tmp_path, more) as chat:
        for _ in range(3):
            last = await sign_in(chat, "a", GOOD, **{"X-Forwarded-For": "1.1.1.1, 192.0.2.1"})
        assert last.status_code == 429
        for claimed in ("2.2.2.2, 192.0.2.1", "192.0.2.1, 10.1.1.1"):
            again = await sign_in(chat, "b", GOOD, **{"X-Forwarded-For": claimed})
            assert again.status_code == 429
        other = await sign_in(chat, "b", GOOD, **{"X-Forwarded-For": "192.0.2.2"})
        assert other.status_code == 401


PROXIED = [
    ("6.6.6.6, 192.0.2.1:4711", "192.0.2.1"),
    ("6.6.6.6, [2001:db8::1]:4711", "2001:db8::/64"),
    ("6.6.6.6, [2001:db8::1]", "2001:db8::/64"),
    ("6.6.6.6, 192.0.2.1:4711, 127.0.0.1:80", "192.0.2.1"),
    ("6.6.6.6, unknown", "127.0.0.1"),
    ("6.6.6.6, ", "127.0.0.1"),
    ("6.6.6.6, 192.0.2.1, 127.0.0.1, _hidden", "127.0.0.1"),
    ("", "127.0.0.1"),
]


@pytest.mark.parametrize(("header", "address"), PROXIED)
def test_what_a_client_claims_is_never_its_address(header: str, address: str) -> None:
    """A proxy may name a port; where it names no address, what stands before is not asked."""
    headers = {"X-Forwarded-For": header}
    request = Request(method="", path="", headers=headers, peer="127.0.0.1")
    assert client_address(request, [ipaddress.ip_network("127.0.0.1")]) == address


def test_networks_of_ipv6_are_one() -> None:
    """Who has one address of a network of 64 bits has all of them, and one bucket."""
    found = {
        client_address(Request(method="", path="", headers={}, peer=peer))
        for peer in ("2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1", "::ffff:192.0.2.1")
    }
    assert found == {"2001:db8::/64", "2001:db8:0:1::/64", "192.0.2.1"}


def test_tries_come_back_evenly() -> None:
    """A bucket refuses with the seconds until the next try, and fills up to its size."""
    tries = Tries(2, 1000.0)
    tries.take("a")
    tries.take("a")
    tries.take("b")
    with pytest.raises(RateLimited) as refused:
        tries.take("a")
    assert refused.value.retry_after == 500
    for _ in range(5):
        tries.give_back("a")
    tries.take("a")
    tries.take("a")
    with pytest.raises(RateLimited):
        tries.take("a")


async def test_more_work_than_before(tmp_path: Path) -> None:
    """When the parameters have grown, signing in makes the hash anew; shrunk, it stays."""
    found = []
    for cost in (1, 2, 1):
        text = CONFIG.replace("time_cost = 1", f"time_cost = {cost}") + OPEN
        async with chatting(tmp_path, Script(), **configured(tmp_path / "conf", text)) as chat:
            if not found:
                await register(chat)
            assert (await sign_in(chat, "alice", "wrong horse")).status_code == 401
            await asyncio.gather(signed_in(chat), signed_in(chat))
            [datum] = await chat.app.store.list_data("auth_password")
            found.append(datum.value["hash"])
    assert ["t=1" in found[0], "t=2" in found[1], found[1] == found[2]] == [True] * 3


async def test_the_loop_goes_on(tmp_path: Path) -> None:
    """While passwords are computed others are answered; who would wait long is sent away."""
    text = CONFIG.replace("time_cost = 1", "time_cost = 20").replace("= 64", "= 16384")
    more = "at_once = 1\ntries_per_account = 1000\ntries_per_address = 1000\n"
    async with chatting(tmp_path, Script(), **configured(tmp_path / "conf", text + more)) as chat:
        signing_in = [asyncio.create_task(sign_in(chat, f"u{n}", GOOD)) for n in range(75)]
        async with httpx.AsyncClient(base_url=chat.url, timeout=30) as http:
            while not any(task.done() for task in signing_in):
                assert (await http.get("/healthz")).status_code == 200
        for task in signing_in:
            if not task.done():
                task.cancel()
        done = await asyncio.gather(*signing_in, return_exceptions=True)
        statuses = [one.status_code for one in done if isinstance(one, httpx.Response)]
    assert {*statuses} <= {401, 503} and 503 in statuses


async def test_tokens_expire(tmp_path: Path) -> None:
    """What a password gets is a token of chatd's, with the lifetime of those."""
    async with chat_with(tmp_path, OPEN, CHATD_TOKENS_LIFETIME="3600") as chat:
        await register(chat)
        answer = (await sign_in(chat, "alice", GOOD)).json()
        [(token, user)] = await chat.app.store.list_tokens()
    assert token.expires_at is not None and user.name == "alice"
    assert 3590 < (token.expires_at - token.created_at).total_seconds() <= 3601
    assert answer["expires_at"] is not None


async def test_others_stand_beside_it(tmp_path: Path) -> None:
    """An administrator with a password is one, and another plugin's credentials still count."""
    async with chat_with(tmp_path, "") as chat:
        store = chat.app.store
        root = chatd.User(id=chatd.new_id(), name="root", roles=("admin",))
        await store.add_user(root)
        await passwords_of(chat).set(root.id, GOOD)
        caller = await signed_in(chat, "root")
        await chat.app.models.sync()
        path = "/models/script%2Fmodel/"
        assert (await caller.ask("PATCH", path, {"is_default": True})).status_code == 200
        token = await create_token(store, root)
        assert (await Caller(chat.url, {"Authorization": f"Token {token}"}).me())["name"] == "root"


def commands_in(tmp_path: Path) -> tuple[Commands, dict[str, str]]:
    """Return commands over a directory, and the environment that names its configuration."""
    return Commands(tmp_path), {
        "CHATD_CONFIG": configured(tmp_path / "conf", CONFIG)["CHATD_CONFIG"]
    }


async def test_the_operator_sets_a_password(tmp_path: Path) -> None:
    """`chatd password` takes one from stdin, ends the user's tokens, and takes it away again."""
    commands, environ = commands_in(tmp_path)
    commands.says("tokens", "create", "alice")
    told = commands.run("password", "alice", input=GOOD.encode() + b"\n", **environ)
    assert (told.exit_code, told.stdout) == (0, "")
    assert told.stderr == "alice has a new password; tokens revoked: 1.\n"
    async with chat_with(tmp_path, "") as chat:
        await signed_in(chat)
    assert (
        "no password now; tokens revoked: 1"
        in commands.run("password", "alice", "--remove", **environ).stderr
    )
    async with chat_with(tmp_path, "") as chat:
        assert (await sign_in(chat, "alice", GOOD)).status_code == 401


def test_what_the_operator_does_wrong(tmp_path: Path) -> None:
    """A user that is not there, a short password and one as an argument are refused."""
    commands, environ = commands_in(tmp_path)
    commands.says("users", "add", "alice")
    assert commands.fails("password", "bob", **environ).endswith("with: chatd users add bob")
    assert "8 to 1024 characters" in commands.fails("password", "alice", **environ)
    assert commands.run("password", "alice", GOOD, **environ).exit_code == 2


def test_at_a_terminal(tmp_path: Path) -> None:
    """At a terminal the password is asked for twice, and does not show."""
    commands, environ = commands_in(tmp_path)
    commands.says("users", "add", "alice")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "chatd", "--data-dir", str(commands.data), "password", "alice"],
        env=environment(**environ),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        shown = b""
        for prompt in (b"Password: ", b"confirmation: "):
            while prompt not in shown:
                shown += os.read(ours, 1000)
            os.write(ours, GOOD.encode() + b"\n")
        with contextlib.suppress(OSError):  # the other end is closed
            while data := os.read(ours, 1000):
                shown += data
    finally:
        os.close(ours)
        process.kill()
        process.wait()
    assert b"alice has a new password" in shown and GOOD.encode() not in shown


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[plugins]\nenabled = ["auth_password"]\n', "auth_token lets in: add that"),
        (CONFIG.replace("memory_kib = 64", "memory_kib = 1"), "memory_kib"),
        (CONFIG + 'proxies = ["0.0.0.0/0"]\n', "everybody"),
    ],
)
async def test_what_is_wrong_stops_the_start(tmp_path: Path, text: str, complaint: str) -> None:
    """Without auth_token, or with settings that make no sense, the start is refused."""
    with pytest.raises(ConfigError, match=complaint):
        async with chatting(tmp_path, **configured(tmp_path / "conf", text)):
            pass


async def test_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without argon2 the start says what to install."""
    monkeypatch.setitem(sys.modules, "argon2", None)
    with pytest.raises(ConfigError, match=r"pip install 'chatd\[password\]'"):
        async with chat_with(tmp_path):
            pass
