"""How records of a MongoDB store become documents and documents records.

A new field of a document must be here too, or a copy loses it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from chatd.stores.mongo import data
from chatd.stores.mongo.accounts import account_document, token_document
from chatd.stores.mongo.catalog import preset_document
from chatd.stores.mongo.documents import (
    account_of,
    head_of,
    message_of,
    model_of,
    preset_of,
    slot_of,
    to_json,
    to_ms,
    to_time,
    token_of,
)
from chatd.stores.mongo.driver import Document
from chatd.stores.mongo.generations import message_document
from chatd.stores.mongo.messages import branches_of
from chatd.stores.mongo.sessions import COUNTERS, model_named, name_of_model, session_document
from chatd.types import Message


def session_record(document: Document, messages: Sequence[Message] = ()) -> StoredSession:
    """Return the record of a session; `messages` are those of its slot, if that is held.

    The numbers in the document are those of the last time that the slot was free.
    """
    head = head_of(document, messages)
    counts = document.get("models", {})
    return StoredSession(
        user_id=document["user_id"],
        session=head.session,
        seq=max([document["seq"], *(message.seq for message in messages)]),
        revision=head.revision,
        branch=document["branch"],
        branches=branches_of(document),
        slot=slot_of(document),
        models={model_named(name): count for name, count in counts.items()},
        first_message_at=to_time(document.get("first_message_at")),
        **{name: document[name] for name in COUNTERS},
    )


def message_record(document: Document) -> StoredMessage:
    """Return the record of a message."""
    point = document.get("checkpoint")
    return StoredMessage(
        user_id=document["user_id"],
        branch=document["branch"],
        checkpoint_seq=point["seq"] if point else 0,
        message=message_of(document),
    )


def _model_record(document: Document) -> StoredModel:
    return StoredModel(
        model=model_of(document), is_disabled=bool(document.get("is_disabled", False))
    )


# But for sessions, which need more than their document.
RECORD: dict[Collection, Callable[[Document], Record]] = {
    "users": lambda document: account_of(document["document"]),
    "tokens": lambda document: token_of(document["document"]),
    "models": _model_record,
    "presets": lambda document: preset_of(document["document"]),
    "plugin_data": lambda document: StoredDatum(
        plugin=split_key(document["_id"])[0], datum=data.datum_of(document)
    ),
    "messages": message_record,
}


def session_written(record: StoredSession) -> Document:
    """Return the document of a session's record."""
    document = session_document(record.user_id, record.session)
    document |= {"seq": record.seq, "revision": record.revision, "branch": record.branch}
    document |= {name: getattr(record, name) for name in COUNTERS}
    if record.branches:
        document["branches"] = {str(b): list(left) for b, left in record.branches.items()}
    if record.slot is not None:
        slot = record.slot
        document["slot"] = {name: getattr(slot, name) for name in slot.__struct_fields__}
    if record.models:
        document["models"] = {name_of_model(name): n for name, n in record.models.items()}
    if record.first_message_at is not None:
        document["first_message_at"] = to_ms(record.first_message_at)
    return document


def message_written(record: StoredMessage) -> Document:
    """Return the document of a message's record."""
    message = record.message
    document = message_document(record.user_id, record.branch, message)
    if record.checkpoint_seq:
        point = {"seq": record.checkpoint_seq, "content": message.content}
        document["checkpoint"] = {**point, "parts": to_json(message.parts)}
    return document


def _model_written(record: StoredModel) -> Document:
    model = record.model
    document: Document = {"_id": model.id, "provider": model.provider, "name": model.name}
    document |= {"document": to_json(model), "is_disabled": record.is_disabled}
    return document | ({"is_default": True} if model.is_default else {})


DOCUMENT: dict[Collection, Callable[[Any], Document]] = {
    "users": account_document,
    "tokens": token_document,
    "models": _model_written,
    "presets": preset_document,
    "plugin_data": lambda record: data.written_datum(record.plugin, record.datum),
    "sessions": session_written,
    "messages": message_written,
}
