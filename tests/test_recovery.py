"""What a crash between two writes of a turn leaves behind, and what the next start makes of it."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from harness import API, Chat, Client, Script, chatting
from pymongo import MongoClient

from chatd.stores import sqlite_path
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
        await die(chat, alice, session_id, list(CRASHES).index(crash))
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
        await die(chat, alice, session_id, list(CRASHES).index(crash))
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
        await die(chat, alice, session_id, 2)
        path = f"{API}/sessions/{session_id}/send_message/"
        body, headers = {"message": "hi", "client_id": "c1"}, {"Accept": accept}
        answer = await alice.http.post(path, json=body, headers=headers)
    assert answer.status_code == 200
    assert '"duplicate":true' in answer.text
    assert '"status":"interrupted"' in answer.text


async def test_a_repeat_that_waits_when_the_server_stops(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its stream, which has begun, ends with nothing more; nobody is called for help."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        await die(chat, alice, session_id, 2, node="another")
        path = f"{API}/sessions/{session_id}/send_message/"
        body, headers = {"message": "hi", "client_id": "c1"}, {"Accept": "text/event-stream"}
        async with alice.http.stream("POST", path, json=body, headers=headers) as answer:
            text = answer.aiter_text()
            assert "event: user_message" in await anext(text)
            await chat.app.store.aclose()
            assert [part async for part in text] == []
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_client_learns_of_the_interruption(tmp_path: Path) -> None:
    """Whoever connects again with the last revision it saw is sent the end of the generation."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        await die(chat, alice, session_id, 2)
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        async with alice.socket(f"session/{session_id}", since=2) as socket:
            event = await socket.receive()
    assert event["type"] == "error"
    assert event["code"] == "generation_interrupted"
    assert event["ai_message"]["revision"] == 3


async def test_a_turn_that_cannot_be_ended_stops_no_other(tmp_path: Path) -> None:
    """A message that the database refuses is left as it is; the server starts, others are ended."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        session_ids = [await alice.new_session() for _ in range(3)]
        answer_ids = [await die(chat, alice, session_id, 2) for session_id in session_ids]
        forbid_changes(chat.app.config.store.url, answer_ids[1])
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        sessions = [await alice.call("GET", f"/sessions/{one}/") for one in session_ids]
    assert [session["message_count"] for session in sessions] == [2, 0, 2]


def forbid_changes(url: str, message_id: str) -> None:
    """Have the database itself refuse to change a message."""
    path = sqlite_path(url)
    if path is None:
        with MongoClient(url) as client:
            rule = {"_id": {"$ne": message_id}}
            client.get_default_database().command("collMod", "messages", validator=rule)
        return
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE TRIGGER refused BEFORE UPDATE ON messages"
            f" WHEN old.id = '{message_id}' BEGIN SELECT raise(ABORT, 'refused'); END"
        )


async def die(chat: Chat, alice: Client, session_id: str, writes: int, node: str = "") -> str:
    """Do a turn up to a write as an earlier boot would have, and no further; return its id.

    Or as another node would have, which may still live.
    """
    store, time, generation_id = chat.app.store, now(), new_id()
    slot = Slot(
        generation_id=generation_id,
        user_message_id=new_id(),
        assistant_message_id=generation_id,
        client_id="c1",
        node=node or chat.app.node.id,
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
    return generation_id
