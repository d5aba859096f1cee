"""Frozen values that chatd and its plugins hand to each other.

The fields of Session, Message, Model, Preset and User are exactly those of the wire (PROTOCOL
section 2): what a store keeps besides them never leaves the store. Structs, not dataclasses:
building one costs a tenth, and the encoder writes them as they are.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import secrets
import time
from collections.abc import Mapping
from typing import Any, Literal, Self

import msgspec

Role = Literal["system", "user", "assistant", "tool"]
Status = Literal["complete", "streaming", "stopped", "interrupted", "error"]
Kind = Literal["send", "regenerate", "edit"]
TOKEN_PREFIX = "chatd_"


def new_id() -> str:
    """Return a new id: a UUID of version 7 (RFC 9562), so that ids sort by time of creation."""
    milliseconds = time.time_ns() // 1_000_000
    digits = (milliseconds.to_bytes(6, "big") + os.urandom(10)).hex()
    # By hand, as the uuid module takes three times as long: version 7, then one of the variant's
    # four digits.
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-7{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def now() -> dt.datetime:
    """Return the time in UTC, in whole milliseconds: what every store can keep."""
    time_now = dt.datetime.now(dt.UTC)
    return time_now.replace(microsecond=time_now.microsecond // 1000 * 1000)


def new_token() -> str:
    """Return a new secret: 32 random bytes after a prefix that leak scanners can look for."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def digest_token(token: str) -> str:
    """Return the SHA-256 of a token in hexadecimal: all of it that is ever stored."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """What all values share: they are changed by `replace`."""

    def replace(self, **changes: Any) -> Self:
        """Return a copy with other values in the given fields."""
        return msgspec.structs.replace(self, **changes)


class User(Value, frozen=True, kw_only=True):
    """Somebody who uses chatd."""

    id: str
    name: str
    roles: tuple[str, ...] = ()
    preferences: dict[str, Any] = {}

    @property
    def is_admin(self) -> bool:
        """Whether the user has the role admin."""
        return "admin" in self.roles


class Account(Value, frozen=True, kw_only=True):
    """A user as the store keeps it."""

    user: User
    is_active: bool
    created_at: dt.datetime


class Token(Value, frozen=True, kw_only=True):
    """A credential the core issued; the secret itself is never stored, only its SHA-256.

    `asked_by` is of a ws_ticket: the digest of the token it was asked with.
    """

    id: str
    user_id: str
    digest: str
    kind: Literal["token", "sign_in_ticket", "ws_ticket"] = "token"
    label: str = ""
    asked_by: str = ""
    created_at: dt.datetime
    expires_at: dt.datetime | None = None


class Session(Value, frozen=True, kw_only=True):
    """A stored conversation."""

    id: str
    title: str = ""
    model: str | None = None
    system_prompt: str = ""
    settings: dict[str, Any] = {}
    preset_id: str | None = None
    is_active: bool = True
    message_count: int = 0
    last_message_at: dt.datetime | None = None
    head_id: str | None = None
    version: int = 1
    metadata: dict[str, Any] = {}
    created_at: dt.datetime
    updated_at: dt.datetime


class Usage(Value, frozen=True, kw_only=True):
    """What a generation cost in tokens. As a Chunk: a provider yields it at most once."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


class Message(Value, frozen=True, kw_only=True):
    """One message of a session."""

    id: str
    session_id: str
    seq: int = 0
    revision: int = 0
    parent_id: str | None = None
    role: Role
    content: str = ""
    parts: list[dict[str, Any]] = []
    status: Status = "complete"
    model: str | None = None
    generation_id: str | None = None
    client_id: str | None = None
    usage: Usage | None = None
    finish_reason: str | None = None
    error: dict[str, Any] | None = None
    created_at: dt.datetime
    updated_at: dt.datetime


class Slot(Value, frozen=True, kw_only=True):
    """The write lock of a session, held from the taking of a turn to its end.

    `previous_branch` is the branch to show again when nothing of the turn got stored; `lease` is
    the time, by the store's clock, after which another node may end the generation.
    """

    generation_id: str
    user_message_id: str
    assistant_message_id: str
    client_id: str | None = None
    kind: Kind = "send"
    node: str = ""
    boot: str = ""
    lease: dt.datetime | None = None
    previous_branch: int = 0


class Head(Value, frozen=True, kw_only=True):
    """Where a session stands; `made` as in Tip, empty when the store cannot tell."""

    session: Session
    revision: int = 0
    slot: Slot | None = None
    made: str = ""


class Tip(Value, frozen=True, kw_only=True):
    """What the shown branch of a session ends with, and the last revision given, with no turn held.

    `made` tells a session from an erased one that had the same id, as far as the store can.
    """

    head_id: str
    revision: int
    made: str = ""


class Model(Value, frozen=True, kw_only=True):
    """A model that a provider offered at `last_seen_at`; `id` is `provider/name`."""

    id: str
    name: str
    provider: str
    context_length: int | None = None
    capabilities: tuple[str, ...] = ()
    is_default: bool = False
    is_active: bool = True
    last_seen_at: dt.datetime | None = None


class Preset(Value, frozen=True, kw_only=True):
    """A named starting point for sessions."""

    id: str
    name: str
    description: str = ""
    system_prompt: str = ""
    model: str | None = None
    settings: dict[str, Any] = {}
    is_public: bool = False
    owner: str | None = None
    source: str = ""
    editable: bool = False
    version: int = 1
    created_at: dt.datetime
    updated_at: dt.datetime


class Request(Value, frozen=True, kw_only=True):
    """What an authentication plugin may look at.

    `token` is the credential from the Authorization header, the query or the subprotocol, whichever
    the client used, None without one. `peer` is the address of the socket, never a header's.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, str] = {}
    token: str | None = None
    peer: str = ""


class SessionPage(Value, frozen=True, kw_only=True):
    """A page of sessions; `next` and `previous` are cursors."""

    results: list[Session]
    next: str | None = None
    previous: str | None = None


class MessagePage(Value, frozen=True, kw_only=True):
    """A page of messages in ascending order, and whether there are more on either side."""

    results: list[Message]
    more_before: bool = False
    more_after: bool = False


class Turn(Value, frozen=True, kw_only=True):
    """The message that carries a client_id and, if that is a user's, the answer to it.

    An answer that carries one itself was regenerated; a user's message that begins a branch is the
    edit of another.
    """

    kind: Kind
    message: Message
    answer: Message | None = None


class Abandoned(Value, frozen=True, kw_only=True):
    """A session whose slot is held for a turn that nobody carries on."""

    user_id: str
    head: Head
    messages: list[Message]


class Checkpoint(Value, frozen=True, kw_only=True):
    """The state of a running generation's message after entry `seq` of its log."""

    session_id: str
    message_id: str
    generation_id: str
    content: str
    parts: list[dict[str, Any]]
    seq: int


class Stats(Value, frozen=True, kw_only=True):
    """A user's own numbers."""

    sessions: int = 0
    active_sessions: int = 0
    user_messages: int = 0
    assistant_messages: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    models: dict[str, int] = {}
    first_message_at: dt.datetime | None = None
    last_message_at: dt.datetime | None = None


class ModelChanges(Value, frozen=True, kw_only=True):
    """What `save_models` changed, in numbers of models."""

    added: int = 0
    updated: int = 0
    deactivated: int = 0
