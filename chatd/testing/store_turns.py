"""What chatd relies on in a store, of turns and of what a dead process leaves."""

from __future__ import annotations

import asyncio

import pytest

from chatd.errors import Conflict, GenerationInterrupted, GenerationRunning
from chatd.store import Store
from chatd.testing.storing import (
    ALICE,
    a_question,
    a_slot,
    a_turn,
    add,
    an_answer,
    begin,
    finish,
    with_store,
)
from chatd.types import Checkpoint, Head, Message


class TurnPromises:
    """One turn of a session at a time, each written once, and found again after a crash."""

    @with_store
    async def test_of_many_takers_one_gets_the_slot(self, store: Store) -> None:
        """A hundred at once: one has it, the others are told that a generation runs."""
        session = await add(store)
        slots = [a_slot() for _ in range(100)]

        takes = [store.take_slot(ALICE.id, session.id, slot, lease=15) for slot in slots]
        results = await asyncio.gather(*takes, return_exceptions=True)

        heads = [result for result in results if isinstance(result, Head)]
        assert len(heads) == 1
        assert [type(r) for r in results if r not in heads] == [GenerationRunning] * 99
        assert (await store.get_head(ALICE.id, session.id)).slot == heads[0].slot

    @with_store
    async def test_messages_need_the_slot(self, store: Store) -> None:
        """A generation that has lost its slot stores nothing."""
        session = await add(store)
        slot = a_slot()
        with pytest.raises(GenerationInterrupted):
            await store.add_messages(slot.generation_id, [a_question(session, slot)])
        await store.take_slot(ALICE.id, session.id, slot, lease=15)
        await store.free_slot(session.id, slot.generation_id, [])
        with pytest.raises(GenerationInterrupted):
            await store.add_messages(slot.generation_id, [a_question(session, slot)])

        assert (await store.list_messages(ALICE.id, session.id)).results == []
        assert (await store.get_head(ALICE.id, session.id)).revision == 0

    @with_store
    async def test_a_client_id_is_stored_once(self, store: Store) -> None:
        """A second message with it is a conflict and leaves no trace."""
        session = await add(store)
        await a_turn(store, session, client_id="c")
        slot = a_slot(client_id="c")
        await store.take_slot(ALICE.id, session.id, slot, lease=15)

        with pytest.raises(Conflict):
            await store.add_messages(
                slot.generation_id, [a_question(session, slot), an_answer(session, slot)]
            )
        assert len((await store.list_messages(ALICE.id, session.id, since=0)).results) == 2
        await store.free_slot(session.id, slot.generation_id, [])
        following = await a_turn(store, session)
        assert following[0].seq > 2

    @with_store
    async def test_a_checkpoint_keeps_what_was_said_so_far(self, store: Store) -> None:
        """Text and parts of all given messages are stored; one that has ended is not touched."""
        first, second = await add(store), await add(store)
        one, two = await begin(store, first), await begin(store, second)

        def point(message: Message, content: str) -> Checkpoint:
            return Checkpoint(
                session_id=message.session_id,
                message_id=message.id,
                generation_id=message.generation_id or "",
                content=content,
                parts=[{"type": "reasoning", "text": 'h"m'}],
                seq=7,
            )

        assert await store.checkpoint([point(one[1][1], "öne"), point(two[1][1], "two")]) == set()
        stored = await store.get_message(ALICE.id, first.id, one[1][1].id)
        assert (stored.content, stored.status) == ("öne", "streaming")
        assert stored.parts == [{"type": "reasoning", "text": 'h"m'}]
        assert stored.replace(content="", parts=[]) == one[1][1]

        await finish(store, *one, content="end")
        lost = await store.checkpoint([point(one[1][1], "late"), point(two[1][1], "on")])
        assert lost == {one[0].generation_id}
        assert (await store.get_message(ALICE.id, first.id, one[1][1].id)).content == "end"
        assert (await store.get_message(ALICE.id, second.id, two[1][1].id)).content == "on"
        assert await store.checkpoint([]) == set()

    @with_store
    async def test_a_message_ends_once(self, store: Store) -> None:
        """Of many who end it one succeeds; the others learn that it has ended."""
        session = await add(store)
        _, (_, answer) = await begin(store, session)
        ends = [answer.replace(status="complete", content=str(n)) for n in range(20)]

        results = await asyncio.gather(*map(store.end_message, ends))

        [ended] = [result for result in results if result is not None]
        assert await store.get_message(ALICE.id, session.id, answer.id) == ended
        assert ended.revision == (await store.get_head(ALICE.id, session.id)).revision == 3
        assert await store.end_message(an_answer(session, a_slot(), status="error")) is None

    @with_store
    async def test_a_slot_is_freed_once(self, store: Store) -> None:
        """A repeated free counts nothing twice, and cannot free the next generation's slot."""
        session = await add(store)
        slot, messages = await begin(store, session)
        turn = await finish(store, slot, messages)
        held = a_slot()
        await store.take_slot(ALICE.id, session.id, held, lease=15)

        assert await store.free_slot(session.id, slot.generation_id, turn) is None
        head = await store.get_head(ALICE.id, session.id)
        assert head.slot is not None
        assert head.slot.generation_id == held.generation_id
        assert head.session.message_count == 2
        assert (await store.get_stats(ALICE.id)).assistant_messages == 1

    @with_store
    async def test_a_lease_is_renewed_by_its_holder_only(self, store: Store) -> None:
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

    @with_store
    async def test_abandoned_slots_are_found(self, store: Store) -> None:
        """Those of this node's earlier boots at once, another node's when its lease has run out."""
        sessions = {
            name: await add(store) for name in ("earlier", "present", "living", "dead", "free")
        }
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
