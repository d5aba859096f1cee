"""Anthropic's Messages API, and servers that speak it.

https://platform.claude.com/docs/en/api/messages, .../docs/en/build-with-claude/streaming
"""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import marshmallow as ma
import msgspec

import chatd

if TYPE_CHECKING:
    import httpx

DEFAULT_URL = "https://api.anthropic.com"
VERSION = "2023-06-01"
WITHOUT_SAMPLING = "2026-10-21"  # the first version whose API refuses temperature, top_p and top_k
MAX_TOKENS = 4096  # the API wants a number; a prompt of chatd's core always has one
PAGE, MOST = 1000, 20_000

plain = chatd.upstream.plain
api_url = functools.partial(chatd.upstream.versioned, without="/messages")


def _thinking(value: Any) -> None:
    is_budget = isinstance(value, int) and not isinstance(value, bool) and value >= 1024
    if not is_budget and value not in ("adaptive", "disabled"):
        raise ma.ValidationError('Must be "adaptive", "disabled", or 1024 tokens or more.')


class InstanceSchema(chatd.upstream.InstanceSchema):
    """One of [[plugins.provider_anthropic.instances]]."""

    version = ma.fields.String(validate=ma.validate.Regexp(r"\d{4}-\d{2}-\d{2}\Z"))
    thinking = ma.fields.Raw(validate=_thinking)

    @ma.pre_load
    def default_url(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Take Anthropic's own servers when none are named."""
        return data if {"url", "urls"} & data.keys() else {**data, "url": DEFAULT_URL}


class ConfigSchema(ma.Schema):
    """The table [plugins.provider_anthropic]."""

    instances = ma.fields.List(
        ma.fields.Nested(InstanceSchema), required=True, validate=ma.validate.Length(min=1)
    )


@chatd.hookimpl
def register_providers(app: chatd.App) -> list[chatd.Provider]:
    """Return a provider for each instance."""
    instances = app.plugin_config("provider_anthropic")["instances"]
    return [AnthropicProvider(**{"timeout": app.config.llm.timeout, **each}) for each in instances]


class AnthropicProvider(chatd.upstream.ServerProvider):
    """The models of one account."""

    def __init__(
        self,
        name: str,
        urls: Iterable[str] = (DEFAULT_URL,),
        *,
        key: str = "",
        version: str = VERSION,
        thinking: int | str | None = None,
        headers: dict[str, str] | None = None,
        **upstream: Any,
    ) -> None:
        own = {"anthropic-version": version} | ({"x-api-key": key} if key else {})
        super().__init__(name, map(api_url, urls), headers=own | (headers or {}), **upstream)
        self._takes_sampling = version < WITHOUT_SAMPLING
        self._thinking = thinking
        self._sampling = chatd.upstream.Sparing()

    async def models(self) -> list[chatd.ModelInfo]:
        """Return all models of the account, page by page; raise ProviderError."""
        server, (found, after) = await self.read(f"/models?limit={PAGE}", page_of)
        while after and len(found) < MOST:
            path = f"/models?limit={PAGE}&after_id={quote(after, safe='')}"
            document = await self.upstream.document(server, path)
            more, after = self.make_sense(document, page_of)
            found |= more
            after = after if more else ""
        return chatd.discovery.offered(found)

    async def health(self) -> None:
        """Return when the API knows the key, raise ProviderError when it does not answer so."""
        await self.read("/models?limit=1", page_of)

    def stream(self, prompt: chatd.Prompt) -> AsyncGenerator[chatd.Chunk | str, None]:
        """Yield the reply; all text that one read brought is one str."""
        return self.upstream.stream(functools.partial(self._ask, prompt), Reply(self.name))

    async def _ask(self, prompt: chatd.Prompt, server: chatd.upstream.Server) -> httpx.Response:
        """Ask one server; of a model that takes no sampling it is not wanted a second time."""
        body = request_body(prompt, self._thinking)
        sampling = sampling_of(prompt.settings) if self._takes_sampling else {}

        async def post(with_sampling: bool) -> httpx.Response:
            content = msgspec.json.encode(body | sampling if with_sampling else body)
            return await self.upstream.request("POST", server, "/messages", content)

        if not sampling or self._thinking not in (None, "disabled"):
            return await post(False)  # a model that thinks takes none
        return await self._sampling.ask((server.url, prompt.model), post)


def sampling_of(settings: dict[str, Any]) -> dict[str, Any]:
    """Return what to say of sampling: top_p, which only a user sets, goes before temperature.

    Models take one of these two alone.
    """
    options, found = settings.get("options", {}), {}
    if "top_p" in options:
        found["top_p"] = options["top_p"]
    elif "temperature" in settings:
        found["temperature"] = min(settings["temperature"], 1)  # here it ends at 1, in chatd at 2
    if options.get("top_k", 0) > 0:
        found["top_k"] = options["top_k"]
    return found


def request_body(prompt: chatd.Prompt, thinking: int | str | None) -> dict[str, Any]:
    """Return the body of a call, but for sampling."""
    settings = prompt.settings
    options = settings.get("options", {})
    system = "\n\n".join(m.content for m in prompt.messages if m.role == "system" and m.content)
    body = {
        "model": prompt.model,
        "messages": chatd.upstream.alternating(prompt.messages),
        "max_tokens": settings.get("max_tokens", MAX_TOKENS),
        "stream": True,
    }
    if system.strip():
        body["system"] = system
    if stops := chatd.upstream.stops(options):
        body["stop_sequences"] = stops
    if isinstance(thinking, int):
        body["thinking"] = {"type": "enabled", "budget_tokens": thinking}
        body["max_tokens"] += thinking  # which counts thoughts too
    elif thinking:
        shown = {"display": "summarized"} if thinking == "adaptive" else {}
        body["thinking"] = {"type": thinking, **shown}
    if config := output_config(options):
        body["output_config"] = config
    if prompt.tools:
        body["tools"] = [tool(each["function"]) for each in prompt.tools]
    return body


def tool(function: dict[str, Any]) -> dict[str, Any]:
    """Return a tool in Anthropic's form."""
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    about = {"description": function["description"]} if function.get("description") else {}
    return {"name": function["name"], **about, "input_schema": schema}


def output_config(options: dict[str, Any]) -> dict[str, Any]:
    """Return `output_config` for OpenAI's `reasoning_effort` and `response_format`."""
    found: dict[str, Any] = {}
    if (effort := options.get("reasoning_effort", "none")) != "none":
        found["effort"] = "low" if effort == "minimal" else effort
    if (schema := chatd.upstream.json_schema(options)) is not None:
        found["format"] = {"type": "json_schema", "schema": schema}
    return found


def page_of(answer: Any) -> tuple[dict[str, chatd.discovery.Facts], str]:
    """Return the models of a page of the list, and after which the next page begins."""
    after = answer.get("last_id") if answer.get("has_more") else ""
    return chatd.discovery.anthropic(answer), after if chatd.upstream.is_word(after) else ""


# What is read of an event. A field that only looks wrong must not cost the reply, so types are told
# only where there is something below them.


class Piece(msgspec.Struct):
    """The beginning of a block, a piece of it, or what changes in the message."""

    type: Any = None
    text: Any = None
    thinking: Any = None
    partial_json: Any = None
    id: Any = None
    name: Any = None
    input: Any = None
    stop_reason: Any = None


class Event(msgspec.Struct):
    """The data of an event, of any type."""

    type: Any = None
    index: Any = None
    delta: Piece | None = None
    content_block: Piece | None = None
    message: Any = None
    usage: Any = None
    error: Any = None


DECODER = msgspec.json.Decoder(Event)

FINISHES = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
FAILURES = {
    "overloaded_error": chatd.ProviderBusy,
    "rate_limit_error": chatd.ProviderBusy,
    "timeout_error": chatd.ProviderTimeout,
    "invalid_request_error": chatd.ProviderRefused,
}
INPUTS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


class Reply(chatd.upstream.EventReply):
    """A reply while it comes."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._counts: dict[str, int] = {}
        self._calls: dict[str, bool] = {}  # by the index of the block: whether it has arguments
        self._is_thinking = False

    def take_event(self, event: chatd.sse.Event) -> None:
        """Read one event; of types that are not known there may be more."""
        told = self.decode(DECODER, event.data)
        kind, index = told.type, str(told.index)
        if kind == "content_block_delta":
            self._add(index, told.delta or Piece())
        elif kind == "content_block_start":
            self._begin(index, told.content_block or Piece())
        elif kind == "content_block_stop":
            self._end(index)
        elif kind in ("message_start", "message_delta"):
            self._note(told)
        elif kind == "message_stop":
            self.is_done = True
        elif kind == "ping":
            # A model whose thoughts are not shown says nothing else while it thinks.
            self.grew |= self._is_thinking
        elif kind == "error":
            fault = told.error.get("type") if isinstance(told.error, dict) else None
            raise self.failure(event.data, FAILURES.get(plain(fault), chatd.ProviderError))

    def _end(self, index: str) -> None:
        self._is_thinking = False
        if self._calls.get(index) is False:
            self._add_call(index, Piece(partial_json="{}"))

    def _note(self, event: Event) -> None:
        message = event.message if isinstance(event.message, dict) else {}
        usage = event.usage or message.get("usage")
        if isinstance(usage, dict):
            self._counts |= {k: n for k, n in usage.items() if chatd.upstream.is_count(n)}
        prompt = sum(self._counts.get(name, 0) for name in INPUTS)
        self.gathering.add_counts(prompt, self._counts.get("output_tokens", 0))
        if event.delta and event.delta.stop_reason:
            self.gathering.add_finish(FINISHES.get(plain(event.delta.stop_reason), "stop"))

    def _begin(self, index: str, block: Piece) -> None:
        self._is_thinking = block.type in ("thinking", "redacted_thinking")
        self.grew = True
        if block.type == "tool_use":
            self._calls[index] = False
            arguments = plain(block.input) if block.input else ""
            self._add_call(index, Piece(id=block.id, name=block.name, partial_json=arguments))
        else:
            self._add(index, block)

    def _add(self, index: str, piece: Piece) -> None:
        if piece.text:
            self.gathering.add(plain(piece.text))
        elif piece.thinking:
            self.gathering.add(plain(piece.thinking), is_reasoning=True)
        elif piece.partial_json and index in self._calls:
            self._add_call(index, piece)
        self.grew = True

    def _add_call(self, index: str, piece: Piece) -> None:
        arguments = plain(piece.partial_json)
        self._calls[index] = self._calls[index] or bool(arguments)
        self.gathering.add_call(
            index, id=plain(piece.id), name=plain(piece.name), arguments=arguments
        )
