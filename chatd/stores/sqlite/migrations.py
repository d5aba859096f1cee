"""Bringing a SQLite file up to the newest version, while others may use it.

Each batch is one transaction, which also checks and renews the lock: who has lost it changes
nothing any more. The lock is a row of `meta`; its clock is that of the machine, as the file's is.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from sqlite3 import Connection

import msgspec

from chatd.errors import ConfigError, StoreUnavailable
from chatd.failpoints import failpoint
from chatd.store.upkeep import Progress, Report, Step
from chatd.stores.sqlite.connection import connect
from chatd.stores.sqlite.schema import MIGRATIONS, set_version, versions
from chatd.stores.sqlite.search import Batch
from chatd.stores.versions import LOCKED_FOR, Migration, lacking
from chatd.types import new_id

AGAIN = 0.1  # seconds from one look at another's lock to the next


class Lock(msgspec.Struct):
    """Who migrates, and until when nobody else may."""

    holder: str
    until: int  # milliseconds since 1970


def pending(path: Path) -> list[Step]:
    """Return what a file lacks, having written nothing to it. Raises ConfigError."""
    if not path.is_file():
        return []
    with _errors(path), contextlib.closing(_read_only(path)) as connection:
        return [] if _is_new(connection) else [one.step for one in _lacking(connection)]


def _read_only(path: Path) -> Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)


def migrate(
    path: Path, busy_timeout: float, report: Report, stopped: threading.Event
) -> list[Step]:
    """Do what a file lacks, batch by batch, until it lacks nothing or is stopped."""
    if not pending(path):
        return []
    done: list[Step] = []
    holder, is_waiting = new_id(), False
    with _errors(path), contextlib.closing(connect(path, busy_timeout)) as connection:
        while not stopped.is_set():
            with _transaction(connection):
                left = _lacking(connection)
                progress = _go_on(connection, left[0], holder) if left else None
            if progress is None:
                return done
            if not progress.is_waiting or not is_waiting:
                report(progress)
            is_waiting = progress.is_waiting
            if is_waiting:
                stopped.wait(AGAIN)
            elif progress.done == progress.total:
                done.append(progress.step)
            failpoint("after_migration_batch")
        with _transaction(connection):
            _release(connection, holder)
    return done


@contextlib.contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as exc:
        raise StoreUnavailable(f"{path}: {exc}.") from exc
    except sqlite3.DatabaseError as exc:
        raise ConfigError(f"{path}: {exc}.") from exc


@contextlib.contextmanager
def _transaction(connection: Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.execute("COMMIT")


def _is_new(connection: Connection) -> bool:
    return not connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()


def _lacking(connection: Connection) -> list[Migration[Batch]]:
    return lacking(MIGRATIONS, *versions(connection))


def _go_on(connection: Connection, migration: Migration[Batch], holder: str) -> Progress:
    """Do a batch if the lock is ours or can be."""
    if not _take(connection, holder):
        return Progress(migration.step, 0, 0)
    done, total = migration.batch(connection)
    if done == total:
        set_version(connection, migration)
        _release(connection, holder)
    return Progress(migration.step, done, total)


def _take(connection: Connection, holder: str) -> bool:
    time_now = time.time_ns() // 1_000_000
    row = connection.execute("SELECT value FROM meta WHERE name = 'lock'").fetchone()
    lock = msgspec.json.decode(row[0], type=Lock) if row else None
    if lock is not None and lock.holder != holder and lock.until > time_now:
        return False
    lock = Lock(holder, time_now + round(LOCKED_FOR * 1000))
    connection.execute(
        "INSERT INTO meta (name, value) VALUES ('lock', ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (msgspec.json.encode(lock).decode(),),
    )
    return True


def _release(connection: Connection, holder: str) -> None:
    connection.execute(
        "DELETE FROM meta WHERE name = 'lock' AND json_extract(value, '$.holder') = ?", (holder,)
    )
