"""Sessions in SQLite."""

from __future__ import annotations

from collections.abc import Mapping
from sqlite3 import Connection
from typing import Any

from chatd.errors import GenerationRunning, NotFound, SessionDeleted
from chatd.stores.branches import continuations
from chatd.stores.changes import apply, check_version
from chatd.stores.pages import place_of, session_page
from chatd.stores.sqlite.rows import (
    HEAD,
    Row,
    array_of,
    branches_of,
    head_of,
    session_of,
    sessions_of,
    to_json,
    to_ms,
    to_time,
)
from chatd.types import Head, Session, SessionPage, Stats, Tip

_TIP = "key, json_extract(document, '$.head_id'), revision, slot_generation_id"
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
_PLACE = """
SELECT sessions.key, messages.branch, messages.seq, sessions.branches
FROM messages JOIN sessions ON sessions.key = messages.session
WHERE messages.id = ? AND sessions.id = ?"""
# Of a branch on which nothing is stored, a row of NULLs.
_LAST = """
SELECT coalesce(max(seq), 0), branch, id FROM messages WHERE session = ? AND branch = ?"""
_SHOW = "UPDATE sessions SET branch = ?, document = ? WHERE key = ?"
_STATS = """
SELECT count(*), sum(is_active), sum(user_messages), sum(assistant_messages), sum(prompt_tokens),
    sum(completion_tokens), sum(total_tokens), min(first_message_at), max(last_message_at)
FROM sessions WHERE user_id = ?"""
_MODELS = """
SELECT model.key, sum(model.value) FROM sessions, json_each(sessions.models) AS model
WHERE user_id = ? GROUP BY model.key"""


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


def get_tip(connection: Connection, user_id: str, session_id: str) -> Tip | None:
    """Return what the shown branch ends with, None while a turn may change that."""
    key, head_id, revision, generation_id = _find(connection, _TIP, user_id, session_id)
    if generation_id is not None or head_id is None:
        return None
    return Tip(head_id=head_id, revision=revision, made=str(key))


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
    place = place_of(cursor)
    found: list[Session] = []
    for wanted in (True, False) if is_active is None else (is_active,):
        beyond = (place.activity_at, place.id)
        parameters = (user_id, wanted, *beyond, query.casefold(), limit + 1)
        found += sessions_of(connection.execute(_PAGES[place.direction], parameters).fetchone()[0])
    return session_page(found, place, limit)


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


def select_message(
    connection: Connection, user_id: str, session_id: str, message_id: str
) -> Session:
    """Show the branch that continues a message up to its newest descendant."""
    head = get_head(connection, user_id, session_id)
    row = connection.execute(_PLACE, (message_id, session_id)).fetchone()
    if row is None:
        raise NotFound
    if not head.session.is_active:
        raise SessionDeleted
    if head.slot is not None:
        raise GenerationRunning
    key, branch, seq, branches = row
    shown = continuations(branch, seq, branches_of(branches))
    lasts = (connection.execute(_LAST, (key, number)).fetchone() for number in shown)
    _, branch, head_id = max(lasts, key=lambda row: row[0])
    selected = head.session.replace(head_id=head_id)
    connection.execute(_SHOW, (branch, to_json(selected), key))
    return selected


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
