"""The plugin provider_openai, against a real server that fails in every way a real one does."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import itertools
import json
import logging
import time
from collections.abc import AsyncIterator
from email.utils import formatdate
from pathlib import Path
from typing import Any, NamedTuple

import httpx_aiohttp  # noqa: F401 - else the first call loads it, within a short time-out
import pytest
from marshmallow import ValidationError

import chatd
from chatd.app import App
from chatd.config import load_config
from plugins import provider_openai
from plugins.provider_openai import OpenAIProvider, api_url
from scripts.llm import HUGE, MODES, REASONING, SECRET, LlmServer, reply_to, tokens

KEY = "sk-key-that-nobody-may-see"
TIMEOUT = 0.3
PATIENT = 1.0  # for what must not run into it, also on a machine that is busy
AT_ONCE = 10.0  # seconds; it takes some milliseconds, and the time-out is a minute away
HELLO = [{"role": "user", "content": "hello"}]
TEXT = reply_to(HELLO)
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


class Result(NamedTuple):
    """What a reply brought: all its chunks, the text of them, and the error that ended it."""

    chunks: list[Any]
    error: chatd.ProviderError | None

    @property
    def text(self) -> str:
        """The text alone."""
        return "".join(chunk for chunk in self.chunks if isinstance(chunk, str))

    def of(self, kind: type) -> list[Any]:
        """The chunks of one kind."""
        return [chunk for chunk in self.chunks if isinstance(chunk, kind)]


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
async def providing(*urls: str, **options: Any) -> AsyncIterator[OpenAIProvider]:
    """A provider of these servers."""
    provider = OpenAIProvider("llm", urls, **{"timeout": 60, "key": KEY, **options})
    async with contextlib.aclosing(provider):
        yield provider


@contextlib.asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[tuple[LlmServer, OpenAIProvider]]:
    """The development server and a provider of it."""
    async with LlmServer() as server, providing(server.url, **options) as provider:
        yield server, provider


class Scripted:
    """A server that answers each request with the next of these bytes, and then closes.

    `requests` are the bodies it was sent, parsed; the last answer is repeated.
    """

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.requests: list[Any] = []
        self.heads: list[str] = []

    async def __aenter__(self) -> Scripted:
        self.server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.server.close()
        await self.server.wait_closed()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(
                (int(line[15:]) for line in head.lower().split("\r\n") if "content-length" in line),
                0,
            )
            self.heads.append(head)
            self.requests.append(json.loads(await reader.readexactly(length) or b"null"))
            writer.write(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
            await writer.drain()


def http(status: int, body: bytes = b"", **headers: str) -> bytes:
    """An answer that ends with its connection."""
    lines = [f"HTTP/1.1 {status} X", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def sse(*events: Any) -> bytes:
    """A stream of these events: objects as JSON, text as it is."""
    texts = [event if isinstance(event, str) else json.dumps(event) for event in events]
    body = "".join(f"data: {text}\n\n" for text in texts).encode()
    return http(200, body, content_type="text/event-stream")


def delta(finish_reason: str | None = None, **fields: Any) -> dict[str, Any]:
    """An event with one delta."""
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": finish_reason}]}


END = delta("stop")


async def ask_scripted(*events: Any, **fields: Any) -> Result:
    """The reply that a server gives with these events."""
    async with Scripted(sse(*events)) as server, providing(server.url) as provider:
        return await ask(provider, **fields)


# A good reply


async def test_a_reply_is_exact() -> None:
    """Text comes as str, whole and in order; then one Usage and one Finish."""
    async with serving() as (_, provider):
        result = await ask(provider, text="[words:300] hello")

    text = reply_to([{"role": "user", "content": "[words:300] hello"}])
    assert (result.text, result.error) == (text, None)
    assert result.chunks[-2:] == [
        chatd.Usage(prompt_tokens=2, completion_tokens=300, total_tokens=302),
        chatd.Finish(reason="stop"),
    ]
    assert {type(chunk) for chunk in result.chunks[:-2]} == {str}


async def test_the_text_of_one_read_is_one_str() -> None:
    """What comes at once is handed on as one chunk, not as one for each token."""
    result = await ask_scripted(*[delta(content=f"{i} ") for i in range(500)], END)

    assert result.text == "".join(f"{i} " for i in range(500))
    assert len(result.of(str)) < 20


async def test_reasoning_and_text_keep_their_order() -> None:
    """Reasoning by both its names, and text, are joined with their neighbours only."""
    result = await ask_scripted(
        delta(reasoning_content="a"),
        delta(reasoning="b", reasoning_content="b"),
        delta(content="c"),
        delta(content="d", reasoning="e"),
        delta(content="f"),
        END,
    )

    assert [getattr(chunk, "text", chunk) for chunk in result.chunks[:-1]] == ["ab", "c", "e", "df"]
    assert result.of(chatd.Reasoning) == [chatd.Reasoning(text="ab"), chatd.Reasoning(text="e")]


async def test_reasoning_of_the_development_server() -> None:
    """Reasoning comes before the text, whole."""
    async with serving() as (_, provider):
        result = await ask(provider, text="[reasoning][echo]a b")

    assert "".join(chunk.text for chunk in result.of(chatd.Reasoning)) == REASONING
    assert result.text == "a b"


async def test_what_is_asked() -> None:
    """The call has the model, all messages, the settings, the options, the tools and the key."""
    messages = (
        chatd.PromptMessage(role="system", content="be brief"),
        chatd.PromptMessage(role="user", content="hello é"),
    )
    settings = {
        "temperature": 0.5,
        "max_tokens": 7,
        "options": {"top_p": 0.9, "model": "evil", "stream": False},
    }
    async with serving(headers={"X-Team": "blue"}) as (server, provider):
        await ask(provider, messages=messages, settings=settings, tools=(WEATHER,))
        [call] = server.calls

    assert call.body == {
        "model": "qwen3:8b",
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "hello é"},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.5,
        "max_tokens": 7,
        "top_p": 0.9,
        "tools": [WEATHER],
    }
    assert call.headers["authorization"] == f"Bearer {KEY}"
    assert call.headers["x-team"] == "blue"
    assert call.headers["content-type"] == "application/json"


async def test_a_short_limit_is_told() -> None:
    """A reply that was cut by max_tokens finishes with length."""
    async with serving() as (_, provider):
        result = await ask(provider, text="[echo]a b c", settings={"max_tokens": 2})

    assert result.text == "a b"
    assert result.chunks[-1] == chatd.Finish(reason="length")


async def test_a_connection_is_used_again() -> None:
    """Replies after each other use one connection; no cookie is kept between them."""
    async with serving() as (server, provider):
        for _ in range(3):
            assert (await ask(provider)).error is None
        assert server.connections == 1


async def test_cookies_are_not_kept() -> None:
    """A cookie that a server sets is not sent back: all users share the client."""
    body = sse(delta(content="a"), END).replace(b"Connection", b"Set-Cookie: a=b\r\nConnection")
    async with Scripted(body) as server, providing(server.url) as provider:
        for _ in range(2):
            assert (await ask(provider)).text == "a"

    assert "cookie" not in "".join(server.heads).lower()


# Tools


async def test_tool_calls_are_put_together() -> None:
    """The parts of several calls become whole calls, given before the Finish."""
    text = '[call:get_weather {"city": "café"}][call:other {broken}] hello'
    async with serving() as (_, provider):
        result = await ask(provider, "tools", text, tools=(WEATHER,))

    calls = result.of(chatd.ToolCall)
    assert [(call.name, call.arguments) for call in calls] == [
        ("get_weather", '{"city": "café"}'),
        ("other", "{broken}"),
    ]
    assert len({call.id for call in calls}) == 2
    assert result.chunks[-1] == chatd.Finish(reason="tool_calls")
    assert result.of(str) == []


async def test_odd_tool_calls() -> None:
    """Calls without an id or an index, or that share an index, or with an object, are taken."""
    result = await ask_scripted(
        delta(tool_calls=[{"index": 0, "id": "x", "function": {"name": "a", "arguments": "{}"}}]),
        delta(tool_calls=[{"index": 0, "id": "y", "function": {"name": "b", "arguments": ""}}]),
        delta(tool_calls=[{"index": 0, "id": "y", "function": {"arguments": "{}"}}]),
        delta(tool_calls=[{"index": 3, "function": {"name": "c", "arguments": {"k": 1}}}]),
        delta("tool_calls", tool_calls=[{"index": 3, "function": None}]),
        "[DONE]",
    )

    assert result.of(chatd.ToolCall) == [
        chatd.ToolCall(id="x", name="a", arguments="{}"),
        chatd.ToolCall(id="y", name="b", arguments="{}"),
        chatd.ToolCall(id="call_2", name="c", arguments='{"k": 1}'),
    ]


async def test_an_endless_tool_call_is_an_error() -> None:
    """The arguments of a call are bounded: they are kept until the end of the reply."""
    part = {"index": 0, "id": "x", "function": {"name": "a", "arguments": "x" * 300_000}}
    result = await ask_scripted(*[delta(tool_calls=[part])] * 4, END)

    assert isinstance(result.error, chatd.ProviderError)


# Every way to fail


@pytest.mark.parametrize(
    ("mode", "text"),
    [
        *((mode, TEXT) for mode in ["cr", "crlf", "cut-utf8", "no-done", "tools-forever"]),
        ("huge-chunk", HUGE),
        ("empty", ""),
        ("lone-surrogate", TEXT.replace("Réponse", "Réponse a\ufffdb", 1)),
        ("nul", TEXT.replace("Réponse", "Réponse a\ufffdb", 1)),
    ],
)
async def test_odd_but_complete(mode: str, text: str) -> None:
    """What is only unusual gives the right text, storable, and a Finish."""
    async with serving() as (server, provider):
        result = await ask(provider, mode)
        assert len(server.calls) == 1

    assert (result.text, result.error) == (text, None)
    assert result.chunks[-1] == chatd.Finish(reason="stop")


async def test_done_without_a_finish_reason() -> None:
    """[DONE] alone makes a reply complete; nobody knows why it ended."""
    async with serving() as (_, provider):
        result = await ask(provider, "done-only")

    assert (result.text, result.error) == (TEXT, None)
    assert result.of(chatd.Finish) == []


@pytest.mark.parametrize("mode", ["no-finish", "cut-utf8-end"])
async def test_a_clean_end_too_early(mode: str) -> None:
    """A reply that just ends is interrupted; what came of it is whole characters."""
    async with serving() as (_, provider):
        result = await ask(provider, mode)

    assert isinstance(result.error, chatd.ProviderInterrupted)
    assert result.text
    assert TEXT.startswith(result.text)


@pytest.mark.parametrize(
    ("mode", "kind", "text"),
    [
        ("error-event", chatd.ProviderError, "".join(tokens(TEXT)[:3])),
        ("malformed-sse", chatd.ProviderError, "".join(tokens(TEXT)[:1])),
        ("500-html", chatd.ProviderError, ""),
        ("redirect", chatd.ProviderError, ""),
    ],
)
async def test_errors(mode: str, kind: type, text: str) -> None:
    """What came before the error is handed on; the call is not repeated, nor sent elsewhere."""
    async with serving() as (server, provider):
        result = await ask(provider, mode)
        assert [call.port for call in server.calls] == [server.port]

    assert type(result.error) is kind
    assert result.text == text


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_refusals(status: int) -> None:
    """A refusal is told as such, and not repeated but for the usage that may be the cause."""
    async with Scripted(http(status, SECRET.encode())) as server, providing(server.url) as provider:
        result = await ask(provider)

    assert type(result.error) is chatd.ProviderRefused
    assert len(server.requests) == (2 if status in (400, 422) else 1)


async def test_an_unknown_model_is_refused() -> None:
    """The development server's 404 is a refusal."""
    async with serving() as (_, provider):
        refused = (await ask(provider, "no-such-mode")).error
        assert isinstance(refused, chatd.ProviderRefused)
        assert refused.message.endswith("has no such model, or its URL is wrong (404).")


