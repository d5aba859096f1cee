"""Clients that read slowly, or not at all, over real sockets (PROTOCOL section 4.4)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from harness import Chat, Client, Script, chatting
from rawsocket import FIN, PING, RawSocket, frame
from test_keeper import ahead, kept

import chatd
from chatd.events import Event
from chatd.handlers.keeper import Keeper

PIECE = "x" * 16_384


class Talker(Script):
    """A provider whose every chunk is an entry of its own."""

    async def stream(self, prompt: chatd.Prompt) -> AsyncGenerator[chatd.Chunk | str, None]:
        """Give the loop its turn after each."""
        async for chunk in super().stream(prompt):
            yield chunk
            await asyncio.sleep(0)


def raw(client: Client, path: str) -> RawSocket:
    """Open a socket that takes next to nothing before it is read; its greeting has been."""
    port = int(client.chat.url.rpartition(":")[2])
    target = f"/ws/ai-chat/{path}?token={client.token}&chunks=delta"
    found = RawSocket(port, target, receive_buffer=4096)
    found.receive()
    return found


def chunks(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return those of the events that bring text."""
    return [event for event in events if event["type"] == "ai_message_chunk"]


@pytest.mark.parametrize("how", ["full", "delta"])
async def test_the_longest_reply_closes_nobody_who_reads(tmp_path: Path, how: str) -> None:
    """A reply of `reply_bytes` comes to its end on every socket that is read."""
    async with chatting(tmp_path, Script([PIECE] * 65)) as chat:
        alice = await chat.client("alice")
        async with alice.socket(f"session/{await alice.new_session()}", chunks=how) as one:
            await one.send("send_message", message="hi")
            *events, end = await one.until("ai_message_complete")
    assert (end["message"]["finish_reason"], len(end["message"]["content"])) == ("length", 2**20)
    assert end["message"]["content"].startswith("".join(e["content"] for e in chunks(events)))


async def block(chat: Chat, alice: Client, session_id: str) -> None:
    """Fill the network of a session's socket that is not read, until something waits."""
    session = await chat.app.sessions.get(alice.user, session_id)
    event = Event(type="session_updated", payload={"session": session})
    room = chat.app.hub._rooms[session_id]
    while not any(subscriber.has_more for subscriber in room.subscribers):
        chat.app.broker.publish(session_id, event)
        await asyncio.sleep(0)


async def test_what_a_blocked_socket_is_sent(tmp_path: Path) -> None:
    """Its chunks are merged into one frame, and a turn that passed meanwhile has none."""
    go = asyncio.Event()
    script = Talker(["one", go, *["x"] * 50], ["between", "the", "times"])
    async with chatting(tmp_path, script) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session(metadata={"big": "x" * 16_000})
        path = f"session/{session_id}"
        async with alice.socket(path, chunks="delta", receive_buffer=4096) as slow:
            await slow.send("send_message", message="hi")
            await slow.until("ai_message_chunk")
            slow.connection.transport.pause_reading()
            await block(chat, alice, session_id)
            async with alice.socket(path, chunks="delta") as quick:
                go.set()
                told = [await quick.until("ai_message_complete")]
                await quick.send("send_message", message="again")
                told.append(await quick.until("ai_message_complete"))
            slow.connection.transport.resume_reading()
            first = await slow.until("ai_message_complete")
            second = await slow.until("ai_message_complete")
    assert [event["content"] for event in chunks(first)] == ["x" * 50]
    assert len(chunks(told[0])) > 1
    assert first[-1] == told[0][-1]
    assert [event["type"] for event in second] == [
        "user_message",
        "ai_typing",
        "ai_message_complete",
    ]
    assert second[-1] == told[1][-1]
    assert chunks(told[1])


async def blocked(chat: Chat, alice: Client) -> RawSocket:
    """Return a socket for which more waits in the server than the network holds."""
    session_id = await alice.new_session(metadata={"big": "x" * 16_000})
    found = await asyncio.to_thread(raw, alice, f"session/{session_id}")
    await block(chat, alice, session_id)
    return found


def read(found: RawSocket, size: int) -> None:
    """Take so many bytes, which are there."""
    while size:
        size -= len(found.sock.recv(size))


async def test_who_reads_1_kB_a_second_is_slow_and_not_dead(tmp_path: Path) -> None:
    """Of two sockets that are far behind the one that takes a little stays; 4008 is the other's."""
    async with chatting(tmp_path, Script()) as outer:
        metrics = outer.app.metrics
        assert metrics is not None
        keeper = Keeper(most=0, most_per_user=0, metrics=metrics)
        async with kept(outer, keeper) as chat:
            alice = await chat.client("alice")
            slow, dead = [await blocked(chat, alice) for _ in range(2)]
            with contextlib.closing(slow), contextlib.closing(dead):
                begun = ahead(0)
                for second in range(1, 23):
                    await asyncio.to_thread(read, slow, 1000)
                    keeper.sweep(begun + second)
                dead.close()  # it does not answer the close frame, for which the server would wait
                while not metrics.slow.sample().values:
                    await alice.call("GET", "/me/")
                assert keeper.count()["session",] == 1
                await asyncio.to_thread(read, slow, 1000)
            assert metrics.closed.sample().values["session", "4008"] == 1
    assert metrics.slow.sample().values == {("session",): 1}


async def test_pings_of_a_client_that_reads_nothing(tmp_path: Path) -> None:
    """Pongs that nobody reads do not pile up: the connection is ended."""
    pings = frame(FIN | PING, b"p" * 120) * 1000

    def flood(found: RawSocket) -> None:
        with pytest.raises(OSError):
            for _ in range(10_000):
                found.send(pings)

    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        with contextlib.closing(await asyncio.to_thread(raw, alice, "sessions/")) as found:
            await asyncio.to_thread(flood, found)


async def test_a_list_that_is_not_read(tmp_path: Path) -> None:
    """The session list's socket is bounded as a session's is; its other devices go on."""
    async with chatting(tmp_path, Script()) as chat:
        alice, device = await chat.client("alice"), await chat.client("alice")
        session_id = await alice.new_session(metadata={"big": "x" * 16_000})
        session = await chat.app.sessions.get(alice.user, session_id)
        async with device.socket("sessions") as quick:
            event = Event(type="session_updated", payload={"session": session})
            published = 0
            room, metrics = chat.app.hub._rooms[f"user:{alice.user.id}"], chat.app.metrics
            with contextlib.closing(await asyncio.to_thread(raw, alice, "sessions/")):
                while len(room.subscribers) > 1:
                    chat.app.broker.publish(f"user:{alice.user.id}", event)
                    await quick.receive()
                    published += 1
            assert published * 16_000 > 2**21
            while metrics and not metrics.slow.sample().values:
                await alice.call("GET", "/me/")
