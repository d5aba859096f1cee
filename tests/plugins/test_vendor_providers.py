"""Ollama's and Anthropic's provider: all that a model server can do wrong, for both."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import statistics
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from anthropic_server import ANTHROPIC_MODES, AnthropicServer
from harness import Client, chatting
from hypothesis import given, settings
from hypothesis import strategies as st
from ollama_server import OLLAMA_MODES, OllamaServer

import chatd
from plugins import provider_anthropic, provider_ollama
from scripts.llm import HUGE, REASONING, SECRET, LlmServer, reply_to, tokens

KEY = "sk-key-that-nobody-may-see"
TIMEOUT = 1.0
HELLO = [{"role": "user", "content": "hello"}]
TEXT = reply_to(HELLO)
MENDED = TEXT.replace("Réponse", "Réponse a\ufffdb", 1)


class Vendor(NamedTuple):
    """A plugin, and the server it is tried against."""

    name: str
    plugin: Any
    provider: type[chatd.upstream.ServerProvider]
    server: type[LlmServer]
    modes: dict[str, Any]


OLLAMA = Vendor(
    "ollama", provider_ollama, provider_ollama.OllamaProvider, OllamaServer, OLLAMA_MODES
)
ANTHROPIC = Vendor(
    "anthropic",
    provider_anthropic,
    provider_anthropic.AnthropicProvider,
    AnthropicServer,
    ANTHROPIC_MODES,
)
VENDORS = [OLLAMA, ANTHROPIC]
each_vendor = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)


class Result(NamedTuple):
    """What a reply brought: all its chunks, the text of them, and the error that ended it."""

    chunks: list[Any]
    error: chatd.ProviderError | None

    @property
    def text(self) -> str:
        """The text alone."""
        return "".join(chunk for chunk in self.chunks if isinstance(chunk, str))


def prompt(model: str = "qwen3:8b", text: str = "hello", **fields: Any) -> chatd.Prompt:
    """A prompt of one message."""
    messages = (chatd.PromptMessage(role="user", content=text),)
    return chatd.Prompt(**{"model": model, "messages": messages, **fields})


async def ask(provider: chatd.Provider, *args: Any, **fields: Any) -> Result:
    """The whole reply to a prompt."""
    chunks = []
    try:
        async for chunk in provider.stream(prompt(*args, **fields)):
            chunks.append(chunk)
    except chatd.ProviderError as exc:
        return Result(chunks, exc)
    return Result(chunks, None)


@contextlib.asynccontextmanager
async def serving(vendor: Vendor, **options: Any) -> AsyncIterator[tuple[LlmServer, Any]]:
    """A server of this kind, and a provider of it."""
    async with vendor.server(models=("qwen3:8b",)) as server:
        provider = vendor.provider(
            vendor.name, [server.url], **{"timeout": 20, "key": KEY, **options}
        )
        async with contextlib.aclosing(provider):
            yield server, provider


class End(NamedTuple):
    """How a reply ends: the kind of its error, its text, and how often the server was asked."""

    error: type[chatd.ProviderError] | None = None
    text: str = ""
    calls: int = 1


def first(count: int) -> str:
    """The first tokens of the reply."""
    return "".join(tokens(TEXT)[:count])


GOOD = End(None, TEXT)
ENDS = {
    "qwen3:8b": GOOD,
    "tools": GOOD,
    "tools-forever": GOOD,
    "no-sampling": GOOD,
    "refuse": End(chatd.ProviderUnavailable, calls=3),
    "429": End(chatd.ProviderBusy, calls=3),
    "529": End(chatd.ProviderBusy, calls=3),
    "529-retry-after": End(chatd.ProviderBusy, calls=3),
    "429-then-ok": End(None, TEXT, 2),
    "503-then-ok": End(None, TEXT, 2),
    "529-then-ok": End(None, TEXT, 2),
    "500-html": End(chatd.ProviderError),
    "hang-headers": End(chatd.ProviderTimeout),
    "hang-first": End(chatd.ProviderTimeout),
    "hang-middle": End(chatd.ProviderTimeout, first(5)),
    "reset-0": End(chatd.ProviderUnavailable, calls=3),
    "cut-utf8": GOOD,
    "cut-utf8-end": End(chatd.ProviderInterrupted, first(5)),
    "lone-surrogate": End(None, MENDED),
    "nul": End(None, MENDED),
    "malformed-sse": End(chatd.ProviderError, first(1)),
    "cr": GOOD,
    "crlf": GOOD,
    "no-newline": GOOD,
    "empty-lines": GOOD,
    "no-done": GOOD,
    "no-finish": End(chatd.ProviderInterrupted, TEXT),
    "huge-chunk": End(None, HUGE),
    "slow": End(None, "a b"),
    "redirect": End(chatd.ProviderError),
    "error-event": End(chatd.ProviderError, first(3)),
    "empty": End(None, ""),
    "no-such-model": End(chatd.ProviderRefused),
}
# These never end by themselves or end anywhere, which has a test of its own; or 529 stands for it.
OTHERS = {"endless", "reset-500", "429-retry-after"}
CASES = [
    (vendor, mode)
    for vendor in VENDORS
    for mode in ENDS
    if mode in vendor.modes or mode in ("qwen3:8b", "reset-0", "no-such-model")
]


@pytest.mark.parametrize(
    ("vendor", "mode"), CASES, ids=[f"{vendor.name}-{mode}" for vendor, mode in CASES]
)
async def test_every_fault(vendor: Vendor, mode: str, caplog: pytest.LogCaptureFixture) -> None:
    """A reply ends as promised after as many calls as promised; no secret is told or logged."""
    caplog.set_level(logging.INFO)
    expected = ENDS[mode]
    async with serving(vendor, timeout=TIMEOUT if "hang" in mode else 20) as (server, provider):
        result = await ask(provider, mode, "[echo]a b" if mode == "slow" else "hello")
        assert len(server.calls) == expected.calls
        assert {call.port for call in server.calls} == {server.port}
    assert result.text == expected.text
    if expected.error is None:
        assert result.error is None
        assert result.chunks[-1] == chatd.Finish(reason="stop")
    elif mode == "error-event" and vendor is ANTHROPIC:
        assert type(result.error) is chatd.ProviderBusy  # it said that all is too much
    else:
        assert type(result.error) is expected.error
    told = [str(result.error), *(record.getMessage() for record in caplog.records)]
    assert [line for line in told if SECRET in line or KEY in line or "127.0.0.1" in line] == []


@each_vendor
def test_every_mode_is_promised_something(vendor: Vendor) -> None:
    """There is no fault of a server that is not tried."""
    assert vendor.modes.keys() - ENDS.keys() - OTHERS == set()


@each_vendor
async def test_a_reply_is_exact(vendor: Vendor) -> None:
    """Thoughts, text, then one Usage and one Finish; all that one read brought is one chunk."""
    text = "[reasoning][words:300] hello"
    async with serving(vendor) as (_, provider):
        result = await ask(provider, text=text)

    thoughts = [chunk.text for chunk in result.chunks if isinstance(chunk, chatd.Reasoning)]
    assert "".join(thoughts) == REASONING
    assert result.text == reply_to([{"role": "user", "content": text}])
    count = len(tokens(REASONING)) + 300
    assert result.chunks[-2:] == [
        chatd.Usage(prompt_tokens=2, completion_tokens=count, total_tokens=count + 2),
        chatd.Finish(reason="stop"),
    ]


@each_vendor
async def test_a_short_limit_is_told(vendor: Vendor) -> None:
    """A reply that was cut by max_tokens finishes with length."""
    async with serving(vendor) as (_, provider):
        result = await ask(provider, text="[echo]a b c", settings={"max_tokens": 2})

    assert (result.text, result.chunks[-1]) == ("a b", chatd.Finish(reason="length"))


@each_vendor
async def test_tool_calls_are_whole(vendor: Vendor) -> None:
    """Each call is one chunk with its arguments as JSON, before the Finish; none are `{}`."""
    text = '[call:get_weather {"city": "café"}][call:other {}] hello'
    tool = {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}
    tools = ({"type": "function", "function": tool},)
    async with serving(vendor) as (server, provider):
        result = await ask(provider, "tools", text, tools=tools)
        sent = json.dumps(server.calls[0].body["tools"])

    calls = [chunk for chunk in result.chunks if isinstance(chunk, chatd.ToolCall)]
    assert [(call.name, json.loads(call.arguments)) for call in calls] == [
        ("get_weather", {"city": "café"}),
        ("other", {}),
    ]
    assert len({call.id for call in calls}) == 2
    assert result.chunks[-1] == chatd.Finish(reason="tool_calls")
    assert "get_weather" in sent


# Wherever it is cut


async def recorded(vendor: Vendor) -> bytes:
    """The bytes of a small reply with all that one can have."""
    asked: dict[str, Any] = {"model": "tools", "max_tokens": 99, "stream": True}
    asked["messages"] = [{"role": "user", "content": "[reasoning][words:3]hé"}]
    async with vendor.server() as server, server_client(server) as client:
        reply = await client.http.post(server.url + server.chat_path, json=asked)
        return reply.content


@contextlib.asynccontextmanager
async def server_client(server: LlmServer) -> AsyncIterator[Any]:
    """Something that asks a server by hand."""
    import httpx

    class Hand:
        http = httpx.AsyncClient(headers={"anthropic-version": "2023-06-01"})

    async with Hand.http:
        yield Hand


def joined(vendor: Vendor, *pieces: bytes) -> tuple[str, str, list[Any]]:
    """What a reply says that comes in these pieces: thoughts, text, and the rest."""
    reply = vendor.plugin.Reply("x")
    chunks = [chunk for piece in pieces for chunk in reply.take(piece)]
    chunks += reply.end()
    thoughts = "".join(chunk.text for chunk in chunks if isinstance(chunk, chatd.Reasoning))
    text = "".join(chunk for chunk in chunks if isinstance(chunk, str))
    rest = [chunk for chunk in chunks if not isinstance(chunk, str | chatd.Reasoning)]
    return thoughts, text, rest


@each_vendor
async def test_a_reply_cut_in_two_anywhere(vendor: Vendor) -> None:
    """However its bytes are cut into two reads, or one by one, also with CRLF, it says the same."""
    data = await recorded(vendor)
    whole = joined(vendor, data)
    assert whole[0] == REASONING
    for at in range(len(data)):
        assert joined(vendor, data[:at], data[at:]) == whole, at
    for each in (data, data.replace(b"\n", b"\r\n")):
        assert joined(vendor, *(bytes([byte]) for byte in each)) == whole


@each_vendor
async def test_a_reply_that_ends_anywhere(vendor: Vendor) -> None:
    """A reply that just ends is interrupted unless it had told why it ends; its text is a start."""
    data = await recorded(vendor)
    _, text, _ = joined(vendor, data)
    ends = []
    for at in range(len(data)):
        reply = vendor.plugin.Reply("x")
        said = [chunk for chunk in reply.take(data[:at]) if isinstance(chunk, str)]
        try:
            said += [chunk for chunk in reply.end() if isinstance(chunk, str)]
            ends.append("complete")
            assert "".join(said) == text
        except chatd.ProviderInterrupted:
            ends.append("interrupted")
            assert text.startswith("".join(said))
    assert ends == sorted(ends, reverse=True)
    assert ends.count("complete") < 150  # what stands behind the reason


FIELDS = ["type", "index", "delta", "content_block", "message", "usage", "error", "text", "id"]
FIELDS += ["thinking", "content", "tool_calls", "function", "name", "arguments", "done", "input"]
FIELDS += ["done_reason", "eval_count", "stop_reason", "partial_json"]


LIKE_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(FIELDS) | st.text(max_size=3),
            inner | st.sampled_from(["content_block_delta", "text_delta", "message_start"]),
            max_size=4,
        )
    ),
    max_leaves=6,
)


@each_vendor
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_garbage_is_an_error_of_the_provider(vendor: Vendor, data: st.DataObject) -> None:
    """Whatever bytes come, nothing else than a ProviderError is raised, and texts can be stored."""
    lines = data.draw(st.lists(LIKE_JSON.map(json.dumps).map(str.encode) | st.binary(max_size=20)))
    start = b"data: " if vendor is ANTHROPIC else b""
    end = b"\n\n" if vendor is ANTHROPIC else b"\n"
    with contextlib.suppress(chatd.ProviderError):
        _, text, rest = joined(vendor, *(start + line + end for line in lines))
        (text + repr(rest)).encode()


# Connections


@each_vendor
@pytest.mark.parametrize("mode", ["hang-headers", "hang-middle", "endless"])
async def test_a_cancelled_call_is_dropped_at_once(vendor: Vendor, mode: str) -> None:
    """Cancelling what reads a reply closes its connection, whatever it waits for."""
    async with serving(vendor) as (server, provider):
        generation = asyncio.create_task(ask(provider, mode))
        await server.wait_for(lambda calls: calls and (calls[0].tokens or mode == "hang-headers"))
        generation.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await generation
        [call] = await server.wait_for(lambda calls: calls[0].end)

        assert call.end == "dropped"
        assert server.connections == 0


@each_vendor
async def test_a_connection_is_used_again(vendor: Vendor) -> None:
    """Replies after each other use one connection."""
    async with serving(vendor) as (server, provider):
        for _ in range(3):
            assert (await ask(provider)).error is None
        assert server.connections == 1


@each_vendor
async def test_health(vendor: Vendor) -> None:
    """A server that lists its models is healthy; one that refuses the key or is gone is not."""
    async with serving(vendor) as (server, provider):
        await provider.health()
        server.key = "another"
        with pytest.raises(chatd.ProviderRefused) as caught:
            await provider.health()
        assert KEY not in str(caught.value)
        await server.aclose()
        with pytest.raises(chatd.ProviderUnavailable):
            await provider.models()


@each_vendor
@pytest.mark.parametrize("answer", ["[1]", '{"models": 5, "data": 5}', "{}", '{"data": [5]}', "no"])
async def test_a_model_list_that_makes_no_sense(vendor: Vendor, answer: str) -> None:
    """Anything else is an error of the provider."""
    with pytest.raises(chatd.ProviderError):
        vendor.provider("x", ["http://a"], timeout=1).make_sense(
            answer.encode(),
            chatd.discovery.ollama_names if vendor is OLLAMA else provider_anthropic.page_of,
        )


# Over the whole chatd


@contextlib.asynccontextmanager
async def fronting(
    vendor: Vendor, tmp_path: Path, **env: str
) -> AsyncIterator[tuple[LlmServer, Client]]:
    """A user of a chatd in front of a model server that needs a key."""
    plugin = vendor.plugin.__name__.rpartition(".")[2]
    async with vendor.server(models=("qwen3:8b",), key=KEY) as server:
        config = tmp_path / "chatd.toml"
        config.write_text(
            f'[[plugins.{plugin}.instances]]\nname = "it"\nurl = "{server.url}"\n'
            'key = { env = "THE_KEY" }\n'
        )
        env = {
            "CHATD_CONFIG": str(config),
            "CHATD_PLUGINS_ENABLED": f"auth_token,{plugin}",
            "THE_KEY": KEY,
            **env,
        }
        async with chatting(tmp_path, **env) as chat:
            yield server, await chat.client("alice")


@each_vendor
async def test_turns_over_a_socket(
    vendor: Vendor, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Turns end once each, as promised; nobody is shown a secret; the session goes on."""
    caplog.set_level(logging.DEBUG)
    ends = {
        "qwen3:8b": ("complete", TEXT),
        "error-event": ("error", first(3)),
        "no-finish": ("interrupted", TEXT),
        "hang-middle": ("error", first(5)),
        "500-html": ("error", ""),
    }
    async with fronting(vendor, tmp_path, LLM_TIMEOUT="2") as (_, alice):
        for mode, end in ends.items():
            session_id = await alice.new_session(model=f"it/{mode}")
            async with alice.socket(f"session/{session_id}", chunks="delta") as socket:
                await socket.send("send_message", message="hello")
                events = await socket.until("ai_message_complete", "error")
            told = events[-1].get("ai_message") or events[-1]["message"]
            assert (told["status"], told["content"]) == end
            assert (await alice.messages(session_id))[-1] == told
            assert not [each for each in (SECRET, KEY, "127.0.0.1") if each in json.dumps(events)]
        session_id = await alice.new_session(model="it/qwen3:8b", system_prompt="be brief")
        said = (await alice.send(session_id, "[reasoning]hello"))["ai_message"]
        listed = await alice.call("GET", "/models/")
    asked = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hello"}]
    assert said["content"] == reply_to(asked)
    assert said["parts"][0] == {"type": "reasoning", "text": REASONING}
    assert {model["provider"] for model in listed["results"]} == {"it"}
    assert KEY not in caplog.text


@each_vendor
async def test_stop_closes_the_call_at_once(vendor: Vendor, tmp_path: Path) -> None:
    """The model server sees within 100 ms that a turn was stopped; of several tries the median."""
    delays = []
    async with fronting(vendor, tmp_path) as (server, alice):
        session_id = await alice.new_session(model="it/hang-middle")
        async with alice.socket(f"session/{session_id}", chunks="delta") as socket:
            for count in range(5):
                await socket.send("send_message", message="hello")
                await socket.until("ai_message_chunk")
                begun = asyncio.get_running_loop().time()
                await socket.send("stop_generation")
                (*_, call) = await server.wait_for(
                    lambda calls, count=count: len(calls) > count and calls[-1].end
                )
                delays.append(call.ended - begun)
                assert call.end == "dropped"
                event = (await socket.until("ai_message_complete", "error"))[-1]
                assert event["message"]["status"] == "stopped"
    assert statistics.median(delays) < 0.1, delays
