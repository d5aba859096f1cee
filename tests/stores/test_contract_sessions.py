"""The contract of a store: sessions, and whose they are."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from stored import ALICE, BOB, a_session, a_slot, a_turn, add, begin, finish

from chatd.errors import BadRequest, GenerationRunning, NotFound, PreconditionFailed
from chatd.store import Store
from chatd.stores import open_store
from chatd.stores.cursors import encode_cursor
from chatd.types import Session, Stats, Usage, new_id, now

HOUR = dt.timedelta(hours=1)


async def test_a_session_comes_back_as_it_was_put_in(store: Store) -> None:
    """Every field survives, text of any script and nested JSON included."""
    session = a_session(
        title="Grüße, 世界 \U0001f600",
        model="llm/qwen3:8b",
        system_prompt='Say "no"\\\n\u2028',
        settings={"temperature": 0.7, "options": {"stop": ["\n"], "seed": 2**53}},
        preset_id=new_id(),
        metadata={"a": [1, 2.5, None, {"b": "c"}], "": True},
    )
    await store.add_session(ALICE.id, session)

    assert await store.get_session(ALICE.id, session.id) == session
    head = await store.get_head(ALICE.id, session.id)
    assert (head.session, head.revision, head.slot) == (session, 0, None)


async def test_what_is_stored_is_there_after_a_restart(store: Store, url: str) -> None:
    """Another process of the same store sees the same data and the same epoch."""
    session = await add(store)
    messages = await a_turn(store, session)

    other = open_store(url)
    await other.open()
    try:
        assert other.epoch == store.epoch != ""
        page = await other.list_messages(ALICE.id, session.id)
        assert page.results == messages
    finally:
        await other.aclose()


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


@pytest.mark.parametrize("name", CALLS)
async def test_another_users_session_is_not_there(store: Store, name: str) -> None:
    """Every call answers for another's session as for one that does not exist."""
    session = await add(store)

    with pytest.raises(NotFound):
        await CALLS[name](store, BOB.id, session.id)
    with pytest.raises(NotFound):
        await CALLS[name](store, ALICE.id, new_id())
    assert await store.get_session(ALICE.id, session.id) == session


async def test_changes_give_the_next_version(store: Store) -> None:
    """What is given changes; settings and their options merge, and None removes a key."""
    session = await add(
        store, settings={"temperature": 1, "max_tokens": 5, "options": {"seed": 1, "top_p": 0.5}}
    )

    changes = {
        "title": "New",
        "settings": {"temperature": None, "options": {"seed": None, "top_k": 3}},
    }
    changed = await store.update_session(ALICE.id, session.id, changes)

    assert changed.version == 2
    assert changed.title == "New"
    assert changed.settings == {"max_tokens": 5, "options": {"top_p": 0.5, "top_k": 3}}
    assert changed.updated_at >= session.updated_at
    assert await store.get_session(ALICE.id, session.id) == changed


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"title": "t", "is_active": True},
        {"settings": {"temperature": 1, "max_tokens": None, "options": {"seed": 1, "top_k": None}}},
        {"metadata": {"b": True, "a": 1}},
    ],
)
async def test_what_changes_nothing_gives_no_version(store: Store, changes: dict[str, Any]) -> None:
    """A change to what is already so returns the session as it is, with its version."""
    settings = {"temperature": 1, "options": {"seed": 1}}
    session = await add(store, title="t", settings=settings, metadata={"a": 1, "b": True})

    assert await store.update_session(ALICE.id, session.id, changes, version=1) == session
    assert await store.get_session(ALICE.id, session.id) == session


async def test_what_differs_as_json_is_a_change(store: Store) -> None:
    """1 and true are different values, though Python holds them for equal."""
    session = await add(store, metadata={"a": 1})

    changed = await store.update_session(ALICE.id, session.id, {"metadata": {"a": True}})

    assert changed.version == 2
    assert (await store.get_session(ALICE.id, session.id)).metadata["a"] is True


async def test_a_stale_version_changes_nothing(store: Store) -> None:
    """A version that is not the present one is refused, on update and on purge."""
    session = await add(store)
    await store.update_session(ALICE.id, session.id, {"title": "x"}, version=1)

    with pytest.raises(PreconditionFailed):
        await store.update_session(ALICE.id, session.id, {"title": "y"}, version=1)
    with pytest.raises(PreconditionFailed):
        await store.purge_session(ALICE.id, session.id, version=1)
    assert (await store.get_session(ALICE.id, session.id)).title == "x"


async def test_of_many_changes_with_one_version_one_is_made(store: Store) -> None:
    """The check of the version and the change are one step."""
    session = await add(store)
    changes = [
        store.update_session(ALICE.id, session.id, {"title": str(n)}, version=1) for n in range(20)
    ]

    results = await asyncio.gather(*changes, return_exceptions=True)

    assert sum(isinstance(result, Session) for result in results) == 1
    assert (await store.get_session(ALICE.id, session.id)).version == 2


async def test_a_turn_is_no_change_of_the_session(store: Store) -> None:
    """A turn sets head, count and time of the last message, and leaves the version alone."""
    session = await add(store)
    _, answer = await a_turn(store, session)

    after = await store.get_session(ALICE.id, session.id)

    assert after.version == 1
    assert (after.head_id, after.message_count) == (answer.id, 2)
    assert after.last_message_at == answer.created_at


