"""Frames, by RFC 6455: what the Autobahn Testsuite asks of an echo, asked of chatd's own sockets.

scripts/autobahn runs the suite itself, where there is a Python 2.7 for it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from harness import Chat, Script, chatting
from rawsocket import BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, RawSocket, frame, header

T = TypeVar("T")
Act = Callable[[RawSocket], T]

EVENT = '{"type": "ping", "t": "h\u00e9llo \U0001f600"}'.encode()
REQUEST = frame(FIN | TEXT, EVENT)


@asynccontextmanager
async def serving(tmp_path: Path) -> AsyncIterator[Callable[[Act[T]], Any]]:
    """Run a chatd; give what does something with a raw socket of a session, in a thread."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        target = f"/ws/ai-chat/session/{await alice.new_session()}/?token={alice.token}"

        def work(act: Act[T]) -> T:
            raw = RawSocket(int(chat.url.rpartition(":")[2]), target)
            try:
                assert json.loads(raw.receive().payload)["type"] == "connection_established"
                return act(raw)
            finally:
                raw.close()

        yield lambda act: asyncio.to_thread(work, act)
        await no_socket_is_left(chat)


async def no_socket_is_left(chat: Chat) -> None:
    """Wait until the server has let go of everybody."""
    async with asyncio.timeout(30):
        while list(chat.app.hub.rooms()):  # noqa: ASYNC110 - a room tells nobody
            await asyncio.sleep(0.001)


def is_answered(raw: RawSocket) -> bool:
    """Whether the event has been carried out, and the socket goes on."""
    pong = json.loads(raw.receive().payload)
    return (pong["type"], pong["t"]) == ("pong", json.loads(EVENT)["t"])


PIECES = {
    "two": [(TEXT, EVENT[:9]), (FIN, EVENT[9:])],
    "empty ones": [(TEXT, b""), (CONTINUATION, b""), (CONTINUATION, EVENT), (FIN, b"")],
    "single bytes": [
        (TEXT, EVENT[:1]),
        *((CONTINUATION, bytes([byte])) for byte in EVENT[1:-1]),
        (FIN, EVENT[-1:]),
    ],
    "inside a character": [
        (TEXT, EVENT[: EVENT.index(b"\xa9")]),
        (FIN, EVENT[EVENT.index(b"\xa9") :]),
    ],
}


@pytest.mark.parametrize("pieces", PIECES)
async def test_fragments_are_one_message(tmp_path: Path, pieces: str) -> None:
    """A message may come in frames, also empty ones and such that end inside a character."""
    frames = [frame(first, data) for first, data in PIECES[pieces]]

    def act(raw: RawSocket) -> bool:
        raw.send(*frames)
        together = is_answered(raw)
        for one in frames:
            raw.send(one)
        return together and is_answered(raw)

    async with serving(tmp_path) as work:
        assert await work(act)


async def test_bytes_that_come_one_by_one(tmp_path: Path) -> None:
    """A frame may come in as many pieces of the network as it has bytes."""

    def act(raw: RawSocket) -> bool:
        for byte in REQUEST:
            raw.send(bytes([byte]))
        return is_answered(raw)

    async with serving(tmp_path) as work:
        assert await work(act)


async def test_control_frames_between_fragments(tmp_path: Path) -> None:
    """A ping between the frames of a message is answered at once, with what it carries."""

    def act(raw: RawSocket) -> bool:
        for payload in (b"", b"\x00\xff\xfe", b"x" * 125):
            raw.send(frame(TEXT, EVENT[:9]), frame(FIN | PING, payload))
            pong = raw.receive()
            assert (pong.first, pong.payload) == (FIN | PONG, payload)
            raw.send(frame(FIN | PONG, b"nobody asked"), frame(FIN, EVENT[9:]))
            assert is_answered(raw)
        return True

    async with serving(tmp_path) as work:
        assert await work(act)


async def test_lengths_in_a_longer_form(tmp_path: Path) -> None:
    """A length that would fit into fewer bytes is understood all the same."""
    mask = b"\0\0\0\0"

    def act(raw: RawSocket) -> bool:
        raw.send(struct.pack("!BBH", FIN | TEXT, 0x80 | 126, len(EVENT)) + mask + EVENT)
        raw.send(struct.pack("!BBQ", FIN | TEXT, 0x80 | 127, len(EVENT)) + mask + EVENT)
        return is_answered(raw) and is_answered(raw)

    async with serving(tmp_path) as work:
        assert await work(act)


