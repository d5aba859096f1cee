"""The answer to a call in the shapes of the OpenAI API, whole or in chunks."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from .asks import Exchange, encode
from .modes import Mode
from .replies import REASONING, directives, reply_to, text_of, tokens

Delta = dict[str, Any]

EXAMPLES = {
    "string": "café",
    "integer": 3,
    "number": 1.5,
    "boolean": True,
    "array": [],
    "object": {},
}


class Answer:
    """One answer, with the pace and the faults of its mode."""

    def __init__(self, exchange: Exchange, mode: Mode, *, pace: float) -> None:
        self.ask, self.call, self.mode = exchange.ask, exchange.call, mode
        self._log = exchange.log
        self._asked = directives(self.ask.messages)
        modes_pace = pace if mode.pace is None else mode.pace
        self._pace = modes_pace if self._asked.pace is None else self._asked.pace
        self._tools = self._tool_calls()
        self._tokens = tokens(reply_to(self.ask.messages))

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the body: SSE events, or one JSON document for a call that does not stream."""
        if not self.ask.stream:
            yield encode(await self._completion())
            return
        async with aclosing(self._deltas()) as deltas:
            async for delta in deltas:
                yield self._event(delta)
        if self.mode.finish:
            yield self._event({}, finish_reason=self._finish_reason)
        if self.ask.include_usage and (self.mode.finish or self.mode.done):
            yield self._sse({**self._head, "choices": [], "usage": self._usage})
        if self.mode.done:
            yield b"data: [DONE]\n\n"

    async def _deltas(self) -> AsyncGenerator[Delta, None]:
        yield {"role": "assistant", "content": ""}
        async with aclosing(self._content()) as deltas:
            async for delta in deltas:
                if self.call.tokens:
                    # Also with a pace of 0: every token is a turn of the loop.
                    await asyncio.sleep(self._pace)
                self.call.tokens += 1
                self._log.changed()
                yield delta

    async def _content(self) -> AsyncGenerator[Delta, None]:
        if self._asked.reasoning:
            for token in tokens(REASONING):
                yield {"reasoning_content": token}
        if self._tools:
            for delta in _tool_deltas(self._tools):
                yield {"tool_calls": [delta]}
            return
        spoken = self._tokens[: self.ask.max_tokens]
        if self.mode.tokens is None:
            for token in spoken:
                yield {"content": token}
        else:
            async with aclosing(self.mode.tokens(self.ask, spoken)) as others:
                async for token in others:
                    yield {"content": token}

    async def _completion(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": ""}
        async for delta in self._deltas():
            for key in ("content", "reasoning_content"):
                if delta.get(key):
                    message[key] = message.get(key, "") + delta[key]
        if self._tools:
            message.update(content=None, tool_calls=self._tools)
        finish = self._finish_reason if self.mode.finish else None
        return {
            **self._head,
            "object": "chat.completion",
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": self._usage,
        }

    @property
    def _head(self) -> dict[str, Any]:
        return {
            "id": f"chatcmpl-{self.call.id}",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": self.ask.model,
        }

    def _event(self, delta: Delta, *, finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        usage = {"usage": None} if self.ask.include_usage else {}
        return self._sse({**self._head, "choices": [choice], **usage})

    def _sse(self, value: object) -> bytes:
        return b"data: " + encode(value) + b"\n\n"

    @property
    def _finish_reason(self) -> str:
        if self._tools:
            return "tool_calls"
        limit = self.ask.max_tokens
        return "length" if limit is not None and limit < len(self._tokens) else "stop"

    @property
    def _usage(self) -> dict[str, int]:
        prompt = sum(len(tokens(text_of(message))) for message in self.ask.messages)
        total = prompt + self.call.tokens
        return {
            "prompt_tokens": prompt,
            "completion_tokens": self.call.tokens,
            "total_tokens": total,
        }

    def _tool_calls(self) -> list[dict[str, Any]]:
        """Return what to call: as directed, or the first tool that is offered."""
        when = self.mode.tools
        if when == "never" or not self.ask.tools or (when == "first" and self.ask.is_after_tool):
            return []
        offered = {tool["function"]["name"]: tool["function"] for tool in self.ask.tools}
        wanted = self._asked.calls or ((next(iter(offered)), None),)
        return [
            {
                "index": index,
                "id": f"call_{self.call.id}_{index}",
                "type": "function",
                "function": {
                    "name": name,
                    "arguments": arguments or _example(offered.get(name, {})),
                },
            }
            for index, (name, arguments) in enumerate(wanted)
        ]


def _example(function: dict[str, Any]) -> str:
    """Return arguments that fit the schema of a function."""
    properties = function.get("parameters", {}).get("properties", {})
    return json.dumps(
        {
            name: schema["enum"][0] if "enum" in schema else EXAMPLES.get(schema.get("type"))
            for name, schema in properties.items()
        },
        ensure_ascii=False,
    )


def _tool_deltas(calls: list[dict[str, Any]]) -> list[Delta]:
    """Return the deltas of tool calls, with names and arguments in several parts."""
    deltas = []
    for call in calls:
        name, arguments = call["function"]["name"], call["function"]["arguments"]
        half = len(name) // 2
        deltas.append({**call, "function": {"name": name[:half], "arguments": ""}})
        deltas.append({"index": call["index"], "function": {"name": name[half:]}})
        deltas += [
            {"index": call["index"], "function": {"arguments": arguments[i : i + 5]}}
            for i in range(0, len(arguments), 5)
        ]
    return deltas
