"""The life of a generation in SQLite: slot, messages, checkpoints, end.

Every function is one compare-and-set, on the session's slot or on a message that streams.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from sqlite3 import Connection

from chatd.errors import GenerationInterrupted, GenerationRunning, NotFound, SessionDeleted
from chatd.store.generations import MakeMessages
from chatd.stores.sqlite.rows import (
    HEAD,
    branches_of,
    counts_of,
    head_of,
    message_of,
    session_of,
    to_json,
    to_ms,
)
from chatd.stores.sqlite.sessions import get_head
from chatd.types import Abandoned, Checkpoint, Head, Message, Session, Slot

_TAKE = f"""
UPDATE sessions SET slot_generation_id = ?, slot_node = ?, slot_boot = ?, slot_lease = ?, slot = ?,
    slot_previous_branch = branch, branch = coalesce(?, branch), branches = coalesce(?, branches)
WHERE id = ? AND user_id = ? AND is_active = 1 AND slot_generation_id IS NULL
RETURNING {HEAD}"""
_FORK = """
SELECT branches, messages.branch FROM sessions
LEFT JOIN messages ON messages.session = sessions.key AND messages.seq = ?
WHERE sessions.id = ? AND sessions.user_id = ?"""
_NUMBER = """
UPDATE sessions SET seq = seq + ?, revision = revision + ?
WHERE id = ? AND slot_generation_id = ?
RETURNING key, branch, seq, revision"""
_ADD = """
INSERT INTO messages (id, session, branch, seq, revision, status, client_id, document)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
_CHECKPOINT = """
UPDATE messages SET checkpoint_seq = ?,
    document = json_set(document, '$.content', ?, '$.parts', json(?))
WHERE id = ? AND status = 'streaming'"""
_RENEW = "UPDATE sessions SET slot_lease = ? WHERE id = ? AND slot_generation_id = ?"
_REVISE = """
UPDATE sessions SET revision = revision + 1
WHERE key = (SELECT session FROM messages WHERE id = ? AND status = 'streaming')
RETURNING revision"""
_END = "UPDATE messages SET revision = ?, status = ?, document = ? WHERE id = ?"
_HELD = """
SELECT key, document, models, branch, slot_previous_branch, branches FROM sessions
WHERE id = ? AND slot_generation_id = ?"""
_RELEASE = """slot_generation_id = NULL, slot_node = NULL, slot_boot = NULL, slot_lease = NULL,
    slot_previous_branch = NULL, slot = NULL"""
_FREE = f"""
UPDATE sessions SET {_RELEASE}, document = ?, models = ?, last_message_at = ?,
    first_message_at = coalesce(first_message_at, ?), user_messages = user_messages + ?,
    assistant_messages = assistant_messages + ?, prompt_tokens = prompt_tokens + ?,
    completion_tokens = completion_tokens + ?, total_tokens = total_tokens + ?
WHERE key = ?"""
_GIVE_BACK = f"""
UPDATE sessions SET {_RELEASE}, branch = slot_previous_branch, branches = ? WHERE key = ?"""
_ON_BRANCH = "SELECT 1 FROM messages WHERE session = ? AND branch = ? LIMIT 1"
_ABANDONED = f"""
SELECT key, user_id, {HEAD} FROM sessions
WHERE slot_lease IS NOT NULL AND (slot_lease <= ? OR slot_node = ? AND slot_boot <> ?)"""
_OF_SLOT = "SELECT document FROM messages WHERE id IN (?, ?) AND session = ? ORDER BY seq"


def take_slot(
    connection: Connection,
    user_id: str,
    session_id: str,
    slot: Slot,
    *,
    lease: float,
    fork_after: int | None = None,
) -> Head:
    """Take the session's slot, and show a new branch if asked."""
    branch, branches = None, None
    if fork_after is not None:
        branch, branches = _fork(connection, user_id, session_id, fork_after)
    held = (slot.generation_id, slot.node, slot.boot, _until(lease), to_json(slot))
    row = connection.execute(_TAKE, (*held, branch, branches, session_id, user_id)).fetchone()
    if row is None:
        head = get_head(connection, user_id, session_id)
        raise GenerationRunning if head.session.is_active else SessionDeleted
    return head_of(row)


def begin_turn(
    connection: Connection,
    user_id: str,
    session_id: str,
    slot: Slot,
    make: MakeMessages,
    *,
    lease: float,
    fork_after: int | None = None,
) -> tuple[Head, list[Message]]:
    """Take the slot and insert the turn's messages."""
    head = take_slot(connection, user_id, session_id, slot, lease=lease, fork_after=fork_after)
    return head, add_messages(connection, slot.generation_id, make(head))


def _until(lease: float) -> int:
    return time.time_ns() // 1_000_000 + round(lease * 1000)


def _fork(connection: Connection, user_id: str, session_id: str, after: int) -> tuple[int, str]:
    """Return the number of a new branch, and all branches with it."""
    row = connection.execute(_FORK, (after, session_id, user_id)).fetchone()
    if row is None or (after and row[1] is None):
        raise NotFound
    branches = branches_of(row[0])
    branch = max(branches, default=0) + 1
    branches[branch] = (row[1] or 0, after)
    return branch, to_json(branches)


