"""The index of what messages say, in SQLite.

The index runs behind the messages: an entry costs more than the row, most of all in a transaction
of its own, and a turn must not pay for it. The thread that writes brings the index up in batches,
about once a second, and a search does before it looks. A turn itself writes nothing for it, so a
server of the version before, which knows no index, can run beside.

`search_state.upto` is the last key up to which all messages are in the index, less those in
`search_waiting`, which streamed or were replaced. What is erased is noted by a trigger, in
`search_gone`: the index holds no text (it would be the third copy), and forgets a message by its
words.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from sqlite3 import Connection
from typing import Any

from chatd.store.messages import Found, FoundPage
from chatd.stores.found import Place, found_page, place_of
from chatd.stores.sqlite.rows import message_of, session_of
from chatd.words import phrases, searchable

Batch = Callable[[Connection], tuple[int, int]]

LONGEST = 5.0  # seconds of a search, as MongoDB's timeoutMS
ROWS, CHARACTERS = 256, 200_000  # of one batch at most, less its last message

# In a trigger: that a message is no longer what the index has it as.
_NOTE = """
INSERT INTO search_gone (key, owner, text)
    SELECT old.key, (SELECT hex(user_id) FROM sessions WHERE key = old.session), old.search_text
    FROM search_state WHERE old.key <= upto AND old.search_text IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM search_waiting WHERE key = old.key)"""
_CREATE = (
    # The words come cut and folded (see chatd.words). `owner` is one too: others' messages are
    # never walked through.
    """
    CREATE VIRTUAL TABLE IF NOT EXISTS search
        USING fts5 (owner, words, content = '', tokenize = 'ascii')""",
    """
    CREATE TABLE IF NOT EXISTS search_state (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        upto INTEGER NOT NULL
    ) STRICT""",
    "INSERT OR IGNORE INTO search_state (one, upto) VALUES (1, 0)",
    "CREATE TABLE IF NOT EXISTS search_waiting (key INTEGER PRIMARY KEY) STRICT",
    """
    CREATE TABLE IF NOT EXISTS search_gone (
        key INTEGER PRIMARY KEY,
        owner TEXT,
        text TEXT NOT NULL
    ) STRICT""",
    # The last keys may be given again, so what is said about them is taken back.
    f"""
    CREATE TRIGGER IF NOT EXISTS messages_erased AFTER DELETE ON messages BEGIN
        {_NOTE};
        DELETE FROM search_waiting WHERE key = old.key;
        UPDATE search_state SET upto = (SELECT coalesce(max(key), 0) FROM messages)
            WHERE upto > (SELECT coalesce(max(key), 0) FROM messages);
    END""",
    # A turn never changes what has ended; a copy put in again may.
    f"""
    CREATE TRIGGER IF NOT EXISTS messages_replaced AFTER UPDATE OF document ON messages
    WHEN old.status <> 'streaming' BEGIN
        {_NOTE};
        INSERT INTO search_waiting (key)
            SELECT old.key FROM search_state WHERE old.key <= upto
                AND NOT EXISTS (SELECT 1 FROM search_waiting WHERE key = old.key);
    END""",
)
# By key and never by an index (NOT INDEXED), which looks as good as long as there are few messages.
_SAID = """
SELECT messages.key, (SELECT hex(user_id) FROM sessions WHERE key = messages.session), search_text
FROM"""
_GONE = "SELECT key, owner, text FROM search_gone LIMIT ?"
_ENDED = f"""{_SAID} search_waiting
CROSS JOIN messages NOT INDEXED ON messages.key = search_waiting.key
WHERE status <> 'streaming' LIMIT ?"""
_NEW = f"""{_SAID} messages NOT INDEXED WHERE messages.key > ? ORDER BY messages.key LIMIT ?"""
_IS_BEHIND = """
SELECT EXISTS (SELECT 1 FROM search_gone)
    OR EXISTS (SELECT 1 FROM messages NOT INDEXED WHERE key > (SELECT upto FROM search_state))
    OR EXISTS (SELECT 1 FROM search_waiting CROSS JOIN messages NOT INDEXED
        ON messages.key = search_waiting.key WHERE status <> 'streaming')"""
_ADD = "INSERT INTO search (rowid, owner, words) VALUES (?, ?, ?)"
_REMOVE = "INSERT INTO search (search, rowid, owner, words) VALUES ('delete', ?, ?, ?)"
# bm25 is the better the smaller it is, and counts the words alone.
_FIND = """
SELECT found.key, rank FROM (
    SELECT search.rowid AS key, -bm25(search, 0, 1) AS rank FROM search WHERE search MATCH :match
) AS found
CROSS JOIN messages NOT INDEXED ON messages.key = found.key
CROSS JOIN sessions NOT INDEXED ON sessions.key = messages.session
WHERE user_id = :user_id AND (:is_active IS NULL OR is_active = :is_active)
    AND (rank, messages.id) %s (:rank, :id)
