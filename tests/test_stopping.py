"""Stopping a generation, from anywhere and at any time: it ends once, with what was seen of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from harness import Client, Script, Socket, chatting

import chatd

pytestmark = pytest.mark.usefixtures("each_store")


async def begin(socket: Socket, *, until: str = "ai_message_chunk") -> str:
    """Send, and return the generation's id once it has come so far."""
    await socket.send("send_message", message="hi")
    return str((await socket.until(until))[-1]["generation_id"])


async def stop(client: Client, session_id: str, **fields: Any) -> bool:
    """Stop over REST; return whether that stopped something."""
    answer = await client.call("POST", f"/sessions/{session_id}/stop/", json=fields)
    return bool(answer["stopped"])


@pytest.mark.parametrize("face", ["socket", "rest"])
async def test_from_another_place(tmp_path: Path, face: str) -> None:
    """Another tab or device stops it as its own does; all are told the same, once."""
    async with chatting(tmp_path, Script(["one ", "two", asyncio.Event()])) as chat:
        alice, device = await chat.client("alice"), await chat.client("alice")
        session_id = await alice.new_session()
        path = f"session/{session_id}"
        async with alice.socket(path) as own, device.socket(path) as other:
            await begin(own)
            await other.until("ai_message_chunk")
            if face == "socket":
                await other.send("stop_generation")
            else:
                assert await stop(device, session_id)
            ends = [await socket.until("ai_message_complete") for socket in (own, other)]
            for socket in (own, other):
                await socket.send("ping")
                assert (await socket.receive())["type"] == "pong"
        stored = await alice.messages(session_id)
    assert ends[0] == ends[1]
    assert [event["message"] for event in ends[0]] == [stored[-1]]
    assert (stored[-1]["status"], stored[-1]["content"]) == ("stopped", "one two")
    assert stored[-1]["finish_reason"] == "stopped"


async def test_twenty_stops_at_once(tmp_path: Path) -> None:
    """It ends once, as the first of them says; those that found it running say that it stopped."""
    script = Script(["one", asyncio.Event()])
    async with chatting(tmp_path, script) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket(f"session/{session_id}") as socket:
            await begin(socket)
            answers = await asyncio.gather(*(stop(alice, session_id) for _ in range(20)))
            for _ in range(5):
                await socket.send("stop_generation")
            await socket.send("ping")
            events = await socket.until("pong")
        again = await alice.send(session_id)
    assert any(answers)
    assert [event["type"] for event in events] == ["ai_message_complete", "pong"]
    assert (script.closed, again["ai_message"]["status"]) == (2, "complete")


async def test_after_the_end(tmp_path: Path) -> None:
    """A stop of what has ended changes nothing and is no error, with its id and without."""
    async with chatting(tmp_path, Script(["one"])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        turn = await alice.send(session_id)
        ended = turn["ai_message"]["generation_id"]
        async with alice.socket(f"session/{session_id}") as socket:
            for fields in ({}, {"generation_id": ended}, {"seen_seq": 0}):
                assert not await stop(alice, session_id, **fields)
                await socket.send("stop_generation", **fields)
            await socket.send("ping")
            assert (await socket.receive())["type"] == "pong"
        assert await alice.messages(session_id) == list(turn.values())


async def test_by_the_id_of_an_older_generation(tmp_path: Path) -> None:
    """A stop that names a generation never stops another one, however late it comes."""
    go = asyncio.Event()
    async with chatting(tmp_path, Script(["one"], ["two", go, " three"])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        older = (await alice.send(session_id))["ai_message"]["generation_id"]
        async with alice.socket(f"session/{session_id}") as socket:
            running = await begin(socket)
            assert not await stop(alice, session_id, generation_id=older)
            await socket.send("stop_generation", generation_id=older, seen_seq=0)
            await socket.send("ping")
            assert (await socket.receive())["generation"]["generation_id"] == running
            go.set()
            end = (await socket.until("ai_message_complete"))[-1]["message"]
    assert (end["status"], end["content"]) == ("complete", "two three")


REPLY = [chatd.Reasoning(text="hm"), "one", chatd.Reasoning(text="so"), " two"]
CUTS: list[tuple[int | None, str, str]] = [
    (None, "one two", "hmso"),
    (0, "", ""),
    (1, "", "hm"),
    (2, "one", "hm"),
    (3, "one", "hmso"),
    (4, "one two", "hmso"),
    (99, "one two", "hmso"),
]


@pytest.mark.parametrize(("seen_seq", "content", "thoughts"), CUTS)
async def test_cut_after_what_was_seen(
    tmp_path: Path, seen_seq: int | None, content: str, thoughts: str
) -> None:
    """What is stored ends with entry `seen_seq` of the log, in which reasoning counts too."""
    async with chatting(tmp_path, Script([*REPLY, asyncio.Event()])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("send_message", message="hi")
            while (await socket.receive()).get("seq") != 4:
                pass
            assert await stop(alice, session_id, seen_seq=seen_seq)
            end = (await socket.until("ai_message_complete"))[-1]["message"]
        assert await alice.messages(session_id) == [(await alice.messages(session_id))[0], end]
    texts = {kind: "".join(p["text"] for p in end["parts"] if p["type"] == kind)
             for kind in ("reasoning", "text")}  # fmt: skip
    assert (end["status"], end["content"]) == ("stopped", content)
    assert (texts["reasoning"], texts["text"]) == (thoughts, content)


async def test_before_the_model_is_asked(tmp_path: Path) -> None:
    """A stop that comes while the turn is being stored ends it before the model is asked."""
    script = Script()
    async with chatting(tmp_path, script) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        store = chat.app.store
        begin_turn, taken, go_on = store.begin_turn, asyncio.Event(), asyncio.Event()

        async def begin_and_wait(*arguments: Any, **more: Any) -> Any:
            stored = await begin_turn(*arguments, **more)
            taken.set()
            await go_on.wait()
            return stored

        store.begin_turn = begin_and_wait  # type: ignore[method-assign]
        sending = asyncio.create_task(alice.send(session_id))
        await taken.wait()
        stopping = asyncio.create_task(stop(alice, session_id))
        run = next(iter(chat.app.generations._runs.values()))
        while not run.is_stopping:  # noqa: ASYNC110 - a flag has no event
            await asyncio.sleep(0)
        go_on.set()
        answer, is_stopped = await sending, await stopping
    assert is_stopped
    assert (answer["ai_message"]["status"], answer["ai_message"]["content"]) == ("stopped", "")
    assert script.prompts == []


async def test_a_regeneration(tmp_path: Path) -> None:
    """A stopped regeneration is an answer like any other; the one before it is untouched."""
    async with chatting(tmp_path, Script(["one"], ["two", asyncio.Event()])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        first = await alice.send(session_id)
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("regenerate")
            await socket.until("ai_message_chunk")
            await socket.send("stop_generation")
            end = (await socket.until("ai_message_complete"))[-1]["message"]
        everything = await alice.messages(session_id, branch="all")
        shown = await alice.messages(session_id)
    assert (end["status"], end["content"]) == ("stopped", "two")
    assert everything == [*first.values(), end]
    assert shown == [first["user_message"], end]
