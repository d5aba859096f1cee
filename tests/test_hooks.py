"""Where plugins take part: each hook is called at the same points, whatever way a client came."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from harness import Client, Script, chatting

import chatd
from chatd.errors import ConfigError


class Recorder:
    """Notes every call of a hook; lets everything be."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.noted = asyncio.Event()

    def note(self, *call: Any) -> None:
        """Note a call, and wake up who waits for one."""
        self.calls.append(call)
        self.noted.set()

    async def until(self, hook: str, what: str, times: int) -> None:
        """Return when a hook has been told of something so often."""
        async with asyncio.timeout(20):
            while Counter(call[:2] for call in self.calls)[hook, what] < times:
                self.noted.clear()
                await self.noted.wait()

    @chatd.hookimpl
    async def before_turn(self, user: chatd.User, session: chatd.Session, text: str) -> None:
        """Note who asks for what."""
        self.note("before_turn", user.name, session.title, text)

    @chatd.hookimpl
    def prepare_prompt(self, session: chatd.Session, prompt: chatd.Prompt) -> None:
        """Note what is to be said."""
        texts = tuple(message.content for message in prompt.messages)
        self.note("prepare_prompt", session.title, prompt.model, texts)

    @chatd.hookimpl
    async def observe(self, event: chatd.Observed) -> None:
        """Note what happened, but for connections, in which the ways differ."""
        if not event.type.startswith("connection"):
            message = event.message
            about = (message.role, message.content, message.status) if message else ()
            count = event.session.message_count if event.session else None
            self.note("observe", event.type, about, count, dict(event.detail))


class Face:
    """One way to ask for turns."""

    def __init__(self, client: Client, session_id: str) -> None:
        self.client, self.session_id = client, session_id

    @classmethod
    @contextlib.asynccontextmanager
    async def of(cls, client: Client, session_id: str) -> AsyncIterator[Face]:
        """Give the face for a session."""
        yield cls(client, session_id)

    async def call(self, method: str, path: str, **body: Any) -> None:
        """Ask, and wait for the end."""
        await self.client.call(method, f"/sessions/{self.session_id}/{path}", json=body)

    async def send(self, **body: Any) -> None:
        """Send."""
        await self.call("POST", "send_message/", **body)

    async def regenerate(self, **body: Any) -> None:
        """Have the last answer given anew."""
        await self.call("POST", "regenerate/", **body)

    async def edit(self, message_id: str, text: str) -> None:
        """Edit."""
        await self.call("PATCH", f"messages/{message_id}/", content=text)


class Sse(Face):
    """The same, each answer a stream."""

    async def call(self, method: str, path: str, **body: Any) -> None:
        """Ask, and read to the end."""
        url = f"/ai-chat/api/sessions/{self.session_id}/{path}"
        headers = {"Accept": "text/event-stream"}
        async with self.client.http.stream(method, url, json=body, headers=headers) as answer:
            assert answer.status_code == 200
            async for _ in answer.aiter_lines():
                pass


class Ws(Face):
    """The same by a WebSocket."""

    @classmethod
    @contextlib.asynccontextmanager
    async def of(cls, client: Client, session_id: str) -> AsyncIterator[Face]:
        """Give the face for a session, over one socket."""
        async with client.socket(f"session/{session_id}") as socket:
            face = cls(client, session_id)
            face.socket = socket
            yield face

    socket: Any

    async def send(self, **body: Any) -> None:
        """Send."""
        await self.socket.send("send_message", **body)
        await self.socket.until("ai_message_complete", "error")

    async def regenerate(self, **body: Any) -> None:
        """Have the last answer given anew."""
        await self.socket.send("regenerate", **body)
        await self.socket.until("ai_message_complete", "error")

    async def edit(self, message_id: str, text: str) -> None:
        """Edit."""
        await self.socket.send("edit_message", message_id=message_id, message=text)
        await self.socket.until("ai_message_complete", "error")


