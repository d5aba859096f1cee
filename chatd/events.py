"""What travels from a generation to its subscribers: durable events, and entries of its log."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from chatd.types import Value


class Event(Value, frozen=True, kw_only=True):
    """What subscribers get, at least once kept by the store: never a chunk.

    `payload` is the wire form without its `type`. `revision` is that of the message it is about,
    0 when it is about none. `generation` says that the event starts or ends `generation_id`. The
    subscriber named `origin` does not get it.
    """

    type: str
    payload: dict[str, Any]
    revision: int = 0
    generation_id: str | None = None
    generation: Literal["starts", "ends"] | None = None
    origin: str | None = None


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One entry of a generation's log: text, reasoning, or a tool event in JSON."""

    kind: Literal["text", "reasoning", "tool_call", "tool_result"]
    text: str


class Batch(msgspec.Struct, frozen=True):
    """Entries of a generation's log that follow entry number `prev`."""

    generation_id: str
    prev: int
    entries: list[Entry]
