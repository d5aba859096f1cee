"""Joining a session at any moment of a turn: nothing is missed, and nothing comes twice."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from harness import API, Chat, Client, Script, Socket, chatting
from test_recovery import die
from test_stream import events_of

pytestmark = pytest.mark.usefixtures("each_store")

TURN = ["user_message", "ai_typing", "ai_message_chunk", "ai_message_complete"]


class Gate:
    """Holds one call of a store up: before it does something, or after."""

    def __init__(self, store: Any, name: str, *, after: bool) -> None:
        self._store, self._name, self._after = store, name, after
        self._call = getattr(store, name)
        self.reached, self.opened = asyncio.Event(), asyncio.Event()
        setattr(store, name, self._pass)

    async def _pass(self, *arguments: Any, **more: Any) -> Any:
        setattr(self._store, self._name, self._call)
        result = await self._call(*arguments, **more) if self._after else None
        self.reached.set()
        await self.opened.wait()
        return result if self._after else await self._call(*arguments, **more)


def kinds(events: list[dict[str, Any]]) -> list[str]:
    """Return the types of events, neighbouring chunks as one."""
    names = [event["type"] for event in events]
    return [a for a, b in zip(names, [*names[1:], ""], strict=True) if (a, b) != (a, a)]


async def all_that_comes(
    client: Client, path: str, gate: Gate, sending: asyncio.Task[Any], **query: Any
) -> Any:
    """Connect, open the gate, wait for the end, and return the greeting and all other events."""
    async with client.socket(path, greet=False, **query) as socket:
        greeting = await socket.receive()
        gate.opened.set()
        await sending
        await socket.send("ping")
        return greeting, (await socket.until("pong"))[:-1]


@pytest.mark.parametrize("query", [{}, {"since": 0}])
async def test_stored_but_not_published(tmp_path: Path, query: dict[str, int]) -> None:
    """Who joins between the storing of a turn and its events gets the user's message once.

    With `since` by the replay; without, the revision of the greeting says that it is there.
    """
    async with chatting(tmp_path, Script(["one"])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        gate = Gate(chat.app.store, "begin_turn", after=True)
        sending = asyncio.create_task(alice.send(session_id))
        await gate.reached.wait()
        path = f"session/{session_id}"
        greeting, events = await all_that_comes(alice, path, gate, sending, **query)
    assert (greeting["revision"], greeting["generation"]) == (2, None)
    assert kinds(events) == (TURN if query else TURN[1:])


@pytest.mark.parametrize("query", [{}, {"since": 0}, {"since": 2}])
async def test_complete_but_not_published(tmp_path: Path, query: dict[str, int]) -> None:
    """Who joins when the row is complete and the room still runs gets one end, whichever way."""
    async with chatting(tmp_path, Script(["one"])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        gate = Gate(chat.app.store, "end_turn", after=True)
        sending = asyncio.create_task(alice.send(session_id))
        await gate.reached.wait()
        path = f"session/{session_id}"
        greeting, events = await all_that_comes(alice, path, gate, sending, **query)
        answer = (await sending)["ai_message"]
    assert greeting["revision"] == answer["revision"] == 3
    if not query:
        assert greeting["generation"]["generation_id"] == answer["id"]
        assert kinds(events) == TURN[1:]
    else:
        assert greeting["generation"] is None
        assert kinds(events) == [*TURN[:1], TURN[-1]][query["since"] == 2 :]
    assert events[-1]["message"] == answer


@pytest.mark.parametrize("query", [{}, {"since": 0}])
async def test_a_whole_turn_while_joining(tmp_path: Path, query: dict[str, int]) -> None:
    """A turn that begins and ends between the join and the look at the store comes once."""
    async with chatting(tmp_path, Script(["one"])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        gate = Gate(chat.app.store, "get_head", after=False)
        path = f"session/{session_id}"
        async with alice.socket(path, greet=False, **query) as socket:
            await gate.reached.wait()
            turn = await alice.send(session_id)
            gate.opened.set()
            greeting = await socket.receive()
            await socket.send("ping")
            events = (await socket.until("pong"))[:-1]
    assert (greeting["revision"], greeting["head_id"]) == (3, turn["ai_message"]["id"])
    assert kinds(events) == [TURN[0] if query else TURN[1], TURN[-1]]
    assert events[-1]["message"] == turn["ai_message"]


@pytest.mark.parametrize("query", [{}, {"since": 0}])
@pytest.mark.parametrize("looks", ["before", "after"])
async def test_a_turn_that_begins_while_joining(
    tmp_path: Path, looks: str, query: dict[str, int]
) -> None:
    """A turn that begins between the join and the greeting is followed from its start."""
    go = asyncio.Event()
    async with chatting(tmp_path, Script(["one", go, " two"])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        path = f"session/{session_id}"
        async with alice.socket(path) as own:
            gate = Gate(chat.app.store, "get_head", after=looks == "before")
            async with alice.socket(path, greet=False, **query) as socket:
                await gate.reached.wait()
                await own.send("send_message", message="hi")
                told = await own.until("ai_message_chunk")
                gate.opened.set()
                greeting = await socket.receive()
                events = await socket.until("ai_message_chunk")
                go.set()
                events += await socket.until("ai_message_complete")
    assert greeting["revision"] == (0 if looks == "before" else 2)
    has_message = bool(query) or looks == "before"
    assert kinds(events) == (TURN if has_message else TURN[1:])
    assert [e for e in events if e["type"] == "ai_typing"] == told[-2:-1]
    assert [e["full_content"] for e in events if "full_content" in e][-1] == "one two"


class Screen:
    """What a client shows that follows the rule of section 4.3, and what it was told of."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.texts: list[str] = []
        self._have = 0

    def take(self, event: dict[str, Any]) -> None:
        """Take one event."""
        event = {name: value for name, value in event.items() if not name.startswith("_")}
        if event["type"] not in ("ai_message_chunk", "ai_reasoning_chunk"):
            self.told.append(event)
            self._have = 0
            return
        assert event["prev"] in (0, self._have), "a hole"
        if event["prev"] == 0 or not self.texts:
            self.texts.append("")
        self._have = event["seq"]
        if event["type"] == "ai_message_chunk":
            self.texts[-1] += event["content"]
            assert event.get("full_content", self.texts[-1]) == self.texts[-1]


