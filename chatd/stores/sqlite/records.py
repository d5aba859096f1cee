"""How records of a SQLite store become rows and rows records.

A new column of a table must be in `_SESSION` or `_MESSAGE` and in `PUT`, or a copy loses it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chatd.store.data import split_key
from chatd.store.transfer import (
    Collection,
    Record,
    StoredDatum,
    StoredMessage,
    StoredModel,
    StoredSession,
)
from chatd.stores.sqlite import data
from chatd.stores.sqlite.accounts import ADD_TOKEN, token_row
from chatd.stores.sqlite.rows import (
    HEAD,
    Row,
    account_of,
    branches_of,
    counts_of,
    head_of,
    message_of,
    model_of,
    preset_of,
    to_json,
    to_ms,
    to_time,
    token_of,
)
from chatd.types import Account, Preset

_COUNTERS = (
    *("user_messages", "assistant_messages"),
    *("prompt_tokens", "completion_tokens", "total_tokens"),
)
_SESSION = f"user_id, seq, branch, branches, models, first_message_at, {', '.join(_COUNTERS)}"
_MESSAGE = "sessions.user_id, messages.branch, checkpoint_seq, messages.document"
_OF_SESSION = f"{_MESSAGE} FROM messages JOIN sessions ON sessions.key = messages.session"

# The first column of each is the place of the row, the last its document.
READ: dict[Collection, str] = {
    "users": "SELECT id, document FROM users WHERE id > ? ORDER BY id",
    "tokens": "SELECT digest, document FROM tokens WHERE digest > ? ORDER BY digest",
    "models": "SELECT id, is_disabled, document FROM models WHERE id > ? ORDER BY id",
    "presets": "SELECT id, document FROM presets WHERE id > ? ORDER BY id",
    "plugin_data": data.READ,
    "sessions": f"SELECT key, {_SESSION}, {HEAD} FROM sessions WHERE key > ? ORDER BY key",
    "messages": f"SELECT messages.key, {_OF_SESSION} WHERE messages.key > ? ORDER BY messages.key",
}
BY_NUMBER = ("sessions", "messages")
# One walk along the ids: by the user's index every page would sort all of the user's sessions.
USERS_SESSIONS = f"""
SELECT id, {_SESSION}, {HEAD} FROM sessions WHERE +user_id = ? AND id > ? ORDER BY id LIMIT ?"""
SESSIONS_MESSAGES = f"""
SELECT messages.seq, {_OF_SESSION} WHERE sessions.id = ? AND messages.seq > ?
ORDER BY messages.seq LIMIT ?"""


def session_record(row: Row) -> StoredSession:
    _, user_id, seq, branch, branches, models, first, *rest = row
    head = head_of(tuple(rest[len(_COUNTERS) :]))
    return StoredSession(
        user_id=user_id,
        session=head.session,
        seq=seq,
        revision=head.revision,
        branch=branch,
        branches=branches_of(branches),
        slot=head.slot,
        models=dict(counts_of(models)),
        first_message_at=to_time(first),
        **dict(zip(_COUNTERS, rest, strict=False)),
    )


def message_record(row: Row) -> StoredMessage:
    _, user_id, branch, checkpoint_seq, document = row
    return StoredMessage(
        user_id=user_id,
        branch=branch,
        checkpoint_seq=checkpoint_seq,
        message=message_of(document),
    )


RECORD: dict[Collection, Callable[[Row], Record]] = {
    "users": lambda row: account_of(row[1]),
    "tokens": lambda row: token_of(row[1]),
    "models": lambda row: StoredModel(model=model_of(row[2]), is_disabled=bool(row[1])),
    "presets": lambda row: preset_of(row[1]),
    "plugin_data": lambda row: StoredDatum(plugin=split_key(row[0])[0], datum=data.datum_of(row)),
    "sessions": session_record,
    "messages": message_record,
}


def _insert(table: str, key: str, *columns: str, **values: str) -> str:
    """Return the statement that inserts a row in place of the one with its key.

    `values` are columns whose value is more than a parameter.
    """
    names = [key, *columns]
    sources = [values.get(name, "?") for name in names]
    changes = [f"{name} = excluded.{name}" for name in columns]
    return (
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(sources)})"
        f" ON CONFLICT ({key}) DO UPDATE SET {', '.join(changes)}"
    )


PUT: dict[Collection, str] = {
    "users": _insert("users", "id", "name", "is_active", "document"),
    "tokens": ADD_TOKEN,
    "models": _insert("models", "id", "provider", "name", "is_default", "is_disabled", "document"),
    "presets": _insert("presets", "id", "owner", "name", "is_public", "document"),
    "plugin_data": _insert("plugin_data", "id", "version", "expires_at", "document"),
    "sessions": _insert(
        *("sessions", "id", "user_id", "is_active", "title_folded", "created_at"),
        *("last_message_at", "seq", "revision", "branch", "branches", "slot_generation_id"),
        *("slot_node", "slot_boot", "slot_lease", "slot_previous_branch", "slot"),
        *(*_COUNTERS, "models", "first_message_at", "document"),
    ),
    "messages": _insert(
        *("messages", "id", "session", "branch", "seq", "revision", "status", "client_id"),
        *("checkpoint_seq", "document"),
        session="(SELECT key FROM sessions WHERE id = ?)",
    ),
}
ADD = {name: statement.partition(" ON CONFLICT")[0] for name, statement in PUT.items()}


def _account_row(account: Account) -> Row:
    user = account.user
    return user.id, user.name, account.is_active, to_json(account)


def _model_row(record: StoredModel) -> Row:
    model = record.model
    shown = (model.id, model.provider, model.name, model.is_default)
    return *shown, record.is_disabled, to_json(model)


def _preset_row(preset: Preset) -> Row:
    return preset.id, preset.owner, preset.name, preset.is_public, to_json(preset)


def session_row(record: StoredSession) -> Row:
    session, slot = record.session, record.slot
    held: Row = (None,) * 6
    if slot is not None:
        held = (slot.generation_id, slot.node, slot.boot, to_ms(slot.lease))
        held = (*held, slot.previous_branch, to_json(slot))
    return (
        session.id,
        record.user_id,
        session.is_active,
        session.title.casefold(),
        to_ms(session.created_at),
        to_ms(session.last_message_at),
        record.seq,
        record.revision,
        record.branch,
        to_json(record.branches) if record.branches else None,
        *held,
        *(getattr(record, name) for name in _COUNTERS),
        to_json(record.models) if record.models else None,
        to_ms(record.first_message_at),
        to_json(session),
    )


def message_row(record: StoredMessage) -> Row:
    message = record.message
    return (
        message.id,
        message.session_id,
        record.branch,
        message.seq,
        message.revision,
        message.status,
        message.client_id,
        record.checkpoint_seq,
        to_json(message),
    )


ROW: dict[Collection, Callable[[Any], Row]] = {
    "users": _account_row,
    "tokens": token_row,
    "models": _model_row,
    "presets": _preset_row,
    "plugin_data": lambda record: data.put_row(record.plugin, record.datum),
    "sessions": session_row,
    "messages": message_row,
}
