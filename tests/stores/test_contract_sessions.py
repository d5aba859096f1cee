"""The contract of a store: sessions, and whose they are."""

from __future__ import annotations

import base64
import datetime as dt
from typing import Any

import pytest
from stored import ALICE, BOB, a_session, a_turn, add, begin, finish

from chatd.errors import BadRequest, GenerationRunning
from chatd.store import Store
from chatd.stores import open_store
from chatd.stores.cursors import encode_cursor
from chatd.testing.store_sessions import walk
from chatd.types import Stats, Usage, new_id

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


async def test_a_running_generation_is_not_purged(store: Store) -> None:
    """A session is not erased under its generation."""
    session = await add(store)
    await begin(store, session)

    with pytest.raises(GenerationRunning):
        await store.purge_session(ALICE.id, session.id)
    assert len((await store.list_messages(ALICE.id, session.id, all_branches=True)).results) == 2


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
