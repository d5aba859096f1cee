"""What only SQLite's columns can get wrong."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from chatd.store.transfer import COLLECTIONS
from chatd.stores.sqlite.records import PUT
from chatd.stores.sqlite.store import SqliteStore


async def test_a_copy_has_every_column(tmp_path: Path) -> None:
    """Every column of a table that is written is written by a copy too."""
    store = SqliteStore(tmp_path / "chat.db")
    await store.open()
    await store.aclose()
    with contextlib.closing(sqlite3.connect(tmp_path / "chat.db")) as connection:
        for name in COLLECTIONS:
            rows = connection.execute(f"PRAGMA table_info({name})")  # no generated columns
            columns = {column for _, column, *_ in rows} - {"key"}
            named = PUT[name].partition("(")[2].partition(")")[0]
            assert {column.strip() for column in named.split(",")} == columns
