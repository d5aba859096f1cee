"""Clients that read slowly, or not at all, over real sockets (PROTOCOL section 4.4)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
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

NO_LIMIT = {"CHATD_LIMITS_REPLY_BYTES": "0"}
PIECE = "x" * 16_384


class Talker(Script):
    """A provider whose every chunk is an entry of its own."""

    async def stream(self, prompt: chatd.Prompt) -> AsyncGenerator[chatd.Chunk | str, None]:
        """Give the loop its turn after each."""
        async for chunk in super().stream(prompt):
            yield chunk
            await asyncio.sleep(0)


def raw(client: Client, path: str) -> RawSocket:
    """Open a socket that takes next to nothing before it is read."""
    port = int(client.chat.url.rpartition(":")[2])
    found = RawSocket(port, f"/ws/ai-chat/{path}?token={client.token}&chunks=delta")
    found.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
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


async def talked_at(chat: Chat, alice: Client) -> RawSocket:
    """Return a socket that has more to read than the network holds."""
    session_id = await alice.new_session()
    found = await asyncio.to_thread(raw, alice, f"session/{session_id}")
    await alice.send(session_id)
    return found


async def test_nothing_taken_for_20_seconds(tmp_path: Path) -> None:
    """A socket that takes nothing of what there is for 20 s is closed with 4008, and counted."""
    async with chatting(tmp_path, Script([PIECE] * 1500), **NO_LIMIT) as outer:
        keeper = Keeper(most=0, most_per_user=1, metrics=outer.app.metrics)
        assert outer.app.metrics is not None
        async with kept(outer, keeper) as chat:
            alice = await chat.client("alice")
            with contextlib.closing(await talked_at(chat, alice)):
                keeper.sweep(ahead(1))
                keeper.sweep(ahead(22))
                while not outer.app.metrics.slow.sample().values:
                    await alice.call("GET", "/me/")  # it is cut: it does not answer a close frame
        assert outer.app.metrics.closed.sample().values == {("session", "4008"): 1}
        assert outer.app.metrics.slow.sample().values == {("session",): 1}


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
            with contextlib.closing(await asyncio.to_thread(raw, alice, "sessions/")):
                while chat.app.metrics and not chat.app.metrics.slow.sample().values:
                    chat.app.broker.publish(f"user:{alice.user.id}", event)
                    await quick.receive()
                    published += 1
            assert published * 16_000 > 2**21
