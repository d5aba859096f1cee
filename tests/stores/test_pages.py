"""The remembered ends of sessions: always what the store would read, whoever has changed it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import msgspec
import pytest
from stored import ALICE, BOB, a_slot, a_turn, add, begin, finish

from chatd.errors import NotFound
from chatd.pages import NewestPages
from chatd.store import Store
from chatd.store.transfer import StoredMessage, StoredSession
from chatd.stores import open_store
from chatd.stores.metered import metered
from chatd.types import Message, Session


@asynccontextmanager
async def another(url: str) -> AsyncIterator[Store]:
    """Open the same database once more, as another process would."""
    store = open_store(url)
    await store.open()
    try:
        yield store
    finally:
        await store.aclose()


async def check(pages: NewestPages, store: Store, session: Session, limit: int = 5) -> None:
    """Compare a page with what the store reads."""
    page = await pages.get(ALICE.id, session.id, limit)
    told = await store.list_messages(ALICE.id, session.id, limit=limit)
    assert msgspec.json.decode(bytes(page.results), type=list[Message]) == told.results
    assert page.before == (told.results[0].seq if told.more_before else None)


async def shown(store: Store, session: Session) -> list[Message]:
    """Return all messages of the shown branch."""
    return (await store.list_messages(ALICE.id, session.id, limit=200)).results


async def test_a_page_is_read_once_while_nothing_happens(store: Store) -> None:
    """Who asks again costs the store one look at the session."""
    calls: Counter[str] = Counter()
    pages = NewestPages(metered(store, lambda name, *_: calls.update([name])))
    session = await add(store)
    await a_turn(store, session)
    first = await pages.get(ALICE.id, session.id, 50)

    assert await pages.get(ALICE.id, session.id, 50) == first
    assert calls == {"get_tip": 2, "list_messages": 1}
    assert bytes(first.results).count(b'"id"') == 2


async def test_a_remembered_page_is_its_owners_alone(store: Store) -> None:
    """Nobody else gets what is remembered of a session."""
    pages = NewestPages(store)
    session = await add(store)
    await a_turn(store, session)
    await pages.get(ALICE.id, session.id, 50)

    with pytest.raises(NotFound):
        await pages.get(BOB.id, session.id, 50)


@pytest.mark.parametrize("seed", range(2))
async def test_every_change_shows_at_once(store: Store, url: str, seed: int) -> None:
    """Turns, edits and selections, of this process or another, show in the next answer."""
    random, pages = Random(seed), NewestPages(store)
    async with another(url) as elsewhere:
        session = await add(store)
        await check(pages, store, session)
        everything: list[Message] = []
        for _ in range(8):
            acting = random.choice([store, elsewhere])
            messages = await shown(store, session)
            fork = random.choice([None, 0, *(m.seq for m in messages if m.role == "assistant")])
            slot, new = await begin(acting, session, str(random.random()), fork_after=fork)
            await check(pages, store, session)
            everything += await finish(acting, slot, new, str(random.random()))
            for acting in random.sample([store, elsewhere], 2):
                for limit in (2, 5, 50):
                    await check(pages, store, session, limit)
                message_id = random.choice(everything).id
                await acting.select_message(ALICE.id, session.id, message_id)
                await check(pages, store, session)
            await acting.update_session(ALICE.id, session.id, {"title": str(random.random())})
            await check(pages, store, session)


async def test_a_turn_of_which_nothing_was_stored_leaves_the_page(store: Store) -> None:
    """What is shown after a take that was given back is what was shown before."""
    pages = NewestPages(store)
    session = await add(store)
    first = await a_turn(store, session)
    await a_turn(store, session)
    await check(pages, store, session)
    slot = a_slot()
    await store.take_slot(ALICE.id, session.id, slot, lease=15, fork_after=first[1].seq)
    await check(pages, store, session)
    assert len(await shown(store, session)) == 2
    assert await store.free_slot(session.id, slot.generation_id, []) is not None
    await check(pages, store, session)
    assert len(await shown(store, session)) == 4


async def test_an_erased_session_that_comes_back_is_another(store: Store, url: str) -> None:
    """A file may be imported again after it was edited: it has the ids that it had before."""
    pages = NewestPages(store)
    session = await add(store)
    messages = await a_turn(store, session)
    stored = await store.get_session(ALICE.id, session.id)
    async with another(url) as elsewhere:
        await check(pages, store, session)
        await elsewhere.purge_session(ALICE.id, session.id)
        if url.startswith("sqlite"):  # there no other process does that
            pages.forget(session.id)
        with pytest.raises(NotFound):
            await pages.get(ALICE.id, session.id, 5)
        edited = [messages[0].replace(content="edited"), messages[1]]
        records = [StoredMessage(user_id=ALICE.id, branch=0, message=m) for m in edited]
        record = StoredSession(user_id=ALICE.id, session=stored, seq=2, revision=3)
        await elsewhere.add_conversations([(record, records)])
        await check(pages, store, session)


async def test_remembered_pages_are_bounded(store: Store) -> None:
    """The pages that were asked for longest ago make room."""
    calls: Counter[str] = Counter()
    timed = metered(store, lambda name, *_: calls.update([name]))
    pages = NewestPages(timed, most_bytes=3000)
    sessions = [await add(store) for _ in range(4)]
    for session in sessions:
        await a_turn(store, session)
        await pages.get(ALICE.id, session.id, 50)
    await pages.get(ALICE.id, sessions[3].id, 50)
    assert calls["list_messages"] == 4
    await pages.get(ALICE.id, sessions[0].id, 50)
    assert calls["list_messages"] == 5
