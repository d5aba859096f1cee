"""What plugins keep in SQLite."""

from __future__ import annotations

import datetime as dt
from sqlite3 import Connection
from typing import Any

import msgspec

from chatd.errors import Conflict, PreconditionFailed
from chatd.store.data import Datum, full_key, is_gone, split_key, written
from chatd.stores.sqlite.rows import Row, to_ms, to_time
from chatd.types import now

LAST = "\U0010ffff"  # behind every key

TABLE = """
CREATE TABLE IF NOT EXISTS plugin_data (
    id TEXT PRIMARY KEY,  -- plugin/key
    version INTEGER NOT NULL,
    expires_at INTEGER,
    document TEXT NOT NULL  -- the value, or the number of a count
) STRICT, WITHOUT ROWID
"""
INDEX = """
-- What has expired is erased when something is put.
CREATE INDEX IF NOT EXISTS plugin_data_by_expiry ON plugin_data (expires_at)
    WHERE expires_at IS NOT NULL
"""
_COLUMNS = "id, version, expires_at, document"
READ = f"SELECT {_COLUMNS} FROM plugin_data WHERE id > ? ORDER BY id"
_PUT = f"""
INSERT INTO plugin_data ({_COLUMNS}) VALUES (?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET version = excluded.version, expires_at = excluded.expires_at,
    document = excluded.document"""


def migrate(connection: Connection) -> tuple[int, int]:
    """Make the table and its index in a store that lacks them."""
    connection.execute(TABLE)
    connection.execute(INDEX)
    return 1, 1


def datum_of(row: Row) -> Datum:
    """Return what a row holds."""
    full, version, expires_at, document = row
    return Datum(
        key=split_key(full)[1],
        value=msgspec.json.decode(document),
        version=version,
        expires_at=to_time(expires_at),
    )


def get_datum(connection: Connection, plugin: str, key: str) -> Datum | None:
    """Return what is kept under a key."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM plugin_data WHERE id = ?", (full_key(plugin, key),)
    ).fetchone()
    datum = datum_of(row) if row else None
    return None if datum is None or is_gone(datum.expires_at, now()) else datum


def list_data(
    connection: Connection, plugin: str, *, prefix: str = "", after: str = "", limit: int = 100
) -> list[Datum]:
    """Return what is kept under the keys that begin so."""
    first, last = full_key(plugin, prefix), full_key(plugin, prefix + LAST)
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM plugin_data WHERE id >= ? AND id > ? AND id < ?"
        " AND (expires_at IS NULL OR expires_at > ?) ORDER BY id LIMIT ?",
        (first, full_key(plugin, after), last, to_ms(now()), limit),
    )
    return [datum_of(row) for row in rows]


def put_datum(
    connection: Connection,
    plugin: str,
    key: str,
    value: Any,
    *,
    version: int | None = None,
    expires_at: dt.datetime | None = None,
) -> Datum:
    """Keep a value, if the version is the present one."""
    document = written(value)
    connection.execute("DELETE FROM plugin_data WHERE expires_at <= ?", (to_ms(now()),))
    old = get_datum(connection, plugin, key)
    present = old.version if old else 0
    if version not in (None, present):
        raise PreconditionFailed
    row = (full_key(plugin, key), present + 1, to_ms(expires_at), document)
    connection.execute(_PUT, row)
    return datum_of(row)


def put_row(plugin: str, datum: Datum) -> Row:
    """Return the parameters of the statement that keeps a datum as it is."""
    return (
        full_key(plugin, datum.key),
        datum.version,
        to_ms(datum.expires_at),
        written(datum.value),
    )


def delete_datum(connection: Connection, plugin: str, key: str) -> bool:
    """Forget what is kept under a key."""
    was_there = get_datum(connection, plugin, key) is not None
    connection.execute("DELETE FROM plugin_data WHERE id = ?", (full_key(plugin, key),))
    return was_there


def add_to_count(
    connection: Connection,
    plugin: str,
    key: str,
    by: int = 1,
    *,
    most: int | None = None,
    expires_at: dt.datetime | None = None,
) -> int | None:
    """Add to a count, if it does not become more than `most`."""
    old = get_datum(connection, plugin, key)
    count = old.value if old else 0
    if not isinstance(count, int) or isinstance(count, bool):
        raise Conflict("This is no count.")
    if most is not None and count + by > most:
        return None
    put_datum(connection, plugin, key, count + by, expires_at=old.expires_at if old else expires_at)
    return count + by
