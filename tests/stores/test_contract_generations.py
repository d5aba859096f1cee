"""The contract of a store: slot, messages, checkpoints and the end of a generation."""

from __future__ import annotations

import asyncio
import datetime as dt

import pytest
from stored import ALICE, BOB, a_question, a_session, a_slot, a_turn, add, an_answer, begin

from chatd.errors import (
    Conflict,
    GenerationRunning,
    ModelUnavailable,
    SessionDeleted,
)
from chatd.store import Store
from chatd.types import Head, Message, Session, new_id, now

MINUTE = dt.timedelta(minutes=1)


async def test_the_slot_is_held_until_it_is_freed(store: Store) -> None:
    """It comes back as it was taken, with its lease, and nobody else gets it meanwhile."""
    session = await add(store)
    slot = a_slot(client_id="c", kind="send")

    head = await store.take_slot(ALICE.id, session.id, slot, lease=60)

    assert head.slot is not None
    assert head.slot.replace(lease=None) == slot
    assert head.slot.lease is not None
    assert abs(head.slot.lease - now() - MINUTE) < MINUTE / 2
    assert head.session == session
    assert await store.get_head(ALICE.id, session.id) == head
    with pytest.raises(GenerationRunning):
        await store.take_slot(ALICE.id, session.id, a_slot(), lease=60)
    assert await store.free_slot(session.id, slot.generation_id, []) == session
    assert (await store.get_head(ALICE.id, session.id)).slot is None
    await store.take_slot(ALICE.id, session.id, a_slot(), lease=60)


async def test_a_deleted_session_takes_no_turn(store: Store) -> None:
    """Its slot is refused until it is restored."""
    session = await add(store)
    await store.update_session(ALICE.id, session.id, {"is_active": False})

    with pytest.raises(SessionDeleted):
        await store.take_slot(ALICE.id, session.id, a_slot(), lease=15)
    await store.update_session(ALICE.id, session.id, {"is_active": True})
    await store.take_slot(ALICE.id, session.id, a_slot(), lease=15)


async def test_messages_are_numbered_in_order(store: Store) -> None:
    """seq and revision count on from turn to turn, and the end of a message is a revision too."""
    session = await add(store)
    _, (question, answer) = await begin(store, session)

    assert [(m.seq, m.revision) for m in (question, answer)] == [(1, 1), (2, 2)]
    ended = await store.end_message(answer.replace(status="stopped", content="cut"))
    assert ended == answer.replace(status="stopped", content="cut", revision=3)
    assert (await store.get_head(ALICE.id, session.id)).revision == 3


async def test_a_turn_that_came_to_nothing_shows_the_old_branch(store: Store) -> None:
    """Freeing without messages undoes a fork; the next fork is a branch of its own."""
    session = await add(store)
    question, answer = await a_turn(store, session)
    slot = a_slot(kind="regenerate")
    head = await store.take_slot(ALICE.id, session.id, slot, lease=15, fork_after=question.seq)
    assert (await store.list_messages(ALICE.id, session.id)).results == [question]

    before = await store.get_session(ALICE.id, session.id)
    assert await store.free_slot(session.id, slot.generation_id, []) == before == head.session
    assert (await store.list_messages(ALICE.id, session.id)).results == [question, answer]
    again = await a_turn(store, session, "else", fork_after=question.seq)
    assert (await store.list_messages(ALICE.id, session.id)).results == [question, *again]


async def test_revisions_become_visible_in_order(store: Store) -> None:
    """Who reads what follows the last revision seen, beside many writers, misses nothing."""
    sessions = [await add(store) for _ in range(4)]
    watched = sessions[0]
    seen: dict[str, Message] = {}
    last, is_over = 0, asyncio.Event()

    async def watch() -> None:
        nonlocal last
        while True:
            is_last = is_over.is_set()
            page = await store.list_messages(ALICE.id, watched.id, since=last)
            revisions = [m.revision for m in page.results]
            assert revisions == sorted(set(revisions))
            assert not revisions or revisions[0] > last
            seen.update({m.id: m for m in page.results})
            last = max([last, *revisions])
            if is_last:
                return

    async def talk(session: Session) -> None:
        for _ in range(30):
            await a_turn(store, session)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*map(talk, sessions))
    is_over.set()
    await watching

    stored = await store.list_messages(ALICE.id, watched.id, limit=200)
    assert sorted(seen.values(), key=lambda m: m.seq) == stored.results
    assert [m.seq for m in stored.results] == list(range(1, 61))
    assert last == (await store.get_head(ALICE.id, watched.id)).revision == 90


