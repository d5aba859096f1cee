"""The routes of sessions and messages (PROTOCOL section 3)."""

from __future__ import annotations

from chatd import errors
from chatd.contract.operation import (
    CURSOR,
    IF_MATCH,
    IS_ACTIVE,
    LIMIT,
    SSE,
    Answer,
    Operation,
    header,
    query,
)

SESSION = Answer(about="The session.", schema="Session", headers=("ETag",))
NEW_SESSION = SESSION.replace(about="The new session.", headers=("ETag", "Location"))
ERASED = Answer(about="It is done.")

CHUNKS = query(
    "chunks",
    "Of a stream: `delta` leaves `full_content` out.",
    {"enum": ["full", "delta"], "default": "full"},
)
PREFER = header("Prefer", "`respond-async`: 202 at once; the reply goes on.", "respond-async")
LAST_EVENT_ID = header(
    "Last-Event-ID",
    "`<generation_id>:<seq>`: the last event that came.",
    "0192f3a4-7c11-7d20-8b1e-3f6a5c9d0e12:4",
)
EVENTS = (
    "The events of one generation as in the document of the sockets: `event:` is the type, `data:`"
    " the JSON, `id:` `<generation_id>:<seq>` and at last `<generation_id>:end`."
)
SEQ = {"type": "integer", "minimum": 0, "maximum": 2**53}

TURN_ANSWERS = {
    200: Answer(
        about="The generation has ended: complete, or stopped. A repeat of a client_id: as it was.",
        schema="TurnEnd",
        others={SSE: EVENTS},
    ),
    202: Answer(
        about="The message is stored and the generation runs.",
        schema="TurnAccepted",
        headers=("Location", "Preference-Applied"),
    ),
}
PROVIDER_ERRORS = (
    errors.ProviderError,
    errors.ProviderTimeout,
    errors.ProviderUnavailable,
    errors.ProviderBusy,
    errors.ProviderRefused,
    errors.ProviderInterrupted,
    errors.GenerationInterrupted,
)
TURN_ERRORS = (
    errors.Conflict,
    errors.GenerationRunning,
    errors.SessionDeleted,
    errors.RateLimited,
    errors.TooManyGenerations,
    errors.ModelUnavailable,
    errors.ShuttingDown,
    *PROVIDER_ERRORS,
)

SESSION_OPERATIONS = [
    Operation(
        method="GET",
        path="sessions/",
        id="listSessions",
        tag="Sessions",
        title="List own sessions",
        about="The most recent activity comes first.",
        parameters=(
            query("q", "Words that the title has.", {"type": "string"}),
            IS_ACTIVE,
            LIMIT,
            CURSOR,
        ),
        answers={200: Answer(about="A page of sessions.", schema="SessionList")},
    ),
    Operation(
        method="POST",
        path="sessions/",
        id="createSession",
        tag="Sessions",
        title="Make a session",
        about="What is left out comes from the preset, if one is named.",
        body="new_session",
        answers={201: NEW_SESSION},
    ),
    Operation(
        method="GET",
        path="sessions/{session_id}/",
        id="getSession",
        tag="Sessions",
        title="Read a session",
        about="A deleted one too.",
        answers={200: SESSION},
    ),
    Operation(
        method="PATCH",
        path="sessions/{session_id}/",
        id="updateSession",
        tag="Sessions",
        title="Change a session",
        about="Only what is sent is changed. Settings merge key by key; null removes one.",
        parameters=(IF_MATCH,),
        body="session",
        answers={200: SESSION},
        errors=(errors.GenerationRunning,),
    ),
    Operation(
        method="DELETE",
        path="sessions/{session_id}/",
        id="deleteSession",
        tag="Sessions",
        title="Delete a session",
        about="A running generation is stopped. Everything is kept, unless it is purged.",
        parameters=(
            query(
                "purge",
                "`true` erases the session and its messages.",
                {"enum": ["true", "false"], "default": "false"},
            ),
            IF_MATCH,
        ),
        answers={204: ERASED},
        errors=(errors.GenerationRunning,),
    ),
    Operation(
        method="POST",
        path="sessions/{session_id}/restore/",
        id="restoreSession",
        tag="Sessions",
        title="Undo a delete",
        body="nothing",
        answers={200: SESSION},
    ),
    Operation(
        method="GET",
        path="sessions/{session_id}/messages/",
        id="listMessages",
        tag="Messages",
        title="List the messages of a session",
        about="The shown branch in ascending order; without `before` and `after` its newest"
        " messages. One that is still streaming is left out, except with `since` and `branch=all`.",
        parameters=(
            LIMIT,
            query("before", "Only messages with a lower `seq`.", SEQ),
            query("after", "Only messages with a higher `seq`.", SEQ),
            query("since", "Only messages that changed after this `revision`.", SEQ),
            query(
                "branch",
                "`all`: the messages of every branch.",
                {"enum": ["all", "shown"], "default": "shown"},
            ),
        ),
        answers={200: Answer(about="A page of messages.", schema="MessageList")},
    ),
    Operation(
        method="POST",
        path="sessions/{session_id}/send_message/",
        id="sendMessage",
        tag="Turns",
        title="Send a message",
        about="Waits for the reply. With `Accept: text/event-stream` it comes as it is written,"
        " with `Prefer: respond-async` the answer comes at once. With a `client_id` this may be"
        " repeated for ever: one message, one generation.",
        parameters=(CHUNKS, PREFER),
        body="send",
        answers=TURN_ANSWERS,
        errors=TURN_ERRORS,
        failure="TurnProblem",
    ),
    Operation(
        method="GET",
        path="sessions/{session_id}/stream/",
        id="streamGeneration",
        tag="Turns",
        title="Follow the running generation",
        about="Goes on after `Last-Event-ID`. Of an ended generation the last event comes.",
        parameters=(CHUNKS, LAST_EVENT_ID),
        answers={
            200: Answer(about="What comes until the end.", others={SSE: EVENTS}),
            204: Answer(about="Nothing runs, or the end has been seen: do not come back."),
        },
        errors=(errors.RateLimited,),
    ),
    Operation(
        method="POST",
        path="sessions/{session_id}/stop/",
        id="stopGeneration",
        tag="Turns",
        title="Stop the running generation",
        about="What it has produced is kept, cut after entry `seen_seq` if given.",
        body="stop",
        answers={200: Answer(about="Whether something ran.", schema="Stopped")},
    ),
]
