"""The contract of a store: leases, and the generations whose process is gone."""

from __future__ import annotations

import asyncio

import pytest
from stored import ALICE, a_question, a_slot, a_turn, add, an_answer

from chatd.store import Store
from chatd.types import Message, Session, Slot


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
