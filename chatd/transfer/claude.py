"""Conversations of Claude's export.

`conversations.json` is a list of objects with `uuid`, `name` and `chat_messages`; a message has a
`sender`, human or assistant, and `content`, blocks of text, thinking, tool_use and tool_result. Its
`parent_message_uuid`, where there is one, leads to the message before; that of the first ones leads
nowhere.
"""

from __future__ import annotations

from typing import Any

import msgspec

from chatd.transfer.foreign import (
    Grower,
    Part,
    call_part,
    list_of,
    object_of,
    reasoning_part,
    result_part,
    text_of,
    text_part,
)
from chatd.transfer.trees import Refused, Tree
from chatd.types import Role

FORMAT = "claude"
ROLES: dict[str, Role] = {"human": "user", "assistant": "assistant"}


def is_conversation(value: dict[str, Any]) -> bool:
    """Whether an object has the shape of one of these."""
    return isinstance(value.get("chat_messages"), list)


def read(value: dict[str, Any], place: str) -> Tree:
    """Return a conversation. Raises Refused."""
    grower = Grower(
        FORMAT, place, value.get("uuid"), title=value.get("name"), at=value.get("created_at")
    )
    messages = [object_of(message) for message in value["chat_messages"]]
    before: str | None = None
    for number, message in enumerate(messages):
        role = ROLES.get(text_of(message.get("sender")))
        if role is None:
            raise Refused(f"message {number + 1} is of an unknown sender")
        name = text_of(message.get("uuid")) or str(number)
        # Without a tree the messages are a row.
        has_parent = isinstance(message.get("parent_message_uuid"), str)
        parent_id = message["parent_message_uuid"] if has_parent else before
        grower.add(name, parent_id, role, _parts(message), at=message.get("created_at"))
        before = name
    model = text_of(value.get("model"))
    return grower.tree(
        head=value.get("current_leaf_message_uuid"),
        metadata={"imported_model": model} if model else None,
    )


def _parts(message: dict[str, Any]) -> list[Part]:
    """Return what a message says; what was attached to it stands behind its text."""
    blocks = [object_of(block) for block in list_of(message.get("content"))]
    parts = [part for block in blocks for part in _block(block)]
    if not parts and text_of(message.get("text")):
        parts = [text_part(text_of(message.get("text")))]
    for attached in map(object_of, list_of(message.get("attachments"))):
        text = text_of(attached.get("extracted_content"))
        name = text_of(attached.get("file_name")) or "attachment"
        parts.append(text_part(f"[{name}]\n{text}" if text else f"[{name}]"))
    for file in map(object_of, list_of(message.get("files"))):
        parts.append(text_part(f"[{text_of(file.get('file_name')) or 'file'}]"))
    return parts


def _block(block: dict[str, Any]) -> list[Part]:
    text = text_of(block.get("text"))
    match block.get("type"):
        case "text" if text:
            return [text_part(text)]
        case "thinking" if text_of(block.get("thinking")):
            return [reasoning_part(text_of(block.get("thinking")))]
        case "tool_use":
            arguments = msgspec.json.encode(block.get("input")).decode()
            return [call_part(text_of(block.get("id")), text_of(block.get("name")), arguments)]
        case "tool_result":
            inner = block.get("content")
            texts = [text_of(object_of(item).get("text")) for item in list_of(inner)]
            return [
                result_part(
                    text_of(block.get("tool_use_id")),
                    text_of(block.get("name")),
                    text_of(inner) or "\n\n".join(filter(None, texts)),
                    is_error=block.get("is_error") is True,
                )
            ]
    return []
