"""A copy of a SQLite store, made while a server may write to it."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from pathlib import Path

from chatd.errors import ConfigError, StoreUnavailable


def copy_database(source: Path, target: Path) -> None:
    """Copy a database, as it is at one moment, to a new file that only its owner can read.

    The copy has an epoch of its own: clients of a restored one must load everything again. Raises
    ConfigError, StoreUnavailable.
    """
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError as exc:
        raise ConfigError(f"{target} is there already: a backup replaces nothing.") from exc
    with contextlib.ExitStack() as stack:
        stack.callback(target.unlink)
        try:
            _copy(source, target)
        except sqlite3.Error as exc:
            raise StoreUnavailable(f"{source}: {exc}.") from exc
        stack.pop_all()


def _copy(source: Path, target: Path) -> None:
    with (
        contextlib.closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True)) as old,
        contextlib.closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new)
        new.execute("PRAGMA journal_mode = DELETE")  # one file, with nothing beside it
        new.execute("PRAGMA synchronous = EXTRA")
        with new:
            epoch = secrets.token_hex(16)
            new.execute("UPDATE meta SET value = ? WHERE name = 'epoch'", (epoch,))
