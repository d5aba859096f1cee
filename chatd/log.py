"""The log of one generation as its room keeps it, and the frames that are made of it.

Entries are numbered from 1. A frame says `prev` and `seq`: it continues after entry `prev` and
holds everything up to `seq` (PROTOCOL section 4.3). Frames are encoded once for all who stand at
the same cursor.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from chatd.events import Batch, Entry, Event

encode = msgspec.json.Encoder().encode

CACHED = 8  # ranges; readers stand at few different places
# More than this is not put into one write: the loop has others to serve.
FRAMES_AT_ONCE = 256

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
        self._cache: dict[tuple[int, int, bool], tuple[list[Frame], int]] = {}

    def extend(self, batch: Batch) -> None:
        """Append entries; a batch that does not follow the last one is dropped."""
        if batch.prev != len(self.entries):
            return
        self._cache.clear()
        self.entries += batch.entries
        for entry in batch.entries:
            self.size += len(entry.text)
            if entry.kind == "text":
                self._parts.append(entry.text)
                self.text_length += len(entry.text)

    def frames(self, prev: int, seq: int, *, full: bool) -> tuple[list[Frame], int]:
        """Return entries prev+1 to seq as frames, neighbours of one kind in one, and their end.

        The end is before `seq` when there were too many frames for one write.
        """
        found = self._cache.get((prev, seq, full))
        if found is None:
            if len(self._cache) > CACHED:
                self._cache.clear()
            encode_range = self._encode_full if full else self._encode
            found = self._cache[prev, seq, full] = encode_range(prev, seq)
        return found

    def _encode(self, prev: int, seq: int) -> tuple[list[Frame], int]:
        frames = []
        for kind, start, end in self._runs(prev, seq):
            frames.append(self._frame(kind, start, end, self._text_of(start, end)))
            if len(frames) == FRAMES_AT_ONCE:
                return frames, end
        return frames, seq

    def _encode_full(self, prev: int, seq: int) -> tuple[list[Frame], int]:
        """Encode for a reader that gets the whole text each time: once, behind all else.

        A model that alternates between text and reasoning would cost the square of its reply.
        """
        runs = list(self._runs(prev, seq))
        texts = [run for run in runs if run[0] == "text"]
        if len(texts) > 1:
            return self._encode_gathered(prev, seq, runs)
        return [
            self._frame(kind, start, end, self._text_of(start, end), full=True)
            for kind, start, end in runs
        ], seq

    def _encode_gathered(
        self, prev: int, seq: int, runs: list[tuple[str, int, int]]
    ) -> tuple[list[Frame], int]:
        """Encode reasoning as one frame, tool events each, and the text as one at the end.

        The numbers in between are of no entry any more, but they ascend to the same end; who is cut
        off among them gets what is missing with the next `full_content`.
        """
        gathered: dict[str, str] = {"reasoning": "", "text": ""}
        tools = []
        for kind, start, end in runs:
            if kind in gathered:
                gathered[kind] += self._text_of(start, end)
            else:
                tools.append((kind, self._text_of(start, end)))
        pieces = [("reasoning", gathered["reasoning"])] if gathered["reasoning"] else []
        pieces += [*tools, ("text", gathered["text"])]
        last = len(pieces) - 1
        return [
            self._frame(
                kind, prev + n, seq if n == last else prev + n + 1, text, full=True, upto=seq
            )
            for n, (kind, text) in enumerate(pieces)
        ], seq

    def _runs(self, prev: int, seq: int) -> Iterator[tuple[str, int, int]]:
        """Yield (kind, prev, seq) of neighbours that make one frame."""
        entries = self.entries
        while prev < seq:
            end, kind = prev + 1, entries[prev].kind
            if kind in ("text", "reasoning"):
                while end < seq and entries[end].kind == kind:
                    end += 1
            yield kind, prev, end
            prev = end

    def _text_of(self, prev: int, seq: int) -> str:
        if seq - prev == 1:
            return self.entries[prev].text
        return "".join([entry.text for entry in self.entries[prev:seq]])

    def _frame(
        self, kind: str, prev: int, seq: int, text: str, *, full: bool = False, upto: int = 0
    ) -> Frame:
        event: dict[str, Any] = {"type": _TYPES[kind]}
        if kind in ("text", "reasoning"):
            event["content"] = text
            if full and kind == "text":
                event["full_content"] = self.text(upto or seq)
        else:
            event |= msgspec.json.decode(text)
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
