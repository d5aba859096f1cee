"""The caller: signing in and out, tickets for sockets, and the account."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import re
from pathlib import Path
from typing import Any

import pytest
from harness import API, Chat, Client, Script, chatting
from routes import check_problem
from websockets.asyncio.client import connect

import chatd
from chatd import accounts

USER = {"id", "name", "roles", "preferences"}


async def ticket_of(chat: Chat, client: Client, lifetime: float = 600) -> str:
    """Return a ticket as `chatd serve` prints one."""
    store = chat.app.store
    return (await accounts.create_ticket(store, client.user, "sign_in_ticket", lifetime))[0]


def seconds_until(text: str) -> float:
    """Return how far away a time is."""
    assert text.endswith("Z")
    return (dt.datetime.fromisoformat(text) - dt.datetime.now(dt.UTC)).total_seconds()


class Passwords:
    """A plugin that takes names and passwords."""

    def __init__(self) -> None:
        self.users: dict[str, chatd.User] = {}

    @chatd.hookimpl
    def sign_in(self, credentials: dict[str, Any]) -> chatd.User | None:
        """Return the user; say no when the password is wrong."""
        if "password" not in credentials:
            return None
        if credentials["password"] != "right":
            raise chatd.Unauthenticated("Wrong name or password.")
        return self.users[credentials["name"]]


async def test_sign_in_by_ticket(tmp_path: Path) -> None:
    """A ticket is changed into a token of its own, once."""
    async with chatting(tmp_path, Script()) as chat:
        alice, nobody = await chat.client("alice"), chat.anonymous()
        ticket = await ticket_of(chat, alice)
        signed_in = await nobody.call("POST", "/sign_in/", json={"ticket": ticket})
        assert signed_in.keys() == {"token", "expires_at", "user"}
        assert signed_in["token"] not in (ticket, alice.token)
        assert signed_in["user"] == await alice.call("GET", "/me/")
        assert 2_591_000 < seconds_until(signed_in["expires_at"]) <= 2_592_000
        headers = {"Authorization": f"Token {signed_in['token']}"}
        assert (await nobody.call("GET", "/me/", headers=headers))["name"] == "alice"
        answer = await nobody.http.post(f"{API}/sign_in/", json={"ticket": ticket})
        check_problem(answer, 401, "unauthorized")


async def test_a_ticket_is_good_once(tmp_path: Path) -> None:
    """Of many who come with the same ticket at the same time one gets in."""
    async with chatting(tmp_path, Script()) as chat:
        alice, nobody = await chat.client("alice"), chat.anonymous()
        body = {"ticket": await ticket_of(chat, alice)}
        answers = await asyncio.gather(
            *[nobody.http.post(f"{API}/sign_in/", json=body) for _ in range(10)]
        )
        assert sorted(answer.status_code for answer in answers) == [200] + [401] * 9


async def test_tickets_that_are_no_good(tmp_path: Path) -> None:
    """An expired or unknown ticket is 401, as is a token, another kind of ticket, or nothing."""
    async with chatting(tmp_path, Script()) as chat:
        alice, nobody = await chat.client("alice"), chat.anonymous()
        expired = await ticket_of(chat, alice, lifetime=-1)
        for_socket = (await alice.call("POST", "/ws_ticket/"))["ticket"]
        good = await ticket_of(chat, alice)
        for body in (
            *({"ticket": ticket} for ticket in (expired, for_socket, alice.token, "", "x", None)),
            *({}, {"name": "alice"}, {"token": "x"}, {"ticket": good[:-1]}, {"ticket": good + "."}),
        ):
            answer = await nobody.http.post(f"{API}/sign_in/", json=body)
            check_problem(answer, 401, "unauthorized")
            assert answer.headers["WWW-Authenticate"] == "Token"
        headers = {"Authorization": f"Token {good}"}
        check_problem(await nobody.http.get(f"{API}/me/", headers=headers), 401)


async def test_sign_in_by_token(tmp_path: Path) -> None:
    """A token signs in too, and what comes back is another one."""
    async with chatting(tmp_path, Script(), CHATD_TOKENS_LIFETIME="0") as chat:
        alice, nobody = await chat.client("alice"), chat.anonymous()
        signed_in = await nobody.call("POST", "/sign_in/", json={"token": alice.token})
        assert signed_in["token"] != alice.token
        assert signed_in["expires_at"] is None


async def test_sign_in_by_a_plugin(tmp_path: Path) -> None:
    """What a plugin takes signs in; what it refuses is 401 in its words."""
    plugin = Passwords()
    async with chatting(tmp_path, plugin, Script()) as chat:
        alice, nobody = await chat.client("alice"), chat.anonymous()
        plugin.users["alice"] = alice.user
        body = {"name": "alice", "password": "right"}
        signed_in = await nobody.call("POST", "/sign_in/", json=body)
        assert signed_in["user"]["id"] == alice.user.id
        answer = await nobody.http.post(f"{API}/sign_in/", json=body | {"password": "wrong"})
        assert check_problem(answer, 401)["detail"] == "Wrong name or password."


async def test_sign_out(tmp_path: Path) -> None:
    """Signing out revokes the token used, and no other of the same user."""
    async with chatting(tmp_path, Script()) as chat:
        alice, other = await chat.client("alice"), await chat.client("alice")
        assert await alice.call("POST", "/sign_out/", 204) is None
        for path in ("/me/", "/sessions/"):
            check_problem(await alice.http.get(API + path), 401, "unauthorized")
        check_problem(await alice.http.post(f"{API}/sign_out/"), 401, "unauthorized")
        assert (await other.call("GET", "/me/"))["name"] == "alice"


async def test_a_ticket_for_a_socket(tmp_path: Path) -> None:
    """A ticket opens one socket within 30 seconds, without a token in its URL."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        answer = await alice.call("POST", "/ws_ticket/")
        assert answer.keys() == {"ticket", "expires_at"}
        assert re.fullmatch(r"chatd_[\w-]{43}", answer["ticket"])  # random, and nothing else
        assert 25 < seconds_until(answer["expires_at"]) <= 30
        nobody, query = chat.anonymous(), {"ticket": answer["ticket"]}
        async with nobody.socket("sessions", **query) as socket:
            await socket.send("ping", t=1)
            assert (await socket.receive())["type"] == "pong"
        expired, _ = await accounts.create_ticket(chat.app.store, alice.user, "ws_ticket", -1)
        for ticket in (answer["ticket"], expired, "x", await ticket_of(chat, alice), alice.token):
            async with nobody.socket("sessions", greet=False, ticket=ticket) as socket:
                assert (await socket.receive())["code"] == "unauthorized"
                assert await socket.close_code() == 4501