@pytest.mark.parametrize(
    ("mode", "kind", "calls"),
    [
        ("refuse", chatd.ProviderUnavailable, 3),
        ("reset-0", chatd.ProviderUnavailable, 3),
        ("429", chatd.ProviderBusy, 3),
        ("429-retry-after", chatd.ProviderBusy, 3),
    ],
)
async def test_retried_in_vain(mode: str, kind: type, calls: int) -> None:
    """What failed before the first byte is repeated twice, after the time that was asked for."""
    async with serving() as (server, provider):
        result = await ask(provider, mode)
        times = [call.time for call in server.calls]

    assert type(result.error) is kind
    assert len(times) == calls
    assert times[-1] - times[0] >= (2 if mode == "429-retry-after" else 0.1)


@pytest.mark.parametrize("mode", ["429-then-ok", "503-then-ok"])
async def test_retried_with_success(mode: str) -> None:
    """A server that is busy or starting gets a second chance, unseen by the user."""
    async with serving() as (server, provider):
        result = await ask(provider, mode)
        assert [call.status for call in server.calls] == [int(mode[:3]), 200]

    assert (result.text, result.error) == (TEXT, None)


@pytest.mark.parametrize("mode", ["reset-1", "reset-500", "reset-20000"])
async def test_a_reset_in_the_middle(mode: str) -> None:
    """A connection that breaks is an error; what came before is handed on."""
    text = "[words:5000] hello"
    async with serving() as (_, provider):
        result = await ask(provider, mode, text)

    assert type(result.error) is chatd.ProviderUnavailable
    assert reply_to([{"role": "user", "content": text}]).startswith(result.text)