ORDER BY rank %s, messages.id %s LIMIT :limit"""
_PAGES = {
    "next": _FIND % ("<", "DESC", "DESC"),
    "previous": _FIND % (">", "ASC", "ASC"),
}
_RANK = """
SELECT -bm25(search, 0, 1) FROM search
WHERE search MATCH ? AND rowid = (SELECT key FROM messages WHERE id = ?)"""
_ONE = """
SELECT messages.document, sessions.document FROM messages
JOIN sessions ON sessions.key = messages.session WHERE messages.key = ?"""


def create(connection: Connection) -> None:
    """Make what the index needs, where it is missing."""
    for statement in _CREATE:
        connection.execute(statement)


def build(connection: Connection) -> tuple[int, int]:
    """Put a batch of a store's messages into the index; return how many are in, and of how many.

    By keys, which are about as many as messages.
    """
    create(connection)
    is_more = catch_up(connection)
    upto = _upto(connection)
    (last,) = connection.execute("SELECT max(key) FROM messages").fetchone()
    total = max(last or 0, 1)
    return (min(upto, total - 1) if is_more else total), total


def is_behind(connection: Connection) -> bool:
    """Whether there is something that the index does not know yet."""
    return bool(connection.execute(_IS_BEHIND).fetchone()[0])


def catch_up(connection: Connection) -> bool:
    """Bring the index nearer to the messages; return whether there may be more to do."""
    return _forget(connection) or _add_ended(connection) or _add_new(connection)


def _forget(connection: Connection) -> bool:
    """Take out a batch of what was erased; first, as its keys may be given again."""
    rows, is_more = _batch(connection.execute(_GONE, (ROWS,)))
    connection.executemany(_REMOVE, map(_entry, rows))
    connection.executemany("DELETE FROM search_gone WHERE key = ?", [row[:1] for row in rows])
    return is_more


def _add_ended(connection: Connection) -> bool:
    rows, is_more = _batch(connection.execute(_ENDED, (ROWS,)))
    connection.executemany(_ADD, map(_entry, rows))
    connection.executemany("DELETE FROM search_waiting WHERE key = ?", [row[:1] for row in rows])
    return is_more


def _add_new(connection: Connection) -> bool:
    rows, is_more = _batch(connection.execute(_NEW, (_upto(connection), ROWS)))
    if rows:
        connection.executemany(_ADD, (_entry(row) for row in rows if row[2] is not None))
        waiting = [row[:1] for row in rows if row[2] is None]
        connection.executemany("INSERT INTO search_waiting (key) VALUES (?)", waiting)
        connection.execute("UPDATE search_state SET upto = ?", rows[-1][:1])
    return is_more


def _upto(connection: Connection) -> int:
    upto: int = connection.execute("SELECT upto FROM search_state").fetchone()[0]
    return upto


def _batch(found: Iterable[Any]) -> tuple[list[Any], bool]:
    """Return rows that are not too much for one transaction, and whether there may be more."""
    rows: list[Any] = []
    characters = 0
    for row in found:
        rows.append(row)
        characters += len(row[2] or "")
        if characters > CHARACTERS:
            return rows, True
    return rows, len(rows) == ROWS


def _entry(row: Any) -> tuple[int, str, str]:
    key, owner, text = row
    return key, owner, searchable(text)


def find(
    connection: Connection,
    user_id: str,
    query: str,
    *,
    is_active: bool | None = True,
    limit: int = 50,
    cursor: str = "",
) -> FoundPage:
    """Return a page of what the index has, from one state of the store.

    Raises what becomes StoreUnavailable when that takes too long.
    """
    place = place_of(cursor)
    wanted = phrases(query)
    if not wanted:
        return FoundPage(results=[])
    with _interrupted(connection, LONGEST):
        connection.execute("BEGIN")
        try:
            return _find(connection, user_id, _match(user_id, wanted), is_active, limit, place)
        finally:
            if connection.in_transaction:
                connection.execute("COMMIT")


@contextlib.contextmanager
def _interrupted(connection: Connection, seconds: float) -> Iterator[None]:
    """Interrupt what the block has SQLite do, when it takes too long: others need the thread."""
    timer = threading.Timer(seconds, connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()  # it must not interrupt the next one


def _match(user_id: str, wanted: list[tuple[str, ...]]) -> str:
    """Return an expression for the index; a word holds letters and digits, so no quotes."""
    every = " AND ".join(f'"{" ".join(phrase)}"' for phrase in wanted)
    return f'owner : "{user_id.encode().hex()}" AND words : ({every})'


def _find(
    connection: Connection,
    user_id: str,
    match: str,
    is_active: bool | None,
    limit: int,
    place: Place,
) -> FoundPage:
    # Ranks move a little with everything that is stored: what the cursor names has the present one.
    rank = connection.execute(_RANK, (match, place.id)).fetchone() if place.id else None
    parameters = {
        "match": match,
        "user_id": user_id,
        "is_active": is_active,
        "rank": rank[0] if rank else place.rank,
        "id": place.id,
        "limit": limit + 1,
    }
    keys = connection.execute(_PAGES[place.direction], parameters).fetchall()
    found = []
    for key, rank in keys:
        message, session = connection.execute(_ONE, (key,)).fetchone()
        title = session_of(session).title
        found.append(Found(message=message_of(message), title=title, rank=rank))
    return found_page(found, place, limit)
