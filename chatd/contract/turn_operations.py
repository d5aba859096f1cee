"""The routes of messages and turns (PROTOCOL sections 3 and 3.1)."""

from __future__ import annotations

from chatd import errors
from chatd.contract.operation import LIMIT, SSE, Answer, Operation, header, query

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
    errors.PromptFailed,
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

TURN_OPERATIONS = [
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
        method="POST",
        path="sessions/{session_id}/regenerate/",
        id="regenerate",
        tag="Turns",
        title="Answer again",
        about="Beside the answer that is there; without `message_id` it is the last one. Answers as"
        " to a message that is sent.",
        parameters=(CHUNKS, PREFER),
        body="regenerate",
        answers=TURN_ANSWERS,
        errors=TURN_ERRORS,
        failure="TurnProblem",
    ),
    Operation(
        method="PATCH",
        path="sessions/{session_id}/messages/{message_id}/",
        id="editMessage",
        tag="Turns",
        title="Edit a message",
        about="A new message of the user beside the old one, and its answer: a branch of its own."
        " Answers as to a message that is sent.",
        parameters=(CHUNKS, PREFER),
        body="edit",
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
