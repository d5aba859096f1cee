"""Models that write as many entries as their names say, and then a word ten times a second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import chatd

LENGTHS = (100, 10_000, 100_000)
PIECE = "Ten words of a reply that says nothing at all. " * 4
PIECES = 400  # 80 kB


class Endless(chatd.Provider):
    """Yields each word in a turn of the loop of its own, so that each is an entry of the log."""

    name = "endless"

    async def models(self) -> list[chatd.ModelInfo]:
        """Return a model for each length, and two whose replies end."""
        return [chatd.ModelInfo(name=str(name)) for name in (*LENGTHS, "fast", "paced")]

    async def stream(self, prompt: chatd.Prompt) -> AsyncGenerator[chatd.Chunk | str, None]:
        """Yield words; until somebody stops it, when the model's name is a number."""
        if prompt.model in ("fast", "paced"):
            for _ in range(PIECES):
                yield PIECE
                await asyncio.sleep(0.005 if prompt.model == "paced" else 0)
            return
        for _ in range(int(prompt.model)):
            yield "A word. "
            await asyncio.sleep(0)
        while True:
            await asyncio.sleep(0.1)
            yield "more "


@chatd.hookimpl
def register_providers() -> list[chatd.Provider]:
    """Add it."""
    return [Endless()]