async def test_a_server_that_dies() -> None:
    """A server killed after its first byte is an error, and the call is not repeated."""
    async with serving() as (server, provider), LlmServer() as other:
        provider = OpenAIProvider("llm", [server.url, other.url], timeout=5)
        async with (
            contextlib.aclosing(provider),
            contextlib.aclosing(provider.stream(prompt("hang-middle"))) as chunks,
        ):
            assert await anext(chunks)
            await server.aclose()
            with pytest.raises(chatd.ProviderUnavailable):
                await anext(chunks)
        assert (len(server.calls), len(other.calls)) == (1, 0)


async def test_no_server() -> None:
    """A closed port is unavailable, after three attempts that take no time."""
    async with serving() as (server, provider):
        await server.aclose()
        started = time.monotonic()
        result = await ask(provider)

    assert type(result.error) is chatd.ProviderUnavailable
    assert 0.1 < time.monotonic() - started < AT_ONCE


@pytest.mark.parametrize("mode", ["hang-headers", "hang-first", "hang-middle"])
async def test_time_outs(mode: str) -> None:
    """Silence before the first token, or between two, ends the call at the time-out."""
    async with serving(timeout=PATIENT) as (server, provider):
        result = await ask(provider, mode)
        [call] = await server.wait_for(lambda calls: calls[0].end)

    assert type(result.error) is chatd.ProviderTimeout
    assert call.end == "dropped"
    assert PATIENT * 0.8 <= call.dropped_after < PATIENT + AT_ONCE
    assert result.text == ("".join(tokens(TEXT)[:5]) if mode == "hang-middle" else "")


