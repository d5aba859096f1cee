"""The contract of a store: everything out, and in again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from filled import a_conversation, crash, fill, held, pour
from stored import ALICE, BOB, a_turn, add, begin
from tornado.ioloop import IOLoop

from chatd.errors import Conflict
from chatd.recovery import end_abandoned
from chatd.store import Store
from chatd.store.transfer import Conversation, CopyMark
from chatd.stores import open_store


@pytest.fixture
def other(tmp_path: Path, io_loop: IOLoop) -> Iterator[Store]:
    """Give another open store, a SQLite file."""
    other = open_store(f"sqlite:///{tmp_path}/other.db")
    io_loop.run_sync(other.open)
    yield other
    io_loop.run_sync(other.aclose)


async def test_pages_hold_every_record_once(store: Store) -> None:
    """Reading on from each page's end brings all records; counts are about theirs."""
    await fill(store)

    found = await held(store, 3)

    assert {name: len(records) for name, records in found.items()} == {
        "users": 2,
        "tokens": 2,
        "models": 3,
        "presets": 2,
        "plugin_data": 2,
        "sessions": 7,
        "messages": 8 + 8 + 1 + 2 + 2,
    }
    for collection, records in found.items():
        assert await store.count_records(collection) == len(records)  # type: ignore[arg-type]


async def test_records_go_to_another_store_and_back(store: Store, other: Store) -> None:
    """Nothing is lost or changed on the way from any kind of store to any other."""
    await fill(store)

    await pour(store, other)

    assert await held(other) == await held(store)


async def test_records_come_from_another_store(store: Store, other: Store) -> None:
    """What another kind of store held is held, and is found by users as it was there."""
    await fill(other)

    await pour(other, store)

    assert await held(store) == await held(other)
    assert await store.list_sessions(ALICE.id) == await other.list_sessions(ALICE.id)
    assert await store.get_stats(ALICE.id) == await other.get_stats(ALICE.id)
    assert await store.list_models() == await other.list_models()
    assert await store.list_presets(BOB.id) == await other.list_presets(BOB.id)
    assert await store.list_tokens() == await other.list_tokens()
    for session in (await store.list_sessions(ALICE.id, is_active=None)).results:
        for everything in (True, False):
            page = await store.list_messages(ALICE.id, session.id, all_branches=everything)
            assert page == await other.list_messages(ALICE.id, session.id, all_branches=everything)
        heads = [await each.get_head(ALICE.id, session.id) for each in (store, other)]
        assert heads[0].replace(made="") == heads[1].replace(made="")


async def test_records_may_be_put_again(store: Store, other: Store) -> None:
    """Records that are there are replaced by what they are now; none is doubled."""
    await fill(other)
    await pour(other, store)
    page = await other.list_sessions(ALICE.id)
    await other.update_session(ALICE.id, page.results[0].id, {"title": "renamed"})
    await a_turn(other, page.results[-1], "later")

    await pour(other, store)

    assert await held(store) == await held(other)


async def test_a_copied_session_goes_on(store: Store, other: Store) -> None:
    """The next turn of a session that came from another store gets the next numbers."""
    session = await add(other)
    await a_turn(other, session, client_id="one")
    await pour(other, store)

    messages = await a_turn(store, session, "two", client_id="two")

    assert [message.seq for message in messages] == [3, 4]
    assert [message.revision for message in messages] == [4, 6]
    assert await store.find_turn(ALICE.id, session.id, "one") is not None


async def test_recovery_mends_a_copied_crash(store: Store, other: Store) -> None:
    """Turns that a crash cut off in one store are ended in the other, as they would be there."""
    sessions = [
        (await crash(other, window))[0]
        for window in ("nothing stored", "user only", "streaming", "ended")
    ]
    await pour(other, store)
    ends = []
    for each in (other, store):
        abandoned = await each.abandoned("another node", "another boot")
        assert len(abandoned) == 4
        mended = [await end_abandoned(each, one) for one in abandoned]
        ends.append({m[0].id: (m[0].status, m[0].content, m[0].revision) for m in mended if m})
        for session in sessions:
            assert (await each.get_head(ALICE.id, session.id)).slot is None
            assert len(await a_turn(each, session, "next")) == 2

    assert len(ends[0]) == 3
    assert ends[0] == ends[1]


