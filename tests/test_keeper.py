"""Who looks after open sockets and streams: limits, dead and stalled peers, rights."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from harness import API, Chat, Client, Script, chatting
from routes import HANDSHAKE, check_problem
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

import chatd
from chatd.errors import StoreUnavailable
from chatd.handlers.keeper import Keeper
from chatd.handlers.wire import Few
from chatd.web import make_application

SSE = {"Accept": "text/event-stream"}
HI = {"message": "hi"}


@contextlib.asynccontextmanager
async def kept(chat: Chat, keeper: Keeper) -> AsyncIterator[Chat]:
    """Serve the same App once more, looked after by this keeper, which sweeps when told to."""
    server = HTTPServer(make_application(chat.app, keeper))
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    inner = Chat(chat.app, sockets[0].getsockname()[1])
    try:
        yield inner
    finally:
        server.stop()
        await keeper.aclose(1012, "")
        await server.close_all_connections()
        for client in inner.clients:
            await client.http.aclose()


def ahead(seconds: float) -> float:
    """Return the time of the loop in so many seconds."""
    return asyncio.get_running_loop().time() + seconds


async def unread_stream(client: Client, session_id: str) -> asyncio.StreamWriter:
    """Send a message over SSE and read next to nothing of the answer."""
    port = int(client.chat.url.rpartition(":")[2])
    _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    body = b'{"message": "hi"}'
    writer.write(
        f"POST {API}/sessions/{session_id}/send_message/?chunks=delta HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Token {client.token}\r\nAccept: text/event-stream\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    return writer


async def test_who_comes_while_sockets_are_closed_is_sent_away(tmp_path: Path) -> None:
    """A socket that is opened while a stopping server closes the others gets the same code."""
    keeper = Keeper(most=0, most_per_user=0)
    async with chatting(tmp_path, Script()) as outer, kept(outer, keeper) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket(f"session/{session_id}") as first:
            await keeper.aclose(1012, "server stopping")
            async with alice.socket(f"session/{session_id}", greet=False) as second:
                assert [await first.close_code(), await second.close_code()] == [1012, 1012]


async def test_an_open_socket_has_let_go_of_its_handshake(tmp_path: Path) -> None:
    """What Tornado keeps of a handshake and never looks at again is 3.5 KiB of each idle socket."""
    keeper = Keeper(most=0, most_per_user=0)
    async with chatting(tmp_path, Script()) as outer, kept(outer, keeper) as chat:
        alice = await chat.client("alice")
        async with alice.socket(f"session/{await alice.new_session()}") as client:
            await client.send("ping")
            await client.until("pong")
            [socket] = keeper._sockets
            stream = socket.ws_connection.stream
            assert [*socket.request.headers] == [*socket._headers] == []
            assert type(stream._write_futures) is type(stream._write_buffer._buffers) is Few


async def test_a_stream_that_is_not_read_ends(tmp_path: Path) -> None:
    """A client that takes nothing of its stream for 20 s loses it; the generation goes on."""
    reply = ["x" * 2**20] * 32
    keeper = Keeper(most=0, most_per_user=1)
    async with (
        chatting(tmp_path, Script(reply), CHATD_LIMITS_REPLY_BYTES="0") as outer,
        kept(outer, keeper) as chat,
    ):
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        writer = await unread_stream(alice, session_id)
        while len(await alice.messages(session_id)) < 2:
            keeper.sweep(ahead(0))
        seconds = 0
        while not keeper.admits(alice.user):
            keeper.sweep(ahead(seconds := seconds + 21))
            await alice.call("GET", "/me/")
        writer.close()


async def test_an_idle_stream_stays(tmp_path: Path) -> None:
    """A stream for which there is nothing to take is not stalled."""
    go, keeper = asyncio.Event(), Keeper(most=0, most_per_user=0)
    async with (
        chatting(tmp_path, Script(["one", go, "two"])) as outer,
        kept(outer, keeper) as chat,
    ):
        alice = await chat.client("alice")
        path = f"{API}/sessions/{await alice.new_session()}/send_message/"
        async with alice.http.stream("POST", path, json=HI, headers=SSE) as response:
            text = response.aiter_text()
            received = await anext(text)
            while "one" not in received:
                received += await anext(text)
            keeper.sweep(ahead(21))
            go.set()
            received += "".join([part async for part in text])
        assert "ai_message_complete" in received


async def test_a_server_that_stops_ends_its_streams(tmp_path: Path) -> None:
    """Also those whose generation has no end yet: nobody is left to be waited for."""
    go, keeper = asyncio.Event(), Keeper(most=0, most_per_user=0)
    async with (
        chatting(tmp_path, Script(["one", go])) as outer,
        kept(outer, keeper) as chat,
    ):
        alice = await chat.client("alice")
        path = f"{API}/sessions/{await alice.new_session()}/send_message/"
        async with alice.http.stream("POST", path, json=HI, headers=SSE) as response:
            text = response.aiter_text()
            received = await anext(text)
            await keeper.aclose(1012, "server stopping")
            received += "".join([part async for part in text])
        assert "ai_typing" in received
        assert "ai_message_complete" not in received
        go.set()


async def test_streams_count_as_connections(tmp_path: Path) -> None:
    """A user has so many sockets and streams together; one more is refused, and says when."""
    go, keeper = asyncio.Event(), Keeper(most=0, most_per_user=2)
    async with (
        chatting(tmp_path, Script(["one", go])) as outer,
        kept(outer, keeper) as chat,
    ):
        alice, bob = await chat.client("alice"), await chat.client("bob")
        session_id, other = await alice.new_session(), await alice.new_session()
        path = f"{API}/sessions/{session_id}/send_message/"
        async with (
            alice.socket("sessions"),
            alice.http.stream("POST", path, json=HI, headers=SSE),
        ):
            for method, url in (
                ("POST", f"{API}/sessions/{other}/send_message/"),
                ("GET", f"{API}/sessions/{session_id}/stream/"),
            ):
                body = {"json": HI} if method == "POST" else {}
                answer = await alice.http.request(method, url, headers=SSE, **body)
                check_problem(answer, 429, "rate_limited")
                assert int(answer.headers["Retry-After"]) > 0
            assert await alice.messages(other) == []
            async with alice.socket("sessions", greet=False) as third:
                assert await third.close_code() == 1013
            async with bob.socket("sessions"):
                go.set()
        assert keeper.admits(alice.user)


class Hanging:
    """A plugin that knows its users by a header, and thinks long about one of them."""

    def __init__(self) -> None:
        self.is_slow, self.asked, self.go = False, asyncio.Event(), asyncio.Event()
        self.error: Exception | None = None

    @chatd.hookimpl
    async def authenticate(self, request: chatd.Request) -> chatd.User | None:
        """Let `slow` in, at once or later."""
        if request.query.get("token") != "slow":
            return None
        if self.is_slow:
            self.asked.set()
            await self.go.wait()
        if self.error is not None:
            raise self.error
        return chatd.User(id="slow", name="slow")


async def test_a_slow_check_holds_nobody_up(tmp_path: Path) -> None:
    """While one socket's rights cannot be told, the others are pinged, checked and closed."""
    hanging, keeper = Hanging(), Keeper(most=0, most_per_user=0)
    async with chatting(tmp_path, hanging, Script()) as outer, kept(outer, keeper) as chat:
        alice = await chat.client("alice")
        async with (
            alice.socket("sessions", token="slow"),
            alice.socket("sessions") as revoked,
        ):
            hanging.is_slow = True
            for token, _ in await chat.app.store.list_tokens():
                await chat.app.store.revoke_token(token.id)
            keeper.sweep(ahead(31))
            assert await revoked.close_code() == 4501
            await hanging.asked.wait()
            hanging.go.set()


