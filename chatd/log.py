"""The log of one generation as its room keeps it, and the frames that are made of it.

Entries are numbered from 1. A frame says `prev` and `seq`: it continues after entry `prev` and
holds everything up to `seq` (PROTOCOL section 4.3). Frames are encoded once for all who stand at
the same cursor.
"""

from __future__ import annotations

from typing import Any

import msgspec

from chatd.events import Batch, Entry, Event

encode = msgspec.json.Encoder().encode

_TYPES = {
    "text": "ai_message_chunk",
    "reasoning": "ai_reasoning_chunk",
    "tool_call": "ai_tool_call",
    "tool_result": "ai_tool_result",
}


class Frame:
    """One encoded event. `wire` is for the face that sends it to keep its own form of it."""

    __slots__ = ("data", "generation_id", "mark", "type", "wire")

    def __init__(self, type: str, data: bytes, generation_id: str | None, mark: str) -> None:
        self.type = type
        self.data = data
        self.generation_id = generation_id
        self.mark = mark
        self.wire: bytes | None = None


def event_frame(event: Event) -> Frame:
    """Encode a durable event. Its mark is `end` for the end of a generation, else 0."""
    data = encode({"type": event.type, **event.payload})
    return Frame(
        event.type, data, event.generation_id, "end" if event.generation == "ends" else "0"
    )


class Log:
    """What a generation produced up to now."""

    __slots__ = ("_cache", "_joined", "_parts", "entries", "generation_id", "is_ended",
                 "message_id", "size", "text_length")  # fmt: skip

    def __init__(self, generation_id: str, message_id: str) -> None:
        self.generation_id = generation_id
        self.message_id = message_id
        self.entries: list[Entry] = []
        self.text_length = 0
        self.size = 0
        self.is_ended = False
        self._parts: list[str] = []
        self._joined = ""
        self._cache: dict[tuple[int, int, bool], list[Frame]] = {}

    def extend(self, batch: Batch) -> bool:
        """Append entries; return False for a batch that does not follow the last one."""
        if batch.prev != len(self.entries):
            return False
        self._cache.clear()
        self.entries += batch.entries
        for entry in batch.entries:
            self.size += len(entry.text)
            if entry.kind == "text":
                self._parts.append(entry.text)
                self.text_length += len(entry.text)
        return True

    def frames(self, prev: int, seq: int, *, full: bool) -> list[Frame]:
        """Return entries prev+1 to seq as frames, neighbours of one kind in one."""
        frames = self._cache.get((prev, seq, full))
        if frames is None:
            frames = self._cache[prev, seq, full] = self._encode(prev, seq, full)
        return frames

    def _encode(self, prev: int, seq: int, full: bool) -> list[Frame]:
        frames: list[Frame] = []
        entries = self.entries
        while prev < seq:
            end, kind = prev + 1, entries[prev].kind
            mergeable = kind in ("text", "reasoning")
            while mergeable and end < seq and entries[end].kind == kind:
                end += 1
            frames.append(self._frame(kind, prev, end, full))
            prev = end
        return frames

    def _frame(self, kind: str, prev: int, seq: int, full: bool) -> Frame:
        entries = self.entries
        if seq - prev == 1:
            content = entries[prev].text
        else:
            content = "".join([entry.text for entry in entries[prev:seq]])
        event: dict[str, Any] = {"type": _TYPES[kind]}
        if kind == "text":
            event["content"] = content
            if full:
                event["full_content"] = self.text(seq)
        elif kind == "reasoning":
            event["content"] = content
        else:
            event |= msgspec.json.decode(content)
        event["generation_id"] = self.generation_id
        event["message_id"] = self.message_id
        event["prev"] = prev
        event["seq"] = seq
        return Frame(event["type"], encode(event), self.generation_id, str(seq))

    def text(self, seq: int) -> str:
        """Return the text up to an entry."""
        if seq == len(self.entries):
            if self._parts:
                self._joined += "".join(self._parts)
                self._parts.clear()
            return self._joined
        return "".join([entry.text for entry in self.entries[:seq] if entry.kind == "text"])