async def test_a_long_reply_is_no_time_out() -> None:
    """The time-out is for the gap between tokens, never for the whole reply."""
    async with serving(timeout=PATIENT) as (_, provider):
        started = time.monotonic()
        result = await ask(provider, text="[words:12][pace:120]")

    assert time.monotonic() - started > PATIENT
    assert result.error is None


async def test_a_slow_consumer_is_no_time_out() -> None:
    """The time that passes between two chunks while nobody reads is not the server's."""
    async with serving(timeout=PATIENT) as (_, provider):
        stream = provider.stream(prompt(text="[words:3][pace:20]"))
        await anext(stream)
        await asyncio.sleep(PATIENT * 1.2)
        chunks = [chunk async for chunk in stream]

    assert chunks[-1] == chatd.Finish(reason="stop")


async def test_slow_is_fine() -> None:
    """Half a second between tokens, as slow models take, is a good reply."""
    async with serving() as (_, provider):
        assert (await ask(provider, "slow", "[echo]a b")).text == "a b"


async def test_comments_are_no_tokens() -> None:
    """A server that only says that it is still there runs into the time-out."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http(200, content_type="text/event-stream"))
        with contextlib.closing(writer), contextlib.suppress(ConnectionError):
            while not reader.at_eof():
                writer.write(b": still here\n\n")
                await writer.drain()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(), 0.02)

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, providing(url, timeout=TIMEOUT) as provider:
        result = await ask(provider)

    assert type(result.error) is chatd.ProviderTimeout


@pytest.mark.parametrize("mode", ["hang-headers", "hang-first", "hang-middle", "slow", "endless"])
async def test_a_cancelled_call_is_dropped_at_once(mode: str) -> None:
    """Cancelling what reads a reply closes its connection at once, whatever it waits for."""
    async with serving() as (server, provider):
        generation = asyncio.create_task(ask(provider, mode))
        said = {"hang-headers": 0, "hang-first": 0}.get(mode, 1)
        await server.wait_for(lambda calls: calls and calls[0].tokens >= said)
        generation.cancel()
        left = time.monotonic()
        with contextlib.suppress(asyncio.CancelledError):
            await generation
        [call] = await server.wait_for(lambda calls: calls[0].end)

        assert call.end == "dropped"
        assert call.ended is not None
        assert call.ended - left < AT_ONCE
        assert server.connections == 0


@pytest.mark.parametrize("mode", ["hang-middle", "slow", "endless"])
async def test_a_closed_generator_is_dropped_at_once(mode: str) -> None:
    """Closing the generator between two chunks closes the connection at once."""
    async with serving() as (server, provider):
        async with contextlib.aclosing(provider.stream(prompt(mode))) as chunks:
            await anext(chunks)
            left = time.monotonic()
        [call] = await server.wait_for(lambda calls: calls[0].end)

    assert call.end == "dropped"
    assert call.ended is not None
    assert call.ended - left < AT_ONCE


async def test_an_endless_reply_lets_others_run() -> None:
    """While data is always ready, other tasks get their turns."""
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    body = sse(*[delta(content="x" * 100)] * 20_000, END)
    async with Scripted(body) as server, providing(server.url) as provider:
        task = asyncio.create_task(other())
        chunks = [turns async for _ in provider.stream(prompt())]
        task.cancel()

    gaps = [after - before for before, after in itertools.pairwise(chunks)]
    assert len(chunks) > 100
    assert gaps.count(0) < len(gaps) / 10


# Odd streams


@pytest.mark.parametrize(
    ("events", "text"),
    [
        ([delta(content=[{"type": "text", "text": "a"}, {"type": "x"}]), END], "a"),
        ([delta(content=None), {"choices": None}, {"choices": []}, END], ""),
        ([{"choices": [{"delta": None}]}, delta(content=5), delta(content="a"), END], "a"),
        ([delta(content="a", refusal=None, extra={"x": 1}), END], "a"),
        (["", "ping", "null", "[1]", delta(content="a"), END], "a"),
        ([{"error": None, **delta(content="a")}, END], "a"),
        ([delta(content="a"), "[DONE]", delta(content="after the end")], "a"),
        ([r'{"choices":[{"delta":{"content":"\ud83d"}}]}',
          r'{"choices":[{"delta":{"content":"\ude42"}}]}', END], "🙂"),
        ([r'{"choices":[{"delta":{"content":"\ud83d\ude42"}}]}', END], "🙂"),
        ([r'{"choices":[{"delta":{"content":"a\ud83d"}}]}', END], "a\ufffd"),
        ([r'{"choices":[{"delta":{"content":"\ude42\u0000"}}]}', END], "\ufffd\ufffd"),
    ],
)  # fmt: skip
async def test_odd_events(events: list[Any], text: str) -> None:
    """Fields of another kind, pings and escapes cost no reply, and no text that has sense."""
    result = await ask_scripted(*events)

    assert (result.text, result.error) == (text, None)


@pytest.mark.parametrize(
    "event",
    [
        '{"choices": [{"delta": {"content": "broken',
        '{"choices": "wrong"}',
        '{"choices": [' + "[" * 100_000,
        '{"error": "text"}',
        "x\n\nevent: error\ndata: {}",
        "x\n\nevent: error\ndata: the model crashed",
    ],
)
async def test_unreadable_events(event: str) -> None:
    """A reply that has lost a part, or reports an error, is an error after what came before."""
    result = await ask_scripted(delta(content="a"), event, delta(content="b"), END)

    assert type(result.error) is chatd.ProviderError
    assert result.text == "a"


async def test_invalid_utf8_is_replaced() -> None:
    """Bytes that are no character cost that character, not the reply."""
    body = sse(delta(content="a#b"), END).replace(b"#", b"\xff")
    async with Scripted(body) as server, providing(server.url) as provider:
        assert (await ask(provider)).text == "a\ufffdb"


async def test_a_ping_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """However many events make no sense, a reply makes one line of them."""
    await ask_scripted(*["ping"] * 50, END)

    assert len([record for record in caplog.records if "no JSON" in record.message]) == 1


async def test_odd_usage_and_finish() -> None:
    """Numbers and names that no store takes are left out or replaced."""
    usage = {"prompt_tokens": 10**30, "completion_tokens": -1, "total_tokens": 3, "details": None}
    result = await ask_scripted({**delta("\0stop"), "usage": usage})

    assert result.chunks == [chatd.Usage(total_tokens=3), chatd.Finish(reason="stop")]


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_finish_reason_is_enough(chunked: bool) -> None:
    """After the finish reason a reply is whole, also when the connection breaks then."""
    answer = sse(delta(content="a"), END)
    if chunked:
        head, _, body = answer.partition(b"\r\n\r\n")
        answer = head + b"\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(body), body)
    async with Scripted(answer) as server, providing(server.url) as provider:
        result = await ask(provider)

    assert (result.chunks, result.error) == (["a", chatd.Finish(reason="stop")], None)


async def test_a_server_that_does_not_stream() -> None:
    """A whole completion in JSON is a reply in one chunk, its tool calls included."""
    call = {"id": "x", "type": "function", "function": {"name": "a", "arguments": "{}"}}
    message = {"role": "assistant", "content": "a b", "tool_calls": [call]}
    completion = {
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    }
    body = json.dumps(completion, indent=1).encode()
    answer = http(200, body, content_type="application/json; charset=utf-8")
    async with Scripted(answer) as server, providing(server.url) as provider:
        result = await ask(provider)

    assert result.chunks == [
        "a b",
        chatd.ToolCall(id="x", name="a", arguments="{}"),
        chatd.Usage(prompt_tokens=1, completion_tokens=2, total_tokens=3),
        chatd.Finish(reason="tool_calls"),
    ]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (http(200, b'{"error": {"message": "no"}}', content_type="application/json"),
         chatd.ProviderError),
        (http(200, b"<html>sign in to the hotel network</html>", content_type="text/html"),
         chatd.ProviderInterrupted),
        (http(200, content_type="text/event-stream"), chatd.ProviderInterrupted),
        (http(204), chatd.ProviderInterrupted),
        (b"HTTP/1.1 404 \xe9\r\nContent-Length: 0\r\n\r\n", chatd.ProviderUnavailable),
        (b"this is no HTTP\r\n\r\n", chatd.ProviderUnavailable),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a chunk\r\n",
         chatd.ProviderUnavailable),
        (http(200, b"not gzip", content_encoding="gzip"), chatd.ProviderUnavailable),
    ],
)  # fmt: skip
async def test_what_is_no_reply(answer: bytes, kind: type) -> None:
    """An answer that is no reply at all is an error of a provider, whatever it is."""
    async with Scripted(answer) as server, providing(server.url) as provider:
        result = await ask(provider)

    assert type(result.error) is kind
    assert result.chunks == []


async def test_a_compressed_reply() -> None:
    """A proxy that compresses though nobody asked for it is understood."""
    head, _, body = sse(delta(content="a"), END).partition(b"\r\n\r\n")
    answer = head + b"\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(body)
    async with Scripted(answer) as server, providing(server.url) as provider:
        assert (await ask(provider)).text == "a"


# What is asked again, where, and when


@pytest.mark.parametrize("status", [400, 422])
async def test_usage_is_not_asked_for_twice(status: int) -> None:
    """A server that refuses stream_options is asked without, from then on at once."""
    good = sse(delta(content="a"), END)
    async with Scripted(http(status), good, good) as server, providing(server.url) as provider:
        results = [await ask(provider) for _ in range(2)]

    assert [result.text for result in results] == ["a", "a"]
    assert ["stream_options" in body for body in server.requests] == [True, False, False]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("as_date", [True, False])
async def test_a_long_wait_is_not_waited(status: int, as_date: bool) -> None:
    """A Retry-After over 30 s, in seconds or as a date, ends the call; the user is told of it."""
    wait = formatdate(time.time() + 100, usegmt=True) if as_date else "100"
    async with (
        Scripted(http(status, retry_after=wait)) as server,
        providing(server.url) as provider,
    ):
        result = await ask(provider)

    assert len(server.requests) == 1
    assert result.error is not None
    assert result.error.retry_after is not None
    assert 90 < result.error.retry_after <= 100


@pytest.mark.parametrize("wait", ["soon", "-1", "Thu, 99 Foo", formatdate(0, usegmt=True)])
async def test_an_odd_retry_after(wait: str) -> None:
    """A Retry-After that makes no sense or has passed is as good as none."""
    good = sse(delta(content="a"), END)
    async with (
        Scripted(http(429, retry_after=wait), good) as server,
        providing(server.url) as provider,
    ):
        assert (await ask(provider)).text == "a"


async def test_another_server_is_asked() -> None:
    """The second call of a user goes to the server that works, at once; the other one rests."""
    async with (
        LlmServer() as good,
        Scripted(http(503, retry_after="20")) as bad,
        providing(bad.url, good.url) as provider,
    ):
        started = time.monotonic()
        results = [await ask(provider) for _ in range(5)]

    assert [result.text for result in results] == [TEXT] * 5
    assert time.monotonic() - started < 10
    assert len(bad.requests) == 1


async def test_calls_are_spread() -> None:
    """Each call goes to the server with the fewest running, in turn when there are equal ones."""
    async with LlmServer() as one, LlmServer() as two, providing(one.url, two.url) as provider:
        streams = [provider.stream(prompt("hang-middle")) for _ in range(6)]
        for stream in streams:
            await anext(stream)
        assert [len(one.calls), len(two.calls)] == [3, 3]
        for stream in streams[::2]:
            await stream.aclose()
        await one.wait_for(lambda calls: all(call.end for call in calls))
        for _ in range(3):
            await ask(provider)
        assert [len(one.calls), len(two.calls)] == [6, 3]
        for stream in streams:
            await stream.aclose()


# Secrets


@pytest.mark.parametrize("mode", ["429", "500-html", "error-event", "malformed-sse", "no-such"])
async def test_no_secret_gets_out(mode: str, caplog: pytest.LogCaptureFixture) -> None:
    """No error, no log above DEBUG and no repr has the key, or what the server said."""
    caplog.set_level(logging.INFO)
    async with serving() as (_, provider):
        result = await ask(provider, mode)

    told = [str(result.error), repr(provider), *(record.getMessage() for record in caplog.records)]
    assert any(record.levelno == logging.WARNING for record in caplog.records)
    assert [line for line in told if SECRET in line or KEY in line or "127.0.0.1" in line] == []


async def test_what_the_server_said_is_there_for_debugging(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """At DEBUG the body of an error is logged."""
    caplog.set_level(logging.DEBUG)
    async with serving() as (_, provider):
        await ask(provider, "500-html")

    assert SECRET in caplog.text


async def test_a_password_in_the_url_is_sent_as_a_header() -> None:
    """A URL like http://name:password@host works, as it does in a browser."""
    async with Scripted(sse(delta(content="a"), END)) as server:
        url = server.url.replace("//", "//me:p%40ss@")
        async with providing(url, key="") as provider:
            assert (await ask(provider)).text == "a"

    assert "\r\nauthorization: Basic bWU6cEBzcw==\r\n" in server.heads[0]