async def story(face: Face, go: asyncio.Event, recorder: Recorder) -> None:
    """Send, repeat it, regenerate, edit, and stop a turn that runs."""
    client = face.client
    await face.send(message="one", client_id="c1")
    await face.send(message="one", client_id="c1")
    await face.regenerate(client_id="c2")
    await face.regenerate(client_id="c2")
    question = (await client.messages(face.session_id))[0]
    await face.edit(question["id"], "two")
    stopping = asyncio.create_task(face.send(message="three"))
    await recorder.until("observe", "turn_started", 4)
    await client.call("POST", f"/sessions/{face.session_id}/stop/", json={})
    await stopping
    await client.call("DELETE", f"/sessions/{face.session_id}/", 204)
    await recorder.until("observe", "session_deleted", 1)


@pytest.mark.usefixtures("each_store")
async def test_every_face_calls_the_same_hooks(tmp_path: Path) -> None:
    """REST, SSE and WebSocket call every hook with the same things, as often and in this order."""
    told = {}
    for face in (Face, Sse, Ws):
        recorder, go = Recorder(), asyncio.Event()
        script = Script(["a"], ["b"], ["c"], [go])
        async with chatting(tmp_path / face.__name__, recorder, script) as chat:
            alice = await chat.client("alice")
            session_id = await alice.new_session(title="S")
            async with face.of(alice, session_id) as by:
                await story(by, go, recorder)
        told[face] = recorder.calls
    one, two, three = ((role, text, "complete") for role, text in (("user", t) for t in TEXTS))
    assert hooks(told[Face], "before_turn") == [
        ("alice", "S", text) for text in ("one", "one", "two", "three")
    ]
    assert [prompt[-1][-1] for prompt in hooks(told[Face], "prepare_prompt")] == [
        "one",
        "one",
        "two",
        "three",
    ]
    observed = hooks(told[Face], "observe")
    assert [what for what, *_ in observed if what == "turn_ended"] == ["turn_ended"] * 4
    assert [about for what, about, *_ in observed if what == "message_stored"] == [
        one,
        ("assistant", "a", "complete"),
        ("assistant", "b", "complete"),
        two,
        ("assistant", "c", "complete"),
        three,
        ("assistant", "", "stopped"),
    ]
    kinds = [detail["kind"] for what, _, _, detail in observed if what == "turn_started"]
    assert kinds == ["send", "regenerate", "edit", "send"]
    assert told[Sse] == told[Face]
    assert told[Ws] == told[Face]


TEXTS = ("one", "two", "three")


def hooks(calls: list[tuple[Any, ...]], hook: str) -> list[tuple[Any, ...]]:
    """Return the calls of one hook."""
    return [call[1:] for call in calls if call[0] == hook]