async def test_sessions_do_not_share_numbers(store: Store) -> None:
    """Two sessions of two users may use the same client_id, and both count from 1."""
    theirs = a_session()
    await store.add_session(BOB.id, theirs)
    mine = await add(store)
    slot = a_slot(client_id="same")
    await store.take_slot(BOB.id, theirs.id, slot, lease=15)
    [bobs] = await store.add_messages(slot.generation_id, [a_question(theirs, slot)])
    alices, _ = await a_turn(store, mine, client_id="same", generation_id=new_id())

    assert (bobs.seq, alices.seq) == (1, 1)
    turn = await store.find_turn(BOB.id, theirs.id, "same")
    assert turn is not None
    assert turn.message == bobs


async def test_a_turn_is_ended_at_once_as_in_two_steps(store: Store) -> None:
    """`end_turn` leaves what `end_message` and `free_slot` leave, and does it once."""
    session = await add(store)
    _, messages = await begin(store, session)
    answer = messages[-1].replace(status="complete", content="answer", updated_at=now())

    ended = await store.end_turn(answer, messages[:-1])
    assert ended is not None
    message, freed = ended
    assert message == answer.replace(revision=3)
    assert freed == await store.get_session(ALICE.id, session.id)
    assert freed is not None and (freed.message_count, freed.head_id) == (2, answer.id)
    assert (await store.get_head(ALICE.id, session.id)).slot is None
    assert await store.end_turn(answer, messages[:-1]) is None
    assert (await store.get_session(ALICE.id, session.id)).message_count == 2


async def test_a_turn_that_was_ended_by_another_keeps_its_slot(store: Store) -> None:
    """`end_turn` of a message that no longer streams frees nothing."""
    session = await add(store)
    slot, messages = await begin(store, session)
    assert await store.end_message(messages[-1].replace(status="interrupted")) is not None

    assert await store.end_turn(messages[-1].replace(status="complete"), messages[:-1]) is None
    head = await store.get_head(ALICE.id, session.id)
    assert head.slot is not None and head.slot.generation_id == slot.generation_id


async def test_a_turn_begins_at_once_as_in_two_steps(store: Store) -> None:
    """`begin_turn` takes the slot and stores what is made for the session as it then is."""
    session = await add(store)
    await a_turn(store, session)
    slot, seen = a_slot(), []

    def make(head: Head) -> list[Message]:
        seen.append(head)
        return [a_question(session, slot), an_answer(session, slot)]

    head, stored = await store.begin_turn(ALICE.id, session.id, slot, make, lease=15)
    assert seen == [head]
    assert (head.revision, (await store.get_head(ALICE.id, session.id)).slot) == (3, head.slot)
    assert [message.seq for message in stored] == [3, 4]
    with pytest.raises(GenerationRunning):
        await store.begin_turn(ALICE.id, session.id, a_slot(), make, lease=15)
    assert len(seen) == 1


async def test_a_turn_that_cannot_be_made_leaves_nothing(store: Store) -> None:
    """When the messages cannot be made or stored, the slot is free and the branch as before."""
    session = await add(store)
    question, _ = await a_turn(store, session, client_id="c1")
    before = await store.get_head(ALICE.id, session.id)

    def refuse(head: Head) -> list[Message]:
        raise ModelUnavailable

    with pytest.raises(ModelUnavailable):
        await store.begin_turn(ALICE.id, session.id, a_slot(), refuse, lease=15, fork_after=0)
    slot = a_slot(client_id="c1")
    with pytest.raises(Conflict):
        await store.begin_turn(
            ALICE.id, session.id, slot, lambda head: [a_question(session, slot)], lease=15
        )
    assert await store.get_head(ALICE.id, session.id) == before
    assert (await store.list_messages(ALICE.id, session.id)).results[0] == question
