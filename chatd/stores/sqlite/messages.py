"""Reading messages from SQLite."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from sqlite3 import Connection
from typing import Literal, NamedTuple

from chatd.errors import NotFound
from chatd.provider import PromptMessage
from chatd.stores.branches import LAST, Segment, kind_of, segments
from chatd.stores.sqlite.rows import (
    Spoken,
    array_of,
    branches_of,
    message_of,
    messages_of,
    spoken_of,
)
from chatd.types import Message, MessagePage, Turn

Order = Literal["ASC", "DESC"]
EVERYTHING = Segment(0, 0, LAST)
SMALLEST_BATCH = 8

_SHOWN = "SELECT key, branch, branches FROM sessions WHERE id = ? AND user_id = ?"
_IN_BRANCH = """
SELECT document FROM messages
WHERE session = ? AND branch = ? AND seq > ? AND seq < ? AND status <> 'streaming'
ORDER BY seq %s LIMIT ?"""
_IN_ALL = """
SELECT document FROM messages WHERE session = ? AND seq > ? AND seq < ? ORDER BY seq %s LIMIT ?"""
_BRANCH_PAGE: dict[Order, str] = {order: array_of(_IN_BRANCH % order) for order in ("ASC", "DESC")}
_PAGE: dict[Order, str] = {order: array_of(_IN_ALL % order) for order in ("ASC", "DESC")}
_SINCE = array_of(
    "SELECT document FROM messages WHERE session = ? AND revision > ? ORDER BY revision LIMIT ?"
)
_ONE = """
SELECT messages.document FROM messages JOIN sessions ON sessions.key = messages.session
WHERE messages.id = ? AND sessions.id = ? AND sessions.user_id = ?"""
_TURN = """
SELECT messages.document, next.document, messages.branch, NOT EXISTS (
    SELECT 1 FROM messages AS earlier WHERE earlier.session = messages.session
    AND earlier.branch = messages.branch AND earlier.seq < messages.seq
) FROM sessions
LEFT JOIN messages ON messages.session = sessions.key AND messages.client_id = ?
LEFT JOIN messages AS next ON next.session = sessions.key AND next.seq = messages.seq + 1
WHERE sessions.id = ? AND sessions.user_id = ?"""


class _Range(NamedTuple):
    """Messages of a session: of all branches, or of one by its segments, the newest first."""

    connection: Connection
    key: int
    segments: Sequence[Segment]
    all_branches: bool

    def first(self, after: int, before: int, order: Order, limit: int) -> list[Message]:
        """Return the first `limit` messages between two seqs in this order, sorted by seq."""
        found: list[Message] = []
        for segment in self.segments if order == "DESC" else reversed(self.segments):
            low, high = max(segment.after, after), min(segment.upto + 1, before)
            if len(found) >= limit:
                break
            if high - low > 1:
                found += self._select(segment.branch, low, high, order, limit - len(found))
        found.sort(key=_seq)
        return found

    def _select(self, branch: int, low: int, high: int, order: Order, limit: int) -> list[Message]:
        if self.all_branches:
            return _fetch(self.connection, _PAGE[order], self.key, low, high, limit)
        return _fetch(self.connection, _BRANCH_PAGE[order], self.key, branch, low, high, limit)


def _seq(message: Message | Spoken) -> int:
    return message.seq


def _fetch(connection: Connection, query: str, *parameters: int) -> list[Message]:
    return messages_of(connection.execute(query, parameters).fetchone()[0])


def _shown(connection: Connection, user_id: str, session_id: str) -> tuple[int, Sequence[Segment]]:
    """Return the key of a session and the segments of its shown branch."""
    row = connection.execute(_SHOWN, (session_id, user_id)).fetchone()
    if row is None:
        raise NotFound
    key, branch, branches = row
    return key, _segments(branch, branches)


@functools.lru_cache(maxsize=64)
def _segments(branch: int, branches: str | None) -> tuple[Segment, ...]:
    """Return what a branch shows: of a session with many, the page is read faster than they are."""
    return tuple(segments(branch, branches_of(branches)))


def list_messages(
    connection: Connection,
    user_id: str,
    session_id: str,
    *,
    before: int | None = None,
    after: int | None = None,
    since: int | None = None,
    all_branches: bool = False,
    limit: int = 50,
) -> MessagePage:
    """Return messages of the shown branch or of all, in ascending order."""
    key, shown = _shown(connection, user_id, session_id)
    if since is not None:
        return _changed(connection, key, since, limit)
    found = _Range(connection, key, [EVERYTHING] if all_branches else shown, all_branches)
    low, high = after or 0, LAST if before is None else before
    order: Order = "DESC" if after is None else "ASC"
    messages = found.first(low, high, order, limit + 1)
    is_cut = len(messages) > limit
    is_left = after is not None and bool(found.first(0, low + 1, "DESC", 1))
    is_right = before is not None and bool(found.first(high - 1, LAST, "ASC", 1))
    return MessagePage(
        results=messages[:limit] if order == "ASC" else messages[-limit:],
        more_before=is_left or (is_cut and order == "DESC"),
        more_after=is_right or (is_cut and order == "ASC"),
    )


def _changed(connection: Connection, key: int, since: int, limit: int) -> MessagePage:
    messages = _fetch(connection, _SINCE, key, min(since, LAST), limit + 1)
    messages.sort(key=lambda message: message.revision)
    return MessagePage(results=messages[:limit], more_after=len(messages) > limit)


def get_message(connection: Connection, user_id: str, session_id: str, message_id: str) -> Message:
    """Return one message."""
    row = connection.execute(_ONE, (message_id, session_id, user_id)).fetchone()
    if row is None:
        raise NotFound
    return message_of(row[0])


def history(
    connection: Connection, user_id: str, session_id: str, *, max_chars: int
) -> list[PromptMessage]:
    """Return the newest messages of a prompt within max_chars, oldest first."""
    key, shown = _shown(connection, user_id, session_id)
    found: list[PromptMessage] = []
    for message in _newest(connection, key, shown):
        max_chars -= len(message.content)
        if max_chars < 0 and found:
            break
        role: Literal["user", "assistant"] = "user" if message.role == "user" else "assistant"
        found.append(PromptMessage(role=role, content=message.content))
    found.reverse()
    return found


def _newest(connection: Connection, key: int, shown: Sequence[Segment]) -> Iterator[Spoken]:
    """Yield what a prompt may hold, newest first, read in batches that double."""
    size = SMALLEST_BATCH
    for branch, after, upto in shown:
        before, is_more = upto + 1, True
        while is_more:
            query = _BRANCH_PAGE["DESC"]
            row = connection.execute(query, (key, branch, after, before, size)).fetchone()
            batch = spoken_of(row[0])
            batch.sort(key=_seq, reverse=True)
            for message in batch:
                if message.role == "user" or (message.role == "assistant" and message.content):
                    yield message
            is_more = len(batch) == size
            before, size = (batch[-1].seq if batch else 0), size * 2


def find_turn(connection: Connection, user_id: str, session_id: str, client_id: str) -> Turn | None:
    """Return the message with a client_id, and the answer that follows a user's."""
    row = connection.execute(_TURN, (client_id, session_id, user_id)).fetchone()
    if row is None:
        raise NotFound
    found, following, branch, is_first = row
    if found is None:
        return None
    message, answer = message_of(found), message_of(following) if following else None
    is_answered = message.role == "user" and answer is not None and answer.role == "assistant"
    kind = kind_of(message.role, branch, is_first=bool(is_first))
    return Turn(kind=kind, message=message, answer=answer if is_answered else None)
