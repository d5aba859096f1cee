"""Ollama by its own API, which knows more than the one it shares with others.

What a model is started with (`num_ctx`, `keep_alive`) and whether it thinks can be said only there.
The API: https://docs.ollama.com/api
"""

from __future__ import annotations

import functools
import re
from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import marshmallow as ma
import msgspec

import chatd

if TYPE_CHECKING:
    import httpx

DEFAULT_URL = "http://localhost:11434"
LEVELS = ("low", "medium", "high", "max")

plain = chatd.upstream.plain


def _think(value: Any) -> None:
    if not isinstance(value, bool) and value not in LEVELS:
        raise ma.ValidationError(f"Must be true, false, or one of {', '.join(LEVELS)}.")


def _duration(value: Any) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # As Go reads it, in which Ollama is written.
    is_text = isinstance(value, str) and re.fullmatch(r"-?([\d.]+(ns|us|ms|s|m|h))+", value)
    if not is_number and not is_text:
        raise ma.ValidationError('Must be seconds, or a text like "10m"; -1 is for ever.')


class InstanceSchema(chatd.upstream.InstanceSchema):
    """One of [[plugins.provider_ollama.instances]]."""

    keep_alive = ma.fields.Raw(validate=_duration)
    think = ma.fields.Raw(validate=_think)
    options = ma.fields.Dict(keys=ma.fields.String())


class ConfigSchema(ma.Schema):
    """The table [plugins.provider_ollama]."""

    instances = ma.fields.List(ma.fields.Nested(InstanceSchema))


@chatd.hookimpl
def register_providers(app: chatd.App) -> list[chatd.Provider]:
    """Return a provider for each instance, or the one named ollama on this machine."""
    default = {"name": "ollama", "urls": [DEFAULT_URL]}
    instances = app.plugin_config("provider_ollama").get("instances") or [default]
    return [OllamaProvider(**{"timeout": app.config.llm.timeout, **each}) for each in instances]


def api_url(url: str) -> str:
    """Return where /api stands; a URL that was copied with it, or with /v1, is cut."""
    parts = urlsplit(url)
    return parts._replace(path=re.sub(r"/(api(/chat)?|v1)?/*\Z", "", parts.path)).geturl()


class OllamaProvider(chatd.upstream.ServerProvider):
    """The models of one Ollama, or of several that have the same ones."""

    def __init__(
        self,
        name: str,
        urls: Iterable[str],
        *,
        keep_alive: float | str | None = None,
        think: bool | str | None = None,
        options: Mapping[str, Any] | None = None,
        **upstream: Any,
    ) -> None:
        super().__init__(name, map(api_url, urls), **upstream)
        self._discovery = chatd.discovery.Discovery(self.upstream)
        self._keep_alive, self._think, self._options = keep_alive, think, dict(options or {})
        self._thinking = chatd.upstream.Sparing()

    async def models(self) -> list[chatd.ModelInfo]:
        """Return what any of the servers has; raise ProviderError when none tells."""
        server, names = await self.read("/api/tags", chatd.discovery.ollama_names)
        told = await self._discovery.ollama(server, names)
        return [self._started(model) for model in chatd.discovery.offered(told)]

    async def health(self) -> None:
        """Return when a server lists its models, raise ProviderError when none does."""
        await self.read("/api/tags", chatd.discovery.ollama_names)

    def stream(self, prompt: chatd.Prompt) -> AsyncGenerator[chatd.Chunk | str, None]:
        """Yield the reply; all text that one read brought is one str."""
        return self.upstream.stream(functools.partial(self._ask, prompt), Reply(self.name))

    def _started(self, model: chatd.ModelInfo) -> chatd.ModelInfo:
        """Return a model as this provider has it started."""
        size = self._options.get("num_ctx")
        if not chatd.upstream.is_count(size) or not size:
            return model
        return model.replace(context_length=min(size, model.context_length or size))

    async def _ask(self, prompt: chatd.Prompt, server: chatd.upstream.Server) -> httpx.Response:
        """Ask one server; of a model that cannot think it is not wanted a second time."""
        body = request_body(prompt, self._options)
        if self._keep_alive is not None:
            body["keep_alive"] = self._keep_alive
        think = thinking(prompt.settings.get("options", {}).get("reasoning_effort"), self._think)

        async def post(with_think: bool) -> httpx.Response:
            content = msgspec.json.encode({**body, "think": think} if with_think else body)
            return await self.upstream.request("POST", server, "/api/chat", content)

        if think is None:
            return await post(False)
        return await self._thinking.ask((server.url, prompt.model), post)


