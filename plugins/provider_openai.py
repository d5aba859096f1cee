"""Any server that speaks OpenAI's API: Ollama, vLLM, llama.cpp, LM Studio, LiteLLM, OpenAI."""

from __future__ import annotations

import functools
import logging
from collections.abc import AsyncGenerator, Iterable
from typing import TYPE_CHECKING, Any

import marshmallow as ma
import msgspec

import chatd

if TYPE_CHECKING:
    import httpx

logger = logging.getLogger(__name__)
plain = chatd.upstream.plain
api_url = functools.partial(chatd.upstream.versioned, without="/chat/completions")


class ConfigSchema(ma.Schema):
    """The table [plugins.provider_openai]."""

    instances = ma.fields.List(ma.fields.Nested(chatd.upstream.InstanceSchema))


@chatd.hookimpl
def register_providers(app: chatd.App) -> list[chatd.Provider]:
    """Return a provider for each instance, or the one named llm that LLM_SERVER_URL is about."""
    llm = app.config.llm
    default = {"name": "llm", "urls": [llm.server_url]}
    instances = app.plugin_config("provider_openai").get("instances") or [default]
    return [OpenAIProvider(**{"timeout": llm.timeout, **instance}) for instance in instances]


class OpenAIProvider(chatd.upstream.ServerProvider):
    """The models of one provider."""

    def __init__(self, name: str, urls: Iterable[str], **options: Any) -> None:
        super().__init__(name, map(api_url, urls), **options)
        self._discovery = chatd.discovery.Discovery(self.upstream)
        self._usage = chatd.upstream.Sparing()

    async def models(self) -> list[chatd.ModelInfo]:
        """Return what any of the servers lists; raise ProviderError when none does."""
        server, known = await self.read("/models", chatd.discovery.listed)
        return await self._discovery.describe(server, known)

    async def health(self) -> None:
        """Return when a server lists its models, raise ProviderError when none does."""
        await self.read("/models", chatd.discovery.listed)

    def stream(self, prompt: chatd.Prompt) -> AsyncGenerator[chatd.Chunk | str, None]:
        """Yield the reply; all text that one read brought is one str."""
        return self.upstream.stream(functools.partial(self._ask, prompt), Reply(self.name))

    async def _ask(self, prompt: chatd.Prompt, server: chatd.upstream.Server) -> httpx.Response:
        """Ask one server; one that refuses `stream_options` is asked once more without."""

        async def post(usage: bool) -> httpx.Response:
            content = msgspec.json.encode(request_body(prompt, usage=usage))
            return await self.upstream.request("POST", server, "/chat/completions", content)

        return await self._usage.ask(server.url, post)


def request_body(prompt: chatd.Prompt, *, usage: bool) -> dict[str, Any]:
    """Return the body of a call; the options cannot replace what is the core's to say."""
    settings = prompt.settings
    body = {**settings.get("options", {}), "model": prompt.model, "messages": prompt.messages}
    body |= {key: settings[key] for key in ("temperature", "max_tokens") if key in settings}
    tools = {"tools": prompt.tools} if prompt.tools else {}
    extra = {"stream_options": {"include_usage": True}} if usage else {}
    return {**body, **tools, **extra, "stream": True}


# What is read of an event. Servers differ in what they put where: a field that only looks wrong
# must not cost the reply, so types are told only where there is something below them.


class CallPart(msgspec.Struct):
    """A piece of a tool call."""

    index: Any = 0
    id: Any = None
    function: Any = None


class Delta(msgspec.Struct):
    """A piece of a reply."""

    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    tool_calls: list[CallPart] | None = None


class Choice(msgspec.Struct):
    """The reply; `message` is the whole of it when it is not streamed."""

    delta: Delta | None = None
    message: Delta | None = None
    finish_reason: Any = None


class Chunk(msgspec.Struct):
    """The data of an event."""

    choices: list[Choice] | None = None
    usage: Any = None
    error: Any = None


DECODER = msgspec.json.Decoder(Chunk)


class Reply(chatd.upstream.EventReply):
    """A reply while it comes."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._has_warned = False

    def take_event(self, event: chatd.sse.Event) -> None:
        """Read one event, or a completion that is no stream, which has the same form."""
        try:
            chunk = DECODER.decode(event.data)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            chunk = self._unusual(event)
        if chunk.error or event.type == "error":
            raise self.failure(event.data)
        if isinstance(chunk.usage, dict):
            self.gathering.add_usage(chunk.usage)
        if chunk.choices:
            choice = chunk.choices[0]
            if choice.finish_reason:
                self.gathering.add_finish(choice.finish_reason)
            if delta := choice.delta or choice.message:
                self._add(delta)

    def _add(self, delta: Delta) -> None:
        content, thought = delta.content, delta.reasoning_content or delta.reasoning
        # vLLM and OpenRouter send both names of reasoning with the same text.
        if thought:
            self.gathering.add(plain(thought), is_reasoning=True)
        if content:
            self.gathering.add(content if type(content) is str else plain(content))
        for part in delta.tool_calls or ():
            function = part.function if isinstance(part.function, dict) else {}
            name, arguments = plain(function.get("name")), plain(function.get("arguments"))
            self.gathering.add_call(
                str(part.index), id=plain(part.id), name=name, arguments=arguments
            )
        if content or thought or delta.tool_calls:
            self.grew = True

    def _unusual(self, event: chatd.sse.Event) -> Chunk:
        """Read what is no JSON in UTF-8 of the usual form, or not at all.

        What is no object, such as a ping in words, holds no part of a reply: it is skipped. An
        object that cannot be read is an error, as it is for OpenAI's own clients: some of the reply
        is lost, and a text with a hole in it must not be stored as a complete one.
        """
        data = event.data.strip()
        if data == b"[DONE]":
            self.is_done = True
        elif data.startswith(b"{"):
            return self.decode(DECODER, data)
        elif data and not self._has_warned:
            self._has_warned = True
            logger.warning("%s sent an event that is no JSON object", self.name)
        return Chunk()
