"""A demo model that needs no server: it says your last message back, word by word."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator

import marshmallow as ma

import chatd

WORD = re.compile(r"\s*\S+|\s+")
NOTHING_SAID = "I am a demo, and I only repeat what you say."


class ConfigSchema(ma.Schema):
    """The table [plugins.provider_echo]."""

    delay = ma.fields.Float(load_default=0.02, validate=ma.validate.Range(min=0, max=60))


@chatd.hookimpl
def register_providers(app: chatd.App) -> list[chatd.Provider]:
    """Return the one provider, with the seconds between words that are configured."""
    return [EchoProvider(app.plugin_config("provider_echo").get("delay", 0.02))]


class EchoProvider(chatd.Provider):
    """The model `echo`. It is no language model, and it says so when there is nothing to echo."""

    name = "echo"

    def __init__(self, delay: float) -> None:
        self._delay = delay

    async def models(self) -> list[chatd.ModelInfo]:
        """Return the one model."""
        return [chatd.ModelInfo(name="echo", capabilities=("demo",))]

    async def stream(self, prompt: chatd.Prompt) -> AsyncGenerator[chatd.Chunk | str, None]:
        """Yield the words of the last user message, as many as max_tokens; a word is a token."""
        texts = [message.content for message in prompt.messages if message.role == "user"]
        words = WORD.findall(texts[-1] if texts else "") or WORD.findall(NOTHING_SAID)
        limit = prompt.settings.get("max_tokens") or len(words)
        for number, word in enumerate(words[:limit]):
            if number:
                await asyncio.sleep(self._delay)
            yield word
        asked = sum(len(WORD.findall(message.content)) for message in prompt.messages)
        said = min(limit, len(words))
        yield chatd.Usage(prompt_tokens=asked, completion_tokens=said, total_tokens=asked + said)
        yield chatd.Finish(reason="stop" if said == len(words) else "length")
