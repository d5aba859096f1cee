"""The log of one generation as its room keeps it, and the frames that are made of it.

Entries are numbered from 1. A frame says `prev` and `seq`: it continues after entry `prev` and
holds everything up to `seq` (PROTOCOL section 4.3). Frames are encoded once for all who stand at
the same cursor.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator

import msgspec

from chatd.events import Batch, Entry, Event

encode = msgspec.json.Encoder().encode

CACHED = 8  # ranges; readers stand at few different places
GATHERED = 8  # neighbours of one kind; more of them are gathered for a reader of the whole text
ENTRY_BYTES = 112  # what an entry takes beside its text, which is there twice
# More than this is not put into one write: the loop has others to serve.
FRAMES_AT_ONCE = 256

_TYPES = {
    "text": "ai_message_chunk",
    "reasoning": "ai_reasoning_chunk",
    "tool_call": "ai_tool_call",
    "tool_result": "ai_tool_result",
}
_HEADS = {kind: b'{"type":"%b",' % name.encode() for kind, name in _TYPES.items()}
MERGED = ("text", "reasoning")


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


class _Whole:
    """All text of one kind, as it stands between the quotes of JSON: any part of it is a slice."""

    __slots__ = ("data", "ends")

    def __init__(self) -> None:
        self.ends = array("q", [0])  # up to which byte each entry of the log reaches
        self.data = bytearray()

    def between(self, prev: int, seq: int) -> bytearray:
        return self.data[self.ends[prev] : self.ends[seq]]


class Log:
    """What a generation produced up to now.

    A reader at any place gets its frames for the cost of their bytes, however many entries they
    stand for: nothing here goes through all entries.
    """

    __slots__ = ("_cache", "_ids", "_kind", "_reasoning", "_starts", "_text", "_tools", "entries",
                 "generation_id", "is_ended", "message_id", "size", "text_bytes")  # fmt: skip

    def __init__(self, generation_id: str, message_id: str) -> None:
        self.generation_id = generation_id
        self.message_id = message_id
        self.entries: list[Entry] = []
        self.text_bytes = 0  # of JSON
        self.size = 0  # bytes of memory, about
        self.is_ended = False
        ids = encode({"generation_id": generation_id, "message_id": message_id})
        self._ids = b"," + ids[1:-1]
        self._text, self._reasoning = _Whole(), _Whole()
        self._kind = ""  # of the last entry
        self._starts = array("q")  # before which entry each frame of a snapshot begins
        self._tools = array("q")  # before which entry each tool event stands
        self._cache: dict[tuple[int, int, bool], tuple[list[Frame], int]] = {}

    def extend(self, batch: Batch) -> None:
        """Append entries; a batch that does not follow the last one is dropped."""
        entries, text, reasoning = self.entries, self._text, self._reasoning
        if batch.prev != len(entries):
            return
        self._cache.clear()
        for entry in batch.entries:
            kind = entry.kind
            if kind == "text":
                text.data += encode(entry.text)[1:-1]
            elif kind == "reasoning":
                reasoning.data += encode(entry.text)[1:-1]
            else:
                self._tools.append(len(entries))
            if kind != self._kind or kind not in MERGED:
                self._starts.append(len(entries))
                self._kind = kind
            text.ends.append(len(text.data))
            reasoning.ends.append(len(reasoning.data))
            entries.append(entry)
            self.size += 2 * len(entry.text) + ENTRY_BYTES
        self.text_bytes = len(text.data)

    @property
    def is_mixed(self) -> bool:
        """Whether there is more than text alone, or reasoning alone."""
        return len(self._starts) > 1

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
        if seq - prev == 1:
            return [self._frame(self.entries[prev].kind, prev, seq)], seq
        frames = []
        for kind, start, end in self._runs(prev, seq):
            frames.append(self._frame(kind, start, end))
            if len(frames) == FRAMES_AT_ONCE:
                return frames, end
        return frames, seq

    def _encode_full(self, prev: int, seq: int) -> tuple[list[Frame], int]:
        """Encode for a reader that gets the whole text each time: once, behind all else.

        A model that alternates between text and reasoning would cost the square of its reply.
        """
        if bisect_right(self._starts, seq - 1) - bisect_right(self._starts, prev) > GATHERED:
            return self._encode_gathered(prev, seq)
        runs = list(self._runs(prev, seq))
        if sum(kind == "text" for kind, _, _ in runs) > 1:
            return self._encode_gathered(prev, seq)
        return [self._frame(kind, start, end, full=True) for kind, start, end in runs], seq

    def _encode_gathered(self, prev: int, seq: int) -> tuple[list[Frame], int]:
        """Encode reasoning as one frame, tool events each, and the text as one at the end.

        The numbers in between are of no entry any more, but they ascend to the same end; who is cut
        off among them gets what is missing with the next `full_content`.
        """
        first, last = (bisect_right(self._tools, at - 1) for at in (prev, seq))
        tools = [(self.entries[at].kind, at) for at in self._tools[first:last]]
        pieces = [("reasoning", prev), *tools, ("text", prev)]
        wholes = zip(MERGED, (self._text, self._reasoning), strict=True)
        empty = {kind for kind, whole in wholes if not whole.between(prev, seq)}
        pieces = [piece for piece in pieces if piece[0] not in empty]
        ends = [*range(prev + 1, prev + len(pieces)), seq]
        return [
            self._frame(kind, at, seq, full=True, says=(prev + n, ends[n]))
            for n, (kind, at) in enumerate(pieces)
        ], seq

    def _runs(self, prev: int, seq: int) -> Iterator[tuple[str, int, int]]:
        """Yield (kind, prev, seq) of neighbours that make one frame."""
        number = bisect_right(self._starts, prev)
        while prev < seq:
            end = min(seq, self._starts[number]) if number < len(self._starts) else seq
            yield self.entries[prev].kind, prev, end
            prev, number = end, number + 1

    def _frame(
        self, kind: str, prev: int, seq: int, *, full: bool = False, says: tuple[int, int] = (0, 0)
    ) -> Frame:
        """Encode what the log has of one kind between two entries.

        The frame says these numbers, or others.
        """
        whole = self._text if kind == "text" else self._reasoning
        if kind not in MERGED:
            body: tuple[bytes | bytearray, ...] = (self.entries[prev].text.encode()[1:-1],)
        elif full and kind == "text":
            new = whole.between(prev, seq)
            all_of_it = whole.between(0, seq) if whole.ends[prev] else new
            body = b'"content":"', new, b'","full_content":"', all_of_it, b'"'
        else:
            body = b'"content":"', whole.between(prev, seq), b'"'
        prev, seq = says if says[1] else (prev, seq)
        numbers = b',"prev":%d,"seq":%d}' % (prev, seq)
        data = b"".join((_HEADS[kind], *body, self._ids, numbers))
        return Frame(_TYPES[kind], data, self.generation_id, str(seq))
