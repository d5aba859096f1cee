"""What happens in a session, as a client gets it: typed, in order, each thing once.

The names are those of the wire (PROTOCOL section 4.2) without what is obvious here. `Text` and
`Reasoning` bring what is new; the whole is at the Turn, or at ChatSession.running.
"""

from __future__ import annotations

from typing import Any

from chatd.errors import ChatdError
from chatd.types import Message, Session, Value


class Event(Value, frozen=True, kw_only=True):
    """What all events share: nothing."""


class Connected(Event, frozen=True, kw_only=True):
    """The socket is open, for the first time or again; what was missed follows."""

    revision: int = 0
    head_id: str | None = None
    generation_id: str | None = None
    server: str = ""
    ping_interval: float = 25.0


class Disconnected(Event, frozen=True, kw_only=True):
    """The connection is lost. It is tried again in `retry_in` seconds, until it succeeds."""

    reason: str
    code: int | None = None
    retry_in: float = 0.0


class Reload(Event, frozen=True, kw_only=True):
    """Too much was missed, or the store is another one: what is shown must be read again."""


class UserMessage(Event, frozen=True, kw_only=True):
    """A user's message is on disk."""

    message: Message
    is_repeated: bool = False


class Started(Event, frozen=True, kw_only=True):
    """A generation has started; `message` is its answer, which is empty yet (`ai_typing`)."""

    generation_id: str
    message: Message
    is_repeated: bool = False


class LogEvent(Event, frozen=True, kw_only=True):
    """Something new in the log of a running generation."""

    generation_id: str
    message_id: str


class Text(LogEvent, frozen=True, kw_only=True):
    """More of the reply."""

    content: str


class Reasoning(LogEvent, frozen=True, kw_only=True):
    """More of what the model thinks before and between its reply."""

    content: str


class ToolCall(LogEvent, frozen=True, kw_only=True):
    """The model calls a tool."""

    tool_call_id: str
    name: str
    arguments: Any = None


class ToolResult(LogEvent, frozen=True, kw_only=True):
    """A tool has answered."""

    tool_call_id: str
    name: str
    result: Any = None
    is_error: bool = False


class Ended(Event, frozen=True, kw_only=True):
    """A generation has ended; `message` takes the place of all text that was shown of it."""

    generation_id: str
    message: Message
    is_repeated: bool = False


class Complete(Ended, frozen=True, kw_only=True):
    """The reply is complete, or was stopped: see `message.status`."""


class Failed(Ended, frozen=True, kw_only=True):
    """The generation failed or was interrupted."""

    error: ChatdError


class Refused(Event, frozen=True, kw_only=True):
    """The server did not do what this client asked; nothing is stored."""

    error: ChatdError
    client_id: str | None = None


class UserTyping(Event, frozen=True, kw_only=True):
    """Somebody types in another window, or has stopped to."""

    user_id: str
    name: str
    is_typing: bool


class MessageUpdated(Event, frozen=True, kw_only=True):
    """A message was changed in a way that no other event tells."""

    message: Message


class SessionUpdated(Event, frozen=True, kw_only=True):
    """The session was changed. Another `head_id` says that another branch is shown."""

    session: Session


class SessionDeleted(Event, frozen=True, kw_only=True):
    """The session was deleted; its sockets close."""

    session: Session | None = None


class Pong(Event, frozen=True, kw_only=True):
    """The answer to a ping: where the session stands."""

    t: Any = None
    revision: int = 0
    generation_id: str | None = None


class SessionsLoaded(Event, frozen=True, kw_only=True):
    """The first page of the session list, the most recent activity first."""

    sessions: list[Session]


class SessionCreated(Event, frozen=True, kw_only=True):
    """There is a new session."""

    session: Session


class GenerationStarted(Event, frozen=True, kw_only=True):
    """A generation runs in some session of the caller."""

    session_id: str
    generation_id: str


class GenerationEnded(Event, frozen=True, kw_only=True):
    """A generation in some session of the caller has ended."""

    session_id: str
    generation_id: str
    status: str = ""
