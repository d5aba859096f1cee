"""Conversations of other programs: what all readers of such files share."""

from __future__ import annotations

import datetime as dt
from typing import Any

from chatd.transfer.texts import clean_text
from chatd.transfer.times import time_of
from chatd.transfer.trees import Refused, Tree
from chatd.types import Message, Role, Session, Usage

TITLE = 200
NEVER = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

Part = dict[str, Any]


def text_of(value: Any) -> str:
    """Return a text, nothing for what is none."""
    return clean_text(value) if isinstance(value, str) else ""


def object_of(value: Any) -> dict[str, Any]:
    """Return an object, an empty one for what is none."""
    return value if isinstance(value, dict) else {}


def list_of(value: Any) -> list[Any]:
    """Return a list, an empty one for what is none."""
    return value if isinstance(value, list) else []


def text_part(text: str) -> Part:
    """Return a part that is text."""
    return {"type": "text", "text": text}


def reasoning_part(text: str) -> Part:
    """Return a part that is reasoning."""
    return {"type": "reasoning", "text": text}


def call_part(call_id: str, name: str, arguments: str) -> Part:
    """Return a part that calls a tool; `arguments` is the text that the model wrote."""
    return {"type": "tool_call", "tool_call_id": call_id, "name": name, "arguments": arguments}


def result_part(call_id: str, name: str, result: str, *, is_error: bool = False) -> Part:
    """Return a part that a tool has answered."""
    answer = {"tool_call_id": call_id, "name": name, "result": result, "is_error": is_error}
    return {"type": "tool_result", **answer}


def usage_of(value: Any) -> Usage | None:
    """Return what a reply cost, if that is told as OpenAI's API tells it."""
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    counts = [object_of(value).get(name) for name in names]
    if not all(isinstance(n, int) and 0 <= n < 2**53 for n in counts):
        return None
    return Usage(**dict(zip(names, counts, strict=True)))  # type: ignore[arg-type]


class Grower:
    """Makes a tree of one conversation; messages must be added after those they answer."""

    def __init__(self, format: str, place: str, source_id: Any, *, title: Any, at: Any) -> None:
        self._format, self._place = format, place
        self.title = text_of(title).strip()
        self.created_at = time_of(at) or NEVER
        self.id = text_of(source_id) or f"{self.title}\n{self.created_at.isoformat()}"
        self.system_prompt = ""
        self._messages: dict[str, Message] = {}
        # What was left out, or became part of another: the message that stands for it.
        self._stands_for: dict[str, str | None] = {}

    def place_of(self, source_id: str | None) -> str | None:
        """Return the id of the message that stands for one of the file, if any."""
        if source_id in self._messages:
            return source_id
        return self._stands_for.get(source_id or "")

    def get(self, message_id: str | None) -> Message | None:
        """Return a message that has been added."""
        return self._messages.get(message_id or "")

    def leave_out(self, source_id: str, parent_id: str | None) -> None:
        """Have the parent of a message stand for it."""
        self._stands_for[source_id] = self.place_of(parent_id)

    def add(
        self,
        source_id: str,
        parent_id: str | None,
        role: Role,
        parts: list[Part],
        *,
        at: Any = None,
        **fields: Any,
    ) -> None:
        """Add a message; one that says nothing is left out. Raises Refused for an id in use."""
        if source_id in self._messages:
            raise Refused("two messages have the same id")
        if not parts and not fields.get("error"):
            self.leave_out(source_id, parent_id)
            return
        parent = self.get(self.place_of(parent_id))
        time = time_of(at) or (parent.created_at if parent else self.created_at)
        message = Message(
            id=source_id,
            session_id=self.id,
            parent_id=parent.id if parent else None,
            role=role,
            created_at=time,
            updated_at=time,
            **fields,
        )
        self._messages[source_id] = _said(message, parts)

    def go_on(self, source_id: str, message: Message, parts: list[Part], **fields: Any) -> None:
        """Add to a message that has been added already."""
        old = message.parts or ([text_part(message.content)] if message.content else [])
        self._messages[message.id] = _said(message.replace(**fields), old + parts)
        self._stands_for[source_id] = message.id

    def tree(self, *, head: Any = None, metadata: dict[str, Any] | None = None) -> Tree:
        """Return the tree. Raises Refused for a conversation in which nothing was said."""
        if not self._messages:
            raise Refused("nothing is said in it")
        messages = list(self._messages.values())
        created_at = self.created_at if self.created_at != NEVER else messages[0].created_at
        noted = {"imported_from": self._format, "imported_id": self.id[:TITLE]}
        session = Session(
            id=self.id,
            title=self.title[:TITLE],
            system_prompt=self.system_prompt,
            metadata=noted | (metadata or {}),
            head_id=self.place_of(head if isinstance(head, str) else None),
            created_at=created_at,
            updated_at=created_at,
        )
        return Tree(self._format, self._place, session, messages)


def _said(message: Message, parts: list[Part]) -> Message:
    """Return a message that says this; parts are kept where they are more than text."""
    content = "\n\n".join(part["text"] for part in parts if part["type"] == "text")
    is_plain = all(part["type"] == "text" for part in parts)
    return message.replace(content=content, parts=[] if is_plain else parts)