async def test_a_change_during_a_turn_is_kept(store: Store) -> None:
    """A title given while a generation runs is still there when it has ended."""
    session = await add(store)
    slot, messages = await begin(store, session)
    await store.update_session(ALICE.id, session.id, {"title": "Meanwhile"})
    await finish(store, slot, messages)

    after = await store.get_session(ALICE.id, session.id)

    assert (after.title, after.version, after.message_count) == ("Meanwhile", 2, 2)


async def test_a_purge_leaves_nothing(store: Store) -> None:
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


async def test_a_running_generation_is_not_purged(store: Store) -> None:
    """A session is not erased under its generation."""
    session = await add(store)
    await begin(store, session)

    with pytest.raises(GenerationRunning):
        await store.purge_session(ALICE.id, session.id)
    assert len((await store.list_messages(ALICE.id, session.id, all_branches=True)).results) == 2


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


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
async def test_sessions_are_listed_by_activity(store: Store, limit: int) -> None:
    """The latest first, page by page there and back; ties and deleted sessions included."""
    start = now() - HOUR
    sessions = [
        await add(store, created_at=start + n // 2 * dt.timedelta(minutes=1)) for n in range(7)
    ]
    await a_turn(store, sessions[1])
    await store.update_session(ALICE.id, sessions[3].id, {"is_active": False})
    await store.add_session(BOB.id, a_session())

    found = await walk(store, limit, is_active=None)
    assert found[0] == sessions[1].id
    assert set(found) == {session.id for session in sessions}
    rest = [session for session in sessions if session.id != sessions[1].id]
    assert found[1:] == [
        s.id for s in sorted(rest, key=lambda s: (s.created_at, s.id), reverse=True)
    ]
    assert await walk(store, limit) == [i for i in found if i != sessions[3].id]
    assert await walk(store, limit, is_active=False) == [sessions[3].id]


async def test_titles_are_searched_in_any_case(store: Store) -> None:
    """The search finds any part of a title, in any case and script, and takes it literally."""
    titles = ["Über Äpfel", "100 % SQL_", "straße", "other"]
    ids = {title: (await add(store, title=title)).id for title in titles}

    async def search(query: str) -> list[str]:
        return await walk(store, 50, query=query)

    assert await search("ÄPFEL") == [ids["Über Äpfel"]]
    assert await search("% sql_") == [ids["100 % SQL_"]]
    assert await search("STRASSE") == [ids["straße"]]
    assert await search("%") == [ids["100 % SQL_"]]
    assert await search(".*") == []
    await store.update_session(ALICE.id, ids["other"], {"title": "Äpfel"})
    assert set(await search("äpfel")) == {ids["Über Äpfel"], ids["other"]}


@pytest.mark.parametrize(
    "cursor",
    [
        "?",
        "AAAA",
        "é",
        encode_cursor("next"),
        encode_cursor("sideways", 1, "x"),
        encode_cursor("next", "1", "x"),
        encode_cursor("next", 2**80, "x"),
        encode_cursor("next", -(2**80), "x"),
        base64.urlsafe_b64encode(rb'["next", 1, "\ud800"]').decode(),
    ],
)
async def test_a_made_up_cursor_is_refused(store: Store, cursor: str) -> None:
    """A cursor that the store did not make is the client's mistake."""
    with pytest.raises(BadRequest):
        await store.list_sessions(ALICE.id, cursor=cursor)


async def test_stats_are_the_sums_of_a_users_sessions(store: Store) -> None:
    """Turns are counted when they end, by role, tokens and model, over all of a user's sessions."""
    assert await store.get_stats(ALICE.id) == Stats()
    first, second = await add(store), await add(store)
    usage = Usage(prompt_tokens=5, completion_tokens=7, total_tokens=12)
    turns = []
    for session, model in ((first, "a/x"), (second, 'b/"y".z'), (second, "a/x")):
        slot, messages = await begin(store, session)
        turns.append(await finish(store, slot, messages, usage=usage, model=model))
    await store.update_session(ALICE.id, first.id, {"is_active": False})
    await begin(store, second)
    bobs = a_session()
    await store.add_session(BOB.id, bobs)

    assert await store.get_stats(ALICE.id) == Stats(
        sessions=2,
        active_sessions=1,
        user_messages=3,
        assistant_messages=3,
        prompt_tokens=15,
        completion_tokens=21,
        total_tokens=36,
        models={"a/x": 2, 'b/"y".z': 1},
        first_message_at=turns[0][0].created_at,
        last_message_at=turns[-1][1].created_at,
    )
    assert await store.get_stats(BOB.id) == Stats(sessions=1, active_sessions=1)


async def test_sessions_from_before_1970(store: Store) -> None:
    """A session that came with a time of long ago is on its page of the list like others."""
    times = [dt.datetime(year, 1, 1, tzinfo=dt.UTC) for year in (1, 1960, 1980)]
    sessions = [await add(store, created_at=time) for time in times]

    page = await store.list_sessions(ALICE.id, limit=1)
    found = page.results
    while page.next:
        page = await store.list_sessions(ALICE.id, limit=1, cursor=page.next)
        found += page.results
    assert found == sessions[::-1]
