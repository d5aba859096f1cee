"""The contract of a model provider, and what goes in and comes out of it."""

from __future__ import annotations

import abc
from collections.abc import AsyncGenerator, Callable
from typing import Any, Literal

import msgspec

from chatd.types import Usage, Value

Report = Callable[[str, float, str], None]


class PromptMessage(Value, frozen=True, kw_only=True):
    """One message of a prompt."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str


class Prompt(Value, frozen=True, kw_only=True):
    """What a provider is given.

    `model` is the name without the provider. `settings` holds `temperature`, `max_tokens` and
    `options`: the allowed sampling keys, to be passed on as they are. `tools` are JSON Schemas in
    the form of OpenAI's `tools` parameter.
    """

    model: str
    messages: tuple[PromptMessage, ...]
    tools: tuple[dict[str, Any], ...] = ()
    settings: dict[str, Any] = msgspec.field(default_factory=dict)


class Text(Value, frozen=True, kw_only=True):
    """A piece of the reply; a plain str is the same."""

    text: str


class Reasoning(Value, frozen=True, kw_only=True):
    """A piece of what the model thought before or between its reply."""

    text: str


class ToolCall(Value, frozen=True, kw_only=True):
    """The model asks for a tool; `arguments` is the JSON text it wrote."""

    id: str
    name: str
    arguments: str


class Finish(Value, frozen=True, kw_only=True):
    """Why the model ended: stop, length, tool_calls or content_filter."""

    reason: str


Chunk = Text | Reasoning | ToolCall | Usage | Finish


class ModelInfo(Value, frozen=True, kw_only=True):
    """A model as its provider names it."""

    name: str
    context_length: int | None = None
    capabilities: tuple[str, ...] = ()


class Provider(abc.ABC):
    """A source of models. Plugins return instances from `register_providers`.

    `name` is the first part of a model's id; it has no slash and is unique among providers.
    """

    name: str

    @abc.abstractmethod
    async def models(self) -> list[ModelInfo]:
        """Return what can be used now; raise ProviderError when that cannot be told."""

    @abc.abstractmethod
    def stream(self, prompt: Prompt) -> AsyncGenerator[Chunk | str, None]:
        """Yield the reply as it comes.

        Returning ends the generation as complete, also without a Finish. Raise ProviderInterrupted
        when the reply was cut off, another ProviderError when it failed: its message is shown to
        the user. The generator is closed, not exhausted, when the generation is stopped: what it
        holds must be freed by then.
        """

    async def health(self) -> None:
        """Return when the provider answers, raise ProviderError when it does not."""
        await self.models()

    def report_to(self, report: Report) -> None:  # noqa: B027 - some call no server
        """Take whom to tell of every call to a server; called once, before anything else.

        `report` takes the provider's name, the seconds to the first byte or the failure, and `ok`
        or the error's code. A chatd.upstream.Upstream does it if it is given `report`.
        """

    async def aclose(self) -> None:  # noqa: B027 - nothing to free is the usual case
        """Free what the provider holds."""
