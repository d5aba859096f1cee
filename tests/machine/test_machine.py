"""Sessions and generations under whatever users, providers and crashes do, in any order.

Hypothesis makes up what happens; a small model says what must be seen (see expected.py). A longer
run: CHATD_TEST_EXAMPLES=1000 scripts/test tests/machine
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest
from boots import WINDOWS
from expected import Conversation
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from readers import Screen, SocketReader, StreamReader
from stage import Scene, error_of

from chatd.errors import GenerationRunning
from chatd.provider import Finish, Reasoning, ToolCall
from chatd.types import Usage

pytestmark = [
    pytest.mark.usefixtures("each_store"),
    pytest.mark.timeout(0 if "CHATD_TEST_EXAMPLES" in os.environ else 120),
]

T = TypeVar("T")
EXAMPLES = {"sqlite": 20, "mongo": 8}  # of as many steps as a run of five seconds has room for
PATIENCE = 60.0  # seconds for a step on a machine that has much else to do

INDEX = st.integers(0, 7)  # of whatever there is, modulo how much there is
OWNERS = st.sampled_from(["alice", "bob"])
TEXTS = st.sampled_from(["hi", "and then?", "\U0001f600 \u00e9"])
CLIENTS = st.sampled_from(["", "", "c1", "c2", "c3", "c4"])
KINDS = st.sampled_from(["send", "send", "regenerate", "edit"])
CHUNKS = st.one_of(
    st.sampled_from(["a", "bc", "\u00e9\u20ac", "\U0001f600", "\n", "0123456789" * 20]),
    st.sampled_from([Reasoning(text="hm "), Reasoning(text="so")]),
    st.just(ToolCall(id="t1", name="tool", arguments='{"a": 1}')),
)
BURSTS = st.lists(CHUNKS, min_size=1, max_size=5)
SEEN = st.one_of(st.none(), st.integers(0, 6))


class Machine(RuleBasedStateMachine):
    """One example: what happens to two users, their sessions and their server."""

    scene: ClassVar[Scene]
    runner: ClassVar[asyncio.Runner]

    def run(self, act: Coroutine[Any, Any, T]) -> T:
        """Carry out a step on the loop of the server."""
        return self.runner.run(asyncio.wait_for(act, PATIENCE))

    def pick(self, number: int, *, running: bool | None = None) -> Conversation | None:
        """Return one of the sessions, if there is one."""
        found = [
            c
            for c in self.scene.conversations
            if running is None or (c.reply is not None) == running
        ]
        return found[number % len(found)] if found else None

    @property
    def has_sessions(self) -> bool:
        """Whether there is a session."""
        return bool(self.scene.conversations)

    @property
    def has_running(self) -> bool:
        """Whether a generation runs."""
        return any(c.reply for c in self.scene.conversations)

    @initialize()
    def begin(self) -> None:
        """Begin with two new users."""
        self.crashes = 0
        self.run(self.scene.enter())
        self.run(self.scene.create("alice", "first"))
        self.touched = self.scene.conversations[0]

    def teardown(self) -> None:
        """End all that runs; then nothing is left."""
        self.run(self.scene.leave())

    @invariant()
    def is_as_expected(self) -> None:
        """What was touched is stored and shown as the model says."""
        if self.touched in self.scene.conversations:
            self.run(self.scene.check(self.touched))
        self.run(self.scene.check_empty())
        self.run(self.scene.check_stats())

    # Sessions.

    @precondition(lambda self: len(self.scene.conversations) < 4)
    @rule(owner=OWNERS, title=TEXTS)
    def create(self, owner: str, title: str) -> None:
        """Make a session."""
        self.run(self.scene.create(owner, title))
        self.touched = self.scene.conversations[-1]

    @precondition(lambda self: self.has_sessions)
    @rule(number=INDEX, title=TEXTS, version=st.sampled_from([None, 0, -1]))
    def rename(self, number: int, title: str, version: int | None) -> None:
        """Change the title, sometimes with a version that is not the present one."""
        conversation = self.touch(number)
        given = None if version is None else conversation.version + version
        act = self.scene.app.sessions.update(self.user, conversation.id, {"title": title}, given)
        if given not in (None, conversation.version):
            assert self.refused(act) == "precondition_failed"
            return
        assert self.refused(act) is None
        conversation.version += title != conversation.title
        conversation.title = title

    def touch(self, number: int, *, running: bool | None = None) -> Conversation:
        """Choose a session to work with, and its owner."""
        conversation = self.pick(number, running=running)
        assert conversation is not None
        self.touched, self.user = conversation, self.scene.users[conversation.owner]
        return conversation

    def refused(self, act: Coroutine[Any, Any, Any]) -> str | None:
        """Carry something out; return the code it was refused with."""
        return self.run(self.scene.refusal(act))

    @precondition(lambda self: self.has_sessions)
    @rule(number=INDEX, is_stale=st.booleans())
    def delete(self, number: int, is_stale: bool) -> None:
        """Delete a session: what runs is stopped, and its sockets are closed."""
        conversation = self.touch(number)
        version = conversation.version - is_stale
        act = self.scene.app.sessions.delete(self.user, conversation.id, version)
        code = self.refused(act)
        if is_stale:
            assert code == "precondition_failed"
            return
        assert code is None
        if conversation.reply:
            conversation.end("stopped")
        if conversation.is_active:
            conversation.is_active = False
            conversation.version += 1
            self.expel(conversation)

    def expel(self, conversation: Conversation) -> None:
        """The sockets of a session that is gone are closed, with the code that says so."""
        for reader in tuple(self.scene.sockets):
            if reader.session_id == conversation.id:
                assert self.run(reader.close_code()) == 4504
                self.scene.sockets.remove(reader)
                self.scene.gone.append((conversation.id, reader.screen, reader.is_delta))

    @precondition(lambda self: any(not c.is_active for c in self.scene.conversations))
    @rule(number=INDEX)
    def restore(self, number: int) -> None:
        """Undo a delete."""
        conversation = self.touch(number)
        assert self.refused(self.scene.app.sessions.restore(self.user, conversation.id)) is None
        conversation.version += not conversation.is_active
        conversation.is_active = True

    @precondition(lambda self: len(self.scene.conversations) > 1)
    @rule(number=INDEX)
    def purge(self, number: int) -> None:
        """Erase a session, with what runs in it."""
        conversation = self.touch(number)
        reply = conversation.reply
        assert self.refused(self.scene.app.sessions.purge(self.user, conversation.id)) is None
        self.scene.conversations.remove(conversation)
        self.expel(conversation)
        self.scene.erased.append((conversation.owner, conversation.id))
        for stream in tuple(self.scene.streams):
            if stream.session_id == conversation.id:
                assert reply is not None
                self.run(stream.settle(None))
                self.run(stream.close())
                self.scene.streams.remove(stream)

    # Turns.

    @precondition(lambda self: self.has_sessions)
    @rule(number=INDEX, kind=KINDS, which=INDEX, text=TEXTS, client=CLIENTS)
    def ask(self, number: int, kind: str, which: int, text: str, client: str) -> None:
        """Ask for a turn: new, repeated, repeated otherwise, too early, about anything."""
        conversation = self.touch(number)
        message = self.target(conversation, kind, which)
        self.run(self.asked(conversation, kind, message, text, client))

    def target(self, conversation: Conversation, kind: str, number: int) -> str | None:
        """Return the message that a regeneration or an edit names."""
        rows = list(conversation.rows)
        if kind == "send" or (kind == "regenerate" and number == 0):
            return None
        wanted = "user" if kind == "edit" else "assistant"
        fitting = [id for id in rows if conversation.rows[id].role == wanted]
        if number == 1 and rows:
            return rows[-1]  # may be of the wrong role
        return fitting[number % len(fitting)] if fitting else "nothing"

    async def asked(
        self, conversation: Conversation, kind: str, target: str | None, text: str, client: str
    ) -> None:
        """Ask, and check what comes of it."""
        scene, sent = self.scene, None
        expected = scene.expected_refusal(conversation, kind, target, text, client)

        async def asking() -> None:
            nonlocal sent
            sent = await scene.ask(conversation, kind, target, text, client)

        code = await scene.refusal(asking())
        if expected == "duplicate":
            assert code is None
            assert sent is not None
            await scene.repeated(conversation, client, sent)
            return
        assert code == expected
        if sent is not None:
            await scene.begun(conversation, kind, target, text, sent)

    @precondition(lambda self: self.has_sessions)
    @rule(number=INDEX, client=st.sampled_from(["", "c5", "c6"]), text=TEXTS)
    def race(self, number: int, client: str, text: str) -> None:
        """Send three times at once: with one client_id it is one turn, else two are too early."""
        conversation = self.touch(number)
        expected = self.scene.expected_refusal(conversation, "send", None, text, client)
        if expected is not None:
            return
        self.run(self.raced(conversation, text, client))

    async def raced(self, conversation: Conversation, text: str, client: str) -> None:
        """Send three times at once."""
        asks = [self.scene.ask(conversation, "send", None, text, client) for _ in range(3)]
        results = await asyncio.gather(*asks, return_exceptions=True)
        sent = [result for result in results if not isinstance(result, BaseException)]
        firsts = [one for one in sent if not one.is_duplicate]
        assert len(firsts) == 1
        assert len(sent) == (3 if client else 1)
        assert {one.generation_id for one in sent} == {firsts[0].generation_id}
        assert all(isinstance(r, GenerationRunning) for r in results if r not in sent)
        await self.scene.begun(conversation, "send", None, text, firsts[0])

    @precondition(lambda self: self.has_running)
    @rule(number=INDEX, burst=BURSTS)
    def say(self, number: int, burst: list[Any]) -> None:
        """The model says something without a pause."""
        self.run(self.said(self.touch(number, running=True), burst))

    async def said(self, conversation: Conversation, burst: list[Any]) -> None:
        """Say a burst, and wait until it is in the log."""
        reply = conversation.reply
        assert reply is not None
        call = self.scene.calls[reply.id]
        call.tell(burst)
        await call.idle()
        reply.add(burst)

    @precondition(lambda self: self.has_running)
    @rule(number=INDEX, burst=BURSTS, reason=st.sampled_from(["", "stop", "length"]))
    def finish(self, number: int, burst: list[Any], reason: str) -> None:
        """The model says something, tells why it ends, and ends."""
        conversation = self.touch(number, running=True)
        assert conversation.reply is not None
        usage = Usage(prompt_tokens=2, completion_tokens=3, total_tokens=5)
        burst = [*burst, Finish(reason=reason), usage] if reason else burst
        conversation.reply.add(burst)
        self.run(self.ended(conversation, burst, None))
        conversation.end("complete")

    @precondition(lambda self: self.has_running)
    @rule(number=INDEX, kind=st.integers(0, 2))
    def fail(self, number: int, kind: int) -> None:
        """The model fails."""
        conversation, error = self.touch(number, running=True), error_of(kind)
        self.run(self.ended(conversation, [], error))
        status = "interrupted" if error.code == "provider_interrupted" else "error"
        conversation.end(status, error=error.code)

    async def ended(self, conversation: Conversation, burst: list[Any], how: Any) -> None:
        """Have a call end, and wait until its generation has."""
        assert conversation.reply is not None
        id = conversation.reply.id
        self.scene.calls[id].tell(burst)
        self.scene.calls[id].tell(how)
        await self.scene.ended(conversation, id)

    @precondition(lambda self: self.has_sessions)
    @rule(number=INDEX, named=st.sampled_from(["none", "right", "wrong"]), seen=SEEN)
    def stop(self, number: int, named: str, seen: int | None) -> None:
        """Stop what runs, or what is named and does not run."""
        conversation = self.touch(number)
        reply = conversation.reply
        olds = [id for id, row in conversation.rows.items() if row.status != "streaming"]
        id = {"none": None, "right": reply.id if reply else "x", "wrong": (["x", *olds])[-1]}[named]
        act = self.scene.app.turns.stop(self.user, conversation.id, id, seen)
        is_stopped = reply is not None and named != "wrong"
        assert self.run(act) is is_stopped
        if is_stopped:
            conversation.end("stopped", seen=seen)

    @precondition(lambda self: self.has_running)
    @rule(number=INDEX, first=st.sampled_from(["stop", "finish"]), is_deleted=st.booleans())
    def race_to_the_end(self, number: int, first: str, is_deleted: bool) -> None:
        """The model ends while somebody stops it, or deletes the session: there is one end."""
        conversation = self.touch(number, running=True)
        assert conversation.reply is not None
        sessions, turns = self.scene.app.sessions, self.scene.app.turns
        call, id = self.scene.calls[conversation.reply.id], conversation.reply.id

        async def race() -> Any:
            if first == "finish":
                call.tell(None)
            stop = sessions.delete if is_deleted else turns.stop
            stopping = asyncio.create_task(stop(self.user, conversation.id))
            await asyncio.sleep(0)
            if first == "stop":
                call.tell(None)
            await stopping
            return await self.scene.ended(conversation, id)

        self.scene.adopt(conversation, self.run(race()))
        if is_deleted:
            conversation.is_active = False
            conversation.version += 1
            self.expel(conversation)

    @precondition(lambda self: self.has_sessions)
    @rule(number=INDEX, which=INDEX)
    def select(self, number: int, which: int) -> None:
        """Show another branch."""
        conversation = self.touch(number)
        rows = [*conversation.rows, "nothing"]
        id = rows[which % len(rows)]
        expected = None
        if id == "nothing":
            expected = "not_found"
        elif not conversation.is_active:
            expected = "session_deleted"
        elif conversation.reply:
            expected = "generation_running"
        act = self.scene.app.sessions.select(self.user, conversation.id, id)
        assert self.refused(act) == expected
        if expected is None:
            conversation.head_id = conversation.newest_below(id)

    @precondition(lambda self: self.has_running)
    @rule()
    def checkpoint(self) -> None:
        """What has been said is stored."""
        self.run(self.scene.app.generations.checkpoint())
        for conversation in self.scene.conversations:
            if conversation.reply:
                conversation.reply.saved = len(conversation.reply.entries)

    # Readers.

    @precondition(lambda self: len(self.scene.sockets) < 4)
    @rule(number=INDEX, is_delta=st.booleans())
    def join(self, number: int, is_delta: bool) -> None:
        """A new client opens a socket and loads the messages."""
        if self.has_sessions:
            self.run(self.joined(self.touch(number), Screen(), is_delta, None))

    @precondition(lambda self: self.scene.gone)
    @rule(number=INDEX, is_delta=st.booleans(), beyond=st.sampled_from([0, 0, 0, 1000]))
    def come_back(self, number: int, is_delta: bool, beyond: int) -> None:
        """One who has left comes back with what it has seen, or with nonsense."""
        session_id, screen, _ = self.scene.gone.pop(number % len(self.scene.gone))
        found = [c for c in self.scene.conversations if c.id == session_id]
        if found:
            self.touched = found[0]
            self.run(self.joined(found[0], screen, is_delta, screen.revision + beyond))

    async def joined(
        self, conversation: Conversation, screen: Screen, is_delta: bool, since: int | None
    ) -> None:
        """Open a socket."""
        token = self.scene.tokens[conversation.owner]
        reader = SocketReader(conversation.id, screen, is_delta=is_delta)
        greeting = await reader.open(self.scene.boot.url, token, since)
        if not conversation.is_active:
            assert greeting["code"] == "not_found"
            assert await reader.close_code() == 4504
            return
        assert (greeting["revision"], greeting["head_id"]) == (
            conversation.revision,
            conversation.shown_id(),
        )
        assert greeting.get("reload", False) == (since is not None and since > greeting["revision"])
        if screen.must_load:
            async with self.scene.http(conversation.owner) as http:
                path = f"/ai-chat/api/sessions/{conversation.id}/messages/?since=0&limit=200"
                page = (await http.get(path)).json()
            screen.load(page["results"], greeting["revision"])
        self.scene.sockets.append(reader)

    @precondition(lambda self: self.scene.sockets)
    @rule(number=INDEX)
    def part(self, number: int) -> None:
        """A client leaves."""
        reader = self.scene.sockets.pop(number % len(self.scene.sockets))
        self.run(reader.close())
        self.scene.gone.append((reader.session_id, reader.screen, reader.is_delta))

    @precondition(lambda self: self.scene.sockets)
    @rule(number=INDEX, keeping=st.integers(0, 2), frames=st.integers(1, 3))
    def lose(self, number: int, keeping: int, frames: int) -> None:
        """After a few more, some frames of the log do not reach a client."""
        reader = self.scene.sockets[number % len(self.scene.sockets)]
        reader.keeping, reader.losing = keeping, frames

    @precondition(lambda self: self.scene.sockets)
    @rule(number=INDEX, after=st.integers(-1, 8), what=INDEX)
    def resume(self, number: int, after: int, what: int) -> None:
        """A client asks for a part of a log that it may have, or for an end that it knows."""
        reader = self.scene.sockets[number % len(self.scene.sockets)]
        conversation = next(c for c in self.scene.conversations if c.id == reader.session_id)
        answers = [row.id for row in conversation.rows.values() if row.role == "assistant"]
        if answers:
            id = answers[what % len(answers)]
            reader.screen.asked.add(id)
            self.touched = conversation
            self.run(reader.send(type="resume", generation_id=id, after_seq=max(after, 0)))

    @precondition(lambda self: self.has_sessions and len(self.scene.streams) < 2)
    @rule(number=INDEX, after=st.integers(-1, 6), what=INDEX, is_delta=st.booleans())
    def stream(self, number: int, after: int, what: int, is_delta: bool) -> None:
        """A client re-attaches by SSE, with or without what it has seen."""
        conversation = self.touch(number)
        answers = [row.id for row in conversation.rows.values() if row.role == "assistant"]
        ids = ["", *answers]
        self.run(self.streamed(conversation, ids[what % len(ids)], after, is_delta))

    async def streamed(
        self, conversation: Conversation, id: str, after: int, is_delta: bool
    ) -> None:
        """Open a stream with Last-Event-ID."""
        reply = conversation.reply
        query = {"chunks": "delta" if is_delta else "full"}
        is_running = reply is not None and id in ("", reply.id)
        reader = StreamReader(conversation.id, id or (reply.id if reply else ""))
        cursor, have = "", 0
        if id:
            have = min(after, len(reply.entries)) if is_running and reply else after
            cursor = f"{id}:end" if after < 0 else f"{id}:{have}"
        async with contextlib.AsyncExitStack() as stack:
            http = await stack.enter_async_context(self.scene.http(conversation.owner))
            stack.push_async_callback(reader.close)
            status = await reader.open(http, cursor, query)
            if cursor.endswith(":end") or not (is_running or id):
                assert status == 204
                return
            assert status == 200
            if not is_running:
                (end,) = await reader.read()
                message = end.get("ai_message") or end["message"]
                assert message["id"] == id
                return
            if have > 0 and reply:
                seen = reply.entries[:have]
                screen = reader.screen
                screen.have = have
                screen.text = "".join(text for kind, text in seen if kind == "text")
                screen.reasoning = "".join(text for kind, text in seen if kind == "reasoning")
                screen.tools = [call["arguments"] for kind, call in seen if kind == "tool_call"]
            reader.keep(stack.pop_all())
        self.scene.streams.append(reader)

    # Others, and the end of the process.

    @precondition(lambda self: self.has_sessions)
    @rule(number=INDEX, what=INDEX)
    def trespass(self, number: int, what: int) -> None:
        """To anybody else a session does not exist; nor does an erased one to its owner."""
        conversation = self.touch(number)
        other = next(n for n in self.scene.users if n != conversation.owner)
        self.run(self.trespassed(other, conversation.id, what))
        for owner, id in self.scene.erased[-1:]:
            self.run(self.trespassed(owner, id, what))

    async def trespassed(self, name: str, id: str, what: int) -> None:
        """Try something with a session that is not there for this user."""
        app, user = self.scene.app, self.scene.users[name]
        acts = [
            lambda: app.sessions.head(user, id),
            lambda: app.sessions.update(user, id, {"title": "mine"}),
            lambda: app.sessions.delete(user, id),
            lambda: app.sessions.purge(user, id),
            lambda: app.turns.send(user, id, "hi", "c1"),
            lambda: app.turns.stop(user, id),
            lambda: app.turns.regenerate(user, id),
            lambda: app.store.list_messages(user.id, id),
        ]
        assert await self.scene.refusal(acts[what]()) == "not_found"
        reader = SocketReader(id, Screen(), is_delta=False)
        token = self.scene.tokens[name]
        assert (await reader.open(self.scene.boot.url, token, None))["code"] == "not_found"
        assert await reader.close_code() == 4504

    @precondition(lambda self: self.crashes < 2)
    @rule()
    def crash(self) -> None:
        """The process dies and starts again: what ran is interrupted."""
        self.run(self.died({}))

    @precondition(lambda self: self.crashes < 2)
    @rule()
    def restart(self) -> None:
        """The process is stopped in order and starts again: what ran is interrupted, with all."""
        self.run(self.died({}, is_orderly=True))

    @precondition(lambda self: self.crashes < 2 and self.has_sessions)
    @rule(number=INDEX, window=st.sampled_from(list(WINDOWS)), kind=KINDS, text=TEXTS)
    def crash_between_writes(self, number: int, window: str, kind: str, text: str) -> None:
        """The process dies between two writes of a turn."""
        conversation = self.touch(number)
        if window in ("slot", "messages"):
            self.run(self.died_at_begin(conversation, window, kind, text))
        elif conversation.reply:
            self.run(self.died_at_end(conversation, window))

    async def died_at_begin(
        self, conversation: Conversation, window: str, kind: str, text: str
    ) -> None:
        """Die while a turn begins."""
        scene = self.scene
        target = self.target(conversation, kind, 0)
        if scene.expected_refusal(conversation, kind, target, text, "c7"):
            return
        hold = scene.boot.hold(window)
        asking = asyncio.create_task(scene.ask(conversation, kind, target, text, "c7"))
        await hold.reached.wait()
        parent = scene.parent(conversation, kind, target)
        await self.died({}, asking=asking)
        user, id = scene.users[conversation.owner], conversation.id
        page = await scene.app.store.list_messages(user.id, id, all_branches=True, limit=200)
        new = [message.id for message in page.results if message.id not in conversation.rows]
        assert len(new) == (0 if window == "slot" else 1 if kind == "regenerate" else 2)
        if new:
            conversation.begin(kind, text, parent, "c7", new)
            conversation.end("interrupted", error="generation_interrupted", kept=0)

    async def died_at_end(self, conversation: Conversation, window: str) -> None:
        """Die while a turn ends."""
        assert conversation.reply is not None
        hold = self.scene.boot.hold(window)
        self.scene.calls[conversation.reply.id].tell(None)
        await hold.reached.wait()
        is_stored = window == "free" or not hold.is_one_write
        await self.died({conversation.id: "complete" if is_stored else "interrupted"})

    async def died(
        self,
        statuses: dict[str, str],
        *,
        is_orderly: bool = False,
        asking: asyncio.Task[Any] | None = None,
    ) -> None:
        """End the process, start another, and look at what became of what ran."""
        scene = self.scene
        self.crashes += 1
        for stream in scene.streams:
            await stream.close()
        sockets, scene.sockets, scene.streams = scene.sockets, [], []
        if is_orderly:
            await scene.boot.close()
        else:
            await scene.boot.crash(*([asking] if asking else []))
        for reader in sockets:
            await reader.close_code()
            scene.gone.append((reader.session_id, reader.screen, reader.is_delta))
        await scene.open()
        for conversation in scene.conversations:
            if conversation.reply:
                message = await scene.ended(conversation, conversation.reply.id)
                assert message.status == statuses.get(conversation.id, "interrupted")
                if is_orderly:
                    conversation.reply.saved = len(conversation.reply.entries)
                scene.adopt(conversation, message)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[type[Machine]]:
    """Give a machine with a chatd that runs."""
    with asyncio.Runner() as runner:
        scene = Scene(tmp_path / "data")
        runner.run(scene.open())
        try:
            yield type("Stage", (Machine,), {"scene": scene, "runner": runner})
        finally:
            runner.run(scene.boot.close())


def test_whatever_happens(stage: type[Machine]) -> None:
    """After every step the store, the rooms and all readers hold what the model says."""
    examples = os.environ.get("CHATD_TEST_EXAMPLES", "")
    kind = "mongo" if os.environ.get("CHATD_TEST_STORE") else "sqlite"
    run_state_machine_as_test(
        stage,
        settings=settings(
            max_examples=int(examples or EXAMPLES[kind]),
            stateful_step_count=50 if examples else 25,
            derandomize=not examples,
            print_blob=True,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
