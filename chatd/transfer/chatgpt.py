"""Conversations of ChatGPT's export.

`conversations.json` is a list of objects whose `mapping` is {node id: {id, parent, children,
message}}, a tree with roots without a message; `current_node` is the leaf that was shown. One
answer may be a row of nodes, of the model and of its tools: they become one message here.
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

FORMAT = "chatgpt"
HIDDEN = "is_visually_hidden_from_conversation"


def is_conversation(value: dict[str, Any]) -> bool:
    """Whether an object has the shape of one of these."""
    return isinstance(value.get("mapping"), dict)


def read(value: dict[str, Any], place: str) -> Tree:
    """Return a conversation. Raises Refused."""
    grower = Grower(
        FORMAT,
        place,
        value.get("conversation_id") or value.get("id"),
        title=value.get("title"),
        at=value.get("create_time"),
    )
    nodes = {name: object_of(node) for name, node in value["mapping"].items()}
    for name in _parents_first(nodes):
        _add(grower, name, nodes)
    model = text_of(value.get("default_model_slug"))
    return grower.tree(
        head=value.get("current_node"), metadata={"imported_model": model} if model else None
    )


def _parents_first(nodes: dict[str, dict[str, Any]]) -> list[str]:
    """Return the names of nodes, each behind its parent. Raises Refused for a circle."""
    answers: dict[str, list[str]] = {}
    todo = []
    for name, node in nodes.items():
        parent = node.get("parent")
        if isinstance(parent, str) and parent in nodes:
            answers.setdefault(parent, []).append(name)
        else:
            todo.append(name)
    found = []
    todo.reverse()
    while todo:
        found.append(todo.pop())
        todo.extend(reversed(answers.get(found[-1], ())))
    if len(found) != len(nodes):
        raise Refused("nodes are each other's parents in a circle")
    return found


def _add(grower: Grower, name: str, nodes: dict[str, dict[str, Any]]) -> None:
    node = nodes[name]
    parent_id = node.get("parent") if isinstance(node.get("parent"), str) else None
    message = object_of(node.get("message"))
    metadata = object_of(message.get("metadata"))
    role = object_of(message.get("author")).get("role")
    is_hidden = metadata.get(HIDDEN) is True or message.get("weight") == 0
    if role not in ("user", "assistant", "tool") or is_hidden:
        grower.leave_out(name, parent_id)
        return
    parts = _parts(message, role)
    if role == "user":
        grower.add(name, parent_id, "user", parts, at=message.get("create_time"))
        return
    model = text_of(metadata.get("model_slug")) or None
    before = grower.get(grower.place_of(parent_id))
    is_alone = len(list_of(nodes.get(parent_id or "", {}).get("children"))) < 2
    if before is not None and before.role == "assistant" and is_alone:
        grower.go_on(name, before, parts, model=before.model or model)
    else:
        grower.add(name, parent_id, "assistant", parts, at=message.get("create_time"), model=model)


def _parts(message: dict[str, Any], role: str) -> list[Part]:
    """Return what a node says."""
    content = object_of(message.get("content"))
    name = text_of(object_of(message.get("author")).get("name"))
    call_id = text_of(message.get("id"))
    if content.get("content_type") == "thoughts":
        thoughts = [object_of(thought) for thought in list_of(content.get("thoughts"))]
        texts = [text_of(t.get("content")) or text_of(t.get("summary")) for t in thoughts]
        return [reasoning_part(text) for text in texts if text]
    if content.get("content_type") in ("reasoning_recap", "model_editable_context"):
        return []
    text = _text(content)
    if not text:
        return []
    recipient = message.get("recipient")
    if role == "assistant" and isinstance(recipient, str) and recipient != "all":
        arguments = msgspec.json.encode({"input": text}).decode()
        return [call_part(call_id, text_of(recipient), arguments)]
    return [result_part(call_id, name, text)] if role == "tool" else [text_part(text)]


def _text(content: dict[str, Any]) -> str:
    """Return the text of a content; what is no text is named by its kind."""
    if not isinstance(content.get("parts"), list):
        return text_of(content.get("text")) or text_of(content.get("result"))
    texts = []
    for part in content["parts"]:
        kind = text_of(object_of(part).get("content_type"))
        texts.append(text_of(part) or text_of(object_of(part).get("text")) or _named(kind))
    return "\n\n".join(filter(None, texts))


def _named(kind: str) -> str:
    """Return what stands for a picture or a sound, which the file does not hold."""
    return f"[{kind.removesuffix('_asset_pointer').replace('_', ' ')}]" if kind else ""
