"""The routes of sessions (PROTOCOL section 3)."""

from __future__ import annotations

from chatd import errors
from chatd.contract.operation import (
    CURSOR,
    IF_MATCH,
    IS_ACTIVE,
    LIMIT,
    Answer,
    Operation,
    query,
)

SESSION = Answer(about="The session.", schema="Session", headers=("ETag",))
NEW_SESSION = SESSION.replace(about="The new session.", headers=("ETag", "Location"))
ERASED = Answer(about="It is done.")

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
        method="POST",
        path="sessions/{session_id}/messages/{message_id}/select/",
        id="selectMessage",
        tag="Messages",
        title="Show the branch of a message",
        about="With what was last said after it.",
        body="nothing",
        answers={200: SESSION},
        errors=(errors.GenerationRunning, errors.SessionDeleted),
    ),
]
