"""A completion call, checked and parsed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from .calls import Call, CallLog
from .connections import Response


class InvalidAsk(Exception):
    """The body of the call is not a chat completion request."""


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What a caller wants, in the words of the OpenAI API."""

    model: str
    messages: list[dict[str, Any]]
    stream: bool = False
    include_usage: bool = False
    max_tokens: int | None = None
    tools: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_after_tool(self) -> bool:
        """Whether the results of a tool are the last thing that was said."""
        return self.messages[-1].get("role") == "tool"

    @classmethod
    def of(cls, body: Any) -> Ask:
        """Return the call in a parsed body; raise InvalidAsk."""
        if not isinstance(body, dict) or not isinstance(body.get("model"), str):
            raise InvalidAsk("model must be a string")
        messages = body.get("messages")
        if not messages or not isinstance(messages, list):
            raise InvalidAsk("messages must be a list that is not empty")
        if not all(isinstance(message, dict) for message in messages):
            raise InvalidAsk("every message must be an object")
        options = body.get("stream_options") or {}
        return cls(
            model=body["model"],
            messages=messages,
            stream=bool(body.get("stream")),
            include_usage=bool(options.get("include_usage")),
            max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
            tools=[] if body.get("tool_choice") == "none" else body.get("tools") or [],
        )


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One call being answered, as a mode sees it; `elsewhere` is an origin to redirect to."""

    ask: Ask
    call: Call
    log: CallLog
    response: Response
    elsewhere: str


def encode(value: object) -> bytes:
    """Return compact JSON in UTF-8; a lone surrogate, which UTF-8 has not, is escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="backslashreplace")