async def test_a_session_that_another_has_cannot_be_put(store: Store) -> None:
    """A record that breaks what must be unique is a Conflict."""
    await store.add_user(ALICE)
    account = await store.get_account(user_id=ALICE.id)
    assert account is not None

    with pytest.raises(Conflict):
        await store.put_records("users", [account.replace(user=account.user.replace(id="another"))])


async def test_conversations_are_added_whole(store: Store) -> None:
    """A session comes with its messages, is listed and counted, and goes on."""
    one, two = a_conversation(), a_conversation()

    await store.add_conversations([one, two])

    ids = [one.session.session.id, two.session.session.id]
    assert await store.find_owners([*ids, "unknown"]) == dict.fromkeys(ids, ALICE.id)
    listed = (await store.list_sessions(ALICE.id)).results
    assert {session.id for session in listed} == set(ids)
    assert (await store.get_stats(ALICE.id)).user_messages == 4
    page = await store.list_messages(ALICE.id, ids[0])
    assert page.results == [record.message for record in one.messages]
    assert [m.seq for m in await a_turn(store, one.session.session)] == [3, 4]


async def test_conversations_that_are_there_are_refused_whole(store: Store) -> None:
    """With one that is stored already none is added."""
    old, new = a_conversation(), a_conversation()
    await store.add_conversations([old])
    before = await held(store)

    with pytest.raises(Conflict):
        await store.add_conversations([new, old])
    with pytest.raises(Conflict):
        await store.add_conversations([Conversation(new.session, old.messages)])

    assert await held(store) == before


async def test_sessions_and_messages_are_read_in_order(store: Store) -> None:
    """A user's sessions come by id, a session's messages of all branches by seq."""
    await fill(store)
    stored = await held(store)

    sessions = await store.read_sessions(ALICE.id, limit=3)
    while more := await store.read_sessions(ALICE.id, after=sessions[-1].session.id, limit=3):
        sessions += more
    ids = [record.session.id for record in sessions]
    assert ids == sorted(ids)
    assert sorted(sessions, key=repr) == stored["sessions"]
    assert await store.read_sessions(BOB.id) == []

    found = []
    for session_id in ids:
        seq = 0
        while page := await store.read_messages(session_id, after=seq, limit=3):
            found += page
            seq = page[-1].message.seq
    assert sorted(found, key=repr) == stored["messages"]


async def test_a_running_generation_shows(store: Store) -> None:
    """A lease that has not run out says that a process may be alive."""
    await crash(store, "streaming")
    await a_turn(store, await add(store))
    assert not await store.is_generating()

    await begin(store, await add(store))

    assert await store.is_generating()


async def test_an_unfinished_copy_is_marked(store: Store) -> None:
    """A mark is kept until the end, which gives the store a new epoch."""
    assert await store.get_copy_mark() is None
    mark = CopyMark(source="epoch", collection="messages", after="x")
    await store.set_copy_mark(CopyMark(source="epoch"))
    await store.set_copy_mark(mark)
    assert await store.get_copy_mark() == mark
    old = store.epoch

    await store.end_copy()

    assert await store.get_copy_mark() is None
    await store.aclose()
    await store.open()
    assert store.epoch != old


async def test_what_is_brought_is_searched(store: Store, other: Store) -> None:
    """Copied and added messages are found by what they say, replaced ones by what they say now."""
    conversation = a_conversation()
    await store.add_conversations([conversation])
    assert await found(store, "text") == {"text 1", "text 2"}

    await pour(store, other)
    assert await found(other, "text") == {"text 1", "text 2"}

    record = conversation.messages[0]
    changed = record.replace(message=record.message.replace(content="other words"))
    for each in (store, other):
        await each.put_records("messages", [changed])
        assert await found(each, "text") == {"text 2"}
        assert await found(each, "words") == {"other words"}


async def found(store: Store, query: str) -> set[str]:
    """Return what messages say that a search finds."""
    return {one.message.content for one in (await store.search(ALICE.id, query)).results}
