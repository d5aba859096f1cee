"""Opening a SQLite file the way chatd needs it, and the errors that come out of it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from pathlib import Path
from sqlite3 import Connection

from chatd.errors import ChatdError, ConfigError, Conflict, StoreUnavailable

OLDEST = (3, 37)  # the first with STRICT tables

_PRAGMAS = (
    "PRAGMA synchronous = FULL",  # a commit is on the disk when it returns, in WAL mode too
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -8000",  # KiB
    "PRAGMA journal_size_limit = 67108864",  # a WAL that a long read has let grow shrinks again
    "PRAGMA analysis_limit = 400",  # rows of an index that PRAGMA optimize looks at
)


def create_file(path: Path) -> bool:
    """Create a file, and its directory, that only their owner can read; leave an old one as is.

    Returns whether it is new.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Never open an existing file here: closing it again would drop the locks that SQLite holds on
    # it for other connections of this process.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
        return True
    return False


def connect(path: Path, busy_timeout: float) -> Connection:
    """Return a new connection in WAL mode that begins transactions only when told to."""
    if sqlite3.sqlite_version_info < OLDEST:
        raise ConfigError(f"SQLite {sqlite3.sqlite_version} is too old: chatd needs 3.37.")
    connection = sqlite3.connect(
        path,
        timeout=busy_timeout,
        isolation_level=None,
        check_same_thread=False,  # opened in one thread, used in another
        cached_statements=256,
    )
    with contextlib.ExitStack() as stack:
        stack.callback(connection.close)
        if _set_wal_mode(connection, time.monotonic() + busy_timeout) != "wal":
            raise ConfigError(f"{path}: this file system does not support SQLite's WAL.")
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        stack.pop_all()
    return connection


def _set_wal_mode(connection: Connection, deadline: float) -> str:
    while True:
        try:
            mode: str = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            return mode
        except sqlite3.OperationalError as exc:
            # The one lock for which SQLite does not wait by itself (3.40): processes that open a
            # new file at the same time.
            if exc.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.005)


def translate(exc: Exception) -> Exception:
    """Return the error that callers of a store know for one of the driver's."""
    match exc:
        case sqlite3.IntegrityError():
            error: ChatdError = Conflict("This is already stored.")
        case sqlite3.ProgrammingError():
            return exc  # a bug of ours
        case sqlite3.DatabaseError():
            error = StoreUnavailable()
        case _:
            return exc
    error.__cause__ = exc
    return error
