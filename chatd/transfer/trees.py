"""Sessions as files tell them, and how they become sessions of a store.

A file says of each message which one it answers. From that follow the branches: the first answer to
a message goes on in its branch, every other one begins a branch of its own. So an import of what
chatd has exported has the branches that it had.
"""

from __future__ import annotations

import datetime as dt
import heapq
import uuid
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec

from chatd import recovery, strict_json
from chatd.errors import ChatdError, InvalidInput
from chatd.gathering import is_count
from chatd.schemas import MODEL, Shapes, load
from chatd.store.transfer import Conversation, StoredMessage, StoredSession
from chatd.transfer.times import in_utc
from chatd.types import Message, Session

NAMESPACE = uuid.UUID("8f3c1f0a-6d0e-5b53-9a63-3f8f6b0c7d11")  # of the ids made here
LONGEST_ID = 128
LARGEST = 3_000_000  # of a message: one character may take four bytes, and MongoDB takes 16 MB
LAST = 2**52  # of a number that others come after

T = TypeVar("T", Session, Message)


class Tree(NamedTuple):
    """A session of a file; its messages in any order, in `parent_id` which one each answers.

    `format` is whose ids these are: those of "chatd" are kept where they are free. `user` is the
    name of its owner, where the file says so. `place` is where in the file it stands.
    """

    format: str
    place: str
    session: Session
    messages: Sequence[Message]
    user: str = ""


class Refused(Exception):
    """A record of a file that cannot be kept, and why."""


def new_session_id(tree: Tree, user_id: str) -> str:
    """Return the id that this session always gets for this user, when it cannot keep its own."""
    return _derived(user_id, tree.format, tree.session.id)


def _derived(*names: str) -> str:
    return str(uuid.uuid5(NAMESPACE, "\n".join(names)))


class Planter:
    """Makes sessions of a store from trees, within the limits of a configuration."""

    def __init__(self, limits: Any, option_keys: tuple[str, ...]) -> None:
        self._shape = Shapes(limits, option_keys).new_session
        self._limits = limits

    def plant(self, tree: Tree, user_id: str, *, keep_ids: bool) -> Conversation:
        """Return a session with its messages. Raises Refused."""
        try:
            session = self._checked(_timed(tree.session))
            for message in tree.messages:
                self._check(message)
        except ChatdError as exc:
            raise Refused(_reason(exc)) from exc
        messages = _numbered(_in_order([_timed(message) for message in tree.messages]))
        branches = _Branches(messages)
        head = branches.head(session.head_id)
        if not keep_ids:
            names = (user_id, tree.format, *([] if tree.format == "chatd" else [session.id]))
            session, messages, branches, head = _renamed(
                names, new_session_id(tree, user_id), session, messages, branches, head
            )
        return _conversation(user_id, session, messages, branches, head)

    def _checked(self, session: Session) -> Session:
        """Return a session with what its owner may have set. Raises InvalidInput."""
        fields = ("title", "model", "system_prompt", "settings", "preset_id", "metadata")
        values = {name: getattr(session, name) for name in fields}
        strict_json.check([values["settings"], values["metadata"], session.version])
        _check_id(session.id)
        return session.replace(**load(self._shape, values))

    def _check(self, message: Message) -> None:
        """Raise InvalidInput for a message that no client and no model could have made."""
        limits, length = self._limits, len(message.content)
        most = limits.message_chars if message.role == "user" else limits.reply_bytes
        if most and length > most:
            name = "message_chars" if message.role == "user" else "reply_bytes"
            raise InvalidInput(
                f"message {message.id} has {length:,} characters: raise [limits] {name}"
            )
        for message_id in (message.id, message.generation_id, message.client_id):
            if message_id is not None:
                _check_id(message_id)
        if len(message.model or "") > MODEL:
            raise InvalidInput(f"the name of message {message.id}'s model is too long")
        if message.usage and not all(map(is_count, msgspec.structs.astuple(message.usage))):
            raise InvalidInput(f"message {message.id} counts tokens by numbers that are no counts")
        if message.parts or message.error:
            strict_json.check([message.parts, message.error])
            length += len(msgspec.json.encode([message.parts, message.error]))
        if length > LARGEST:
            raise InvalidInput(f"message {message.id} is larger than {LARGEST:,} bytes")


def _check_id(name: str) -> None:
    if not 0 < len(name) <= LONGEST_ID:
        raise InvalidInput(f"an id has 1 to {LONGEST_ID} characters, this one {len(name)}")


def _reason(exc: ChatdError) -> str:
    if not exc.errors:
        return exc.message
    return "; ".join(f"{name}: {' '.join(texts)}" for name, texts in exc.errors.items())


def _in_order(messages: Sequence[Message]) -> list[Message]:
    """Return messages with every parent before what answers it, else by seq and time.

    Raises Refused for ids that are there twice and for parents that go round in a circle.
    """
    places = {message.id: place for place, message in enumerate(messages)}
    if len(places) != len(messages):
        raise Refused("two messages have the same id")
    client_ids = [message.client_id for message in messages if message.client_id is not None]
    if len(set(client_ids)) != len(client_ids):
        raise Refused("two messages have the same client_id")
    answers: dict[str, list[int]] = {}
    ready: list[tuple[int, dt.datetime, int]] = []
    for place, message in enumerate(messages):
        if message.parent_id in places:
            answers.setdefault(message.parent_id or "", []).append(place)
        else:
            ready.append((message.seq, message.created_at, place))
    heapq.heapify(ready)
    found = []
    while ready:
        message = messages[heapq.heappop(ready)[2]]
        found.append(message)
        for place in answers.get(message.id, ()):
            heapq.heappush(ready, (messages[place].seq, messages[place].created_at, place))
    if len(found) != len(messages):
        raise Refused("messages answer each other in a circle")
    return found


