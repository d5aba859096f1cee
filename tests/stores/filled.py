"""A store with one of everything, and what it then holds."""

from __future__ import annotations

import datetime as dt

from stored import ALICE, BOB, a_question, a_session, a_slot, a_turn, add, an_answer, begin, finish

from chatd.provider import ModelInfo
from chatd.store import Store
from chatd.store.transfer import (
    COLLECTIONS,
    Conversation,
    Record,
    StoredMessage,
    StoredSession,
)
from chatd.types import Checkpoint, Message, Preset, Session, Slot, Token, Usage, new_id, now

OLD = "the boot that died"


async def fill(store: Store) -> None:
    """Put one of everything into a store: also what crashes leave."""
    await fill_accounts(store)
    await fill_catalog(store)
    await store.put_datum("p", "a/b", {"c": [1, None]}, expires_at=now() + dt.timedelta(days=1))
    await store.put_datum("p", "a/b", {"c": [2, None]}, expires_at=now() + dt.timedelta(days=1))
    await store.add_to_count("q", "n", 3)
    session = await add(
        store, title="Ärger 😀", metadata={"a.b": {"$c": 1.0}}, settings={"x": True}
    )
    usage = Usage(prompt_tokens=1, completion_tokens=2, total_tokens=3)
    slot, messages = await begin(store, session, "one", client_id="one")
    first, *_ = await finish(store, slot, messages, usage=usage)
    slot, messages = await begin(store, session, "two")
    await finish(store, slot, messages, parts=[{"type": "reasoning", "text": "hm"}])
    await a_turn(store, session, "other two", fork_after=first.seq + 1, kind="edit")
    await a_turn(store, session, "other one", fork_after=0, kind="edit")
    gone = await add(store, title="deleted")
    await store.update_session(ALICE.id, gone.id, {"is_active": False})
    await add(store, title="empty")
    for window in ("nothing stored", "user only", "streaming", "ended"):
        await crash(store, window)


async def crash(store: Store, window: str) -> tuple[Session, Slot]:
    """Leave a turn behind as a process does that dies in this window."""
    session = await add(store, title=window)
    before, *_ = await a_turn(store, session, "before")
    if window in ("nothing stored", "user only"):
        slot = a_slot(boot=OLD)
        await store.take_slot(ALICE.id, session.id, slot, lease=0, fork_after=before.seq)
        if window == "user only":
            await store.add_messages(slot.generation_id, [a_question(session, slot)])
        return session, slot
    slot = a_slot(boot=OLD)
    await store.take_slot(ALICE.id, session.id, slot, lease=0)
    messages = [a_question(session, slot), an_answer(session, slot)]
    messages = await store.add_messages(slot.generation_id, messages)
    point = Checkpoint(
        session_id=session.id,
        message_id=messages[1].id,
        generation_id=slot.generation_id,
        content="half an ans",
        parts=[{"type": "text", "text": "half"}],
        seq=7,
    )
    await store.checkpoint([point])
    if window == "ended":
        ended = messages[1].replace(status="complete", content="all", updated_at=now())
        await store.end_message(ended)
    return session, slot


def a_conversation(count: int = 2) -> Conversation:
    """Return a session of Alice with messages."""
    session = a_session(title="brought", message_count=count)
    messages = [
        Message(
            id=new_id(),
            session_id=session.id,
            seq=number,
            revision=number,
            role="user",
            content=f"text {number}",
            created_at=now(),
            updated_at=now(),
        )
        for number in range(1, count + 1)
    ]
    record = StoredSession(
        user_id=ALICE.id, session=session, seq=count, revision=count, user_messages=count
    )
    return Conversation(record, [StoredMessage(user_id=ALICE.id, message=m) for m in messages])


async def fill_accounts(store: Store) -> None:
    """Put users and tokens into a store."""
    for user in (ALICE, BOB):
        await store.add_user(user)
    await store.update_account(ALICE.id, roles=("admin",), preferences={"default_model": "a/b"})
    await store.update_account(BOB.id, is_active=False)
    for end in (None, now() + dt.timedelta(days=1)):
        token = Token(
            id=new_id(), user_id=ALICE.id, digest=new_id(), created_at=now(), expires_at=end
        )
        await store.add_token(token)


async def fill_catalog(store: Store) -> None:
    """Put models and presets into a store."""
    infos = [ModelInfo(name=name, context_length=8) for name in ("qwen3:8b", "gpt-4.1", "old")]
    await store.save_models("llm", infos)
    await store.save_models("llm", infos[:2])
    await store.update_model("llm/gpt-4.1", is_default=True)
    await store.update_model("llm/qwen3:8b", is_active=False)
    for is_public in (True, False):
        preset = Preset(
            id=new_id(),
            name="p",
            settings={"options": {"stop": ["x"]}},
            is_public=is_public,
            created_at=now(),
            updated_at=now(),
        )
        await store.add_preset(ALICE.id, preset)


async def held(store: Store, limit: int = 1000) -> dict[str, list[Record]]:
    """Return all records of a store, each collection sorted."""
    found: dict[str, list[Record]] = {}
    for collection in COLLECTIONS:
        records: list[Record] = []
        page = await store.read_records(collection, limit=limit)
        while page.records:
            assert len(page.records) <= limit
            records += page.records
            page = await store.read_records(collection, after=page.next, limit=limit)
        found[collection] = sorted(records, key=repr)
    return found


async def pour(source: Store, target: Store) -> None:
    """Put all records of one store into another."""
    for collection, records in (await held(source)).items():
        await target.put_records(collection, records)  # type: ignore[arg-type]