# What ends a connection, and the code of the close frame before that; 0 is none, which the client
# sees as 1006: Tornado drops the connection, as section 7.1.7 allows.
BROKEN = {
    "a reserved bit": (frame(FIN | 0x40 | TEXT, EVENT), 0),
    "all reserved bits": (frame(FIN | 0x70 | TEXT, EVENT), 0),
    "a reserved bit of a ping": (frame(FIN | 0x10 | PING), 0),
    **{f"opcode {n}": (frame(FIN | n, b"x"), 0) for n in (3, 7, 11, 15)},
    "a long ping": (frame(FIN | PING, b"x" * 126), 0),
    "a long close": (frame(FIN | CLOSE, b"\x03\xe8" + b"x" * 124), 0),
    "a ping in fragments": (frame(PING, b"x") + frame(FIN, b"y"), 0),
    "nothing to continue": (frame(FIN, EVENT), 0),
    "a message inside another": (frame(TEXT, EVENT) + REQUEST, 0),
    "a huge length": (header(FIN | TEXT, 2**63) + b"mask", 1009),
    "no mask": (frame(FIN | TEXT, EVENT, is_masked=False), 1002),
    "no mask on a ping": (frame(FIN | PING, b"x", is_masked=False), 1002),
    "no mask on a fragment": (
        frame(TEXT, EVENT[:9]) + frame(CONTINUATION, EVENT[9:], is_masked=False),
        1002,
    ),
    "a code of one byte": (frame(FIN | CLOSE, b"\x03"), 1002),
    "a reason that is not UTF-8": (frame(FIN | CLOSE, b"\x03\xe8\xce\xba\xff"), 1007),
    **{
        f"the code {code}": (frame(FIN | CLOSE, struct.pack("!H", code)), 1002)
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
    },
    **{
        f"text with {bad!r}": (frame(FIN | TEXT, EVENT[:-2] + bad + EVENT[-2:]), 1007)
        for bad in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xf0\x9f\x98")
    },
    "text that ends inside a character": (frame(TEXT, EVENT) + frame(FIN, b"\xf0\x9f"), 1007),
}


async def test_what_breaks_the_protocol(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It ends the connection, with a code where one can be told, and nothing behind it is done."""
    caplog.set_level(logging.WARNING)
    async with serving(tmp_path) as work:
        for name, (data, code) in BROKEN.items():

            def act(raw: RawSocket, data: bytes = data) -> list[Any]:
                raw.send(data, REQUEST)
                return raw.rest()

            frames = await work(act)
            assert [f.close_code for f in frames if f.opcode == CLOSE] == [code] * bool(code), name
            assert [f for f in frames if f.opcode != CLOSE] == [], name
    assert caplog.records == []


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1011, 1014, 3000, 3999, 4000, 4999])
async def test_a_close_is_answered(tmp_path: Path, code: int) -> None:
    """A close frame is answered with its code; what comes behind it is not carried out."""

    def act(raw: RawSocket) -> list[Any]:
        raw.send(frame(FIN | CLOSE, struct.pack("!H", code) + "Tsch\u00fc\u00df".encode()), REQUEST)
        return raw.rest()

    async with serving(tmp_path) as work:
        (answer,) = await work(act)
    assert (answer.opcode, answer.close_code) == (CLOSE, code)


async def test_a_close_without_a_code(tmp_path: Path) -> None:
    """A close frame may be empty, and so is its answer."""

    def act(raw: RawSocket) -> list[Any]:
        raw.send(frame(FIN | CLOSE), frame(FIN | CLOSE), frame(FIN | PING))
        return raw.rest()

    async with serving(tmp_path) as work:
        (answer,) = await work(act)
    assert (answer.opcode, answer.payload) == (CLOSE, b"")


UNFINISHED = {"nothing": b"", "a frame": REQUEST[:3], "a message": frame(TEXT, EVENT[:9])}


@pytest.mark.parametrize("begun", UNFINISHED)
async def test_a_half_close(tmp_path: Path, begun: str) -> None:
    """A client that sends no more, wherever it stops, is one that has gone."""

    def act(raw: RawSocket) -> list[Any]:
        raw.send(UNFINISHED[begun])
        raw.sock.shutdown(socket.SHUT_WR)
        return raw.rest()

    async with serving(tmp_path) as work:
        assert await work(act) == []


async def test_binary_in_fragments(tmp_path: Path) -> None:
    """A binary message is refused by an event, also in pieces, and the socket goes on."""

    def act(raw: RawSocket) -> bool:
        raw.send(frame(BINARY, b"\xff"), frame(FIN | PING), frame(FIN, b"\xfe"))
        assert raw.receive().opcode == PONG
        assert json.loads(raw.receive().payload)["code"] == "bad_request"
        raw.send(REQUEST)
        return is_answered(raw)

    async with serving(tmp_path) as work:
        assert await work(act)
