"""A copy of a SQLite store, made while a server may write to it."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import tempfile
from pathlib import Path

from chatd.errors import ConfigError, StoreUnavailable
from chatd.failpoints import failpoint


def copy_database(source: Path, target: Path) -> None:
    """Copy a database, as it is at one moment, to a new file that only its owner can read.

    The copy has an epoch of its own: clients of a restored one must load everything again. Raises
    ConfigError, StoreUnavailable.
    """
    _refuse(target)
    # Made in a directory of its own: what a kill leaves half-way must not look like a backup.
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f"{target.name}.") as directory:
        made = Path(directory) / target.name
        os.close(os.open(made, os.O_CREAT | os.O_EXCL, 0o600))
        try:
            _copy(source, made)
        except sqlite3.Error as exc:
            raise StoreUnavailable(f"{source} cannot be copied to {target}: {exc}.") from exc
        failpoint("before_backup")
        _refuse(target)
        made.rename(target)


def _refuse(target: Path) -> None:
    if target.exists():
        raise ConfigError(f"{target} is there already: a backup replaces nothing.")


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
