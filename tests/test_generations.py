"""Generations: stop, cut, checkpoint, end once, recover."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from harness import Client, Script, Socket, chatting

import chatd
from chatd.generations import CHECKPOINT_EVERY, Generations
from chatd.types import Checkpoint

pytestmark = pytest.mark.usefixtures("each_store")


async def _begin(alice: Client, socket: Socket, text: str = "hi") -> str:
    """Send, and return the generation's id once its first chunk is there."""
    await socket.send("send_message", message=text)
    return str((await socket.until("ai_message_chunk"))[-1]["generation_id"])


async def test_stop_keeps_what_was_produced(tmp_path: Path) -> None:
    """A stopped generation is complete in its own way: its text is stored, its upstream closed."""
    script = Script(["one ", "two", asyncio.Event()])
    async with chatting(tmp_path, script) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket(f"session/{session_id}") as socket:
            generation_id = await _begin(alice, socket)
            await socket.send("stop_generation", generation_id=generation_id)
            end = (await socket.until("ai_message_complete"))[-1]
        assert script.closed == 1
        await alice.send(session_id)
    assert end["message"]["status"] == "stopped"
    assert end["message"]["content"] == "one two"


async def test_stop_over_rest_is_idempotent(tmp_path: Path) -> None:
    """The first stop says true, later ones and one of another generation say false."""
    async with chatting(tmp_path, Script(["one", asyncio.Event()])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        path = f"/sessions/{session_id}/stop/"
        async with alice.socket(f"session/{session_id}") as socket:
            await _begin(alice, socket)
            other = await alice.call("POST", path, json={"generation_id": "another"})
            first = await alice.call("POST", path)
            await socket.until("ai_message_complete")
        second = await alice.call("POST", path, json={})
    assert [other, first, second] == [{"stopped": False}, {"stopped": True}, {"stopped": False}]


async def test_stop_before_the_first_token(tmp_path: Path) -> None:
    """A generation that has said nothing yet is stopped with an empty text."""
    async with chatting(tmp_path, Script([asyncio.Event()])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("send_message", message="hi")
            await socket.until("ai_typing")
            await socket.send("stop_generation")
            end = (await socket.until("ai_message_complete"))[-1]
    assert (end["message"]["status"], end["message"]["content"]) == ("stopped", "")


async def test_stop_cuts_after_what_was_seen(tmp_path: Path) -> None:
    """With seen_seq the stored text ends where the reader had come to."""
    first, last = asyncio.Event(), asyncio.Event()
    async with chatting(tmp_path, Script(["one", first, " two", last])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket(f"session/{session_id}") as socket:
            await _begin(alice, socket)
            first.set()
            await socket.until("ai_message_chunk")
            await socket.send("stop_generation", seen_seq=1)
            end = (await socket.until("ai_message_complete"))[-1]
    assert end["message"]["content"] == "one"


async def test_a_reply_has_a_largest_size(tmp_path: Path) -> None:
    """An endless reply is cut at the limit, between characters, with finish_reason length."""
    script = Script(["é" * 40, "é" * 40, asyncio.Event()])
    async with chatting(tmp_path, script, CHATD_LIMITS_REPLY_BYTES="101") as chat:
        alice = await chat.client("alice")
        answer = (await alice.send(await alice.new_session()))["ai_message"]
    assert answer["content"] == "é" * 50
    assert (answer["status"], answer["finish_reason"]) == ("complete", "length")
    assert script.closed == 1


async def test_what_a_provider_tells_is_kept(tmp_path: Path) -> None:
    """Reasoning, usage and the reason of the end are stored with the message."""
    usage = chatd.Usage(prompt_tokens=3, completion_tokens=2, total_tokens=5)
    reply = [chatd.Reasoning(text="hm"), chatd.Text(text="yes"), usage, chatd.Finish(reason="stop")]
    async with chatting(tmp_path, Script(reply)) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("send_message", message="hi")
            events = await socket.until("ai_message_complete")
        stats = await alice.call("GET", "/health/stats/")
    answer = events[-1]["message"]
    assert answer["content"] == "yes"
    assert answer["parts"] == [
        {"type": "reasoning", "text": "hm"},
        {"type": "text", "text": "yes"},
    ]
    assert answer["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    assert answer["finish_reason"] == "stop"
    assert [e["content"] for e in events if e["type"] == "ai_reasoning_chunk"] == ["hm"]
    assert stats["tokens"] == {"prompt": 3, "completion": 2, "total": 5}


async def test_what_no_store_can_keep_is_replaced(tmp_path: Path) -> None:
    """NUL and lone surrogates of a model become replacement characters on their way."""
    async with chatting(tmp_path, Script(["a\0b\ud800c"])) as chat:
        alice = await chat.client("alice")
        answer = await alice.send(await alice.new_session())
    assert answer["ai_message"]["content"] == "a\ufffdb\ufffdc"


async def test_an_interrupted_reply(tmp_path: Path) -> None:
    """A reply that the provider cut off ends as interrupted, with an error event."""
    async with chatting(tmp_path, Script(["half", chatd.ProviderInterrupted()])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("send_message", message="hi", client_id="c")
            error = (await socket.until("error"))[-1]
    assert error["code"] == "provider_interrupted"
    assert error["client_id"] == "c"
    assert error["ai_message"]["status"] == "interrupted"
    assert error["ai_message"]["content"] == "half"


async def test_text_is_checkpointed(tmp_path: Path) -> None:
    """While a generation runs its text is in the store, at most a second behind."""
    async with chatting(tmp_path, Script(["so far", asyncio.Event()])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        written = _checkpoints(chat.app.generations)
        async with alice.socket(f"session/{session_id}") as socket:
            await _begin(alice, socket)
            async with asyncio.timeout(60):
                (point,) = await written
        streaming = (await alice.messages(session_id, branch="all"))[-1]
        shown = await alice.messages(session_id)
    assert CHECKPOINT_EVERY < 1
    assert (point.content, point.seq) == ("so far", 1)
    assert (streaming["status"], streaming["content"]) == ("streaming", "so far")
    assert [message["role"] for message in shown] == ["user"]


def _checkpoints(generations: Generations) -> asyncio.Future[list[Checkpoint]]:
    """Return what the next checkpoint writes, once it is written."""
    store = generations._store
    write, future = store.checkpoint, asyncio.get_running_loop().create_future()

    async def checkpoint(points: list[Checkpoint]) -> set[str]:
        lost = await write(points)
        if not future.done():
            future.set_result(points)
        return lost

    store.checkpoint = checkpoint  # type: ignore[method-assign, assignment]
    return future


async def test_stopping_the_server_interrupts(tmp_path: Path) -> None:
    """A generation that outlives the grace is interrupted, its text kept, its sockets told 1012."""
    async with chatting(tmp_path, Script(["half", asyncio.Event()])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket(f"session/{session_id}") as socket:
            await _begin(alice, socket)
            generations = chat.app.generations
            await generations.aclose(0)
            error = (await socket.until("error"))[-1]
        (_, answer) = await alice.messages(session_id)
    assert error["code"] == "generation_interrupted"
    assert (answer["status"], answer["content"]) == ("interrupted", "half")


async def test_new_turns_are_refused_while_stopping(tmp_path: Path) -> None:
    """A server that stops lets running generations end and takes no new ones."""
    go = asyncio.Event()
    async with chatting(tmp_path, Script(["a", go, "b"])) as chat:
        alice = await chat.client("alice")
        running, other = await alice.new_session(), await alice.new_session()
        async with alice.socket(f"session/{running}") as socket:
            await _begin(alice, socket)
            chat.app.close_turns()
            problem = await alice.call(
                "POST", f"/sessions/{other}/send_message/", 503, json={"message": "hi"}
            )
            ready = await alice.http.get(f"{chat.url}/readyz")
            go.set()
            end = (await socket.until("ai_message_complete"))[-1]
    assert problem["code"] == "shutting_down"
    assert ready.status_code == 503
    assert end["message"]["content"] == "ab"


async def test_numbers_no_store_can_keep(tmp_path: Path) -> None:
    """A usage that makes no sense is left out; the turn ends all the same."""
    usage = chatd.Usage(prompt_tokens=10**30, completion_tokens=1, total_tokens=1)
    async with chatting(tmp_path, Script(["hi", usage])) as chat:
        alice = await chat.client("alice")
        answer = await alice.send(await alice.new_session())
    assert (answer["ai_message"]["content"], answer["ai_message"]["usage"]) == ("hi", None)


class Stubborn(Script):
    """A provider that does not end when it is cancelled."""

    async def stream(self, prompt: chatd.Prompt) -> AsyncGenerator[chatd.Chunk | str, None]:
        """Say something, then hold on to it."""
        try:
            yield "one"
            await asyncio.Event().wait()
        finally:
            await self.go.wait()

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()


async def test_a_provider_that_does_not_end(tmp_path: Path) -> None:
    """A stop is carried out in a few seconds even if the provider does not let go."""
    provider = Stubborn()
    async with chatting(tmp_path, provider) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket(f"session/{session_id}") as socket:
            await _begin(alice, socket)
            await socket.send("stop_generation")
            await socket.send("ping", t=1)
            assert (await socket.receive())["type"] == "pong"
            end = (await socket.until("ai_message_complete"))[-1]
        provider.go.set()
    assert (end["message"]["status"], end["message"]["content"]) == ("stopped", "one")


async def test_a_delete_ends_a_turn_that_began_beside_it(tmp_path: Path) -> None:
    """After a delete nothing runs in the session, also when a send raced it."""
    async with chatting(tmp_path, Script(*[[asyncio.Event()]] * 30)) as chat:
        alice = await chat.client("alice")
        for _ in range(30):
            session_id = await alice.new_session()
            path = f"/sessions/{session_id}"
            sending = asyncio.create_task(chat.app.turns.send(alice.user, session_id, "hi"))
            await alice.call("DELETE", f"{path}/", 204)
            await asyncio.wait({sending})
            sending.exception()
            assert (await chat.app.sessions.head(alice.user, session_id)).slot is None


@pytest.mark.parametrize(
    "wrong",
    [
        chatd.Text(text=["no text"]),  # type: ignore[arg-type]
        chatd.Text(text=b"no text"),  # type: ignore[arg-type]
        chatd.Reasoning(text=b"no text"),  # type: ignore[arg-type]
    ],
)
async def test_a_chunk_that_is_no_text(tmp_path: Path, wrong: object) -> None:
    """It is its provider's bug: the turn ends with what came before, and the session is free."""
    script = Script(["so far", wrong, "more"])
    async with chatting(tmp_path, script) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("send_message", message="hi")
            end = (await socket.until("error"))[-1]
            assert script.closed == 1
            await alice.send(session_id)
        _, failed, _, answer = await alice.messages(session_id)
    assert end["code"] == "provider_error"
    assert (failed["status"], failed["content"]) == ("error", "so far")
    assert (answer["status"], answer["content"]) == ("complete", "hello world")
