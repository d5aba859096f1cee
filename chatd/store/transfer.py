"""A store as a whole: what tools need that move everything, or many sessions at once.

A collection holds records: values that say all that a store keeps of one thing, without saying how.
Records of one store can be put into another. Nothing here looks at who asks: these calls are for
commands of the operator, not for users.
"""

from __future__ import annotations

import abc
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

from chatd.store.data import Datum
from chatd.types import Account, Message, Model, Preset, Session, Slot, Token, Value

Collection = Literal["users", "tokens", "models", "presets", "plugin_data", "sessions", "messages"]
# In the order in which they can be put: a message needs its session.
COLLECTIONS: tuple[Collection, ...] = (
    *("users", "tokens", "models", "presets", "plugin_data"),
    *("sessions", "messages"),
)


class StoredModel(Value, frozen=True, kw_only=True):
    """A model; `is_disabled` says that an administrator keeps it from being active."""

    model: Model
    is_disabled: bool = False


class StoredSession(Value, frozen=True, kw_only=True):
    """A session with what never leaves the store.

    `seq` and `revision` are the last numbers given in it, `branch` the one shown, `branches`
    {branch: (parent branch, seq after which it leaves it)}. The rest is its part of its user's
    Stats; `models` is {model: answers}.
    """

    user_id: str
    session: Session
    seq: int = 0
    revision: int = 0
    branch: int = 0
    branches: Mapping[int, tuple[int, int]] = {}
    slot: Slot | None = None
    user_messages: int = 0
    assistant_messages: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    models: Mapping[str, int] = {}
    first_message_at: dt.datetime | None = None


class StoredMessage(Value, frozen=True, kw_only=True):
    """A message, whose it is, and its branch.

    While it streams, its text is that of its last checkpoint, which reaches up to entry
    `checkpoint_seq` of the generation's log.
    """

    user_id: str
    branch: int = 0
    checkpoint_seq: int = 0
    message: Message


class StoredDatum(Value, frozen=True, kw_only=True):
    """What a plugin keeps under a key."""

    plugin: str
    datum: Datum


Record: TypeAlias = (
    Account | Token | StoredModel | Preset | StoredDatum | StoredSession | StoredMessage
)


class RecordPage(NamedTuple):
    """Some records in the order of the store's own choice; `next` is where the following begin.

    It is empty behind the last record.
    """

    records: list[Record]
    next: str


class Conversation(NamedTuple):
    """A session and all its messages."""

    session: StoredSession
    messages: list[StoredMessage]


class CopyMark(Value, frozen=True, kw_only=True):
    """What an unfinished copy knows: the epoch of its source, and the records it has up to."""

    source: str
    collection: Collection = "users"
    after: str = ""


class TransferStore(abc.ABC):
    """A store as a whole."""

    @abc.abstractmethod
    async def read_records(
        self, collection: Collection, *, after: str = "", limit: int = 1000
    ) -> RecordPage:
        """Return records behind a place: some, or none at the end, and some megabytes at most.

        `after` is the `next` of an earlier page of this store, or of its earlier life.
        """

    @abc.abstractmethod
    async def put_records(self, collection: Collection, records: Sequence[Record]) -> None:
        """Keep records as they are, each in place of the one with its id.

        All or some of them are kept when it fails; it may be repeated. Raises Conflict for a record
        that cannot stand beside those that are there.
        """

    @abc.abstractmethod
    async def count_records(self, collection: Collection) -> int:
        """Return how many records there are, about."""

    @abc.abstractmethod
    async def read_sessions(
        self, user_id: str, *, after: str = "", limit: int = 200
    ) -> list[StoredSession]:
        """Return sessions of a user by id, those with an id greater than `after`."""

    @abc.abstractmethod
    async def read_messages(
        self, session_id: str, *, after: int = 0, limit: int = 1000
    ) -> list[StoredMessage]:
        """Return messages of all branches by seq, those with a seq greater than `after`.

        Some, none at the end, and some megabytes at most.
        """

    @abc.abstractmethod
    async def find_owners(self, session_ids: Sequence[str]) -> dict[str, str]:
        """Return {session_id: user_id} of those of these sessions that are stored."""

    @abc.abstractmethod
    async def add_conversations(self, conversations: Sequence[Conversation]) -> None:
        """Keep new sessions with their messages. A session is there only when it is whole.

        Raises Conflict, having kept none, when one of the sessions or messages is stored already.
        """

    @abc.abstractmethod
    async def is_generating(self) -> bool:
        """Return whether a session's slot is held by a process that may be alive."""

    @abc.abstractmethod
    async def get_copy_mark(self) -> CopyMark | None:
        """Return the mark of an unfinished copy, None for a store that is whole."""

    @abc.abstractmethod
    async def set_copy_mark(self, mark: CopyMark) -> None:
        """Say that this store is an unfinished copy, and how far it has come."""

    @abc.abstractmethod
    async def end_copy(self) -> None:
        """Say that this store is whole, under a new epoch: one write."""