async def test_a_failed_check_is_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """When rights cannot be checked, the socket stays and the log says so without a trace."""
    hanging, keeper = Hanging(), Keeper(most=0, most_per_user=0)
    async with chatting(tmp_path, hanging, Script()) as outer, kept(outer, keeper) as chat:
        alice = await chat.client("alice")
        async with alice.socket("sessions", token="slow") as socket:
            hanging.is_slow, hanging.error = True, StoreUnavailable()
            keeper.sweep(ahead(31))
            await hanging.asked.wait()
            hanging.go.set()
            hanging.is_slow, hanging.error = False, None
            await socket.send("ping", t=1)
            assert (await socket.receive())["type"] == "pong"
    assert "Traceback" not in caplog.text


async def test_a_ticket_ends_with_its_token(tmp_path: Path) -> None:
    """A socket that a ticket opened closes when the token that asked for it is revoked."""
    keeper = Keeper(most=0, most_per_user=0)
    async with chatting(tmp_path, Script()) as outer, kept(outer, keeper) as chat:
        alice = await chat.client("alice")
        ticket = (await alice.call("POST", "/ws_ticket/"))["ticket"]
        async with chat.anonymous().socket("sessions", ticket=ticket) as socket:
            await alice.call("POST", "/sign_out/", 204)
            keeper.sweep(ahead(31))
            assert await socket.close_code() == 4501


