"""How documents become values and values documents."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import force_setattr

from chatd.stores.mongo.driver import Document
from chatd.types import Account, Head, Message, Model, Preset, Session, Slot, Token

_encode = msgspec.json.Encoder().encode
account_of = msgspec.json.Decoder(Account).decode
token_of = msgspec.json.Decoder(Token).decode
preset_of = msgspec.json.Decoder(Preset).decode
_sessions_of = msgspec.json.Decoder(list[Session]).decode
_message_of = msgspec.json.Decoder(Message).decode
_messages_of = msgspec.json.Decoder(list[Message]).decode
_model_of = msgspec.json.Decoder(Model).decode
_parts_of = msgspec.json.Decoder(list[dict[str, Any]]).decode


class Spoken(msgspec.Struct, gc=False):
    """What a prompt needs of a message, and no more: a turn reads many."""

    role: str
    content: str
    seq: int


_spoken_of = msgspec.json.Decoder(list[Spoken]).decode

# What of a document the functions below need.
ACCOUNT = PRESET = {"document": 1, "_id": 0}
MESSAGE = {"document": 1, "checkpoint": 1, "_id": 0}
SESSION = dict.fromkeys(("document", "message_count", "last_message_at", "head_id"), 1)
HEAD = {**SESSION, "revision": 1, "slot": 1, "made": 1}
SHOWN = {"branch": 1, "branches": 1}
TIP = {"head_id": 1, "revision": 1, "made": 1, "slot.generation_id": 1}
# For a pipeline on tokens: each with its user.
WITH_USER: list[Document] = [
    {"$lookup": {"from": "users", "localField": "user_id", "foreignField": "_id", "as": "users"}},
    {"$project": {"document": 1, "users.document": 1}},
]


def to_json(value: Any) -> str:
    """Return a value as JSON."""
    return _encode(value).decode()


def to_ms(time: dt.datetime) -> int:
    """Return a time as milliseconds since 1970."""
    return round(time.timestamp() * 1000)


def to_time(milliseconds: int | None) -> dt.datetime | None:
    """Return milliseconds since 1970 as a time."""
    return None if milliseconds is None else dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC)


def session_of(document: Document) -> Session:
    """Return the session of a document; what turns change stands beside its text."""
    return sessions_of([document])[0]


def sessions_of(documents: Sequence[Document]) -> list[Session]:
    """Return the sessions of documents."""
    sessions = _sessions_of(_array(documents))
    for session, document in zip(sessions, documents, strict=True):
        # Nobody has seen them yet. A copy of each would take half the time of a page.
        force_setattr(session, "message_count", document["message_count"])
        force_setattr(session, "last_message_at", to_time(document.get("last_message_at")))
        force_setattr(session, "head_id", document.get("head_id"))
    return sessions


def slot_of(document: Document) -> Slot | None:
    """Return the slot of a session's document, None if it is free."""
    return Slot(**document["slot"]) if "slot" in document else None


def head_of(document: Document, messages: Sequence[Message] = ()) -> Head:
    """Return the head of a session's document; `messages` are those of its slot."""
    return Head(
        session=session_of(document),
        revision=max([document["revision"], *(message.revision for message in messages)]),
        slot=slot_of(document),
        made=document.get("made", ""),
    )


def message_of(document: Document) -> Message:
    """Return the message of a document, while it streams with the text of its checkpoint."""
    message = _message_of(document["document"])
    point = document.get("checkpoint")
    if point is None:
        return message
    return message.replace(content=point["content"], parts=_parts_of(point["parts"]))


def messages_of(documents: Sequence[Document]) -> list[Message]:
    """Return the messages of documents."""
    if any("checkpoint" in document for document in documents):
        return [message_of(document) for document in documents]
    return _messages_of(_array(documents))


def spoken_of(documents: Sequence[Document]) -> list[Spoken]:
    """Return what a prompt needs of documents of messages that have ended."""
    return _spoken_of(_array(documents))


def _array(documents: Sequence[Document]) -> str:
    return f"[{','.join([document['document'] for document in documents])}]"


def model_of(document: Document) -> Model:
    """Return the model of a document; whether it is the default stands beside its text."""
    return _model_of(document["document"]).replace(is_default="is_default" in document)
