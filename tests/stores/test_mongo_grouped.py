"""Writes of many turns in one call: each has its own outcome, as if it had been made alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import mongod
import pytest
from stored import ALICE, BOB, a_question, a_slot, add, an_answer, begin, finish
from test_mongo import opened

from chatd.errors import (
    Conflict,
    GenerationInterrupted,
    GenerationRunning,
    NotFound,
    SessionDeleted,
    StoreUnavailable,
)
from chatd.stores.mongo.grouped import Grouped
from chatd.stores.mongo.store import MongoStore
from chatd.types import Message, Session, Slot

TURNS = 12


class Bench:
    """Does numbers in groups, each group when it is let."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.begun: asyncio.Queue[Sequence[int]] = asyncio.Queue()
        self.go_on = asyncio.Semaphore(0)

    async def work(self, numbers: Sequence[int]) -> list[int | Exception]:
        """Return the doubles; 13 fails alone, and 0 has all of its group fail."""
        self.groups.append([*numbers])
        self.begun.put_nowait(numbers)
        await self.go_on.acquire()
        if 0 in numbers:
            raise StoreUnavailable
        return [ValueError() if number == 13 else number * 2 for number in numbers]


async def start(grouped: Grouped[int, int], *numbers: int) -> list[asyncio.Task[int]]:
    """Begin what shall be done, and go as far as it comes alone."""
    tasks = [asyncio.create_task(grouped.do(str(number), number)) for number in numbers]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


async def test_what_comes_meanwhile_is_the_next_group() -> None:
    """The first waits for nothing; those who come meanwhile go together, each to its own end."""
    bench = Bench()
    grouped = Grouped(bench.work)
    tasks = await start(grouped, 1) + await start(grouped, 2, 13, 3)
    bench.go_on.release()
    bench.go_on.release()

    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert results[:2] + results[3:] == [2, 4, 6]
    assert isinstance(results[2], ValueError)
    assert bench.groups == [[1], [2, 13, 3]]


async def test_two_of_one_key_are_done_one_after_the_other() -> None:
    """What becomes of one must not be taken for what became of the other."""
    bench = Bench()
    grouped = Grouped(bench.work)
    tasks = await start(grouped, 1) + await start(grouped, 2, 3, 2, 4)
    for _ in range(3):
        bench.go_on.release()

    assert await asyncio.gather(*tasks) == [2, 4, 6, 4, 8]
    assert bench.groups == [[1], [2, 3, 4], [2]]


async def test_a_group_that_fails_fails_for_each() -> None:
    """All of it learn it; the next group is done."""
    bench = Bench()
    grouped = Grouped(bench.work)
    tasks = await start(grouped, 1) + await start(grouped, 2, 0)
    for _ in range(2):
        bench.go_on.release()
    assert await tasks[0] == 2
    for task in tasks[1:]:
        with pytest.raises(StoreUnavailable):
            await task
    bench.go_on.release()
    assert await grouped.do("4", 4) == 8


async def test_a_group_that_hangs_is_not_waited_for() -> None:
    """Behind one that takes long the next goes on, so that nobody waits for two timeouts."""
    bench = Bench()
    grouped = Grouped(bench.work)
    tasks = await start(grouped, 1) + await start(grouped, 2, 3)
    assert await bench.begun.get() == [1]
    assert await bench.begun.get() == [2, 3]
    for _ in range(2):
        bench.go_on.release()

    assert await asyncio.gather(*tasks) == [2, 4, 6]


async def test_one_that_goes_away_leaves_the_others_of_its_group() -> None:
    """A cancelled write is made all the same, as are those with it."""
    bench = Bench()
    grouped = Grouped(bench.work)
    tasks = await start(grouped, 1) + await start(grouped, 2, 3)
    tasks[1].cancel()
    for _ in range(2):
        bench.go_on.release()

    assert await tasks[2] == 6
    assert bench.groups == [[1], [2, 3]]


async def take(store: MongoStore, session: Session, user_id: str = ALICE.id) -> Slot:
    """Take a session's slot."""
    slot = a_slot()
    head = await store.take_slot(user_id, session.id, slot, lease=15)
    assert head.session.id == session.id
    assert head.slot is not None
    assert head.slot.generation_id == slot.generation_id
    return slot


async def test_slots_of_many_are_taken_one_each(mongo_url: str) -> None:
    """Of two for one session one gets it; what is refused is refused for its own reason."""
    async with opened(mongo_url) as store:
        sessions = [await add(store) for _ in range(TURNS)]
        deleted = await add(store, is_active=False)
        results = await asyncio.gather(
            *(take(store, session) for session in sessions for _ in range(2)),
            take(store, deleted),
            take(store, sessions[0], BOB.id),
            return_exceptions=True,
        )

        for number in range(0, 2 * TURNS, 2):
            assert {type(result) for result in results[number : number + 2]} == {
                Slot,
                GenerationRunning,
            }
        assert [type(result) for result in results[-2:]] == [SessionDeleted, NotFound]


