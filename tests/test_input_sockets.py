"""Every field of every event, and every kind of frame: what cannot be taken is an error event."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from harness import Client, Script, Socket, chatting
from inputs import FIELDS, NOT_JSON, UNACCEPTABLE, body, fields_of, named, required

from chatd.handlers.list_socket import SessionListSocket
from chatd.handlers.session_socket import SessionSocket
from chatd.schemas import Shapes
from chatd.settings import LimitSettings, ModelSettings

EVENTS = Shapes(LimitSettings(), ModelSettings().option_keys).events
WITH_FIELDS = [kind for kind in SessionSocket.commands if EVENTS[kind].fields]


class Room:
    """A session with one turn, and what must not change of it."""

    def __init__(self, client: Client, session_id: str) -> None:
        self.client, self.session_id = client, session_id

    def socket(self) -> contextlib.AbstractAsyncContextManager[Socket]:
        """Open a socket."""
        return self.client.socket(f"session/{self.session_id}")

    async def stored(self) -> list[Any]:
        """Return the session and all of its messages."""
        session = await self.client.call("GET", f"/sessions/{self.session_id}/")
        return [session, *await self.client.messages(self.session_id, branch="all")]


@contextlib.asynccontextmanager
async def room(tmp_path: Path, **settings: str) -> AsyncIterator[Room]:
    """Make a session with one turn, and check that it is the same in the end."""
    async with chatting(tmp_path, Script(), **settings) as chat:
        alice = await chat.client("alice")
        found = Room(alice, await alice.new_session())
        await alice.send(found.session_id, "first")
        before = await found.stored()
        yield found
        assert await found.stored() == before


async def check_error(socket: Socket, frame: str | bytes, code: str) -> dict[str, Any]:
    """Send a frame; check that an error event with a stable code comes, and return it."""
    await socket.connection.send(frame)
    event = await socket.receive()
    assert (event["type"], event["code"], event["retryable"]) == ("error", code, False), frame
    assert isinstance(event["message"], str)
    assert "generation_id" not in event  # that would end a generation
    return event


async def check_open(socket: Socket) -> None:
    """Check that a socket still answers, and has nothing else to say."""
    await socket.send("ping", t="still here")
    assert (await socket.receive())["t"] == "still here"


def test_every_event_is_in_the_table() -> None:
    """Every event that a client may send has its schema, and each schema its event."""
    commands = SessionSocket.commands.keys() | SessionListSocket.commands.keys()
    assert commands == EVENTS.keys()


@pytest.mark.parametrize("kind", WITH_FIELDS)
async def test_bad_values(tmp_path: Path, kind: str) -> None:
    """A bad value of any field is an error event that names it; the socket stays open."""
    base = {"type": kind, **required(EVENTS[kind])}
    async with room(tmp_path) as found:
        for path in fields_of(EVENTS[kind]):
            async with found.socket() as socket:
                for value in FIELDS[path].bad:
                    frame = body(base, path, value).decode()
                    event = await check_error(socket, frame, "invalid_input")
                    assert named(event["errors"], path), (path, value)
                await check_open(socket)


@pytest.mark.parametrize("kind", WITH_FIELDS)
async def test_unacceptable_json(tmp_path: Path, kind: str) -> None:
    """JSON that cannot be kept is an error event wherever it stands; the socket stays open."""
    base = {"type": kind, **required(EVENTS[kind])}
    async with room(tmp_path) as found:
        for path in (*fields_of(EVENTS[kind]), "type", "nonsense"):
            async with found.socket() as socket:
                for raw in UNACCEPTABLE:
                    await check_error(socket, body(base, path, raw).decode(), "bad_request")
                await check_open(socket)


@pytest.mark.parametrize("kind", WITH_FIELDS)
async def test_missing_fields(tmp_path: Path, kind: str) -> None:
    """An event that lacks fields is an error event that names them all."""
    needed = required(EVENTS[kind])
    async with room(tmp_path) as found, found.socket() as socket:
        if needed:
            event = await check_error(socket, f'{{"type": "{kind}"}}', "invalid_input")
            assert event["errors"].keys() == needed.keys()
        await check_open(socket)


async def test_good_values(tmp_path: Path) -> None:
    """Every field takes what it is for, up to its limits, and unknown ones are ignored."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket(f"session/{session_id}", chunks="delta") as socket:
            for text in FIELDS["message"].good:
                await socket.send("send_message", message=text, nonsense={"a": 1})
                events = await socket.until("ai_message_complete", "error")
                assert events[-1]["type"] == "ai_message_complete", events[-1]
                assert events[0]["message"]["content"] == text
            for value in FIELDS["t"].good:
                await socket.send("ping", t=value, nonsense=1)
                assert (await socket.receive())["t"] == value
            for seen in FIELDS["seen_seq"].good:
                await socket.send("stop_generation", seen_seq=seen, nonsense=1)
            await check_open(socket)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        *((frame, "bad_request") for frame in ("", " ", "x", "null", "1", '"ping"', "[]", "{}")),
        *((frame, "bad_request") for frame in ('{"type": 1}', '{"type": null}', '{"type": []}')),
        *((frame, "bad_request") for frame in ('["ping"]', '{"Type": "ping"}', "{'type': 'ping'}")),
        *((frame, "bad_request") for frame in (b"", b'{"type": "ping"}', b"\xff\x00")),
        *((frame, "unknown_event") for frame in ('{"type": ""}', '{"type": "PING"}')),
        *((frame, "unknown_event") for frame in ('{"type": "pong"}', '{"type": "__init__"}')),
        *((frame, "unknown_event") for frame in ('{"type": "close"}', '{"type": "answer_ping"}')),
        ('{"type": "' + "x" * 100_000 + '"}', "unknown_event"),
    ],
)
async def test_a_frame_that_is_no_event(tmp_path: Path, frame: str | bytes, code: str) -> None:
    """A frame that is binary, not JSON, no object, or of no known type is an error event."""
    async with room(tmp_path) as found:
        for path in (f"session/{found.session_id}", "sessions"):
            async with found.client.socket(path) as socket:
                event = await check_error(socket, frame, code)
                assert len(event["message"]) < 300
                await check_open(socket)