async def test_everybody_is_told_the_same(tmp_path: Path) -> None:
    """Tabs, devices, late joiners and readers of SSE end up with the same, in the same order.

    What they were told of and the texts that they show are the same once frames are merged; who
    came late begins later.
    """
    gates = [asyncio.Event() for _ in range(3)]
    reply = ["one ", gates[0], "two ", "three ", gates[1], "four ", gates[2], "five"]
    async with chatting(tmp_path, Script(reply, ["and again"])) as chat:
        alice, device = await chat.client("alice"), await chat.client("alice")
        session_id = await alice.new_session()
        path = f"session/{session_id}"
        screens = {name: Screen() for name in ("own", "tab", "delta", "late", "stream")}
        async with (
            alice.socket(path) as own,
            alice.socket(path) as tab,
            device.socket(path, chunks="delta") as delta,
        ):
            sockets = {"own": own, "tab": tab, "delta": delta}
            await own.send("send_message", message="hi")
            for name, socket in sockets.items():
                for event in await socket.until("ai_message_chunk"):
                    screens[name].take(event)
            gates[0].set()
            async with (
                device.socket(path) as late,
                device.http.stream("GET", f"{API}/sessions/{session_id}/stream/") as response,
            ):
                gates[1].set()
                stream = events_of(response)
                screens["stream"].take(await anext(stream))
                gates[2].set()
                async for event in stream:
                    screens["stream"].take(event)
                for name, socket in (sockets | {"late": late}).items():
                    for event in await socket.until("ai_message_complete"):
                        screens[name].take(event)
                await tab.send("regenerate")
                for name, socket in (sockets | {"late": late}).items():
                    for event in await socket.until("ai_message_complete"):
                        screens[name].take(event)
    whole = screens["own"]
    assert kinds(whole.told) == ["user_message", *["ai_typing", "ai_message_complete"] * 2]
    assert whole.texts == ["one two three four five", "and again"]
    for name, first, last in (("tab", 0, 5), ("delta", 0, 5), ("late", 1, 5), ("stream", 1, 3)):
        assert screens[name].told == whole.told[first:last], name
        assert screens[name].texts == whole.texts[: 1 if name == "stream" else 2], name


async def turn_meanwhile(
    chat: Chat, alice: Client, session_id: str, socket: Socket
) -> tuple[asyncio.Task[Any], list[dict[str, Any]]]:
    """Begin a turn; return it when it is stored, and what the socket has been told by then."""
    begun = Gate(chat.app.store, "begin_turn", after=True)
    turn = asyncio.create_task(alice.send(session_id, "more"))
    await begun.reached.wait()
    begun.opened.set()
    await socket.send("ping")
    return turn, (await socket.until("pong"))[:-1]


async def test_an_end_that_is_told_late_is_told_before_the_next_turn(tmp_path: Path) -> None:
    """Revisions come in their order, also when another sends before the end is known to be stored.

    A client that had been told of the later one, and then lost the connection, would never ask for
    the earlier.
    """
    async with chatting(tmp_path, Script(["one"], ["two"])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket(f"session/{session_id}") as socket:
            gate = Gate(chat.app.store, "end_turn", after=True)
            first = asyncio.create_task(alice.send(session_id))
            await gate.reached.wait()
            second, events = await turn_meanwhile(chat, alice, session_id, socket)
            gate.opened.set()
            while len([event for event in events if event["type"] == TURN[-1]]) < 2:
                events.append(await socket.receive())
            await asyncio.gather(first, second)
    assert kinds(events) == TURN + TURN


async def test_the_end_of_a_turn_that_was_left_is_told_before_the_next(tmp_path: Path) -> None:
    """So it is with a turn whose process died: its end is told when it is stored, and in order."""
    async with chatting(tmp_path, Script(["two"])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket(f"session/{session_id}") as socket:
            gate = Gate(chat.app.store, "free_slot", after=True)
            await die(chat, alice, session_id, 2)
            await gate.reached.wait()
            second, events = await turn_meanwhile(chat, alice, session_id, socket)
            gate.opened.set()
            events += await socket.until(TURN[-1])
            await second
    assert kinds(events) == ["error", *TURN]
