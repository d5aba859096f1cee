"""One or more lives of a server and what came after, in the words of those who were there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Event = dict[str, Any]
Message = dict[str, Any]
Prompt = list[dict[str, str]]

TERMINAL = ("ai_message_complete", "error")


@dataclass(frozen=True, kw_only=True)
class Send:
    """A turn that a client tried to ask for, once or more often; no two have the same text.

    A regeneration has none. It and an edit name a message.
    """

    session_id: str
    client_id: str
    text: str = ""
    kind: str = "send"
    message_id: str = ""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """An event that the reader `by` got; an answer of REST is the events that it stands for."""

    at: float
    by: str
    session_id: str
    event: Event
    user: str = ""
    life: int = 0  # of the server that sent it; what it had sent may be read after its end


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a send over REST was answered with after the faults; a status of 0 is no answer at all.

    `seconds` is how long that took, with what was waited for.
    """

    send: Send
    status: int
    body: dict[str, Any]
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class CaughtUp:
    """What a socket was told that connected after the restart with the last revision it knew."""

    session_id: str
    since: int
    events: list[Event]


@dataclass(frozen=True, kw_only=True)
class End:
    """The end of a server: by `kill -9`, or in order."""

    at: float
    is_orderly: bool = False


STORE = ("mongod", "disk")  # what the names of faults begin with that keep a store from writing
MODEL_SERVER = "model server"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What the nemesis did, from when until when."""

    name: str
    began: float
    ended: float


@dataclass(frozen=True, kw_only=True)
class Trespass:
    """What a user tried with another's session, and the answer: a status, or a close code."""

    user: str
    tried: str
    answer: int


@dataclass(frozen=True, kw_only=True)
class Listed:
    """Sessions that a user was told of by a list, or by the socket of the list."""

    user: str
    session_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Vitals:
    """What a server had open in the end, when everybody had left; memory is its highest."""

    megabytes: float
    files: int = 0
    rooms: int = 0
    sockets: int = 0
    generations: int = 0
    tasks: int = 0


@dataclass(kw_only=True)
class Story:
    """Lives of a server, their ends, and what came after. Lists of messages are by session."""

    sends: list[Send] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)  # of each life but the one that goes on
    faults: list[Fault] = field(default_factory=list)
    late_by: float = 0.0  # how long the machine has kept somebody waiting who wanted to run
    before: dict[str, list[Message]] = field(default_factory=dict)  # as this life began
    found: dict[str, list[Message]] = field(default_factory=dict)  # after the restart, untouched
    shown: dict[str, list[Message]] = field(default_factory=dict)  # likewise, the branch shown
    caught_up: list[CaughtUp] = field(default_factory=list)
    repeats: list[Answer] = field(default_factory=list)  # every send once more, then new ones
    stored: dict[str, list[Message]] = field(default_factory=dict)  # after the repeats
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)  # likewise
    prompts: list[Prompt] = field(default_factory=list)  # what the model server was asked
    refused: set[str] = field(default_factory=set)  # client_ids that got refusals and nothing else
    wandered: set[str] = field(default_factory=set)  # sessions in which a branch was selected
    owners: dict[str, str] = field(default_factory=dict)  # users by session
    trespasses: list[Trespass] = field(default_factory=list)
    listed: list[Listed] = field(default_factory=list)
    vitals: list[Vitals] = field(default_factory=list)  # of each life that came to its end in peace
    logs: list[str] = field(default_factory=list)  # of each life
    codes: list[int] = field(default_factory=list)  # how those lives ended that were asked to


def all_of(messages: dict[str, list[Message]], role: str = "") -> list[Message]:
    """Return the messages of all sessions, or those of one role."""
    return [m for found in messages.values() for m in found if role in ("", m["role"])]


def path_to(message: Message, messages: list[Message]) -> list[Message]:
    """Return a message of a session behind all that it continues, the oldest first."""
    by_id, path = {m["id"]: m for m in messages}, [message]
    while path[-1]["parent_id"] in by_id:
        path.append(by_id[path[-1]["parent_id"]])
    return path[::-1]


def is_end(event: Event) -> bool:
    """Whether an event is the end of a generation."""
    return event["type"] in TERMINAL and bool(event.get("generation_id"))


def message_of(event: Event) -> Message | None:
    """Return the stored message that an event is about."""
    if event["type"] == "user_message" or is_end(event):
        message: Message = event.get("ai_message") or event["message"]
        return message
    return None


def repeated_to(seen: list[Seen]) -> set[tuple[str, str]]:
    """Return readers and generations whose start they were told again: they had asked again.

    They are told the end again too. A regeneration has no start that could say so.
    """
    return {
        (each.by, each.event["message"]["generation_id"])
        for each in seen
        if each.event["type"] == "user_message" and each.event.get("duplicate")
    }