async def test_messages_of_many_are_stored_but_for_those_that_cannot(mongo_url: str) -> None:
    """What one turn runs into is its own: a sealed id, a client_id that is there, a huge text."""
    async with opened(mongo_url) as store, opened(mongo_url) as other:
        sessions = [await add(store, title=str(number)) for number in range(TURNS)]
        used, huge, sealed = sessions[2], sessions[5], sessions[8]
        slot, messages = await begin(store, used, client_id="used")
        await store.end_message(messages[1].replace(status="complete"))
        await store.free_slot(used.id, slot.generation_id, messages)
        slots = [await take(store, session) for session in sessions]
        await other.free_slot(sealed.id, slots[8].generation_id, [])

        async def insert(session: Session, slot: Slot) -> list[Message]:
            text = "x" * 17_000_000 if session is huge else session.title
            question = a_question(session, slot, text)
            if session is used:
                question = question.replace(client_id="used")
            return await store.add_messages(
                slot.generation_id, [question, an_answer(session, slot)]
            )

        work = [insert(*pair) for pair in zip(sessions, slots, strict=True)]
        results = await asyncio.gather(*work, return_exceptions=True)
        wrong = {2: Conflict, 8: GenerationInterrupted}
        for number, (session, result) in enumerate(zip(sessions, results, strict=True)):
            page = await store.list_messages(ALICE.id, session.id, since=0)
            if isinstance(result, list):
                assert page.results == result
                assert [message.seq for message in result] == [1, 2]
            else:
                assert number == 5 or isinstance(result, wrong[number])
                assert len(page.results) == (2 if session is used else 0)
        assert sum(isinstance(result, list) for result in results) == TURNS - 3


async def test_one_that_runs_into_something_says_nothing_of_the_others(tmp_path: Path) -> None:
    """Nobody takes another's refusal for its own when it is open what a majority has."""
    if mongod.find_mongod() is None:
        pytest.skip(mongod.NONE)
    test_build = ("--setParameter", "enableTestCommands=1")
    with mongod.replica_set(tmp_path / "set", 1, *test_build) as servers:
        async with opened(mongod.named(servers.url, "chatd")) as store:
            free, used = await add(store), await add(store)
            slot, messages = await begin(store, used, client_id="used")
            await finish(store, slot, messages)
            slots = [await take(store, session) for session in (free, used)]
            # As a primary that has just stepped down answers.
            failure = {
                "failCommands": ["insert"],
                "writeConcernError": {"code": 64, "errmsg": "waiting for replication timed out"},
            }
            with servers.members[0].client() as client:
                point = {"configureFailPoint": "failCommand", "mode": {"times": 1}}
                client.admin.command({**point, "data": failure})

            inserts = [
                [a_question(free, slots[0]), an_answer(free, slots[0])],
                [a_question(used, slots[1], client_id="used"), an_answer(used, slots[1])],
            ]
            calls = [store.add_messages(m[0].generation_id or "", m) for m in inserts]
            results = await asyncio.gather(*calls, return_exceptions=True)
            assert isinstance(results[0], StoreUnavailable)
            with servers.members[0].client() as client:
                assert client.chatd.messages.count_documents({"session_id": free.id}) == 2


async def test_a_slot_that_its_own_turn_does_not_see_yet_is_not_another_turns(
    mongo_url: str,
) -> None:
    """A take that runs into itself says that nobody knows its outcome, not that a turn runs."""
    async with opened(mongo_url) as store:
        session = await add(store)
        slot = await take(store, session)
        with pytest.raises(StoreUnavailable):
            await store.take_slot(ALICE.id, session.id, slot, lease=15)
        with pytest.raises(GenerationRunning):
            await store.take_slot(ALICE.id, session.id, a_slot(), lease=15)


async def test_turns_of_many_end_but_for_those_that_others_have_ended(mongo_url: str) -> None:
    """Who has lost its turn to another node learns it; the others' are ended, freed and counted."""
    async with opened(mongo_url) as store, opened(mongo_url) as other:
        sessions = [await add(store) for _ in range(TURNS)]
        turns = [await begin(store, session) for session in sessions]
        lost_slot, lost = turns[4]
        interrupted = await other.end_message(lost[1].replace(status="interrupted"))
        assert interrupted is not None
        assert await other.free_slot(sessions[4].id, lost_slot.generation_id, [interrupted])

        async def end(messages: list[Message]) -> tuple[Message, Session | None] | None:
            answer = messages[1].replace(status="complete", content="answer")
            return await store.end_turn(answer, messages[:1])

        results = await asyncio.gather(*(end(messages) for _, messages in turns))
        assert [result is None for result in results] == [n == 4 for n in range(TURNS)]
        for (_, messages), session, result in zip(turns, sessions, results, strict=True):
            head = await store.get_head(ALICE.id, session.id)
            assert (head.slot, head.session.head_id) == (None, messages[1].id)
            if result is not None:
                assert result == (
                    messages[1].replace(status="complete", content="answer", revision=3),
                    head.session,
                )
                assert head.session.message_count == 2


async def test_slots_of_many_are_freed_but_for_those_of_others(mongo_url: str) -> None:
    """A slot that another turn holds by now stays with it."""
    async with opened(mongo_url) as store:
        sessions = [await add(store) for _ in range(TURNS)]
        turns = [await begin(store, session) for session in sessions]
        ended = []
        for _, (question, answer) in turns:
            last = await store.end_message(answer.replace(status="complete"))
            assert last is not None
            ended.append([question, last])
        assert await store.free_slot(sessions[3].id, turns[3][0].generation_id, ended[3])
        later, _ = await begin(store, sessions[3])
        frees = [
            store.free_slot(session.id, slot.generation_id, messages)
            for _ in range(2)
            for session, (slot, _), messages in zip(sessions, turns, ended, strict=True)
        ]
        freed = await asyncio.gather(*frees)

        assert freed[TURNS:] == [None] * TURNS  # each is freed once, however often it is asked
        assert freed[3] is None
        for number, session in enumerate(sessions):
            head = await store.get_head(ALICE.id, session.id)
            if number == 3:
                assert head.slot is not None
                assert head.slot.generation_id == later.generation_id
            else:
                assert (head.slot, head.session) == (None, freed[number])
            assert head.session.message_count == 2
