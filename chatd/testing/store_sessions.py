"""What chatd relies on in a store, of sessions and of reading messages."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable

import pytest

from chatd.errors import NotFound, PreconditionFailed
from chatd.store import Store
from chatd.testing.storing import (
    ALICE,
    BOB,
    a_session,
    a_slot,
    a_turn,
    add,
    begin,
    finish,
    with_store,
)
from chatd.types import Session, new_id, now

HOUR = dt.timedelta(hours=1)

CALLS: dict[str, Callable[[Store, str, str], Awaitable[object]]] = {
    "get_session": lambda store, user, session: store.get_session(user, session),
    "get_head": lambda store, user, session: store.get_head(user, session),
    "update_session": lambda store, user, session: store.update_session(user, session, {}),
    "purge_session": lambda store, user, session: store.purge_session(user, session),
    "list_messages": lambda store, user, session: store.list_messages(user, session),
    "history": lambda store, user, session: store.history(user, session, max_chars=9),
    "find_turn": lambda store, user, session: store.find_turn(user, session, "c"),
    "take_slot": lambda store, user, session: store.take_slot(user, session, a_slot(), lease=9),
    "fork": lambda store, user, session: store.take_slot(
        user, session, a_slot(), lease=9, fork_after=0
    ),
}


async def walk(store: Store, limit: int, **filters: bool | str | None) -> list[str]:
    """Return the ids of a whole list of sessions, page by page, checking the way back."""
    page = await store.list_sessions(ALICE.id, limit=limit, **filters)  # type: ignore[arg-type]
    pages = [page]
    assert page.previous is None
    while page.next is not None:
        page = await store.list_sessions(ALICE.id, limit=limit, cursor=page.next, **filters)  # type: ignore[arg-type]
        pages.append(page)
    for earlier in reversed(pages[:-1]):
        assert page.previous is not None
        page = await store.list_sessions(ALICE.id, limit=limit, cursor=page.previous, **filters)  # type: ignore[arg-type]
        assert page.results == earlier.results
    assert page.previous is None
    return [session.id for page in pages for session in page.results]


class SessionPromises:
    """Sessions are their users'; lists, pages and versions are exact."""

    @with_store
    async def test_another_users_session_is_not_there(self, store: Store) -> None:
        """Every call answers for another's session as for one that does not exist."""
        session = await add(store)

        for call in CALLS.values():
            with pytest.raises(NotFound):
                await call(store, BOB.id, session.id)
            with pytest.raises(NotFound):
                await call(store, ALICE.id, new_id())
        assert await store.get_session(ALICE.id, session.id) == session

    @with_store
    async def test_a_stale_version_changes_nothing(self, store: Store) -> None:
        """A version that is not the present one is refused, on update and on purge."""
        session = await add(store)
        await store.update_session(ALICE.id, session.id, {"title": "x"}, version=1)

        with pytest.raises(PreconditionFailed):
            await store.update_session(ALICE.id, session.id, {"title": "y"}, version=1)
        with pytest.raises(PreconditionFailed):
            await store.purge_session(ALICE.id, session.id, version=1)
        assert (await store.get_session(ALICE.id, session.id)).title == "x"

    @with_store
    async def test_of_many_changes_with_one_version_one_is_made(self, store: Store) -> None:
        """The check of the version and the change are one step."""
        session = await add(store)
        changes = [
            store.update_session(ALICE.id, session.id, {"title": str(n)}, version=1)
            for n in range(20)
        ]

        results = await asyncio.gather(*changes, return_exceptions=True)

        assert sum(isinstance(result, Session) for result in results) == 1
        assert (await store.get_session(ALICE.id, session.id)).version == 2

    @with_store
    async def test_a_purge_leaves_nothing(self, store: Store) -> None:
        """The session and its messages are gone; others stay."""
        session, other = await add(store), await add(store)
        messages = await a_turn(store, session)
        await a_turn(store, other)

        await store.purge_session(ALICE.id, session.id)

        with pytest.raises(NotFound):
            await store.get_session(ALICE.id, session.id)
        with pytest.raises(NotFound):
            await store.get_message(ALICE.id, session.id, messages[0].id)
        assert len((await store.list_messages(ALICE.id, other.id)).results) == 2
        again = await add(store)
        assert (await store.list_messages(ALICE.id, again.id)).results == []

    @with_store
    async def test_sessions_are_listed_by_activity(self, store: Store) -> None:
        """The latest first, page by page there and back; ties and deleted sessions included."""
        start = now() - HOUR
        sessions = [
            await add(store, created_at=start + n // 2 * dt.timedelta(minutes=1)) for n in range(7)
        ]
        await a_turn(store, sessions[1])
        await store.update_session(ALICE.id, sessions[3].id, {"is_active": False})
        await store.add_session(BOB.id, a_session())

        found = await walk(store, 50, is_active=None)
        assert found[0] == sessions[1].id
        assert set(found) == {session.id for session in sessions}
        rest = [session for session in sessions if session.id != sessions[1].id]
        assert found[1:] == [
            s.id for s in sorted(rest, key=lambda s: (s.created_at, s.id), reverse=True)
        ]
        for limit in (1, 2, 3, 50):
            assert await walk(store, limit, is_active=None) == found
            assert await walk(store, limit) == [i for i in found if i != sessions[3].id]
            assert await walk(store, limit, is_active=False) == [sessions[3].id]

    @with_store
    async def test_pages_lead_both_ways(self, store: Store) -> None:
        """Without bounds the newest; before and after lead on, and say whether there is more."""
        session = await add(store)
        for number in range(5):
            await a_turn(store, session, f"q{number}", f"a{number}")

        async def page(**bounds: int) -> tuple[list[int], bool, bool]:
            page = await store.list_messages(ALICE.id, session.id, limit=4, **bounds)  # type: ignore[arg-type]
            return [m.seq for m in page.results], page.more_before, page.more_after

        assert await page() == ([7, 8, 9, 10], True, False)
        assert await page(before=7) == ([3, 4, 5, 6], True, True)
        assert await page(before=3) == ([1, 2], False, True)
        assert await page(before=1) == ([], False, True)
        assert await page(before=100) == ([7, 8, 9, 10], True, False)
        assert await page(after=0) == ([1, 2, 3, 4], False, True)
        assert await page(after=4) == ([5, 6, 7, 8], True, True)
        assert await page(after=8) == ([9, 10], True, False)
        assert await page(after=10) == ([], True, False)
        assert await page(after=3, before=6) == ([4, 5], True, True)
        assert await page(after=2**53, before=2**53) == ([], True, False)

    @with_store
    async def test_since_gives_what_changed_by_revision(self, store: Store) -> None:
        """Every message that was added or ended after a revision comes once, as it is now."""
        session = await add(store)
        await a_turn(store, session, "q1", "a1")
        slot, messages = await begin(store, session, "q2")
        head = await store.get_head(ALICE.id, session.id)
        await finish(store, slot, messages, "a2")

        async def since(revision: int, limit: int = 50) -> tuple[list[tuple[int, str]], bool]:
            page = await store.list_messages(ALICE.id, session.id, since=revision, limit=limit)
            return [(m.revision, m.content) for m in page.results], page.more_after

        assert await since(0) == ([(1, "q1"), (3, "a1"), (4, "q2"), (6, "a2")], False)
        assert await since(0, limit=2) == ([(1, "q1"), (3, "a1")], True)
        assert await since(3) == ([(4, "q2"), (6, "a2")], False)
        assert head.revision == 5
        assert await since(head.revision) == ([(6, "a2")], False)
        assert await since(6) == ([], False)
        assert await since(2**53) == ([], False)
