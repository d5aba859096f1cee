"""What the server answers besides the objects of chatd.types."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from chatd.types import Message, User, Value


class Reply(Value, frozen=True, kw_only=True):
    """A turn that has ended: its `ai_message.status` is complete or stopped."""

    user_message: Message
    ai_message: Message
    duplicate: bool = False


class Accepted(Value, frozen=True, kw_only=True):
    """A turn that runs at the server."""

    user_message: Message
    generation_id: str
    duplicate: bool = False


class Stopped(Value, frozen=True, kw_only=True):
    """Whether there was something to stop."""

    stopped: bool


class SignedIn(Value, frozen=True, kw_only=True):
    """A token and whose it is."""

    token: str
    expires_at: dt.datetime | None = None
    user: User


class Ticket(Value, frozen=True, kw_only=True):
    """What opens one socket, once and soon: `?ticket=`."""

    ticket: str
    expires_at: dt.datetime


class SyncedProvider(Value, frozen=True, kw_only=True):
    """What came of asking one provider for its models."""

    ok: bool
    models: int = 0
    error: Any = None


class Synced(Value, frozen=True, kw_only=True):
    """What came of asking all providers for their models."""

    synced: int = 0
    added: int = 0
    updated: int = 0
    deactivated: int = 0
    providers: dict[str, SyncedProvider] = msgspec.field(default_factory=dict)


class DefaultModel(Value, frozen=True, kw_only=True):
    """Which model answers in a session that names none."""

    default: str | None = None


class Health(Value, frozen=True, kw_only=True):
    """Whether a model server answers."""

    status: str
    latency_ms: float | None = None
    models: int | None = None
    code: str | None = None


class FoundSession(Value, frozen=True, kw_only=True):
    """The session that a found message is in."""

    id: str
    title: str = ""


class Found(Value, frozen=True, kw_only=True):
    """A message that a search has found.

    `highlights` are pairs of places in the snippet, the second behind the last character.
    """

    message: Message
    session: FoundSession
    snippet: str = ""
    highlights: list[tuple[int, int]] = msgspec.field(default_factory=list)


class Counted(Value, frozen=True, kw_only=True):
    """The caller's own numbers."""

    sessions: dict[str, int] = msgspec.field(default_factory=dict)
    messages: dict[str, int] = msgspec.field(default_factory=dict)
    tokens: dict[str, int] = msgspec.field(default_factory=dict)
    models: dict[str, int] = msgspec.field(default_factory=dict)
    first_message_at: dt.datetime | None = None
    last_message_at: dt.datetime | None = None
