"""What a frame from a client says, and what is said to one that cannot be taken."""

from __future__ import annotations

from typing import Any

from chatd.errors import BadRequest, ChatdError
from chatd.events import Event
from chatd.handlers.problems import whole_seconds
from chatd.schemas import ID
from chatd.strict_json import parse


def is_too_large(frame: str | bytes, most_bytes: int) -> bool:
    """Return whether a frame has more bytes; 0 is no limit."""
    if not most_bytes or len(frame) * 4 <= most_bytes:
        return False
    return len(frame if isinstance(frame, bytes) else frame.encode()) > most_bytes


def read_event(frame: str | bytes, *, depth: int) -> dict[str, Any]:
    """Return an event that has a type; its fields are not checked yet. Raises BadRequest."""
    if isinstance(frame, bytes):
        raise BadRequest("Frames are text: binary ones are not understood.")
    event = parse(frame, depth=depth)
    if not isinstance(event, dict) or not isinstance(event.get("type"), str):
        raise BadRequest("An event is an object with a type.")
    return event


def client_id_of(event: dict[str, Any]) -> str | None:
    """Return the client_id of an event whatever else is wrong with it: it names what failed."""
    client_id = event.get("client_id")
    return client_id if isinstance(client_id, str) and len(client_id) <= ID else None


def error_event(error: ChatdError, client_id: str | None = None) -> Event:
    """Return the event that answers a command with an error."""
    payload: dict[str, Any] = {
        "message": error.message,
        "code": error.code,
        "retryable": error.retryable,
    }
    if error.errors:
        payload["errors"] = error.errors
    if error.retry_after is not None:
        payload["retry_after"] = whole_seconds(error.retry_after)
    if client_id is not None:
        payload["client_id"] = client_id
    return Event(type="error", payload=payload)
