"""Reads by the event loop itself: at once while they are quick, else by the threads."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from chatd.errors import StoreUnavailable
from chatd.stores.sqlite.database import LOOK_AGAIN_AFTER, SLOW_LOOK, Database


async def opened(path: Path) -> Database:
    """Return an open database of one table with one row."""
    database = Database(path / "x.db")
    await database.open(lambda connection: connection.execute("CREATE TABLE t AS SELECT 7 AS n"))
    return database


def thread_of(connection: sqlite3.Connection) -> int:
    """Read, and return the thread that did."""
    assert connection.execute("SELECT n FROM t").fetchone() == (7,)
    return threading.get_ident()


async def test_a_look_needs_no_thread(tmp_path: Path) -> None:
    """A quick read is made by the thread of the event loop."""
    database = await opened(tmp_path)

    assert await database.look(thread_of) == threading.get_ident()
    await database.aclose()
    with pytest.raises(StoreUnavailable):
        await database.look(thread_of)


async def test_after_a_slow_look_threads_read(tmp_path: Path) -> None:
    """One slow read holds up the loop once; the next ones do not, for a while."""
    database = await opened(tmp_path)

    def slow(connection: sqlite3.Connection) -> None:
        time.sleep(SLOW_LOOK * 1.5)  # a disk that is slow cannot be had here

    begun = time.monotonic()
    await database.look(slow)
    assert await database.look(thread_of) != threading.get_ident()
    while time.monotonic() - begun < LOOK_AGAIN_AFTER + 60:
        if await database.look(thread_of) == threading.get_ident():
            break
    else:
        pytest.fail("the loop never looks again")
    assert time.monotonic() - begun > LOOK_AGAIN_AFTER
    await database.aclose()


async def test_a_locked_database_is_waited_for_in_a_thread(tmp_path: Path) -> None:
    """Where SQLite would make the loop wait for another process, a thread waits."""
    database = await opened(tmp_path)
    answers = []

    def busy_at_first(connection: sqlite3.Connection) -> int:
        answers.append(threading.get_ident())
        if len(answers) == 1:
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = sqlite3.SQLITE_BUSY
            raise error
        return thread_of(connection)

    assert await database.look(busy_at_first) == answers[1] != threading.get_ident()
    await database.aclose()


async def test_looks_leave_the_others_their_turn(tmp_path: Path) -> None:
    """A task that does nothing but look does not hold up the event loop for ever."""
    database = await opened(tmp_path)
    others = asyncio.Event()
    asyncio.get_running_loop().call_soon(others.set)

    for _ in range(1000):
        await database.look(thread_of)
        if others.is_set():
            break
    assert others.is_set()
    await database.aclose()
