"""The events of the sockets, and their close codes (PROTOCOL sections 4 and 5).

What clients send has its fields in `chatd.schemas`, as it is checked there; here it has its
sentence. What the server sends is here whole. `type`, which all events have, is added to both.
"""

from __future__ import annotations

from marshmallow import fields, validate

from chatd.contract.answers import kinds_of
from chatd.contract.objects import (
    Answer,
    Message,
    Session,
    count,
    flag,
    maybe,
    nested,
    number,
    one_of,
    several,
    text,
    uuid,
)
from chatd.schemas import ID

CLOSE_CODES = {
    1001: "The server goes away. Reconnect.",
    1002: "A frame broke RFC 6455.",
    1007: "A text was not UTF-8.",
    1009: "A frame was too large.",
    1011: "A bug of the server. Reconnect.",
    1012: "The server stops. Reconnect.",
    1013: "Too many connections. Reconnect later.",
    4008: "The client is too slow. Reconnect with `since`.",
    4029: "It went on sending though it was told to wait (`retry_after`). Reconnect later.",
    4501: "Unauthorized. Stop.",
    4503: "Forbidden. Stop.",
    4504: "There is no such session, or it is deleted. Stop.",
    4513: "Too many frames that could not be read. Stop.",
}

FROM_CLIENT = {
    "send_message": "Sends a message. The same `client_id` again sends it no second time.",
    "typing": "Says that the user types; that expires after five seconds.",
    "stop_typing": "Says that the user types no more.",
    "ping": "Asks for a `pong` with the same `t`.",
    "stop_generation": "Stops what runs; what it has produced is kept, cut after `seen_seq`.",
    "regenerate": "Answers again; by default the last message of the assistant.",
    "edit_message": "Sends a new message beside an old one of the user.",
    "resume": "Asks for the rest of a generation's log, or for the end of an ended one.",
}


class RunningGeneration(Answer):
    """A generation that runs, and how long its log is."""

    generation_id = uuid()
    message_id = uuid()
    seq = count()


class LogHead(Answer):
    """A generation that runs, and how long its log is."""

    generation_id = uuid()
    seq = count()


class Greeting(Answer):
    """What every socket begins with."""

    message = text("For humans.")
    epoch = text("Names the store; another one means that a backup was restored.")
    server = text("`chatd/` and its version.")
    protocol = fields.Integer(required=True, validate=validate.Equal(1))
    ping_interval = number("The server pings so often, in seconds.")


class SessionGreeting(Greeting):
    """The first event: where the session stands. With `since` what the client missed follows."""

    session_id = uuid()
    revision = count("The newest change of the session's messages.")
    head_id = uuid("The last message of the branch that is shown.", allow_none=True)
    generation = nested(RunningGeneration, "What runs now.", allow_none=True)
    reload = flag("Load the messages again: too much was missed.", required=False)


class ListGreeting(Greeting):
    """The first event: the first page of the caller's sessions."""

    sessions = several(Session)
    next = maybe("The cursor of the next page, for REST.")


class UserMessage(Answer):
    """A user's message is on disk."""

    message = nested(Message)
    duplicate = flag("It answers a repeat by `client_id`.", required=False)


class AiTyping(Answer):
    """A generation has started."""

    message = text("For humans.")
    generation_id = uuid()
    message_id = uuid()
    ai_message = nested(Message, "Its status is `streaming`.")


class Logged(Answer):
    """What all entries of a generation's log have: it follows entry `prev` and ends with `seq`."""

    generation_id = uuid()
    message_id = uuid()
    prev = count("The entry that it continues after; 0: clear what you have.")
    seq = count("The last entry that it holds.", low=1)


class AiMessageChunk(Logged):
    """Text, as it is written."""

    content = text("The new text.")
    full_content = fields.String(
        metadata={"description": "The whole text; not with `chunks=delta`."}
    )


class AiReasoningChunk(Logged):
    """What the model thinks before it writes."""

    content = text()


class AiToolCall(Logged):
    """The model asks for a tool."""

    tool_call_id = text()
    name = text()
    arguments = text("The JSON text that the model wrote.")


class AiToolResult(Logged):
    """What a tool answered."""

    tool_call_id = text()
    name = text()
    result = fields.Raw(required=True)
    is_error = flag()


class AiMessageComplete(Answer):
    """A generation has ended: its text replaces what was shown."""

    message = nested(Message, "Its status is `complete` or `stopped`.")
    generation_id = uuid()


class Error(Answer):
    """Something failed: a command, or with `generation_id` and `ai_message` a generation."""

    message = text("A sentence that a user may read.")
    code = one_of([kind.code for kind in kinds_of()], "Stable: decide by this.")
    retryable = flag("Whether the same again can succeed.")
    client_id = fields.String(
        validate=validate.Length(max=ID), metadata={"description": "That of what failed."}
    )
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={"description": "Of each wrong field, what is wrong; inner ones with dots."},
    )
    retry_after = fields.Integer(
        validate=validate.Range(1), metadata={"description": "In seconds."}
    )
    generation_id = fields.UUID()
    ai_message = fields.Nested(Message, metadata={"description": "As it is stored."})


class TypingUser(Answer):
    """Who types."""

    id = uuid()
    name = text()


class UserTyping(Answer):
    """Somebody types in another socket of the session, or no more."""

    user = nested(TypingUser)
    is_typing = flag()


class MessageUpdated(Answer):
    """A message changed in another way than the events above say."""

    message = nested(Message)


class SessionCreated(Answer):
    """There is a new session."""

    session = nested(Session)


class SessionUpdated(Answer):
    """A session changed; another `head_id` says that another branch is shown."""

    session = nested(Session)


class SessionDeleted(Answer):
    """A session was deleted; its own sockets close behind this."""

    session = nested(Session)


class SessionPong(Answer):
    """The answer to `ping`, with the head: who lost the last frame finds out."""

    t = fields.Raw(required=True, allow_none=True)
    revision = count()
    generation = nested(LogHead, allow_none=True)


class ListPong(Answer):
    """The answer to `ping`."""

    t = fields.Raw(required=True, allow_none=True)


class GenerationStarted(Answer):
    """A generation of one of the caller's sessions has started."""

    session_id = uuid()
    generation_id = uuid()
    status = text(validate=validate.Equal("running"))


class GenerationEnded(Answer):
    """A generation of one of the caller's sessions has ended."""

    session_id = uuid()
    generation_id = uuid()
    status = one_of(["complete", "stopped", "error", "interrupted"])


# By type, in the order in which a reader wants to meet them.
FROM_SESSION: dict[str, type[Answer]] = {
    "connection_established": SessionGreeting,
    "user_message": UserMessage,
    "ai_typing": AiTyping,
    "ai_message_chunk": AiMessageChunk,
    "ai_reasoning_chunk": AiReasoningChunk,
    "ai_tool_call": AiToolCall,
    "ai_tool_result": AiToolResult,
    "ai_message_complete": AiMessageComplete,
    "error": Error,
    "user_typing": UserTyping,
    "message_updated": MessageUpdated,
    "session_updated": SessionUpdated,
    "session_deleted": SessionDeleted,
    "pong": SessionPong,
}
FROM_LIST: dict[str, type[Answer]] = {
    "connection_established": ListGreeting,
    "session_created": SessionCreated,
    "session_updated": SessionUpdated,
    "session_deleted": SessionDeleted,
    "generation_started": GenerationStarted,
    "generation_ended": GenerationEnded,
    "pong": ListPong,
    "error": Error,
}
TO_LIST = ("ping",)