def thinking(effort: Any, default: bool | str | None) -> bool | str | None:
    """Return what to send as `think`: the session's `reasoning_effort`, else the operator's."""
    if effort == "none":
        return False
    return {"minimal": "low", "xhigh": "high"}.get(effort, effort) or default


# What Ollama has under another name, or beside its `options`.
RENAMED = {"repetition_penalty": "repeat_penalty"}
NOT_OPTIONS = {"reasoning_effort", "response_format", "logit_bias"}


def request_body(prompt: chatd.Prompt, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of a call, but for `think` and `keep_alive`.

    An option that the operator allows and that is not known here goes to Ollama as it is.
    """
    settings = prompt.settings
    given = settings.get("options", {})
    options = dict(defaults)
    if "temperature" in settings:
        options["temperature"] = settings["temperature"]
    if "max_tokens" in settings:
        options["num_predict"] = settings["max_tokens"]
    for key, value in given.items():
        if key == "stop":
            options[key] = chatd.upstream.stops(given)
        elif key == "top_k":
            options[key] = max(value, 0)  # 0 is all of them, -1 is so elsewhere
        elif key not in NOT_OPTIONS:
            options[RENAMED.get(key, key)] = value
    body = {"model": prompt.model, "messages": prompt.messages, "stream": True, "options": options}
    if prompt.tools:
        body["tools"] = prompt.tools
    if given.get("response_format") == {"type": "json_object"}:
        body["format"] = "json"
    elif (schema := chatd.upstream.json_schema(given)) is not None:
        body["format"] = schema
    return body


# What is read of a line. A field that only looks wrong must not cost the reply, so types are told
# only where there is something below them.


class Function(msgspec.Struct):
    """What is called."""

    name: Any = None
    arguments: Any = None


class Call(msgspec.Struct):
    """A tool call, which comes whole."""

    id: Any = None
    function: Function | None = None


class Said(msgspec.Struct):
    """A piece of a reply."""

    content: Any = None
    thinking: Any = None
    tool_calls: list[Call] | None = None


class Line(msgspec.Struct):
    """One line; the last one has `done` and what the reply cost."""

    message: Said | None = None
    done: Any = None
    done_reason: Any = None
    prompt_eval_count: Any = None
    eval_count: Any = None
    error: Any = None


DECODER = msgspec.json.Decoder(Line)


class Reply(chatd.upstream.Reply):
    """A reply while it comes: JSON objects, each on a line of its own."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._kept: list[bytes] = []
        self._kept_size = 0
        self._calls = 0

    def read(self, data: bytes) -> None:
        """Read the lines that these bytes complete."""
        whole, newline, rest = data.rpartition(b"\n")
        if newline:
            lines = b"".join([*self._kept, whole])
            self._kept, self._kept_size = [], 0
            self._read_lines(lines)
        if rest:
            # Kept in pieces: joining a long line at every read would copy it again and again.
            self._kept.append(rest)
            self._kept_size += len(rest)
            if self._kept_size > chatd.sse.EVENT_BYTES:
                raise chatd.ProviderError("The model provider sent a line that is too large.")

    def read_end(self) -> None:
        """Read a last line that nothing ends; the beginning of one is no line."""
        line = b"".join(self._kept)
        try:
            self._take(DECODER.decode(line))
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return

    def _read_lines(self, lines: bytes) -> None:
        try:
            found: Iterable[Line] = DECODER.decode_lines(lines)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            # One by one, so that what stands before the one that is wrong is not lost.
            found = (self.decode(DECODER, line) for line in lines.split(b"\n") if line.strip())
        for line in found:
            self._take(line)
            if self.is_done:
                break

    def _take(self, line: Line) -> None:
        if line.error:
            raise self.failure(plain(line.error).encode(errors="replace"))
        said = line.message
        if said is not None:
            if said.thinking:
                self.gathering.add(plain(said.thinking), is_reasoning=True)
            if said.content:
                self.gathering.add(plain(said.content))
            for call in said.tool_calls or ():
                self._add_call(call)
            if said.content or said.thinking or said.tool_calls:
                self.grew = True
        if line.done is True:
            self._finish(line)

    def _add_call(self, call: Call) -> None:
        function = call.function or Function()
        self.gathering.add_call(
            self._calls,
            id=plain(call.id),
            name=plain(function.name),
            arguments=plain(function.arguments) or "{}",
        )
        self._calls += 1

    def _finish(self, line: Line) -> None:
        self.is_done = True
        if line.prompt_eval_count or line.eval_count:
            self.gathering.add_counts(line.prompt_eval_count, line.eval_count)
        # "load" and "unload" are no answers to a prompt; "stop" also ends one that calls tools.
        reason = "length" if line.done_reason == "length" else "stop"
        self.gathering.add_finish("tool_calls" if self._calls and reason == "stop" else reason)
