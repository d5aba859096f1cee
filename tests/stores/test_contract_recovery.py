"""The contract of a store: leases, and the generations whose process is gone."""

from __future__ import annotations

import asyncio

import pytest
from stored import ALICE, a_question, a_slot, a_turn, add, an_answer, begin, finish

from chatd.store import Store
from chatd.types import Message, Session, Slot


async def test_a_lease_is_renewed_by_its_holder_only(store: Store) -> None:
    """Renewal says who has lost the slot, and keeps the others' from running out."""
    kept, freed = await add(store), await add(store)
    one = a_slot()
    await store.take_slot(ALICE.id, kept.id, one, lease=0)
    other, messages = await begin(store, freed)
    await finish(store, other, messages)
    held = {one.generation_id: kept.id, other.generation_id: freed.id, "unknown": kept.id}

    lost = await store.renew_leases(held, lease=60)

    assert lost == {other.generation_id, "unknown"}
    assert await store.abandoned("else", "x") == []
    assert (await store.get_head(ALICE.id, freed.id)).slot is None


async def test_abandoned_slots_are_found(store: Store) -> None:
    """Those of this node's earlier boots at once, another node's when its lease has run out."""
    sessions = {name: await add(store) for name in ("earlier", "present", "living", "dead", "free")}
    places = {
        "earlier": ("here", "1", 60),
        "present": ("here", "2", 60),
        "living": ("there", "1", 60),
        "dead": ("there", "1", 0),
    }
    for name, (node, boot, lease) in places.items():
        slot = a_slot(node=node, boot=boot)
        await store.take_slot(ALICE.id, sessions[name].id, slot, lease=lease)

    found = await store.abandoned("here", "2")

    assert {a.head.session.id for a in found} == {sessions["earlier"].id, sessions["dead"].id}
    assert all(a.user_id == ALICE.id and a.messages == [] for a in found)
    for abandoned in found:
        session_id = abandoned.head.session.id
        assert abandoned.head == await store.get_head(ALICE.id, session_id)


async def crash(store: Store, window: str) -> tuple[Session, Slot, list[Message]]:
    """Leave a turn behind as a process does that dies in this window."""
    session = await add(store)
    await a_turn(store, session, "before")
    slot = a_slot(boot="old")
    await store.take_slot(ALICE.id, session.id, slot, lease=60)
    messages = [a_question(session, slot), an_answer(session, slot)]
    count = {"nothing stored": 0, "user only": 1}.get(window, 2)
    if count:
        messages = await store.add_messages(slot.generation_id, messages[:count])
    if window == "ended":
        ended = await store.end_message(messages[1].replace(status="complete", content="x"))
        assert ended is not None
        messages[1] = ended
    return session, slot, messages[:count]


@pytest.mark.parametrize("window", ["nothing stored", "user only", "streaming", "ended"])
async def test_a_crash_leaves_what_recovery_needs(store: Store, window: str) -> None:
    """In each window the slot tells what is stored; two who mend it at once end it once."""
    session, slot, messages = await crash(store, window)
    [found] = await store.abandoned("n", "new")
    assert found.messages == messages

    async def mend() -> Session | None:
        messages = list(found.messages)
        if len(messages) == 1:
            answer = an_answer(session, slot, status="interrupted")
            messages += await store.add_messages(slot.generation_id, [answer])
        elif messages and messages[1].status == "streaming":
            ended = await store.end_message(messages[1].replace(status="interrupted"))
            if ended is None:
                return None
            messages[1] = ended
        return await store.free_slot(session.id, slot.generation_id, messages)

    results = await asyncio.gather(mend(), mend(), return_exceptions=True)

    freed = [result for result in results if isinstance(result, Session)]
    assert len(freed) == 1
    count = 4 if messages else 2
    assert freed[0].message_count == count
    page = await store.list_messages(ALICE.id, session.id)
    assert len(page.results) == count
    assert page.results[-1].id == freed[0].head_id
    assert await store.abandoned("n", "new") == []
    assert len(await a_turn(store, session)) == 2
