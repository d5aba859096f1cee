"""The plugin provider_echo: a demo model that needs no server."""

from __future__ import annotations

import time
from typing import Any

import pytest
from marshmallow import ValidationError

import chatd
from chatd.app import App
from chatd.config import load_config
from plugins.provider_echo import ConfigSchema, EchoProvider, register_providers


async def reply(*messages: tuple[Any, str], **settings: Any) -> list[Any]:
    """All chunks of a reply."""
    prompt = chatd.Prompt(
        model="echo",
        messages=tuple(chatd.PromptMessage(role=role, content=text) for role, text in messages),
        settings=settings,
    )
    return [chunk async for chunk in EchoProvider(0).stream(prompt)]


async def test_the_last_user_message_comes_back() -> None:
    """The reply is the last message of the user, white space included, word by word."""
    chunks = await reply(
        ("system", "be kind"), ("user", "no"), ("assistant", "x"), ("user", " a b\n")
    )

    assert chunks == [
        " a",
        " b",
        "\n",
        chatd.Usage(prompt_tokens=7, completion_tokens=3, total_tokens=10),
        chatd.Finish(reason="stop"),
    ]


@pytest.mark.parametrize(
    ("limit", "words", "reason"),
    [(1, 1, "length"), (2, 2, "stop"), (9, 2, "stop"), (None, 2, "stop")],
)
async def test_max_tokens(limit: int | None, words: int, reason: str) -> None:
    """A word is a token: max_tokens cuts, and the finish tells it."""
    *texts, usage, finish = await reply(("user", "a b"), max_tokens=limit)

    assert texts == ["a", " b"][:words]
    assert usage.completion_tokens == words
    assert finish == chatd.Finish(reason=reason)


@pytest.mark.parametrize("messages", [(), (("user", ""),), (("system", "x"),)])
async def test_nothing_to_say(messages: tuple[tuple[Any, str], ...]) -> None:
    """With nothing to repeat it says what it is."""
    text = "".join(chunk for chunk in await reply(*messages) if isinstance(chunk, str))

    assert text == "I am a demo, and I only repeat what you say."


async def test_words_have_a_pace() -> None:
    """Words come with the delay between them."""
    provider = EchoProvider(0.5)
    prompt = chatd.Prompt(model="echo", messages=(chatd.PromptMessage(role="user", content="a b"),))
    started = time.monotonic()
    times = [time.monotonic() - started async for _ in provider.stream(prompt)]

    assert times[0] < 0.5 <= times[-1]


async def test_it_is_registered() -> None:
    """Without configuration there is one provider with one model, echo/echo."""

    class Configured(App):
        def plugin_config(self, name: str) -> dict[str, Any]:
            assert name == "provider_echo"
            config: dict[str, Any] = ConfigSchema().load({})
            return config

    [provider] = register_providers(Configured(load_config(None, {}, {})))
    await provider.health()

    assert provider.name == "echo"
    assert [model.name for model in await provider.models()] == ["echo"]


@pytest.mark.parametrize("table", [{"delay": -1}, {"delay": "x"}, {"pace": 1}])
def test_wrong_configuration(table: dict[str, Any]) -> None:
    """A delay that is none, or an unknown key, is found before the start."""
    with pytest.raises(ValidationError):
        ConfigSchema().load(table)