async def test_connections_are_observed(tmp_path: Path) -> None:
    """A plugin is told of every socket and stream that is let in, and when it has gone."""
    seen: list[chatd.Observed] = []
    done = asyncio.Event()

    class Watch:
        """Keeps what happens to connections."""

        @chatd.hookimpl
        def observe(self, event: chatd.Observed) -> None:
            """Keep it."""
            if event.type.startswith("connection"):
                seen.append(event)
            if len(seen) == 6:
                done.set()

    async with chatting(tmp_path, Watch(), Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket("sessions"):
            pass
        async with alice.socket(f"session/{session_id}"):
            pass
        await (Sse(alice, session_id)).send(message="hi")
        async with asyncio.timeout(20):
            await done.wait()
        with contextlib.suppress(AssertionError):
            async with alice.socket("session/none"):
                pass
    by_kind = {kind: [e for e in seen if e.detail["kind"] == kind] for kind in KINDS}
    for kind, events in by_kind.items():
        opened, closed = events
        assert (opened.type, closed.type) == ("connection_opened", "connection_closed")
        assert opened.detail["id"] == closed.detail["id"]
        assert opened.user_id == alice.user.id
        assert opened.session_id == (None if kind == "list" else session_id)
    assert by_kind["list"][1].detail["code"] == 1000
    assert len(seen) == 6


KINDS = ("list", "session", "sse")


class Refuses:
    """Refuses turns with an error, while it has one."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error
        self.asked = 0

    @chatd.hookimpl
    async def before_turn(self, text: str) -> None:
        """Refuse."""
        self.asked += 1
        await asyncio.sleep(0)
        if self.error:
            raise self.error


LATER = chatd.RateLimited("Come back tomorrow.", retry_after=7.2)


@pytest.mark.usefixtures("each_store")
async def test_a_refused_turn(tmp_path: Path) -> None:
    """A refusal is the answer on every face; nothing is stored and the session is free."""
    plugin, script = Refuses(LATER), Script()
    async with chatting(tmp_path, plugin, script) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        path = f"/ai-chat/api/sessions/{session_id}/send_message/"
        for accept in ("application/json", "text/event-stream"):
            answer = await alice.http.post(path, json={"message": "hi"}, headers={"Accept": accept})
            assert answer.status_code == 429
            assert answer.headers["Retry-After"] == "8"
            assert answer.json()["detail"] == "Come back tomorrow."
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("send_message", message="hi", client_id="c")
            error = await socket.receive()
        assert error == {
            "type": "error",
            "message": "Come back tomorrow.",
            "code": "rate_limited",
            "retryable": True,
            "retry_after": 8,
            "client_id": "c",
        }
        assert await alice.messages(session_id, branch="all") == []
        assert (await chat.app.store.get_head(alice.user.id, session_id)).slot is None
        plugin.error = None
        sent = await alice.send(session_id, client_id="c")
        again = await alice.send(session_id, client_id="c")
    assert sent["ai_message"]["content"] == "hello world"
    assert again["duplicate"]
    assert plugin.asked == 4
    assert len(script.prompts) == 1


@pytest.mark.parametrize(
    "kind", [chatd.errors.GenerationRunning, chatd.errors.ModelUnavailable, chatd.errors.Conflict]
)
async def test_a_refusal_is_final(tmp_path: Path, kind: type[chatd.ChatdError]) -> None:
    """A plugin is asked once, whatever it refuses with: none of its errors is taken for our own."""

    class RefusesSome(Refuses):
        """Refuses three times."""

        @chatd.hookimpl
        async def before_turn(self) -> None:
            """Refuse, or not any more."""
            self.asked += 1
            if self.asked <= 3:
                raise kind("Not now.")

    plugin = RefusesSome(None)
    async with chatting(tmp_path, plugin, Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        path, body = f"/sessions/{session_id}/send_message/", {"message": "hi", "client_id": "c"}
        problem = await alice.call("POST", path, kind.status, json=body)
        assert (problem["code"], problem["detail"]) == (kind.code, "Not now.")
        assert plugin.asked == 1
        assert (await chat.app.store.get_head(alice.user.id, session_id)).slot is None


async def test_a_failing_refusal_is_an_internal_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What is no error of chatd's refuses too, tells nothing to the user, and names the plugin."""
    async with chatting(tmp_path, Refuses(KeyError("secret")), Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        problem = await alice.call(
            "POST", f"/sessions/{session_id}/send_message/", 500, json={"message": "hi"}
        )
        assert await alice.messages(session_id) == []
    assert problem["code"] == "internal"
    assert "secret" not in str(problem)
    assert "plugin Refuses" in caplog.text
    assert "failed in before_turn" in caplog.text


async def test_a_store_that_is_away_for_a_plugin_frees_the_session(tmp_path: Path) -> None:
    """A plugin that cannot reach the store refuses the turn, and the session is free at once."""
    plugin = Refuses(chatd.errors.StoreUnavailable())
    async with chatting(tmp_path, plugin, Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        await alice.call(
            "POST", f"/sessions/{session_id}/send_message/", 503, json={"message": "hi"}
        )
        plugin.error = None
        await alice.send(session_id)


async def test_a_model_that_is_not_there_asks_no_plugin(tmp_path: Path) -> None:
    """Plugins are asked for a turn that nothing else stands against, so each counts once."""
    plugin = Refuses(None)
    async with chatting(tmp_path, plugin, Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session(model="nobody/none")
        await alice.call(
            "POST", f"/sessions/{session_id}/send_message/", 503, json={"message": "hi"}
        )
    assert plugin.asked == 0


class Shouts:
    """Replaces the prompt."""

    @chatd.hookimpl
    async def prepare_prompt(self, prompt: chatd.Prompt) -> chatd.Prompt:
        """Return it in capitals."""
        messages = tuple(m.replace(content=m.content.upper()) for m in prompt.messages)
        return prompt.replace(messages=messages)


class Marks:
    """Replaces the prompt too."""

    @chatd.hookimpl
    def prepare_prompt(self, prompt: chatd.Prompt) -> chatd.Prompt:
        """Return it with a mark behind the last message."""
        *before, last = prompt.messages
        return prompt.replace(messages=(*before, last.replace(content=f"{last.content} marked")))


async def test_prompts_go_through_the_chain(tmp_path: Path) -> None:
    """Each plugin gets what the one before it made; what is stored is what was said."""
    script = Script()
    async with chatting(tmp_path, Shouts(), Marks(), script) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session(system_prompt="be kind")
        sent = await alice.send(session_id, "hello")
    assert [m.content for m in script.prompts[0].messages] == ["BE KIND", "HELLO marked"]
    assert sent["user_message"]["content"] == "hello"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (chatd.Forbidden("Not with that."), "Not with that."),
        (ValueError("secret"), "A plugin could not prepare the prompt."),
        (None, "A plugin could not prepare the prompt."),
    ],
)
async def test_a_failing_preparation_fails_the_turn(
    tmp_path: Path, error: Exception | None, sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What raises, or returns something else, keeps the prompt from the model."""

    class Fails:
        """Fails."""

        @chatd.hookimpl
        def prepare_prompt(self) -> Any:
            """Raise, or return what is no prompt."""
            if error:
                raise error
            return "a prompt"

    script = Script()
    async with chatting(tmp_path, Fails(), script) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        failed = await alice.call(
            "POST", f"/sessions/{session_id}/send_message/", 502, json={"message": "hi"}
        )
    assert script.prompts == []
    assert failed["code"] == failed["ai_message"]["error"]["code"] == "prompt_failed"
    assert failed["detail"] == sentence
    assert ("plugin Fails" in caplog.text) == (not isinstance(error, chatd.Forbidden))


class Lives:
    """Notes its start and its end, and fails at one of them."""

    def __init__(self, name: str, notes: list[str], fails: str = "") -> None:
        self.name, self.notes, self.fails = name, notes, fails

    def _note(self, what: str) -> None:
        self.notes.append(f"{self.name} {what}")
        if self.fails == what:
            raise RuntimeError("no luck")

    @chatd.hookimpl
    async def startup(self, app: chatd.App) -> None:
        """Note that the App is open."""
        await app.store.ping()
        assert await app.models.list() is not None
        self._note("starts")

    @chatd.hookimpl
    async def shutdown(self, app: chatd.App) -> None:
        """Note that the App closes; its store is still there."""
        await app.store.ping()
        self._note("stops")

    @chatd.hookimpl
    def observe(self, event: chatd.Observed) -> None:
        """Note a turn."""
        if event.type == "turn_ended":
            assert event.message is not None
            self._note(event.message.status)


async def test_startup_and_shutdown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Plugins start in order, and stop backwards behind the last turn; a failing stop is logged."""
    notes: list[str] = []
    never = asyncio.Event()
    plugins = (Lives("a", notes), Lives("b", notes, fails="stops"), Script([never]))
    async with chatting(tmp_path, *plugins) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("send_message", message="hi")
            await socket.until("ai_typing")
        assert notes == ["a starts", "b starts"]
    assert sorted(notes[2:4]) == ["a interrupted", "b interrupted"]
    assert notes[4:] == ["b stops", "a stops"]
    assert "plugin Lives-1" in caplog.text
    assert "failed in shutdown" in caplog.text


async def test_a_failing_startup_ends_the_start(tmp_path: Path) -> None:
    """The sentence names plugin and file; who had started is told to stop."""
    notes: list[str] = []
    plugins = (Lives("a", notes), Lives("b", notes, fails="starts"), Lives("c", notes))
    with pytest.raises(ConfigError, match=r"Lives-1 \(.*test_hooks\.py\) failed in startup.*luck"):
        async with chatting(tmp_path, *plugins, Script()):
            pass
    assert notes == ["a starts", "b starts", "a stops"]


async def test_who_observes_delays_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A plugin that hangs or raises in `observe` neither delays a turn nor hinders another."""

    class Hangs:
        """Never comes back."""

        @chatd.hookimpl
        async def observe(self) -> None:
            """Wait for ever."""
            await asyncio.Event().wait()

    class Raises:
        """Always fails."""

        @chatd.hookimpl
        def observe(self) -> None:
            """Fail."""
            raise RuntimeError("no luck")

    recorder = Recorder()
    async with chatting(tmp_path, Hangs(), Raises(), recorder, Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        sent = await alice.send(session_id)
        await recorder.until("observe", "turn_ended", 1)
        assert sent["ai_message"]["status"] == "complete"
        for _ in range(1100):
            chat.app.observations.tell("session_updated", alice.user.id)
        metrics = (await alice.http.get("/metrics")).text
    assert 'chatd_observe_dropped_total{plugin="Hangs"}' in metrics
    assert "plugin Hangs" in caplog.text
    assert "dropped" in caplog.text
    assert "failed in observe" in caplog.text


async def test_who_holds_up_the_server_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A plugin that computes for long without an await is in the log, once; who awaits is not."""

    class Blocks:
        """Holds the event loop."""

        @chatd.hookimpl
        async def before_turn(self) -> None:
            """Work behind an await."""
            await asyncio.sleep(0)
            _work(0.15)

        @chatd.hookimpl
        def prepare_prompt(self) -> None:
            """Work."""
            _work(0.15)

    class Awaits:
        """Takes as long, but lets others."""

        @chatd.hookimpl
        async def before_turn(self) -> None:
            """Wait in a thread."""
            await asyncio.to_thread(_work, 0.15)

    async with chatting(tmp_path, Blocks(), Awaits(), Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        await alice.send(session_id)
        await alice.send(session_id)
    lines = [r.getMessage() for r in caplog.records if "held up" in r.getMessage()]
    assert len([line for line in lines if "plugin Blocks" in line]) == 2, lines
    assert any("in before_turn" in line for line in lines)
    assert any("in prepare_prompt" in line for line in lines)


def _work(seconds: float) -> None:
    """Hold this thread."""
    time.sleep(seconds)


class Later:
    """A hook that does several things with what it awaits."""

    @chatd.hookimpl
    async def before_turn(self, text: str) -> None:
        """Wait with a timeout, catch it, and refuse."""
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            raise chatd.Forbidden("Timed out.") from None


async def test_what_a_hook_awaits_may_fail(tmp_path: Path) -> None:
    """Exceptions and timeouts reach an async hook as without chatd in between."""
    async with chatting(tmp_path, Later(), Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        problem = await alice.call(
            "POST", f"/sessions/{session_id}/send_message/", 403, json={"message": "hi"}
        )
    assert problem["detail"] == "Timed out."


class Careless(Recorder):
    """Awaits what somebody else has cancelled, once in each hook."""

    def __init__(self) -> None:
        super().__init__()
        self.failed: set[str] = set()

    async def _fail_once(self, hook: str) -> None:
        if hook not in self.failed:
            self.failed.add(hook)
            cancelled = asyncio.get_running_loop().create_future()
            cancelled.cancel()
            await cancelled

    @chatd.hookimpl
    async def prepare_prompt(self) -> None:
        """Fail the first prompt."""
        await self._fail_once("prepare_prompt")

    @chatd.hookimpl
    async def observe(self, event: chatd.Observed) -> None:
        """Miss the first event."""
        await self._fail_once("observe")
        self.note("observe", event.type)


async def test_what_a_hook_awaits_may_be_cancelled(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """That is a failure of the hook's, not the end of who called it."""
    careless, script = Careless(), Script()
    async with chatting(tmp_path, careless, script) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        path = f"/sessions/{session_id}/send_message/"
        failed = await alice.call("POST", path, 502, json={"message": "hi"})
        assert failed["code"] == "prompt_failed"
        assert script.prompts == []
        await alice.send(session_id)
        await careless.until("observe", "turn_ended", 2)
    assert "failed in observe" in caplog.text