def _numbered(messages: Sequence[Message]) -> list[Message]:
    """Return messages with valid numbers: their own if they are, else new ones."""
    seqs = [message.seq for message in messages]
    revisions = [message.revision for message in messages]
    if seqs != sorted(set(seqs)) or not _are_valid(seqs):
        seqs = list(range(1, len(messages) + 1))
    if len(set(revisions)) != len(messages) or not _are_valid(revisions):
        revisions = list(range(1, len(messages) + 1))
    return [
        _ended(message.replace(seq=seq, revision=revision))
        for message, seq, revision in zip(messages, seqs, revisions, strict=True)
    ]


def _are_valid(numbers: Sequence[int]) -> bool:
    return min(numbers, default=1) >= 1 and max(numbers, default=1) <= LAST


def _timed(value: T) -> T:
    """Return a value with times as stores keep them: in UTC and whole milliseconds."""
    if all(
        t.tzinfo is dt.UTC and not t.microsecond % 1000
        for t in (value.created_at, value.updated_at)
    ):
        return value
    return value.replace(created_at=in_utc(value.created_at), updated_at=in_utc(value.updated_at))


def _ended(message: Message) -> Message:
    """Return a message that does not stream: nobody is there who would end it."""
    if message.status != "streaming":
        return message
    return recovery.interrupted(message).replace(updated_at=message.updated_at)


class _Branches:
    """On which branch each message is, and where each branch leaves which."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self.of: dict[str, int] = {}  # message id: branch
        self.left: dict[int, tuple[int, int]] = {}
        self.shown = 0
        self._last: dict[int, str] = {}  # branch: id of its last message
        self._seqs = {message.id: message.seq for message in messages}
        for message in messages:
            self._add(message)

    def _add(self, message: Message) -> None:
        parent_id = message.parent_id if message.parent_id in self.of else None
        parent = self.of[parent_id] if parent_id is not None else 0
        if self._last.get(parent) == parent_id:
            branch = parent
        else:
            branch = len(self.left) + 1
            self.left[branch] = (parent, self._seqs[parent_id] if parent_id is not None else 0)
        self.of[message.id] = branch
        self._last[branch] = message.id

    def head(self, wanted: str | None) -> str | None:
        """Show the branch of a message, else that of the last one; return its last message."""
        if not self.of:
            return None
        shown = wanted if wanted in self.of else max(self._seqs, key=self._seqs.__getitem__)
        self.shown = self.of[shown]
        return self._last[self.shown]

    def rename(self, new_ids: dict[str, str]) -> None:
        """Take over other ids."""
        self.of = {new_ids[message_id]: branch for message_id, branch in self.of.items()}


def _renamed(
    names: Sequence[str],
    session_id: str,
    session: Session,
    messages: Sequence[Message],
    branches: _Branches,
    head: str | None,
) -> tuple[Session, list[Message], _Branches, str | None]:
    """Return the same with ids that are made of these names and the ids in the file."""

    def new(old: str) -> str:
        return _derived(*names, old)

    ids = {message.id: new(message.id) for message in messages}
    renamed = [
        message.replace(
            id=ids[message.id],
            parent_id=ids.get(message.parent_id or ""),
            generation_id=new(message.generation_id) if message.generation_id else None,
        )
        for message in messages
    ]
    branches.rename(ids)
    return session.replace(id=session_id), renamed, branches, ids[head] if head else None


def _conversation(
    user_id: str,
    session: Session,
    messages: Sequence[Message],
    branches: _Branches,
    head: str | None,
) -> Conversation:
    """Return the records, with all that a store counts."""
    usages = [message.usage for message in messages if message.usage]
    answers = [message for message in messages if message.role == "assistant"]
    times = [message.created_at for message in messages]
    total = sum(sum(msgspec.structs.astuple(usage)) for usage in usages)
    if total > LAST:
        raise Refused("its messages count more tokens than a store can")
    session = session.replace(
        message_count=len(messages), last_message_at=max(times, default=None), head_id=head
    )
    record = StoredSession(
        user_id=user_id,
        session=session,
        seq=messages[-1].seq if messages else 0,
        revision=max((message.revision for message in messages), default=0),
        branch=branches.shown,
        branches=branches.left,
        user_messages=sum(message.role == "user" for message in messages),
        assistant_messages=len(answers),
        prompt_tokens=sum(usage.prompt_tokens for usage in usages),
        completion_tokens=sum(usage.completion_tokens for usage in usages),
        total_tokens=sum(usage.total_tokens for usage in usages),
        models=Counter(answer.model for answer in answers if answer.model),
        first_message_at=min(times, default=None),
    )
    return Conversation(
        record,
        [
            StoredMessage(
                user_id=user_id,
                branch=branches.of[message.id],
                message=message.replace(session_id=session.id),
            )
            for message in messages
        ],
    )
