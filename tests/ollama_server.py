"""An Ollama for tests: its own API on the wire, and every way to fail that the other server has.

The shapes are those of https://docs.ollama.com/api; `tests/plugins/test_vendor_clients.py` has its
maker's own Python client read them.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from scripts.llm import MODES, SECRET, LlmServer, tokens
from scripts.llm.answers import Answer
from scripts.llm.asks import Ask, Exchange, InvalidAsk, encode
from scripts.llm.faults import PIECES_BEFORE_ERROR, Pieces
from scripts.llm.modes import Mode
from scripts.llm.replies import text_of

STAMP = "2026-11-22T12:00:00.123456789Z"


def ask_of(body: Any) -> Ask:
    """Return the call in the body of POST /api/chat; Ollama streams unless it is told not to."""
    if not isinstance(body, dict) or not isinstance(body.get("options", {}), dict):
        raise InvalidAsk("json: cannot unmarshal")
    limit = body.get("options", {}).get("num_predict")
    return Ask.of({"stream": True, **body, "max_tokens": limit})


def error(message: str, kind: str) -> dict[str, object]:
    """Return an error as Ollama has it."""
    return {"error": message}


class OllamaAnswer(Answer):
    """The answer as lines of JSON, or as one object."""

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the lines; tool calls come whole, before the last one."""
        said: dict[str, Any] = {"role": "assistant", "content": ""}
        async with aclosing(self._deltas()) as deltas:
            async for delta in deltas:
                message = {"role": "assistant", "content": delta.get("content", "")}
                if "reasoning_content" in delta:
                    message["thinking"] = delta["reasoning_content"]
                if "tool_calls" in delta or delta.get("role"):
                    continue
                for key in ("content", "thinking"):
                    said[key] = said.get(key, "") + message.get(key, "")
                if self.ask.stream:
                    yield self._line(message=message, done=False)
        if calls := [self._whole(call) for call in self._tools]:
            said["tool_calls"] = calls
            if self.ask.stream:
                message = {"role": "assistant", "content": "", "tool_calls": calls}
                yield self._line(message=message, done=False)
        if self.mode.finish or not self.ask.stream:
            empty = {"role": "assistant", "content": ""}
            yield self._line(message=empty if self.ask.stream else said, **self._end)

    def _line(self, **fields: Any) -> bytes:
        return encode({"model": self.ask.model, "created_at": STAMP, **fields}) + b"\n"

    def _whole(self, call: dict[str, Any]) -> dict[str, Any]:
        function = call["function"]
        arguments = json.loads(function["arguments"])
        called = {"index": call["index"], "name": function["name"], "arguments": arguments}
        return {"id": call["id"], "function": called}

    @property
    def _end(self) -> dict[str, Any]:
        """What the last line says; times are in nanoseconds."""
        reason = self._finish_reason
        return {
            "done": True,
            "done_reason": "stop" if reason == "tool_calls" else reason,
            "total_duration": 4_883_583_458,
            "load_duration": 1_334_875,
            "prompt_eval_count": sum(len(tokens(text_of(m))) for m in self.ask.messages),
            "prompt_eval_duration": 342_546_000,
            "eval_count": self.call.tokens,
            "eval_duration": 4_535_599_000,
        }


async def error_line(exchange: Exchange, pieces: Pieces) -> Pieces:
    """Report an error after some lines, with a status of 200 already sent."""
    for _ in range(PIECES_BEFORE_ERROR - 1):
        yield await anext(pieces, b"")
    yield encode({"error": f"the model runner stopped ({SECRET})"}) + b"\n"


async def broken_line(exchange: Exchange, pieces: Pieces) -> Pieces:
    """Send one line of broken JSON after the first."""
    yield await anext(pieces)
    yield b'{"message": {"content": "broken\n'
    async for piece in pieces:
        yield piece


async def no_newline(exchange: Exchange, pieces: Pieces) -> Pieces:
    """Leave out what ends the last line."""
    last = b""
    async for piece in pieces:
        yield last
        last = piece
    yield last.rstrip()


async def spread(exchange: Exchange, pieces: Pieces) -> Pieces:
    """Put empty lines between the lines, some of blanks."""
    async for piece in pieces:
        yield b"\n \r\n" + piece


# What is about SSE, or about an end of two parts, has no counterpart.
OLLAMA_MODES = {
    **{name: mode for name, mode in MODES.items() if name not in ("cr", "no-done", "done-only")},
    "malformed-sse": Mode("one line of broken JSON", pieces=broken_line),
    "error-event": Mode("200, then an error after some lines", pieces=error_line),
    "no-newline": Mode("correct; nothing ends the last line", pieces=no_newline),
    "empty-lines": Mode("correct; empty lines in between", pieces=spread),
}


class OllamaServer(LlmServer):
    """The server; `kind` makes it tell of its models as Ollama does."""

    chat_path = "/api/chat"
    modes = OLLAMA_MODES
    ask_of = staticmethod(ask_of)
    answer = OllamaAnswer
    media_type = "application/x-ndjson"
    error = staticmethod(error)

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"kind": "ollama", **options})
