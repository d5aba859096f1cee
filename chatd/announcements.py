"""The events of a turn: what subscribers are told of its messages and its generation."""

from __future__ import annotations

from typing import Any

from chatd.events import Event
from chatd.types import Message


def user_message_event(message: Message, *, duplicate: bool = False) -> Event:
    """Return the event that says a user's message is stored."""
    payload: dict[str, Any] = {"message": message}
    if duplicate:
        payload["duplicate"] = True
    return Event(
        type="user_message",
        payload=payload,
        revision=message.revision,
        generation_id=message.generation_id,
    )


def typing_event(answer: Message) -> Event:
    """Return the event that says a generation has started."""
    payload = {
        "message": "AI is thinking...",
        "generation_id": answer.generation_id,
        "message_id": answer.id,
        "ai_message": answer,
    }
    return Event(
        type="ai_typing",
        payload=payload,
        revision=answer.revision,
        generation_id=answer.generation_id,
        generation="starts",
    )


def end_event(message: Message, client_id: str | None = None) -> Event:
    """Return the terminal event of a generation whose message has ended."""
    generation_id = message.generation_id
    if message.status in ("complete", "stopped"):
        payload: dict[str, Any] = {"message": message, "generation_id": generation_id}
        kind = "ai_message_complete"
    else:
        kind, error = "error", message.error or {}
        payload = {
            "message": error.get("message", ""),
            "code": error.get("code", "internal"),
            "retryable": error.get("retryable", False),
            "generation_id": generation_id,
            "ai_message": message,
        }
        if client_id is not None:
            payload["client_id"] = client_id
    return Event(
        type=kind,
        payload=payload,
        revision=message.revision,
        generation_id=generation_id,
        generation="ends",
    )


def replay_event(message: Message) -> Event | None:
    """Return the event that brings a changed message to somebody who missed the change."""
    if message.status == "streaming":
        return None  # its generation runs: `ai_typing` and the snapshot bring it
    if message.role == "user":
        return user_message_event(message)
    if message.role == "assistant":
        return end_event(message)
    return Event(type="message_updated", payload={"message": message}, revision=message.revision)
