"""What a model says, gathered from its pieces into chunks that can be stored and sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeGuard

import msgspec

from chatd.errors import ProviderError
from chatd.provider import Chunk, Finish, Reasoning, ToolCall
from chatd.types import Usage

REPLACEMENT = "\ufffd"
TOOL_CALL_CHARS = 1024 * 1024


def mended(text: str) -> str:
    """Return a text with U+FFFD for every NUL and every lone surrogate: no store takes those."""
    if "\0" in text:
        text = text.replace("\0", REPLACEMENT)
    try:
        text.encode()
    except UnicodeEncodeError:
        # This way halves that stand side by side become the character they are.
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def plain(value: Any) -> str:
    """Return the text of a field that may be a list of parts, or an object where JSON is meant."""
    if isinstance(value, list):
        return "".join(plain(part.get("text")) for part in value if isinstance(part, dict))
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return value if isinstance(value, str) else ""


def is_word(value: Any) -> TypeGuard[str]:
    """Whether this is a name that can be stored and shown."""
    return isinstance(value, str) and value.isprintable() and 0 < len(value) < 256


def is_count(value: Any) -> TypeGuard[int]:
    """Whether this is a number that every store takes."""
    return type(value) is int and 0 <= value < 2**53


class Gathering:
    """One reply: add the pieces of a read, then `take` them, joined; at the end call `end`.

    Joining is what makes a fast model cheap: everything behind a provider costs by the chunk.
    """

    def __init__(self) -> None:
        self._runs: list[tuple[bool, list[str]]] = []
        self._half = ""
        self._calls: list[dict[str, str]] = []
        self._latest: dict[Any, dict[str, str]] = {}
        self._call_size = 0
        self._usage: Usage | None = None
        self._finish: str | None = None

    @property
    def is_finished(self) -> bool:
        """Whether the reply told why it ended."""
        return self._finish is not None

    def add(self, text: str, *, is_reasoning: bool = False) -> None:
        """Add a piece of text."""
        runs = self._runs
        if not runs or runs[-1][0] is not is_reasoning:
            runs.append((is_reasoning, []))
        runs[-1][1].append(text)

    def add_call(self, index: Any, *, id: str, name: str, arguments: str) -> None:
        """Add a piece of the tool call of that index; another id begins another call."""
        call = self._latest.get(index)
        if call is None or (id and call["id"] and id != call["id"]):
            call = self._latest[index] = {"id": "", "name": "", "arguments": ""}
            self._calls.append(call)
        call["id"] = id or call["id"]
        call["name"] += name
        call["arguments"] += arguments
        self._call_size += len(name) + len(arguments) + 1
        if self._call_size > TOOL_CALL_CHARS:
            raise ProviderError("The model provider sent a tool call that is too large.")

    def add_usage(self, counts: Mapping[str, Any]) -> None:
        """Note what the reply cost; the last time counts."""
        good = {name: count for name, count in counts.items() if is_count(count)}
        self._usage = msgspec.convert(good, Usage)

    def add_counts(self, prompt: Any, completion: Any) -> None:
        """Note what the reply cost; a number that makes no sense counts as 0."""
        told = [count if is_count(count) else 0 for count in (prompt, completion)]
        self._usage = Usage(
            prompt_tokens=told[0], completion_tokens=told[1], total_tokens=sum(told)
        )

    def add_finish(self, reason: Any) -> None:
        """Note why the reply ended."""
        self._finish = reason if is_word(reason) else "stop"

    def take(self) -> list[Chunk | str]:
        """Return the text that was added since the last time, in its order."""
        runs, self._runs = self._runs, []
        chunks: list[Chunk | str] = []
        for is_reasoning, texts in runs:
            text = "".join(texts)
            if is_reasoning:
                chunks.append(Reasoning(text=mended(text)))
            elif text := self._whole(text):
                chunks.append(text)
        return chunks

    def end(self) -> list[Chunk | str]:
        """Return what is left: text, tool calls with an id each, usage, and the finish."""
        chunks: list[Chunk | str] = [*self.take()]
        if self._half:
            chunks.append(mended(self._half))
        for number, call in enumerate(self._calls):
            call["id"] = call["id"] or f"call_{number}"
            chunks.append(ToolCall(**{key: mended(value) for key, value in call.items()}))
        if self._usage is not None:
            chunks.append(self._usage)
        if self._finish is not None:
            chunks.append(Finish(reason=self._finish))
        return chunks

    def _whole(self, text: str) -> str:
        """Keep back the first half of a surrogate pair: the second may come with the next read."""
        if text.isascii() and not self._half and "\0" not in text:
            return text
        text, self._half = self._half + text, ""
        if "\ud800" <= text[-1:] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return mended(text)
