"""Sessions in SQLite."""

from __future__ import annotations

from collections.abc import Mapping
from sqlite3 import Connection
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from chatd.errors import GenerationRunning, NotFound
from chatd.stores.branches import LAST
from chatd.stores.changes import apply, check_version
from chatd.stores.cursors import decode_cursor, encode_cursor
from chatd.stores.sqlite.rows import (
    HEAD,
    Row,
    array_of,
    head_of,
    session_of,
    sessions_of,
    to_json,
    to_ms,
    to_time,
)
from chatd.types import Head, Session, SessionPage, Stats

_ADD = """
INSERT INTO sessions
    (id, user_id, is_active, title_folded, created_at, last_message_at, document)
VALUES (?, ?, ?, ?, ?, ?, ?)"""
_PAGE = """
SELECT document FROM sessions
WHERE user_id = ? AND is_active = ? AND (activity_at, id) %s (?, ?) AND instr(title_folded, ?)
ORDER BY activity_at %s, id %s LIMIT ?"""
_PAGES = {
    "next": array_of(_PAGE % ("<", "DESC", "DESC")),
    "previous": array_of(_PAGE % (">", "ASC", "ASC")),
}
_STATS = """
SELECT count(*), sum(is_active), sum(user_messages), sum(assistant_messages), sum(prompt_tokens),
    sum(completion_tokens), sum(total_tokens), min(first_message_at), max(last_message_at)
FROM sessions WHERE user_id = ?"""
_MODELS = """
SELECT model.key, sum(model.value) FROM sessions, json_each(sessions.models) AS model
WHERE user_id = ? GROUP BY model.key"""


class Cursor(NamedTuple):
    """A place in the list of sessions, and where to go from it."""

    direction: Literal["next", "previous"]
    activity_at: Annotated[int, msgspec.Meta(ge=0, le=LAST)]
    id: str


FIRST = Cursor("next", LAST, "")


def add_session(connection: Connection, user_id: str, session: Session) -> None:
    """Insert a session."""
    connection.execute(
        _ADD,
        (
            session.id,
            user_id,
            session.is_active,
            session.title.casefold(),
            to_ms(session.created_at),
            to_ms(session.last_message_at),
            to_json(session),
        ),
    )


def get_session(connection: Connection, user_id: str, session_id: str) -> Session:
    """Return the user's session."""
    return session_of(_find(connection, "document", user_id, session_id)[0])


def get_head(connection: Connection, user_id: str, session_id: str) -> Head:
    """Return the user's session with its newest revision and its slot."""
    return head_of(_find(connection, HEAD, user_id, session_id))


def _find(connection: Connection, columns: str, user_id: str, session_id: str) -> Row:
    row: Row | None = connection.execute(
        f"SELECT {columns} FROM sessions WHERE id = ? AND user_id = ?", (session_id, user_id)
    ).fetchone()
    if row is None:
        raise NotFound
    return row


def list_sessions(
    connection: Connection,
    user_id: str,
    *,
    is_active: bool | None = True,
    query: str = "",
    limit: int = 50,
    cursor: str = "",
) -> SessionPage:
    """Return a page of sessions; active and deleted ones together are merged from two ranges."""
    direction, *place = decode_cursor(cursor, Cursor) if cursor else FIRST
    found: list[Session] = []
    for wanted in (True, False) if is_active is None else (is_active,):
        parameters = (user_id, wanted, *place, query.casefold(), limit + 1)
        found += sessions_of(connection.execute(_PAGES[direction], parameters).fetchone()[0])
    found.sort(key=_place, reverse=direction == "next")
    has_more = len(found) > limit
    del found[limit:]
    if direction == "previous":
        found.reverse()
    has_next, has_previous = (has_more, cursor) if direction == "next" else (True, has_more)
    return SessionPage(
        results=found,
        next=encode_cursor("next", *_place(found[-1])) if found and has_next else None,
        previous=encode_cursor("previous", *_place(found[0])) if found and has_previous else None,
    )


def _place(session: Session) -> tuple[int | None, str]:
    return to_ms(session.last_message_at or session.created_at), session.id


def update_session(
    connection: Connection,
    user_id: str,
    session_id: str,
    changes: Mapping[str, Any],
    *,
    version: int | None = None,
) -> Session:
    """Set fields of a session."""
    session = get_session(connection, user_id, session_id)
    check_version(session, version)
    changed = apply(session, changes)
    if changed is not session:
        connection.execute(
            "UPDATE sessions SET is_active = ?, title_folded = ?, document = ? WHERE id = ?",
            (changed.is_active, changed.title.casefold(), to_json(changed), session_id),
        )
    return changed


def purge_session(
    connection: Connection, user_id: str, session_id: str, *, version: int | None = None
) -> None:
    """Erase a session and its messages."""
    head = get_head(connection, user_id, session_id)
    check_version(head.session, version)
    if head.slot is not None:
        raise GenerationRunning
    connection.execute(
        "DELETE FROM messages WHERE session = (SELECT key FROM sessions WHERE id = ?)",
        (session_id,),
    )
    connection.execute("DELETE FROM sessions WHERE id = ?", (session_id,))


def get_stats(connection: Connection, user_id: str) -> Stats:
    """Return the sums of a user's sessions."""
    *counters, first, last = connection.execute(_STATS, (user_id,)).fetchone()
    sessions, active, users, assistants, prompt, completion, total = (n or 0 for n in counters)
    return Stats(
        sessions=sessions,
        active_sessions=active,
        user_messages=users,
        assistant_messages=assistants,
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=total,
        models=dict(connection.execute(_MODELS, (user_id,)).fetchall()),
        first_message_at=to_time(first),
        last_message_at=to_time(last),
    )
