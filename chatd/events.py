"""What travels from a generation to its subscribers: durable events, and entries of its log."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from chatd.types import Message, Session, Value


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


class Observed(Value, frozen=True, kw_only=True):
    """Something that happened on this server, as plugins are told of it by `observe`.

    `type` says what; more may be added, so leave alone what you do not know:

    * `message_stored`: `message`, which will not change again: a user's when its turn begins, an
      answer when it has ended;
    * `turn_started`: `message` is the answer that is being written; `detail` has the `kind`: send,
      regenerate or edit;
    * `turn_ended`: `message` is the answer, whose `status` says how; `session` is the session as it
      then was, None when another server ended it; `detail` has what the model has `said`, in bytes
      of text and reasoning, also what a stop has cut off, and what it was `asked`, in bytes of the
      prompt; both are 0 when its server crashed meanwhile;
    * `model_asked`: a plugin has asked the model of `session` something beside its turns; `detail`
      has the `model`, what it was `asked` and has `said`, and its `usage`, None if it told none;
    * `session_created`, `session_updated`, `session_deleted`: `session`; the last one also for one
      that was erased;
    * `connection_opened`, `connection_closed`: `detail` has the `id` that is in the log, the
      `kind` (session, list: WebSockets; sse) and, of a WebSocket that closed, the `code`.

    `user_id` is whose it is, `at` the time of this server. Chunks are never told.
    """

    type: str
    at: dt.datetime
    user_id: str
    session_id: str | None = None
    session: Session | None = None
    message: Message | None = None
    detail: Mapping[str, Any] = MappingProxyType({})
