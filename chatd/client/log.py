"""A generation's log at a client: the rule for its frames (PROTOCOL section 4.3)."""

from __future__ import annotations

from typing import Any

import msgspec

from chatd.client.events import Event, Reasoning, Text, ToolCall, ToolResult

Frame = dict[str, Any]


class Strand:
    """The pieces of one kind in a log: what there is, and how much of it was told."""

    __slots__ = ("_length", "_parts", "_told")

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = self._told = 0

    def append(self, content: str) -> str:
        """Add what follows; return what of it is news. After `clear` old text is none."""
        start, self._length = self._length, self._length + len(content)
        self._parts.append(content)
        news = content[max(0, self._told - start) :]
        self._told = max(self._told, self._length)
        return news

    def clear(self) -> None:
        """Begin again; what was told stays told."""
        self._parts, self._length = [], 0

    def __str__(self) -> str:
        if len(self._parts) > 1:
            self._parts = ["".join(self._parts)]
        return self._parts[0] if self._parts else ""


class Running:
    """A generation as far as its log is here: everything up to entry `have`."""

    __slots__ = ("_reasoning", "_text", "_tools", "_tools_told", "generation_id", "have",
                 "message_id")  # fmt: skip

    def __init__(self, generation_id: str, message_id: str) -> None:
        self.generation_id, self.message_id = generation_id, message_id
        self.have = 0
        self._text, self._reasoning = Strand(), Strand()
        self._tools = self._tools_told = 0

    @property
    def text(self) -> str:
        """The reply up to now: a prefix of what the model produced."""
        return str(self._text)

    @property
    def reasoning(self) -> str:
        """The reasoning up to now."""
        return str(self._reasoning)

    def take(self, frame: Frame) -> list[Event] | None:
        """Apply the rule to a frame of the log; None says that something before it is missing."""
        prev, seq = int(frame["prev"]), int(frame["seq"])
        if seq <= self.have:
            return []
        if prev != self.have:
            if prev != 0:
                return None
            self._text.clear()
            self._reasoning.clear()
            self._tools = 0
        self.have = seq
        return self._append(frame)

    def _append(self, frame: Frame) -> list[Event]:
        about = {"generation_id": self.generation_id, "message_id": self.message_id}
        kind = frame["type"]
        if kind == "ai_message_chunk":
            news = self._text.append(frame["content"])
            return [Text(content=news, **about)] if news else []
        if kind == "ai_reasoning_chunk":
            news = self._reasoning.append(frame["content"])
            return [Reasoning(content=news, **about)] if news else []
        self._tools += 1
        if self._tools <= self._tools_told:
            return []
        self._tools_told = self._tools
        made = ToolCall if kind == "ai_tool_call" else ToolResult
        return [msgspec.convert({**frame, **about}, made)]
