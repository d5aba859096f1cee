"""The servers that the tests of providers use, read by the Python clients of the APIs' makers."""

from __future__ import annotations

import anthropic
import ollama
import pytest
from anthropic_server import LISTED, AnthropicServer
from ollama_server import OllamaServer

from scripts.llm import REASONING, reply_to

HELLO = [{"role": "user", "content": "[reasoning]hello"}]
# Not the other reply: their client takes a U+2028 inside JSON for the end of a line.
ECHO = [{"role": "user", "content": "[reasoning][echo]hello you, café"}]
CALL = [{"role": "user", "content": '[call:get_weather {"city": "café"}] hello'}]
CITY = {"type": "object", "properties": {"city": {"type": "string"}}}


async def test_ollamas_client_reads_a_reply() -> None:
    """It gets the thoughts, the text, the reason of the end and the counts."""
    async with OllamaServer() as server, ollama.AsyncClient(server.url) as client:
        stream = await client.chat("qwen3:8b", ECHO, stream=True, think=True)
        parts = [part async for part in stream]
        whole = await client.chat("qwen3:8b", ECHO)

    text = "hello you, café"
    assert "".join(part.message.content or "" for part in parts) == text
    assert "".join(part.message.thinking or "" for part in parts) == REASONING
    assert (parts[-1].done, parts[-1].done_reason) == (True, "stop")
    assert [part.done for part in parts[:-1]] == [False] * (len(parts) - 1)
    assert parts[-1].eval_count == whole.eval_count
    assert (whole.message.content, whole.message.thinking) == (text, REASONING)


async def test_ollamas_client_reads_a_tool_call() -> None:
    """A call comes whole, with an object of arguments."""
    function = {"name": "get_weather", "parameters": CITY}
    tools = [{"type": "function", "function": function}]
    async with OllamaServer() as server, ollama.AsyncClient(server.url) as client:
        stream = await client.chat("tools", CALL, tools=tools, stream=True)
        calls = [call async for part in stream for call in part.message.tool_calls or ()]

    assert [call.function.model_dump() for call in calls] == [
        {"name": "get_weather", "arguments": {"city": "café"}}
    ]


async def test_ollamas_client_reads_the_models() -> None:
    """The list, and what a model can do."""
    async with OllamaServer() as server, ollama.AsyncClient(server.url) as client:
        listed = await client.list()
        shown = await client.show("qwen3:8b")

    assert "qwen3:8b" in [model.model for model in listed.models]
    assert shown.capabilities == ["completion", "tools", "thinking"]
    assert shown.modelinfo is not None
    assert shown.modelinfo["family.context_length"] == 40960


async def test_ollamas_client_reads_errors() -> None:
    """An error in the middle and an unknown model are its own errors."""
    async with OllamaServer() as server, ollama.AsyncClient(server.url) as client:
        with pytest.raises(ollama.ResponseError, match="runner stopped"):
            [part async for part in await client.chat("error-event", HELLO, stream=True)]
        with pytest.raises(ollama.ResponseError, match="no model") as caught:
            await client.chat("nothing", HELLO)
    assert caught.value.status_code == 404


def anthropics(server: AnthropicServer) -> anthropic.AsyncAnthropic:
    """Their client, which refuses what is not of the published shape."""
    return anthropic.AsyncAnthropic(
        base_url=server.url, api_key="k", max_retries=0, _strict_response_validation=True
    )


async def test_anthropics_client_reads_a_reply() -> None:
    """It builds a block of thoughts and one of text, with the reason of the end and the usage."""
    async with AnthropicServer(key="k") as server, anthropics(server) as client:
        asked = {"model": "qwen3:8b", "max_tokens": 1000, "messages": HELLO, "system": "be brief"}
        async with client.messages.stream(**asked) as stream:
            message = await stream.get_final_message()

    thoughts, text = message.content
    assert (thoughts.type, text.type) == ("thinking", "text")
    assert thoughts.thinking == REASONING
    assert text.text == reply_to([{"role": "system", "content": "be brief"}, *HELLO])
    assert message.stop_reason == "end_turn"
    assert message.usage.output_tokens > message.usage.input_tokens


async def test_anthropics_client_reads_a_tool_call() -> None:
    """It puts the pieces of the arguments together."""
    tools = [{"name": "get_weather", "input_schema": CITY}]
    async with AnthropicServer() as server, anthropics(server) as client:
        asked = {"model": "tools", "max_tokens": 1000, "messages": CALL, "tools": tools}
        async with client.messages.stream(**asked) as stream:
            message = await stream.get_final_message()

    [call] = message.content
    assert (call.type, call.name, call.input) == ("tool_use", "get_weather", {"city": "café"})
    assert message.stop_reason == "tool_use"


async def test_anthropics_client_reads_the_models() -> None:
    """It pages through the list."""
    async with AnthropicServer() as server, anthropics(server) as client:
        models = [model async for model in client.models.list()]
        assert len(server.listings) == 2

    assert [model.id for model in models] == [each["id"] for each in LISTED]
    assert models[0].capabilities is not None
    assert models[0].capabilities.thinking.supported


async def test_anthropics_client_reads_errors() -> None:
    """An error in the middle and one instead of an answer are its own errors."""
    asked = {"max_tokens": 1000, "messages": HELLO, "stream": True}
    async with AnthropicServer() as server, anthropics(server) as client:
        with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
            [_ async for _ in await client.messages.create(model="error-event", **asked)]
        with pytest.raises(anthropic.NotFoundError):
            await client.messages.create(model="nothing", **asked)
        with pytest.raises(anthropic.APIStatusError) as caught:
            await client.messages.create(model="529", **asked)
    assert caught.value.status_code == 529
