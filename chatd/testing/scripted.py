"""A provider that says what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from chatd.hookspecs import hookimpl
from chatd.provider import Chunk, ModelInfo, Prompt, Provider


class ScriptedProvider(Provider):
    """A provider whose replies are put into it, each a list of chunks; the model is `script/model`.

    A chunk that is an exception is raised, an asyncio.Event is waited for. `prompts` are what it
    was asked; `closed` counts its generators that have ended. It is a plugin, too.
    """

    name = "script"

    def __init__(self, *replies: Sequence[Any]) -> None:
        self.replies = [list(reply) for reply in replies]
        self.prompts: list[Prompt] = []
        self.closed = 0

    @hookimpl
    def register_providers(self) -> list[Provider]:
        """Add itself."""
        return [self]

    async def models(self) -> list[ModelInfo]:
        """Return one model."""
        return [ModelInfo(name="model", context_length=8192)]

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Chunk | str, None]:
        """Yield the next reply, `["hello ", "world"]` when none is left."""
        self.prompts.append(prompt)
        reply = self.replies.pop(0) if self.replies else ["hello ", "world"]
        try:
            for chunk in reply:
                if isinstance(chunk, asyncio.Event):
                    await chunk.wait()
                elif isinstance(chunk, BaseException):
                    raise chunk
                else:
                    yield chunk
        finally:
            self.closed += 1
