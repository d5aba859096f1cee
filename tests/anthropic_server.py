"""Anthropic's Messages API for tests: the published stream, and every way to fail.

The shapes are those of https://platform.claude.com/docs; `tests/plugins/test_vendor_clients.py` has
the maker's own Python client read them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any
from urllib.parse import parse_qs, urlsplit

from scripts.llm import MODES, SECRET, LlmServer, tokens
from scripts.llm.answers import Answer
from scripts.llm.asks import Ask, Exchange, InvalidAsk, encode
from scripts.llm.calls import Call
from scripts.llm.connections import Request, Response
from scripts.llm.faults import PIECES_BEFORE_ERROR, Pieces, newline, status
from scripts.llm.modes import Mode
from scripts.llm.replies import text_of

REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
SAMPLING = {"temperature", "top_p", "top_k"}
STAMP = "2026-05-14T00:00:00Z"


def ask_of(body: Any) -> Ask:
    """Return the call in the body of POST /v1/messages; refuse what the API refuses."""
    if not isinstance(body, dict) or not isinstance(body.get("max_tokens"), int):
        raise InvalidAsk("max_tokens: Field required")
    messages = body.get("messages") or [{}]
    roles = [message.get("role") for message in messages]
    if {*roles} - {"user", "assistant"} or roles[0] != "user":
        raise InvalidAsk("messages: Unexpected role")
    if not all(text_of(message).strip() for message in messages):
        raise InvalidAsk("messages: text content blocks must contain non-whitespace text")
    if "temperature" in body and "top_p" in body:
        raise InvalidAsk("`temperature` and `top_p` cannot both be specified for this model")
    if SAMPLING & body.keys() and body["model"] == "no-sampling":
        raise InvalidAsk("`temperature` is deprecated for this model")
    budget = body.get("thinking", {}).get("budget_tokens", 0)
    if budget >= body["max_tokens"]:
        raise InvalidAsk("`max_tokens` must be greater than `thinking.budget_tokens`")
    system = [{"role": "system", "content": body["system"]}] if "system" in body else []
    tools = [
        {"function": {**tool, "parameters": tool["input_schema"]}} for tool in body.get("tools", ())
    ]
    asked = {
        "messages": system + messages,
        "max_tokens": body["max_tokens"] - budget,
        "tools": tools,
    }
    return Ask.of({**body, **asked})


def error(message: str, kind: str) -> dict[str, object]:
    """Return an error as the API has it."""
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}


class AnthropicAnswer(Answer):
    """The answer as named events."""

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the events: each run of one kind is a block, each tool call too."""
        yield self._sent("message_start", message=self._message)
        yield self._sent("ping")
        block, kind = 0, ""
        async with aclosing(self._said()) as said:
            async for of_kind, text in said:
                for piece in self._turning(block, kind, of_kind):
                    yield piece
                block += bool(kind) and of_kind != kind
                kind = of_kind
                delta = {"type": f"{kind}_delta", kind: text}
                yield self._sent("content_block_delta", index=block, delta=delta)
        for piece in self._turning(block, kind, ""):
            yield piece
        block -= not kind
        for call in self._tools:
            block += 1
            for piece in self._call(block, call):
                yield piece
        if self.mode.finish:
            reason = {"stop_reason": REASONS[self._finish_reason], "stop_sequence": None}
            used = {"output_tokens": self.call.tokens}
            yield self._sent("message_delta", delta=reason, usage=used)
        if self.mode.done:
            yield self._sent("message_stop")

    async def _said(self) -> AsyncGenerator[tuple[str, str], None]:
        """Yield what is thought and said, token by token."""
        async with aclosing(self._deltas()) as deltas:
            async for delta in deltas:
                if "reasoning_content" in delta:
                    yield "thinking", delta["reasoning_content"]
                elif delta.get("content"):
                    yield "text", delta["content"]

    def _turning(self, block: int, kind: str, other: str) -> list[bytes]:
        """Return what ends a block and begins one of another kind."""
        pieces: list[bytes] = []
        if kind == other:
            return pieces
        if kind == "thinking":
            signature = {"type": "signature_delta", "signature": "EqQBCgIYAhIM1gbcDa9GJwZA2b3h"}
            pieces.append(self._sent("content_block_delta", index=block, delta=signature))
        if kind:
            pieces.append(self._sent("content_block_stop", index=block))
        if other:
            signed = {"signature": ""} if other == "thinking" else {}
            empty = {"type": other, other: "", **signed}
            index = block + bool(kind)
            pieces.append(self._sent("content_block_start", index=index, content_block=empty))
        return pieces

    def _call(self, block: int, call: dict[str, Any]) -> list[bytes]:
        name, arguments = call["function"]["name"], call["function"]["arguments"]
        head = {"type": "tool_use", "id": call["id"], "name": name, "input": {}}
        parts = ["", *(arguments[i : i + 5] for i in range(0, len(arguments), 5))]
        deltas = [{"type": "input_json_delta", "partial_json": part} for part in parts]
        return [
            self._sent("content_block_start", index=block, content_block=head),
            *(self._sent("content_block_delta", index=block, delta=delta) for delta in deltas),
            self._sent("content_block_stop", index=block),
        ]

    @property
    def _message(self) -> dict[str, Any]:
        counted = sum(len(tokens(text_of(message))) for message in self.ask.messages)
        return {
            "id": f"msg_{self.call.id}",
            "type": "message",
            "role": "assistant",
            "model": self.ask.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {
                "input_tokens": counted,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "output_tokens": 1,
            },
        }

    def _sent(self, kind: str, **fields: Any) -> bytes:
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), encode({"type": kind, **fields}))