async def test_no_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the environment is used only if the configuration says so."""
    async with Scripted(sse(delta(content="by proxy"), END)) as proxy, LlmServer() as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        url = server.url.replace("127.0.0.1", "localhost")
        async with providing(url) as provider:
            assert (await ask(provider)).text == TEXT
        async with providing("http://llm.example", environment_proxies=True) as provider:
            assert (await ask(provider)).text == "by proxy"


# Models and health


async def test_models() -> None:
    """The models are those that the server lists."""
    async with serving() as (_, provider):
        models = await provider.models()
        await provider.health()

    assert [model.name for model in models] == ["qwen3:8b", *MODES]


@pytest.mark.parametrize(
    ("listed", "models"),
    [
        ({"data": [{"id": "a", "max_model_len": 8192}]}, [("a", 8192, ())]),
        ({"data": [{"id": "a", "meta": {"n_ctx_train": 4096}}]}, [("a", 4096, ())]),
        ({"data": [{"id": "a", "max_context_length": 1, "capabilities": ["tool_use"]}]},
         [("a", 1, ("tools",))]),
        ({"data": [{"id": "a/b:c", "context_length": 2,
                    "capabilities": {"vision": True, "x": False}}]}, [("a/b:c", 2, ("vision",))]),
        ([{"id": "a"}, {"id": "a"}], [("a", None, ())]),
        ({"data": [{"id": "a", "meta": None, "context_length": "big", "capabilities": 5}]},
         [("a", None, ())]),
        ({"data": [{"id": ""}, {"id": 5}, {}, {"id": "a\0"}, {"id": "\ud800"}]}, []),
    ],
)  # fmt: skip
async def test_model_lists(listed: Any, models: list[Any]) -> None:
    """Names, context lengths and capabilities are found where servers of each kind tell them."""
    answer = http(200, json.dumps(listed).encode(), content_type="application/json")
    async with Scripted(answer) as server, providing(server.url) as provider:
        found = await provider.models()

    assert [(model.name, model.context_length, model.capabilities) for model in found] == models


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"models": []}', b'{"data": 5}'])
async def test_a_model_list_that_makes_no_sense(body: bytes) -> None:
    """Anything else is an error of the provider."""
    async with Scripted(http(200, body)) as server, providing(server.url) as provider:
        with pytest.raises(chatd.ProviderError):
            await provider.models()


async def test_any_server_may_list_the_models() -> None:
    """A server that is down costs no list; with all of them down it is an error."""
    async with (
        LlmServer() as good,
        Scripted(http(500)) as bad,
        providing(bad.url, "http://127.0.0.1:1", good.url) as provider,
    ):
        for _ in range(3):
            assert await provider.models()
        await good.aclose()
        with pytest.raises(chatd.ProviderError):
            await provider.health()


async def test_health_has_a_time_out() -> None:
    """A server that accepts and never answers is not healthy."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            await reader.read()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with providing(url, timeout=TIMEOUT) as provider:
            with pytest.raises(chatd.ProviderTimeout):
                await provider.health()


