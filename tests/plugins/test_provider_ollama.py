"""The plugin provider_ollama: what is said in Ollama's own words. Faults: test_vendor_providers."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from harness import chatting
from marshmallow import ValidationError
from ollama_server import OllamaServer
from test_vendor_providers import OLLAMA, ask, prompt, serving

import chatd
from plugins.provider_ollama import ConfigSchema, OllamaProvider, Reply, api_url


async def asked(settings: dict[str, Any], **options: Any) -> Any:
    """The body of the call for these settings."""
    async with serving(OLLAMA, **options) as (server, provider):
        assert (await ask(provider, settings=settings)).error is None
        return server.calls[-1].body


async def test_settings_become_options() -> None:
    """Settings and sampling keys are options by Ollama's names; what has a place beside them is."""
    body = await asked(
        {
            "temperature": 0.5,
            "max_tokens": 70,
            "options": {
                "top_p": 0.9,
                "top_k": -1,
                "min_p": 0.1,
                "seed": 7,
                "stop": "END",
                "presence_penalty": 0.1,
                "frequency_penalty": 0.2,
                "repetition_penalty": 1.1,
                "logit_bias": {"1": 1},
                "reasoning_effort": "minimal",
                "response_format": {"type": "json_object"},
                "mirostat": 2,
            },
        }
    )
    assert body == {
        "model": "qwen3:8b",
        "messages": [{"role": "user", "content": "hello"}],
        "stream": True,
        "think": "low",
        "format": "json",
        "options": {
            "temperature": 0.5,
            "num_predict": 70,
            "top_p": 0.9,
            "top_k": 0,
            "min_p": 0.1,
            "seed": 7,
            "stop": ["END"],
            "presence_penalty": 0.1,
            "frequency_penalty": 0.2,
            "repeat_penalty": 1.1,
            "mirostat": 2,
        },
    }


async def test_what_the_operator_says() -> None:
    """`keep_alive`, `think` and `options` of the instance go with each call; a user's go before."""
    configured = {"keep_alive": "10m", "think": True, "options": {"num_ctx": 8192, "seed": 1}}
    schema = {"type": "object", "properties": {}}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    wanted = {"seed": 2, "reasoning_effort": "none", "response_format": form}

    body = await asked({"options": {}}, **configured)
    assert (body["keep_alive"], body["think"]) == ("10m", True)
    assert body["options"] == {"num_ctx": 8192, "seed": 1}
    body = await asked({"options": wanted}, **configured)
    assert (body["think"], body["format"]) == (False, schema)
    assert body["options"] == {"num_ctx": 8192, "seed": 2}


class Thoughtless(OllamaServer):
    """An Ollama none of whose models can think."""

    async def _complete(self, call: Any, response: Any) -> None:
        if "think" in call.body:
            await response.send_json(400, {"error": '"qwen3:8b" does not support thinking'})
        else:
            await super()._complete(call, response)


async def test_a_model_that_cannot_think() -> None:
    """It is asked once more without `think`, and from then on at once."""
    async with Thoughtless() as server:
        provider = OllamaProvider("o", [server.url], timeout=5, think=True)
        async with contextlib.aclosing(provider):
            for _ in range(2):
                assert (await ask(provider)).error is None
        assert ["think" in call.body for call in server.calls] == [True, False, False]


async def test_models() -> None:
    """Names, the context that a model is started with, capabilities; what only embeds is none."""
    qwen = chatd.ModelInfo(
        name="qwen3:8b", context_length=16384, capabilities=("tools", "reasoning")
    )
    gemma = chatd.ModelInfo(name="gemma3:4b", context_length=131072, capabilities=("vision",))
    async with serving(OLLAMA) as (server, provider):
        assert await provider.models() == [qwen, gemma]
        assert sorted(call.path for call in server.questions) == ["/api/show"] * 3 + ["/api/tags"]
    async with serving(OLLAMA, options={"num_ctx": 32768}) as (_, provider):
        assert await provider.models() == [qwen, gemma.replace(context_length=32768)]


def said(*lines: str) -> list[Any]:
    """What a reply of these lines says."""
    reply = Reply("x")
    return [*reply.take("\n".join(lines).encode()), *reply.end()]


