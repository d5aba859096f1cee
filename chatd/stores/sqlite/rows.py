"""How rows become values and values rows."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any

import msgspec

from chatd.types import Account, Head, Message, Model, Preset, Session, Slot, Token

Row = tuple[Any, ...]

HEAD = "document, revision, slot, slot_lease, slot_previous_branch"  # for `head_of`

_encode = msgspec.json.Encoder().encode
account_of = msgspec.json.Decoder(Account).decode
token_of = msgspec.json.Decoder(Token).decode
session_of = msgspec.json.Decoder(Session).decode
sessions_of = msgspec.json.Decoder(list[Session]).decode
slot_of = msgspec.json.Decoder(Slot).decode
message_of = msgspec.json.Decoder(Message).decode
messages_of = msgspec.json.Decoder(list[Message]).decode
preset_of = msgspec.json.Decoder(Preset).decode
model_of = msgspec.json.Decoder(Model).decode
_branches_of = msgspec.json.Decoder(dict[int, tuple[int, int]]).decode
_counts_of = msgspec.json.Decoder(dict[str, int]).decode


class Spoken(msgspec.Struct, gc=False):
    """What a prompt needs of a message, and no more: a turn reads many."""

    role: str
    content: str
    seq: int


spoken_of = msgspec.json.Decoder(list[Spoken]).decode


def array_of(query: str) -> str:
    """Return the query whose one row is a JSON array of another's documents, in no order.

    One by one, every row gives up the interpreter's lock and waits to get it back: beside a busy
    event loop a page of 50 costs 1.7 times as much that way.
    """
    return f"SELECT '[' || coalesce(group_concat(document), '') || ']' FROM ({query})"


def to_json(value: Any) -> str:
    """Return a value as JSON."""
    return _encode(value).decode()


def to_ms(time: dt.datetime | None) -> int | None:
    """Return a time as milliseconds since 1970."""
    return None if time is None else round(time.timestamp() * 1000)


def to_time(milliseconds: int | None) -> dt.datetime | None:
    """Return milliseconds since 1970 as a time."""
    return None if milliseconds is None else dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC)


def head_of(row: Row) -> Head:
    """Return the value of a row of HEAD."""
    document, revision, slot, lease, previous = row
    if slot is not None:
        slot = slot_of(slot).replace(lease=to_time(lease), previous_branch=previous)
    return Head(session=session_of(document), revision=revision, slot=slot)


def branches_of(column: str | None) -> dict[int, tuple[int, int]]:
    """Return the parents of a session's branches."""
    return _branches_of(column) if column else {}


def counts_of(column: str | None) -> Counter[str]:
    """Return the numbers that a column of {name: number} holds."""
    return Counter(_counts_of(column) if column else {})