async def test_a_ticket_for_a_socket_is_nothing_else(tmp_path: Path) -> None:
    """A socket's ticket is no token, and of many sockets with the same one a single one opens."""
    async with chatting(tmp_path, Script()) as chat:
        alice, nobody = await chat.client("alice"), chat.anonymous()
        ticket = (await alice.call("POST", "/ws_ticket/"))["ticket"]
        headers = {"Authorization": f"Token {ticket}"}
        check_problem(await nobody.http.get(f"{API}/me/", headers=headers), 401, "unauthorized")
        async with nobody.socket("sessions", greet=False, token=ticket) as socket:
            assert (await socket.receive())["code"] == "unauthorized"
        async with contextlib.AsyncExitStack() as stack:
            greetings = [
                await stack.enter_async_context(
                    nobody.socket("sessions", greet=False, ticket=ticket)
                )
                for _ in range(5)
            ]
            kinds = [(await socket.receive())["type"] for socket in greetings]
        assert sorted(kinds) == ["connection_established"] + ["error"] * 4
        check_problem(await nobody.http.post(f"{API}/ws_ticket/"), 401, "unauthorized")


async def test_where_a_socket_finds_its_token(tmp_path: Path) -> None:
    """A socket takes a token from header, query or subprotocol, of which it selects `chatd.v1`."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        url = f"{chat.url.replace('http', 'ws')}/ws/ai-chat/sessions/"
        offered: Any = ["chatd.v1", f"chatd.token.{alice.token}"]
        for options, selected in (
            ({"additional_headers": {"Authorization": f"Token {alice.token}"}}, None),
            ({"additional_headers": {"Authorization": f"Bearer {alice.token}"}}, None),
            ({"subprotocols": offered}, "chatd.v1"),
            ({"subprotocols": offered[::-1]}, "chatd.v1"),
        ):
            async with connect(url, **options) as connection:
                assert "connection_established" in str(await connection.recv())
                assert connection.subprotocol == selected
        wrong: Any = ["chatd.v1", "chatd.token.x"]
        for options in ({}, {"subprotocols": wrong}, {"subprotocols": wrong[:1]}):
            async with connect(url, **options) as connection:
                assert "unauthorized" in str(await connection.recv())
                await connection.wait_closed()
                assert connection.close_code == 4501


async def test_me(tmp_path: Path) -> None:
    """The caller is seen with all fields; preferences merge, and null removes one."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        me = await alice.call("GET", "/me/")
        assert me.keys() == USER
        nothing = {"default_model": None}
        assert me == {"id": alice.user.id, "name": "alice", "roles": [], "preferences": nothing}
        for wanted in ("script/model", "not known yet", None):
            body = {"preferences": {"default_model": wanted}}
            changed = await alice.call("PATCH", "/me/", json=body)
            assert changed == me | {"preferences": {"default_model": wanted}}
            assert await alice.call("PATCH", "/me/", json={"preferences": {}}) == changed
            assert await alice.call("PATCH", "/me/", json={}) == changed
            assert await alice.call("GET", "/me/") == changed


async def test_no_secret_in_a_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """No token or ticket is ever logged, however its place in a URL is written."""
    for name in ("httpx", "httpcore", "websockets.client"):  # the clients of this test
        caplog.set_level(logging.WARNING, name)
    caplog.set_level(logging.DEBUG)
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        ticket = (await alice.call("POST", "/ws_ticket/"))["ticket"]
        sign_in = await ticket_of(chat, alice)
        async with alice.socket("sessions"), alice.socket("sessions", token="", ticket=ticket):
            pass
        secrets = (alice.token, ticket, sign_in)
        for secret in secrets:
            for name in ("token", "ticket", "%74oken", "ti%63ket", "x=1&token", "token=&ticket"):
                for method in ("GET", "POST"):
                    for path in (f"{API}/me/", "/", "/nothing", "/ws/ai-chat/sessions/"):
                        await alice.http.request(method, f"{path}?{name}={secret}&y=2")
        await alice.call("POST", "/sign_in/", json={"ticket": sign_in})
    assert "token=***" in caplog.text and "&y=2" in caplog.text
    assert not [secret for secret in secrets if secret in caplog.text]
