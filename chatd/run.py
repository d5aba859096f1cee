"""One running generation: what it has produced and how it will end.

The hot path of the server is here: `add` for every chunk, `flush` once for all the chunks that one
wake-up brought. Invariants: chunks reach the log in the order they came; `flush` runs before any
durable event of this generation is published; nothing is published after the end.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import msgspec

from chatd.errors import ChatdError, GenerationInterrupted, ProviderInterrupted
from chatd.events import Batch, Entry
from chatd.gathering import is_count, mended
from chatd.metrics import Pace
from chatd.provider import Chunk, Finish, Reasoning, Text, ToolCall
from chatd.types import Checkpoint, Message, Slot, Usage, now

logger = logging.getLogger(__name__)

Publish = Callable[..., None]

UNWIND_WITHIN = 5.0  # seconds for a provider to end after it was cancelled


class Run:
    """A generation of this process, from before its slot is taken to its end."""

    def __init__(self, *, user_id: str, session_id: str, slot: Slot, publish: Publish) -> None:
        self.id = slot.generation_id
        self.user_id = user_id
        self.session_id = session_id
        self.slot = slot
        self.client_id = slot.client_id
        self.message: Message  # the answer, as inserted: set by `begin`
        self.new_messages: list[Message] = []
        self.is_started = False
        self.is_dirty = False
        self.is_stopping = False
        self.interruption: ChatdError | None = None
        self.started_at = time.monotonic()
        self.begun = asyncio.Event()  # the turn is stored, or will never be
        self.ended: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self.entries: list[Entry] = []
        self.size = 0  # UTF-8 bytes of text and reasoning
        self.asked = 0  # the same of the prompt, once there is one
        self.pace: Pace | None = None
        self._publish = publish
        self._pending: list[str | Entry] = []
        self._is_mixed = False  # whether there is anything but text
        self._usage: Usage | None = None
        self._finish_reason: str | None = None
        self._seen_seq: int | None = None
        self._producer: asyncio.Task[None] | None = None
        # Done when the producer does not end though it was cancelled: it is left behind then.
        self.given_up: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def seq(self) -> int:
        """The number of entries in the log."""
        return len(self.entries)

    def begin(self, new_messages: list[Message], answer: Message) -> None:
        """Take note of the stored turn: the new messages before the answer, and the answer."""
        self.new_messages, self.message = new_messages, answer
        self.is_started = True

    def attach(self, producer: asyncio.Task[None]) -> None:
        """Take the task that `stop` and `interrupt` cancel, at once if they came before it."""
        self._producer = producer
        if self.is_stopping or self.interruption:
            self._cancel()

    def stop(self, seen_seq: int | None = None) -> None:
        """End as stopped, cut after entry `seen_seq` if given. The first call counts."""
        if not self.is_stopping and self.interruption is None:
            self.is_stopping, self._seen_seq = True, seen_seq
            self._cancel()

    def interrupt(self, error: ChatdError) -> None:
        """End as interrupted, unless it is ending already."""
        if not self.is_stopping and self.interruption is None:
            self.interruption = error
            self._cancel()

    def _cancel(self) -> None:
        if self._producer is not None:
            self._producer.cancel()
            asyncio.get_running_loop().call_later(UNWIND_WITHIN, self._give_up)

    def _give_up(self) -> None:
        if self._producer is not None and not self._producer.done():
            logger.error("the provider of %s does not end when cancelled; left behind", self.id)
            self.given_up.set_result(None)

    def add(self, chunk: Chunk | str) -> int:
        """Take one chunk; return the size of the reply up to now in bytes."""
        if self.given_up.done():
            return self.size  # it has ended without this
        if isinstance(chunk, str):
            text, entry = chunk, chunk
        elif isinstance(chunk, Text):
            text, entry = chunk.text, chunk.text
        else:
            return self._add_other(chunk)
        if text:
            # Of what is no text, which a plugin may yield, `str` makes an error before it is taken.
            self.size += len(text) if str.isascii(text) else len(text.encode(errors="replace"))
            self._pending.append(entry)
        return self.size

    def _add_other(self, chunk: Reasoning | ToolCall | Usage | Finish) -> int:
        if isinstance(chunk, Reasoning):
            if chunk.text:
                self.size += len(str.encode(chunk.text, errors="replace"))
                self._pending.append(Entry("reasoning", chunk.text))
        elif isinstance(chunk, ToolCall):
            call = {"tool_call_id": chunk.id, "name": chunk.name, "arguments": chunk.arguments}
            self._pending.append(Entry("tool_call", msgspec.json.encode(call).decode()))
        elif isinstance(chunk, Usage):
            # A plugin may pass on any number that a server told it; the store cannot keep any.
            if all(map(is_count, msgspec.structs.astuple(chunk))):
                self._usage = chunk
        elif isinstance(chunk, Finish):
            self._finish_reason = chunk.reason
        return self.size

    def cut(self, limit: int) -> None:
        """Drop what the chunk just added has too much; the reply ends here for its length."""
        last = self._pending[-1]
        text = last if isinstance(last, str) else last.text
        kept = text.encode(errors="replace")[: limit - self.size].decode(errors="ignore")
        self._pending[-1] = kept if isinstance(last, str) else Entry(last.kind, kept)
        self.size = limit
        self._finish_reason = "length"
        self.flush()

    def flush(self) -> None:
        """Append what is pending to the log, neighbours of one kind merged, and publish it."""
        pending = self._pending
        if not pending:
            return
        self._pending = []
        entries: list[Entry] = []
        texts: list[str] = []
        for item in pending:
            if isinstance(item, str):
                texts.append(item)
                continue
            if texts:
                entries.append(Entry("text", mended("".join(texts))))
                texts = []
            entries.append(Entry(item.kind, mended(item.text)))
            self._is_mixed = True
        if texts:
            entries.append(Entry("text", mended("".join(texts))))
        batch = Batch(self.id, len(self.entries), entries)
        self.entries += entries
        self.is_dirty = True
        if self.pace is not None:
            self.pace.beat()
        self._publish(self.session_id, batch)

    def text(self, seq: int | None = None) -> str:
        """Return the text up to an entry, or all of it."""
        return "".join([entry.text for entry in self.entries[:seq] if entry.kind == "text"])

    def parts(self, seq: int | None = None) -> list[dict[str, Any]]:
        """Return the reply in pieces; nothing when it is text alone, which `content` has."""
        if not self._is_mixed or all(entry.kind == "text" for entry in self.entries[:seq]):
            return []
        parts: list[dict[str, Any]] = []
        for entry in self.entries[:seq]:
            if entry.kind in ("tool_call", "tool_result"):
                parts.append({"type": entry.kind, **msgspec.json.decode(entry.text)})
            elif parts and parts[-1]["type"] == entry.kind:
                parts[-1]["text"] += entry.text
            else:
                parts.append({"type": entry.kind, "text": entry.text})
        return parts

    def checkpoint(self) -> Checkpoint:
        """Return what is stored of the message while it grows."""
        return Checkpoint(
            session_id=self.session_id,
            message_id=self.message.id,
            generation_id=self.id,
            content=self.text(),
            parts=self.parts(),
            seq=self.seq,
        )

    def final(self, error: ChatdError | None) -> Message:
        """Return the message as it ends: failed with `error`, else stopped or complete."""
        seq = None
        if error is not None:
            cut_off = isinstance(error, (GenerationInterrupted, ProviderInterrupted))
            status, reason = ("interrupted" if cut_off else "error"), None
        elif self.is_stopping and not self._is_exhausted():
            status, reason, seq = "stopped", "stopped", self._seen_seq
        else:
            status, reason = "complete", self._finish_reason or "stop"
        return self.message.replace(
            content=self.text(seq),
            parts=self.parts(seq),
            status=status,
            usage=self._usage,
            finish_reason=reason,
            error=error_value(error) if error else None,
            updated_at=now(),
        )

    def _is_exhausted(self) -> bool:
        """Return whether the provider had come to its end before the stop reached it."""
        producer = self._producer
        return producer is not None and producer.done() and not producer.cancelled()


def error_value(error: ChatdError) -> dict[str, Any]:
    """Return an error as a message keeps it."""
    return {"code": error.code, "message": error.message, "retryable": error.retryable}
