"""What a crash between two writes of a turn leaves behind, and what the next start makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import API, Chat, Client, Script, chatting

from chatd.types import Message, Slot, new_id, now

pytestmark = pytest.mark.usefixtures("each_store")

# After which write the process died, and what the next start must show.
CRASHES = {
    "slot taken": [],
    "user message stored": [("user", "complete", "hi"), ("assistant", "interrupted", "")],
    "both stored": [("user", "complete", "hi"), ("assistant", "interrupted", "half")],
    "message ended": [("user", "complete", "hi"), ("assistant", "complete", "half")],
}


@pytest.mark.parametrize("crash", CRASHES)
async def test_each_crash_window(tmp_path: Path, crash: str) -> None:
    """Whatever had been written, the next start ends the turn once, and the next turn works."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        await _die(chat, alice, session_id, list(CRASHES).index(crash))
    async with chatting(tmp_path, Script(["whole"])) as chat:
        alice = await chat.client("alice")
        found = await alice.messages(session_id)
        session = await alice.call("GET", f"/sessions/{session_id}/")
        await alice.send(session_id, "again")
        stored = await alice.messages(session_id)
    assert [(m["role"], m["status"], m["content"]) for m in found] == CRASHES[crash]
    assert session["message_count"] == len(found)
    assert session["head_id"] == (found[-1]["id"] if found else None)
    assert [m["content"] for m in stored[len(found) :]] == ["again", "whole"]
    assert [m["seq"] for m in stored] == list(range(1, len(stored) + 1))


@pytest.mark.parametrize("crash", list(CRASHES)[1:])
async def test_a_repeat_after_a_crash_is_a_duplicate(tmp_path: Path, crash: str) -> None:
    """A client that never got its answer repeats with its client_id: no second message."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        await _die(chat, alice, session_id, list(CRASHES).index(crash))
    script = Script()
    async with chatting(tmp_path, script) as chat:
        alice = await chat.client("alice")
        answer = await alice.send(session_id, "hi", client_id="c1")
        stored = await alice.messages(session_id)
    assert answer["duplicate"] is True
    assert [answer["user_message"], answer["ai_message"]] == stored
    assert script.prompts == []


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_a_repeat_before_the_recovery(tmp_path: Path, accept: str) -> None:
    """A repeat of a send whose process is gone waits until somebody has ended its turn."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        await _die(chat, alice, session_id, 2)
        path = f"{API}/sessions/{session_id}/send_message/"
        body, headers = {"message": "hi", "client_id": "c1"}, {"Accept": accept}
        answer = await alice.http.post(path, json=body, headers=headers)
    assert answer.status_code == 200
    assert '"duplicate":true' in answer.text
    assert '"status":"interrupted"' in answer.text


async def test_a_client_learns_of_the_interruption(tmp_path: Path) -> None:
    """Whoever connects again with the last revision it saw is sent the end of the generation."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        await _die(chat, alice, session_id, 2)
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        async with alice.socket(f"session/{session_id}", since=2) as socket:
            event = await socket.receive()
    assert event["type"] == "error"
    assert event["code"] == "generation_interrupted"
    assert event["ai_message"]["revision"] == 3


async def _die(chat: Chat, alice: Client, session_id: str, writes: int) -> None:
    """Do a turn up to a write as an earlier boot of this node would have, and no further."""
    store, time, generation_id = chat.app.store, now(), new_id()
    slot = Slot(
        generation_id=generation_id,
        user_message_id=new_id(),
        assistant_message_id=generation_id,
        client_id="c1",
        node=chat.app.node.id,
        boot="an earlier boot",
    )
    await store.take_slot(alice.user.id, session_id, slot, lease=15)
    user_message = Message(
        id=slot.user_message_id,
        session_id=session_id,
        role="user",
        content="hi",
        generation_id=generation_id,
        client_id="c1",
        created_at=time,
        updated_at=time,
    )
    answer = user_message.replace(
        id=generation_id,
        role="assistant",
        content="half",
        parent_id=user_message.id,
        client_id=None,
        status="streaming",
    )
    messages = [[], [user_message], [user_message, answer], [user_message, answer]][writes]
    if messages:
        stored = await store.add_messages(generation_id, messages)
    if writes == 3:
        await store.end_message(stored[-1].replace(status="complete", updated_at=now()))