class ByHeader:
    """A plugin that knows its users by another header than a token's."""

    user: chatd.User

    @chatd.hookimpl
    def authenticate(self, request: chatd.Request) -> chatd.User | None:
        """Let in who sends it."""
        return self.user if request.headers.get("X-Known") else None


async def test_a_ticket_of_a_plugins_user_ends_with_the_account(tmp_path: Path) -> None:
    """A socket whose ticket a plugin's user asked for closes when the account is disabled."""
    keeper, plugin = Keeper(most=0, most_per_user=0), ByHeader()
    async with chatting(tmp_path, plugin, Script()) as outer, kept(outer, keeper) as chat:
        plugin.user = (await chat.client("alice")).user
        nobody = chat.anonymous()
        asked = await nobody.http.post(f"{API}/ws_ticket/", headers={"X-Known": "yes"})
        async with nobody.socket("sessions", ticket=asked.json()["ticket"]) as socket:
            await socket.send("ping", t=1)
            assert (await socket.receive())["type"] == "pong"
            await chat.app.store.update_account(plugin.user.id, is_active=False)
            keeper.sweep(ahead(31))
            assert await socket.close_code() == 4501


@pytest.mark.parametrize("how", ["send_message", "stream"])
async def test_a_stream_ends_with_its_token(tmp_path: Path, how: str) -> None:
    """A stream ends, though its generation goes on, when the token of its reader is revoked."""
    go, keeper = asyncio.Event(), Keeper(most=0, most_per_user=0)
    async with (
        chatting(tmp_path, Script(["one", go, "two"])) as outer,
        kept(outer, keeper) as chat,
    ):
        alice, again = await chat.client("alice"), await chat.client("alice")
        session_id = await alice.new_session()
        path = f"{API}/sessions/{session_id}"
        if how == "stream":
            async with again.socket(f"session/{session_id}") as socket:
                await socket.send("send_message", message="hi")
                await socket.until("ai_message_chunk")
            stream = alice.http.stream("GET", f"{path}/stream/")
        else:
            stream = alice.http.stream("POST", f"{path}/send_message/", json=HI, headers=SSE)
        async with stream as response:
            text = response.aiter_text()
            received = await anext(text)
            while "one" not in received:
                received += await anext(text)
            keeper.sweep(ahead(31))  # the token is good: nothing happens
            await alice.call("POST", "/sign_out/", 204)
            keeper.sweep(ahead(62))
            received += "".join([part async for part in text])
        assert "ai_message_complete" not in received
        go.set()
        while len(await again.messages(session_id)) < 2:
            pass


async def test_a_peer_that_leaves_at_once_is_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A socket whose peer is gone before its greeting leaves no error in the log."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        address = "127.0.0.1", int(chat.url.rpartition(":")[2])
        path = f"/ws/ai-chat/sessions/?token={alice.token}"
        lines = [f"GET {path} HTTP/1.1", "Host: x", *map(": ".join, HANDSHAKE.items()), "", ""]
        for _ in range(20):
            _, writer = await asyncio.open_connection(*address)
            writer.write("\r\n".join(lines).encode())
            await writer.drain()
            writer.transport.abort()
            await alice.call("GET", "/me/")
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
