"""A whole SQLite store: records out and in."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from sqlite3 import Connection

import msgspec

from chatd.store.transfer import (
    Collection,
    Conversation,
    CopyMark,
    Record,
    RecordPage,
    StoredMessage,
    StoredSession,
)
from chatd.stores.sqlite.records import (
    ADD,
    BY_NUMBER,
    PUT,
    READ,
    RECORD,
    ROW,
    SESSIONS_MESSAGES,
    USERS_SESSIONS,
    message_record,
    message_row,
    session_record,
    session_row,
)
from chatd.stores.sqlite.rows import Row, to_json, to_ms
from chatd.types import now

MOST_BYTES = 4_000_000  # of the documents of one page
MARK = "copy"  # the name in meta

_mark_of = msgspec.json.Decoder(CopyMark).decode


def read_records(
    connection: Connection, collection: Collection, *, after: str = "", limit: int = 1000
) -> RecordPage:
    """Return records behind a place."""
    place: str | int = int(after or 0) if collection in BY_NUMBER else after
    rows = connection.execute(f"{READ[collection]} LIMIT ?", (place, limit))
    read = RECORD[collection]
    records: list[Record] = []
    for row in _bounded(rows):
        place = row[0]
        records.append(read(row))
    return RecordPage(records, str(place) if records else "")


def _bounded(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield rows until their documents have reached MOST_BYTES."""
    left = MOST_BYTES
    for row in rows:
        yield row
        left -= len(row[-1]) if isinstance(row[-1], str) else 0
        if left < 0:
            return


def count_records(connection: Connection, collection: Collection) -> int:
    """Return how many records there are."""
    count: int = connection.execute(f"SELECT count(*) FROM {collection}").fetchone()[0]
    return count


def read_sessions(
    connection: Connection, user_id: str, *, after: str = "", limit: int = 200
) -> list[StoredSession]:
    """Return sessions of a user by id."""
    return [session_record(r) for r in connection.execute(USERS_SESSIONS, (user_id, after, limit))]


def read_messages(
    connection: Connection, session_id: str, *, after: int = 0, limit: int = 1000
) -> list[StoredMessage]:
    """Return messages of a session by seq."""
    rows = connection.execute(SESSIONS_MESSAGES, (session_id, after, limit))
    return [message_record(row) for row in _bounded(rows)]


def find_owners(connection: Connection, session_ids: Sequence[str]) -> dict[str, str]:
    """Return whose sessions these are."""
    return dict(
        connection.execute(
            "SELECT sessions.id, user_id FROM json_each(?) AS wanted"
            " CROSS JOIN sessions ON sessions.id = wanted.value",
            (to_json(session_ids),),
        ).fetchall()
    )


def put_records(connection: Connection, collection: Collection, records: Sequence[Record]) -> None:
    """Keep records, each in place of the one with its id."""
    connection.executemany(PUT[collection], map(ROW[collection], records))


def add_conversations(connection: Connection, conversations: Sequence[Conversation]) -> None:
    """Insert sessions with their messages."""
    for session, messages in conversations:
        connection.execute(ADD["sessions"], session_row(session))
        connection.executemany(ADD["messages"], map(message_row, messages))


def is_generating(connection: Connection) -> bool:
    """Return whether a slot is held by a process that may be alive."""
    held = "SELECT 1 FROM sessions WHERE slot_lease > ? LIMIT 1"
    return connection.execute(held, (to_ms(now()),)).fetchone() is not None


# What the store says of itself.


def get_copy_mark(connection: Connection) -> CopyMark | None:
    """Return the mark of an unfinished copy."""
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (MARK,)).fetchone()
    return _mark_of(row[0]) if row else None


def set_copy_mark(connection: Connection, mark: CopyMark) -> None:
    """Note how far a copy has come."""
    _set_meta(connection, MARK, to_json(mark))


def end_copy(connection: Connection) -> None:
    """Forget the mark, and take a new epoch."""
    connection.execute("DELETE FROM meta WHERE name = ?", (MARK,))
    _set_meta(connection, "epoch", secrets.token_hex(16))


def _set_meta(connection: Connection, name: str, value: str) -> None:
    connection.execute(
        "INSERT INTO meta (name, value) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, value),
    )