def add_messages(
    connection: Connection, generation_id: str, messages: Sequence[Message]
) -> list[Message]:
    """Insert messages on the shown branch; the session counts their numbers."""
    session_id, count = messages[0].session_id, len(messages)
    row = connection.execute(_NUMBER, (count, count, session_id, generation_id)).fetchone()
    if row is None:
        raise GenerationInterrupted
    key, branch, seq, revision = row
    numbered = [
        message.replace(seq=seq - count + place, revision=revision - count + place)
        for place, message in enumerate(messages, 1)
    ]
    for message in numbered:
        connection.execute(_ADD, _row(key, branch, message))
    return numbered


def _row(key: int, branch: int, message: Message) -> tuple[object, ...]:
    return (
        message.id,
        key,
        branch,
        message.seq,
        message.revision,
        message.status,
        message.client_id,
        to_json(message),
    )


def checkpoint(connection: Connection, checkpoints: Sequence[Checkpoint]) -> set[str]:
    """Set the text of messages that stream; return the generations whose do not."""
    lost = set()
    for point in checkpoints:
        parameters = (point.seq, point.content, to_json(point.parts), point.message_id)
        if not connection.execute(_CHECKPOINT, parameters).rowcount:
            lost.add(point.generation_id)
    return lost


def renew_leases(
    connection: Connection, generations: Mapping[str, str], *, lease: float
) -> set[str]:
    """Renew slots; return the generations that lost theirs."""
    until, lost = _until(lease), set()
    for generation_id, session_id in generations.items():
        if not connection.execute(_RENEW, (until, session_id, generation_id)).rowcount:
            lost.add(generation_id)
    return lost


def end_message(connection: Connection, message: Message) -> Message | None:
    """Replace a message that still streams by its end."""
    row = connection.execute(_REVISE, (message.id,)).fetchone()
    if row is None:
        return None
    message = message.replace(revision=row[0])
    parameters = (message.revision, message.status, to_json(message), message.id)
    connection.execute(_END, parameters)
    return message


def end_turn(
    connection: Connection, message: Message, new_messages: Sequence[Message]
) -> tuple[Message, Session | None] | None:
    """End a message and free its slot."""
    ended = end_message(connection, message)
    if ended is None:
        return None
    messages = [*new_messages, ended]
    return ended, free_slot(connection, message.session_id, message.generation_id or "", messages)


def free_slot(
    connection: Connection, session_id: str, generation_id: str, messages: Sequence[Message]
) -> Session | None:
    """Free the slot and count the turn; without messages, show the branch of before again."""
    held = connection.execute(_HELD, (session_id, generation_id)).fetchone()
    if held is None:
        return None
    key, document, models, branch, previous_branch, branches = held
    session = session_of(document)
    if not messages:
        if branch != previous_branch:
            branches = _without(connection, key, branch, branches)
        connection.execute(_GIVE_BACK, (branches, key))
        return session
    session = session.replace(
        head_id=messages[-1].id,
        message_count=session.message_count + len(messages),
        last_message_at=messages[-1].created_at,
    )
    connection.execute(_FREE, (to_json(session), *_counted(models, messages), key))
    return session


def _without(connection: Connection, key: int, branch: int, branches: str) -> str | None:
    """Return the branches less one on which nothing is stored."""
    left = branches_of(branches)
    if not connection.execute(_ON_BRANCH, (key, branch)).fetchone():
        del left[branch]
    return to_json(left) if left else None


def _counted(models: str | None, messages: Sequence[Message]) -> tuple[object, ...]:
    """Return the counters of a turn, as _FREE takes them."""
    answers = [message for message in messages if message.role == "assistant"]
    usages = [message.usage for message in messages if message.usage]
    counts = counts_of(models) + Counter(answer.model for answer in answers if answer.model)
    return (
        to_json(counts) if counts else None,
        to_ms(messages[-1].created_at),
        to_ms(messages[0].created_at),
        sum(message.role == "user" for message in messages),
        len(answers),
        sum(usage.prompt_tokens for usage in usages),
        sum(usage.completion_tokens for usage in usages),
        sum(usage.total_tokens for usage in usages),
    )


def abandoned(connection: Connection, node: str, boot: str) -> list[Abandoned]:
    """Return the sessions whose slot is held by a process that no longer runs."""
    rows = connection.execute(_ABANDONED, (_until(0), node, boot)).fetchall()
    return [
        Abandoned(user_id=user_id, head=head, messages=_of_slot(connection, key, head.slot))
        for key, user_id, head in ((row[0], row[1], head_of(row[2:])) for row in rows)
    ]


def _of_slot(connection: Connection, key: int, slot: Slot | None) -> list[Message]:
    if slot is None:
        return []
    ids = (slot.user_message_id, slot.assistant_message_id)
    return [message_of(document) for (document,) in connection.execute(_OF_SLOT, (*ids, key))]