# Configuration


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:8001", "http://localhost:8001/v1"),
        ("http://localhost:8001/", "http://localhost:8001/v1"),
        ("https://api.openai.com/v1/", "https://api.openai.com/v1"),
        ("https://host/v1beta/openai/", "https://host/v1beta/openai"),
        ("https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1"),
        ("https://host/llm", "https://host/llm/v1"),
        ("https://host/v1/chat/completions", "https://host/v1"),
        ("https://v2.example/vault", "https://v2.example/vault/v1"),
    ],
)
def test_version_path(url: str, expected: str) -> None:
    """A URL without a version path gets /v1, and one that was copied whole is cut."""
    assert api_url(url) == expected


async def test_without_configuration() -> None:
    """Without an instance there is one provider, named llm, at LLM_SERVER_URL."""
    async with LlmServer() as server:
        environ = {"LLM_SERVER_URL": server.url, "LLM_TIMEOUT": "5"}
        [provider] = registered(environ, {})
        async with contextlib.aclosing(provider):
            assert provider.name == "llm"
            assert (await ask(provider)).text == TEXT


async def test_instances() -> None:
    """Each instance is a provider with its own name, key and servers."""
    async with LlmServer(key="one") as one, LlmServer(key="two") as two:
        table = {
            "instances": [
                {"name": "first", "url": one.url, "key": "one"},
                {"name": "second", "urls": [two.url], "headers": {"Authorization": "Bearer two"}},
            ]
        }
        providers = registered({}, table)
        assert [provider.name for provider in providers] == ["first", "second"]
        for provider in providers:
            async with contextlib.aclosing(provider):
                assert (await ask(provider)).text == TEXT