async def test_no_json(tmp_path: Path) -> None:
    """What only looks like JSON is an error event."""
    async with room(tmp_path) as found, found.socket() as socket:
        for raw in NOT_JSON:
            with contextlib.suppress(UnicodeDecodeError):
                await check_error(socket, f'{{"type": {raw.decode()}}}', "bad_request")
        await check_open(socket)


async def test_the_failed_event_is_named(tmp_path: Path) -> None:
    """An error event tells the client_id of what failed, if there was a usable one."""
    async with room(tmp_path) as found, found.socket() as socket:
        frame = '{"type": "send_message", "client_id": "mine"}'
        assert (await check_error(socket, frame, "invalid_input"))["client_id"] == "mine"
        frame = '{"type": "send_message", "client_id": 5, "message": "x"}'
        assert "client_id" not in await check_error(socket, frame, "invalid_input")


async def test_sixty_bad_frames_a_minute(tmp_path: Path) -> None:
    """Sixty bad frames are answered, the next one closes with 4513; good ones do not count."""
    async with room(tmp_path) as found, found.socket() as socket:
        for n in range(60):
            frame = (b"binary", "no json", '{"type": "nonsense"}', '{"type": "send_message"}')[
                n % 4
            ]
            await socket.connection.send(frame)
            assert (await socket.receive())["type"] == "error"
            await check_open(socket)
        await socket.connection.send("one more")
        assert await socket.close_code() == 4513


@pytest.mark.parametrize("size", [1001, 3999, 5000, 3_000_000])
async def test_a_frame_that_is_too_large(tmp_path: Path, size: int) -> None:
    """A frame that is too large closes with 1009, also in pieces, and is not carried out."""
    start = '{"type": "send_message", "message": "'
    text = start + "x" * (size - len(start) - 2) + '"}'
    pieces = [text[at : at + 500] for at in range(0, len(text), 500)]
    async with room(tmp_path, CHATD_LIMITS_FRAME_BYTES="1000") as found:
        for frame in (text, pieces, text.encode()):
            async with found.socket() as socket:
                with contextlib.suppress(ConnectionError):
                    await socket.connection.send(frame)
                assert await socket.close_code() == 1009


async def test_a_frame_that_just_fits(tmp_path: Path) -> None:
    """The limit counts bytes of UTF-8, and a frame of just so many is taken."""
    frame = '{"type": "ping", "t": "é' + "x" * 973 + '"}'
    assert len(frame.encode()) == 1000
    async with room(tmp_path, CHATD_LIMITS_FRAME_BYTES="1000") as found, found.socket() as socket:
        await socket.connection.send(frame)
        assert (await socket.receive())["type"] == "pong"
        await socket.connection.send(frame.replace("x", "é", 1))
        assert await socket.close_code() == 1009


async def test_text_that_is_not_utf8(tmp_path: Path) -> None:
    """A text frame that is not UTF-8 ends the connection (RFC 6455, section 8.1)."""
    async with room(tmp_path) as found:
        for raw in (b"\xff", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"):
            frame = b'{"type": "send_message", "message": "' + raw + b'"}'
            async with found.socket() as socket:
                await socket.connection.send(frame, text=True)
                assert await socket.close_code() == 1007


@pytest.mark.parametrize("since", ["", "x", "-1", "1.5", "9" * 17, "9" * 5000, "%ff", "\u0663"])
async def test_a_bad_since(tmp_path: Path, since: str) -> None:
    """Whoever asks for changes since nonsense is told to load everything, and stays connected."""
    async with room(tmp_path) as found:
        path = f"session/{found.session_id}"
        async with found.client.socket(path, greet=False, since=since, chunks="\u00ff") as socket:
            greeting = await socket.receive()
            assert (greeting["type"], greeting["reload"]) == ("connection_established", True)
            await check_open(socket)


async def test_the_list_takes_less(tmp_path: Path) -> None:
    """On the socket of the list only a ping is known."""
    async with room(tmp_path) as found, found.client.socket("sessions") as socket:
        for kind in SessionSocket.commands.keys() - {"ping"}:
            await check_error(socket, f'{{"type": "{kind}", "message": "x"}}', "unknown_event")
        await check_open(socket)
