"""SQLite's index of what messages say, which runs behind them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from stored import ALICE, a_turn, add

from chatd.errors import StoreUnavailable
from chatd.store.transfer import StoredMessage
from chatd.stores.sqlite.search import ROWS, catch_up, is_behind
from chatd.stores.sqlite.store import SqliteStore


@contextlib.asynccontextmanager
async def opened(path: Path) -> AsyncIterator[SqliteStore]:
    """Open a store."""
    store = SqliteStore(path)
    await store.open()
    try:
        yield store
    finally:
        await store.aclose()


def integrity(path: Path) -> list[tuple[str]]:
    """Have SQLite check the file and the index."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO search (search) VALUES ('integrity-check')")
        rows: list[tuple[str]] = connection.execute("PRAGMA integrity_check").fetchall()
        return rows


async def test_a_server_keeps_the_index_up_by_itself(tmp_path: Path) -> None:
    """What is stored is indexed soon, though nobody searches; all of it, in batches."""
    async with opened(tmp_path / "chat.db") as store:
        session = await add(store)
        for _ in range(ROWS // 2 + 10):
            await a_turn(store, session)
        assert await store.database.read(is_behind)
        done, loop = asyncio.Event(), asyncio.get_running_loop()

        def upkeep(connection: sqlite3.Connection) -> bool:
            has_more = catch_up(connection)
            if not has_more:
                loop.call_soon_threadsafe(done.set)
            return has_more

        store.database.keep_up(upkeep)
        async with asyncio.timeout(60):
            await done.wait()
        await store.ping()  # which comes after it
        assert not await store.database.read(is_behind)
        page = await store.search(ALICE.id, "answer", limit=200)
        assert len(page.results) == ROWS // 2 + 10
    assert integrity(tmp_path / "chat.db") == [("ok",)]


async def test_an_upkeep_that_fails_at_the_start_is_no_error_of_the_loop(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody waits for the first upkeep either: asyncio has nothing to complain of."""
    async with opened(tmp_path / "chat.db") as store:

        def upkeep(connection: sqlite3.Connection) -> bool:
            raise sqlite3.OperationalError("database or disk is full")

        store.database.keep_up(upkeep)
        await add(store)
    gc.collect()
    assert [record for record in caplog.records if record.name == "asyncio"] == []


async def test_what_is_put_in_its_place_is_found_instead(tmp_path: Path) -> None:
    """A copy that is put in again with another text is found by the new one alone."""
    async with opened(tmp_path / "chat.db") as store:
        session = await add(store)
        question, _ = await a_turn(store, session, "an old text")
        assert len((await store.search(ALICE.id, "old text")).results) == 1
        for text in ("a new text", "the newest text"):
            changed = StoredMessage(user_id=ALICE.id, message=question.replace(content=text))
            await store.put_records("messages", [changed])
        assert [
            found.message.content for found in (await store.search(ALICE.id, "text")).results
        ] == ["the newest text"]
        await store.purge_session(ALICE.id, session.id)
        await a_turn(store, await add(store), "another text")
        assert len((await store.search(ALICE.id, "text")).results) == 1
    assert integrity(tmp_path / "chat.db") == [("ok",)]


async def test_a_search_that_takes_too_long(tmp_path: Path) -> None:
    """It is interrupted, and gives the thread back to others; those are not."""
    async with opened(tmp_path / "chat.db") as store:
        session = await add(store)
        for _ in range(6):
            await a_turn(store, session, "一" * 90_000, "")
        begun = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await store.search(ALICE.id, "一" * 1500)
        assert time.monotonic() - begun < 60  # a message takes as long as it takes
        assert len(await store.list_accounts()) == 0
        assert len((await store.search(ALICE.id, "一")).results) == 6