def registered(environ: dict[str, str], table: dict[str, Any]) -> list[chatd.Provider]:
    """The providers that the plugin registers with this table."""

    class Configured(App):
        def plugin_config(self, name: str) -> dict[str, Any]:
            assert name == "provider_openai"
            config: dict[str, Any] = provider_openai.ConfigSchema().load(table)
            return config

    return provider_openai.register_providers(Configured(load_config(None, environ, {})))


@pytest.mark.parametrize(
    "instance",
    [
        {"url": "http://a"},
        {"name": "a/b", "url": "http://a"},
        {"name": "a"},
        {"name": "a", "url": "http://a", "urls": ["http://b"]},
        {"name": "a", "urls": []},
        {"name": "a", "url": "a:8001"},
        {"name": "a", "url": "ftp://a"},
        {"name": "a", "url": "http://a:99999"},
        {"name": "a", "url": "http://[a"},
        {"name": "a", "url": "http://a?key=1"},
        {"name": "a", "url": "http://a", "key": "two\nlines"},
        {"name": "a", "url": "http://a", "headers": {"X": "é"}},
        {"name": "a", "url": "http://a", "timeout": 0},
        {"name": "a", "url": "http://a", "max_connections": 0},
        {"name": "a", "url": "http://a", "unknown": 1},
    ],
)
def test_wrong_configuration(instance: dict[str, Any]) -> None:
    """What cannot work is found before the start."""
    with pytest.raises(ValidationError):
        provider_openai.ConfigSchema().load({"instances": [instance]})


def test_every_mode_is_tested() -> None:
    """No mode of the development server is without a test in this file."""
    source = Path(__file__).read_text()

    assert [mode for mode in MODES if f'"{mode}"' not in source] == []