@pytest.mark.parametrize(
    ("lines", "chunks"),
    [
        (['{"message": {"content": "a"}}', '{"done": true}'], ["a", chatd.Finish(reason="stop")]),
        (['{"message": null}', '{"x": 1}', '{"done": true, "done_reason": "load"}'],
         [chatd.Finish(reason="stop")]),
        (['{"done": true, "prompt_eval_count": -1, "eval_count": 3}'],
         [chatd.Usage(completion_tokens=3, total_tokens=3), chatd.Finish(reason="stop")]),
        (['{"message": {"tool_calls": [{"function": {"name": "f"}}, {}]}}', '{"done": true}'],
         [chatd.ToolCall(id="call_0", name="f", arguments="{}"),
          chatd.ToolCall(id="call_1", name="", arguments="{}"), chatd.Finish(reason="tool_calls")]),
        (['{"done": true}', '{"message": {"content": "after the end"}}'],
         [chatd.Finish(reason="stop")]),
    ],
)  # fmt: skip
def test_odd_lines(lines: list[str], chunks: list[Any]) -> None:
    """Fields that are missing, null or odd cost no reply."""
    assert said(*lines) == chunks


@pytest.mark.parametrize("line", ['{"error": "x"}', '{"message": "x"}', "[1]", "hello"])
def test_lines_that_lose_something(line: str) -> None:
    """An error, or a line that cannot be read, is an error after what came before."""
    reply = Reply("x")
    data = f'{{"message": {{"content": "a"}}}}\n{line}\n{{"done": true}}\n'
    assert reply.take(data.encode()) == ["a"]
    with pytest.raises(chatd.ProviderError):
        reply.end()


def test_a_line_without_an_end() -> None:
    """A line may have six bytes for each of the text that a reply may have; more is an error."""
    reply = Reply("x")
    for _ in range(7):
        reply.take(b"x" * 1024 * 1024)
    with pytest.raises(chatd.ProviderError, match="too large"):
        reply.end()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:11434", "http://localhost:11434"),
        ("http://localhost:11434/", "http://localhost:11434"),
        ("http://localhost:11434/v1", "http://localhost:11434"),
        ("http://localhost:11434/api", "http://localhost:11434"),
        ("https://host/ollama/api/chat", "https://host/ollama"),
    ],
)
def test_urls(url: str, expected: str) -> None:
    """The URL of the API is found in what people copy."""
    assert api_url(url) == expected


@pytest.mark.parametrize(
    "instance",
    [
        {"keep_alive": "soon"},
        {"keep_alive": True},
        {"think": "hard"},
        {"think": 1},
        {"options": 5},
        {"unknown": 1},
        {"url": "localhost:11434"},
    ],
)
def test_wrong_configuration(instance: dict[str, Any]) -> None:
    """What cannot work is found before the start."""
    with pytest.raises(ValidationError):
        ConfigSchema().load({"instances": [{"name": "a", "url": "http://a"} | instance]})


async def test_two_instances(tmp_path: Path) -> None:
    """Two servers are two providers, each with its models and its own settings."""
    async with OllamaServer(kind=None) as one, OllamaServer(kind=None, models=("b",)) as two:
        for server, name in ((one, "qwen3:8b"), (two, "b")):
            server.documents = {"GET /api/tags": {"models": [{"name": name}]}}
        config = tmp_path / "chatd.toml"
        config.write_text(
            "".join(
                f'[[plugins.provider_ollama.instances]]\nname = "{name}"\nurl = "{server.url}"\n'
                f"keep_alive = {keep}\n"
                for name, server, keep in (("one", one, -1), ("two", two, 60))
            )
        )
        env = {"CHATD_CONFIG": str(config), "CHATD_PLUGINS_ENABLED": "auth_token,provider_ollama"}
        async with chatting(tmp_path, **env) as chat:
            alice = await chat.client("alice")
            await alice.call("POST", "/models/sync_models/")
            models = await alice.call("GET", "/models/")
            for model in ("one/qwen3:8b", "two/b"):
                answer = await alice.send(await alice.new_session(model=model))
                assert answer["ai_message"]["status"] == "complete"
        assert {model["id"] for model in models["results"]} == {"one/qwen3:8b", "two/b"}
        assert [s.calls[0].body["keep_alive"] for s in (one, two)] == [-1, 60]


def test_without_instances(tmp_path: Path) -> None:
    """Without an instance there is one, named ollama, where Ollama listens."""
    from chatd.app import App
    from chatd.config import load_config
    from plugins.provider_ollama import register_providers

    class Configured(App):
        def plugin_config(self, name: str) -> dict[str, Any]:
            return ConfigSchema().load({})

    [provider] = register_providers(Configured(load_config(None, {}, {})))
    assert provider.name == "ollama"
    assert provider.upstream.pool.servers[0].url == "http://localhost:11434"


def test_the_prompt_is_sent_whole() -> None:
    """Messages of all roles go as they are."""
    from plugins.provider_ollama import request_body

    messages = tuple(
        chatd.PromptMessage(role=role, content=role) for role in ("system", "user", "assistant")
    )
    assert request_body(prompt(messages=messages), {})["messages"] == messages
