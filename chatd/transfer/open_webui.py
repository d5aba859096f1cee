"""Chats of Open WebUI's export.

A list of objects whose `chat` holds `title`, `models` and `history`: {messages: {id: {id, parentId,
childrenIds, role, content, ...}}, currentId}. In the older form the object is the chat itself.
"""

from __future__ import annotations

from typing import Any

from chatd.errors import ProviderError
from chatd.run import error_value
from chatd.transfer.foreign import Grower, list_of, object_of, text_of, text_part, usage_of
from chatd.transfer.times import time_of
from chatd.transfer.trees import Refused, Tree

FORMAT = "open-webui"


def is_conversation(value: dict[str, Any]) -> bool:
    """Whether an object has the shape of one of these."""
    return isinstance(_history(value).get("messages"), dict)


def _chat(value: dict[str, Any]) -> dict[str, Any]:
    return value["chat"] if isinstance(value.get("chat"), dict) else value


def _history(value: dict[str, Any]) -> dict[str, Any]:
    return object_of(_chat(value).get("history"))


def read(value: dict[str, Any], place: str) -> Tree:
    """Return a chat. Raises Refused."""
    chat, history = _chat(value), _history(value)
    grower = Grower(
        FORMAT,
        place,
        value.get("id") or chat.get("id"),
        title=value.get("title") or chat.get("title"),
        at=value.get("created_at") or chat.get("timestamp"),
    )
    params = object_of(chat.get("params"))
    grower.system_prompt = text_of(params.get("system")) or text_of(chat.get("system"))
    messages = {name: object_of(message) for name, message in history["messages"].items()}
    done: set[str] = set()
    for name in messages:
        for step in _path(name, messages, done):
            _add(grower, step, messages[step])
            done.add(step)
    return grower.tree(head=history.get("currentId"))


def _path(name: str, messages: dict[str, dict[str, Any]], done: set[str]) -> list[str]:
    """Return the messages up to this one that are not done, the first one first."""
    path: list[str] = []
    seen = set(done)
    step: Any = name
    while isinstance(step, str) and step in messages and step not in seen:
        path.append(step)
        seen.add(step)
        step = messages[step].get("parentId")
    if step in path:
        raise Refused("messages answer each other in a circle")
    path.reverse()
    return path


def _add(grower: Grower, name: str, message: dict[str, Any]) -> None:
    parent_id, role = message.get("parentId"), message.get("role")
    parent_id = parent_id if isinstance(parent_id, str) else None
    text = _text(message.get("content"))
    if role not in ("user", "assistant"):
        if role == "system" and not grower.system_prompt:
            grower.system_prompt = text
        grower.leave_out(name, parent_id)
        return
    fields: dict[str, Any] = {}
    if role == "assistant":
        fields["model"] = text_of(message.get("model")) or None
        fields["usage"] = usage_of(message.get("usage"))
        if message.get("error"):
            said = text_of(object_of(message["error"]).get("content"))
            fields |= {"status": "error", "error": error_value(ProviderError(said))}
    at = time_of(message.get("timestamp"))
    parts = [text_part(text)] if text else []
    grower.add(name, parent_id, role, parts, at=at.timestamp() if at else None, **fields)


def _text(content: Any) -> str:
    """Return the text of a content, which may be a list of parts."""
    texts = [text_of(object_of(part).get("text")) for part in list_of(content)]
    return text_of(content) or "\n\n".join(filter(None, texts))