async def error_event(exchange: Exchange, pieces: Pieces) -> Pieces:
    """Report that all is too much, in the middle."""
    for _ in range(PIECES_BEFORE_ERROR + 2):
        yield await anext(pieces, b"")
    yield (
        b"event: error\ndata: "
        + encode(error(f"Overloaded ({SECRET})", "overloaded_error"))
        + b"\n\n"
    )


async def broken_event(exchange: Exchange, pieces: Pieces) -> Pieces:
    """Send one event of broken JSON after the first token."""
    for _ in range(PIECES_BEFORE_ERROR):
        yield await anext(pieces, b"")
    yield b'event: content_block_delta\ndata: {"type": "content_block_delta", "delta": {"te\n\n'
    async for piece in pieces:
        yield piece


# What is about an end of two parts, or what comes last, has no counterpart.
AS_OPENAI = ("done-only", "no-finish", "cut-utf8-end")
ANTHROPIC_MODES = {
    **{name: mode for name, mode in MODES.items() if name not in AS_OPENAI},
    "no-finish": Mode("a clean end after the last token", finish=False, done=False),
    "malformed-sse": Mode("one event of broken JSON", pieces=broken_event),
    "error-event": Mode("200, then overloaded_error after some tokens", pieces=error_event),
    "529": Mode("529", status(529)),
    "529-retry-after": Mode("529 with Retry-After: 1", status(529, retry_after=1)),
    "529-then-ok": Mode("529 once per last user message, then correct", status(529, first=1)),
    "no-sampling": Mode("correct; refuses temperature, top_p and top_k"),
    "cr": Mode("correct; lines end with CR", pieces=newline(b"\r")),
}


def supports(*names: str) -> dict[str, Any]:
    """Return the capabilities of a model: all that the API knows of, and which of them it has."""
    known = (
        "batch",
        "citations",
        "code_execution",
        "image_input",
        "pdf_input",
        "structured_outputs",
    )
    effort = {level: {"supported": False} for level in ("low", "medium", "high", "max")}
    types = ("adaptive", "between_tools", "disabled", "enabled")
    thinks = "thinking" in names
    return {
        **{name: {"supported": name in names} for name in known},
        "context_management": {"supported": False},
        "effort": {"supported": False, **effort},
        "server_tools": {
            "supported": False,
            "code_execution": {"supported": False},
            "web_search": {"supported": False},
        },
        "thinking": {"supported": thinks, "types": {name: {"supported": thinks} for name in types}},
    }


def model(name: str, lifecycle: str = "active", **about: Any) -> dict[str, Any]:
    """Return a model as the list has it."""
    return {
        "type": "model",
        "id": name,
        "display_name": name.title(),
        "created_at": STAMP,
        "lifecycle": lifecycle,
        "max_input_tokens": None,
        "max_tokens": None,
        "capabilities": None,
        **about,
    }


LISTED = [
    model("claude-a", max_input_tokens=200_000, capabilities=supports("image_input", "thinking")),
    model("claude-b", max_input_tokens=1_000_000, capabilities=supports("batch")),
    model("claude-c", "deprecated"),
    model("claude-old", "retired", max_input_tokens=9_000),
]


class AnthropicServer(LlmServer):
    """The server; it gives its list of models two at a time, however many are asked for."""

    chat_path = "/v1/messages"
    modes = ANTHROPIC_MODES
    ask_of = staticmethod(ask_of)
    answer = AnthropicAnswer
    error = staticmethod(error)
    page = 2

    def _is_allowed(self, request: Request) -> bool:
        given = request.headers.get("x-api-key") or request.headers.get("authorization", "")[7:]
        return self.key in (None, given) and "anthropic-version" in request.headers

    async def _list_models(self, call: Call, response: Response) -> None:
        after = parse_qs(urlsplit(call.path).query).get("after_id", [""])[0]
        names = [each["id"] for each in LISTED]
        begin = names.index(after) + 1 if after else 0
        data = LISTED[begin : begin + self.page]
        more = begin + self.page < len(LISTED)
        page = {
            "data": data,
            "has_more": more,
            "first_id": data[0]["id"],
            "last_id": data[-1]["id"],
        }
        await response.send_json(200, page)
