"""A small model of what chatd must show: sessions as lists and numbers, without any I/O.

It knows nothing of branches: what is shown is the head and its ancestors.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from chatd.provider import Chunk, Finish, Reasoning, ToolCall
from chatd.types import Message, Usage

Entry = tuple[str, Any]  # kind, and the text or what is known of a tool call


@dataclasses.dataclass
class Reply:
    """What a provider has said in a running generation."""

    id: str
    entries: list[Entry] = dataclasses.field(default_factory=list)
    usage: Usage | None = None
    finish_reason: str = "stop"
    saved: int = 0  # entries that a checkpoint has stored for certain

    def add(self, burst: list[Chunk | str]) -> None:
        """Take what was said without a pause: pieces of text that follow each other are one."""
        is_open = False
        for chunk in burst:
            if isinstance(chunk, str):
                if is_open:
                    self.entries[-1] = ("text", self.entries[-1][1] + chunk)
                else:
                    self.entries.append(("text", chunk))
            elif isinstance(chunk, Reasoning):
                self.entries.append(("reasoning", chunk.text))
            elif isinstance(chunk, ToolCall):
                call = {"tool_call_id": chunk.id, "name": chunk.name, "arguments": chunk.arguments}
                self.entries.append(("tool_call", call))
            elif isinstance(chunk, Usage):
                self.usage = chunk
                continue
            elif isinstance(chunk, Finish):
                self.finish_reason = chunk.reason
                continue
            is_open = isinstance(chunk, str)

    def text(self, seq: int | None = None) -> str:
        """Return the text up to an entry."""
        return "".join(text for kind, text in self.entries[:seq] if kind == "text")

    def parts(self, seq: int | None = None) -> list[dict[str, Any]]:
        """Return the reply in pieces; none when it is text alone."""
        parts: list[dict[str, Any]] = []
        for kind, value in self.entries[:seq]:
            if kind == "tool_call":
                parts.append({"type": kind, **value})
            elif parts and parts[-1]["type"] == kind:
                parts[-1]["text"] += value
            else:
                parts.append({"type": kind, "text": value})
        return parts if any(part["type"] != "text" for part in parts) else []


@dataclasses.dataclass
class Row:
    """A message as it must be stored."""

    id: str
    role: str
    parent_id: str | None
    seq: int
    revision: int
    kind: str
    client_id: str | None = None
    generation_id: str | None = None
    content: str = ""
    status: str = "complete"
    parts: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    usage: Usage | None = None
    finish_reason: str | None = None
    error: str | None = None

    def is_like(self, message: Message) -> bool:
        """Whether a stored message is this one; text that is being written may be behind."""
        same = all(
            getattr(self, name) == getattr(message, name)
            for name in ("id", "role", "parent_id", "seq", "revision", "status", "client_id")
        )
        same = same and self.generation_id == message.generation_id
        if self.status == "streaming":
            return same
        return same and all(
            (
                self.content == message.content,
                self.parts == message.parts,
                self.usage == message.usage,
                self.finish_reason == message.finish_reason,
                self.error == (message.error or {}).get("code"),
            )
        )


class Conversation:
    """A session as it must be."""

    def __init__(self, owner: str, id: str, title: str) -> None:
        self.owner, self.id, self.title = owner, id, title
        self.version, self.is_active = 1, True
        self.rows: dict[str, Row] = {}
        self.revision = 0
        self.head_id: str | None = None
        self.message_count = 0
        self.reply: Reply | None = None

    def shown_id(self) -> str | None:
        """Return the last message that is shown, also one that is being written."""
        return self.reply.id if self.reply else self.head_id

    def chain(self, id: str | None) -> list[Row]:
        """Return a message and its ancestors, the oldest first."""
        found: list[Row] = []
        while id is not None:
            found.append(self.rows[id])
            id = found[-1].parent_id
        return found[::-1]

    def shown(self) -> list[Row]:
        """Return what a list shows: not what is being written."""
        return [row for row in self.chain(self.shown_id()) if row.status != "streaming"]

    def history(self) -> list[tuple[str, str]]:
        """Return what a provider must be given for the turn that runs."""
        return [
            (row.role, row.content) for row in self.shown() if row.role == "user" or row.content
        ]

    def newest_below(self, id: str) -> str:
        """Return the newest of all messages that continue one, or that itself."""
        return max(
            (row for row in self.rows.values() if self.rows[id] in self.chain(row.id)),
            key=lambda row: row.seq,
        ).id

    def of_client(self, client_id: str) -> Row | None:
        """Return the message that carries a client_id."""
        return next((row for row in self.rows.values() if row.client_id == client_id), None)

    def begin(
        self, kind: str, text: str, parent_id: str | None, client_id: str | None, ids: list[str]
    ) -> None:
        """Store a turn; `ids` are those of its new messages."""
        if kind != "regenerate":
            self._add(ids[0], "user", parent_id, kind, client_id, ids[-1]).content = text
            parent_id, client_id = ids[0], None
        row = self._add(ids[-1], "assistant", parent_id, kind, client_id, ids[-1])
        row.status = "streaming"
        self.reply = Reply(ids[-1])

    def _add(
        self, id: str, role: str, parent: str | None, kind: str, client_id: str | None, gen: str
    ) -> Row:
        assert id not in self.rows, "an id was used twice"
        self.revision += 1
        seq = len(self.rows) + 1
        row = Row(id, role, parent, seq, self.revision, kind, client_id, gen)
        self.rows[id] = row
        return row

    def end(
        self, status: str, *, error: str | None = None, seen: int | None = None, kept: int = -1
    ) -> Row:
        """End the running generation, cut after entry `seen`, or with `kept` entries alone."""
        reply = self.reply
        assert reply is not None
        row, self.reply = self.rows[reply.id], None
        cut = kept if kept >= 0 else seen
        row.content, row.parts, row.status = reply.text(cut), reply.parts(cut), status
        row.usage = reply.usage if kept < 0 else None
        reasons = {"complete": reply.finish_reason, "stopped": "stopped"}
        row.finish_reason, row.error = reasons.get(status), error
        self.revision += 1
        row.revision = self.revision
        self.head_id = row.id
        self.message_count += 1 if row.kind == "regenerate" else 2
        return row
