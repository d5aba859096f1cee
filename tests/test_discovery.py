"""What is known of models: told by servers of each kind, over HTTP, each in its own way."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from chatd_plugins.provider_openai import OpenAIProvider, api_url

import chatd
from chatd.discovery import listed
from chatd.discovery.facts import Facts
from scripts.llm import LlmServer

KEY = "sk-of-the-tests"
QWEN, GEMMA = "qwen3:8b", "gemma3:4b"
Found = list[tuple[str, int | None, tuple[str, ...]]]

EVERYWHERE = {"/props", "/api/tags", "/api/v0/models", "/api/v1/models", "/model/info"}


@contextlib.asynccontextmanager
async def providing(*urls: str, **options: Any) -> AsyncIterator[OpenAIProvider]:
    """A provider of these servers."""
    async with contextlib.aclosing(OpenAIProvider("p", urls, timeout=5, **options)) as provider:
        yield provider


async def found_by(provider: OpenAIProvider) -> Found:
    """What a provider tells of its models."""
    return [(m.name, m.context_length, m.capabilities) for m in await provider.models()]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("ollama", [(QWEN, 16384, ("tools", "reasoning")), (GEMMA, 131072, ("vision",))]),
        ("vllm", [(QWEN, 40960, ()), (GEMMA, 131072, ()), ("nomic-embed-text", 2048, ())]),
        ("llama.cpp", [(QWEN, 16384, ("tools", "audio"))]),
        ("lm-studio", [(QWEN, 16384, ("tools", "reasoning")), (GEMMA, 131072, ("vision",))]),
        ("lm-studio-v0", [(QWEN, 16384, ("tools",)), (GEMMA, 131072, ("vision",))]),
        ("litellm", [(QWEN, 40960, ("tools", "reasoning")), (GEMMA, 131072, ("vision",))]),
        ("openrouter", [(QWEN, 40960, ("tools", "reasoning")), (GEMMA, 131072, ("vision",))]),
    ],
)
async def test_each_kind_of_server(kind: str, expected: Found) -> None:
    """Context lengths and capabilities are what the server tells; what only embeds is no model."""
    async with LlmServer(kind=kind, key=KEY) as server:
        async with providing(server.url + "/v1", key=KEY) as provider:
            assert await found_by(provider) == expected
        if kind in ("vllm", "openrouter"):
            assert server.questions == []  # the list said all
        assert {call.headers.get("authorization") for call in server.questions} <= {f"Bearer {KEY}"}


async def test_each_question_is_asked_once() -> None:
    """One look at the models asks each native API once, and Ollama once for each model."""
    async with LlmServer(kind="ollama") as server, providing(server.url + "/v1") as provider:
        await provider.models()
        asked = [call.path for call in server.questions]
        assert sorted(asked) == sorted([*EVERYWHERE, *["/api/show"] * 3])
        assert len(server.listings) == 1
        await provider.health()
        assert (len(server.questions), len(server.listings)) == (len(asked), 2)


async def test_what_was_told_stays() -> None:
    """A question that fails leaves what was told before; a 404 takes it away."""
    async with LlmServer(kind="ollama") as server, providing(server.url + "/v1") as provider:
        before = await found_by(provider)
        documents = dict(server.documents)
        server.documents["GET /api/tags"] = None
        server.documents[f"POST /api/show {QWEN}"] = "nonsense"
        assert await found_by(provider) == before
        del server.documents["GET /api/tags"]
        names = [QWEN, GEMMA, "nomic-embed-text"]
        assert await found_by(provider) == [(name, None, ()) for name in names]
        server.documents.update(documents)
        assert await found_by(provider) == before


async def test_what_was_told_of_a_model_that_went_is_forgotten() -> None:
    """One that comes back is asked about anew, and what it was before does not count."""
    async with LlmServer(kind="ollama") as server, providing(server.url + "/v1") as provider:
        documents = dict(server.documents)
        await provider.models()
        server.documents["GET /api/tags"] = {"models": [{"name": GEMMA}]}
        await provider.models()
        server.documents |= {"GET /api/tags": documents["GET /api/tags"]}
        server.documents[f"POST /api/show {QWEN}"] = "nonsense"
        assert (QWEN, None, ()) in await found_by(provider)


async def test_a_server_that_tells_nothing_beside_its_list() -> None:
    """Where every native API is a 404, the models are those of the list, without facts."""
    async with LlmServer(models=["a"]) as server, providing(server.url + "/v1") as provider:
        assert ("a", None, ()) in await found_by(provider)
        assert {call.path for call in server.questions} == EVERYWHERE


async def test_the_path_before_the_version() -> None:
    """The native API of a server behind a prefix stands behind it too; a password goes along."""
    asked: list[tuple[str, str | None]] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            asked.append((head.split()[1], "authorization: basic" in head.lower()))
            body = json.dumps({"data": [{"id": "a"}]}).encode()
            size = f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            writer.write(b"HTTP/1.1 200 OK\r\n" + size.encode() + body)
            await writer.drain()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        url = api_url(f"http://me:pass@127.0.0.1:{port}/llm/v1beta/openai")
        async with providing(url) as provider:
            assert await found_by(provider) == [("a", None, ())]
    assert sorted(asked) == sorted(
        [("/llm/v1beta/openai/models", True), *((f"/llm{path}", True) for path in EVERYWHERE)]
    )


async def test_silence_and_nonsense_cost_two_seconds_at_most() -> None:
    """A question that gets no answer, nonsense or a redirect costs no list, and is no error."""
    nonsense = {
        "/props": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        "/api/tags": b'HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n{"models": [{"a": 1}]}',
        "/model/info": b"no HTTP at all\r\n\r\n",
        "/api/v0/models": b"HTTP/1.1 307 Away\r\nLocation: http://127.0.0.1:1/\r\n\r\n",
        "/v1/models": b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n[{"id": "a"}]',
    }
    silent = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            path = (await reader.readuntil(b"\r\n\r\n")).decode().split()[1]
            if path not in nonsense:
                silent.set()
                await reader.read()  # until the client has enough of waiting
                return
            writer.write(nonsense[path])
            await writer.drain()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        async with providing(url) as provider:
            begun = time.monotonic()
            assert await found_by(provider) == [("a", None, ())]
            assert silent.is_set()
            assert time.monotonic() - begun < 60


async def test_looking_can_be_cancelled() -> None:
    """Whoever waits for the models no longer leaves no question open."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            path = (await reader.readuntil(b"\r\n\r\n")).decode().split()[1]
            if path == "/v1/models":
                writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n[{"id": "a"}]')
                await writer.drain()
                return
            asked.set()
            await reader.read()
            left.set()

    asked, left = asyncio.Event(), asyncio.Event()
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        async with providing(url) as provider:
            looking = asyncio.create_task(provider.models())
            await asked.wait()
            looking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await looking
            async with asyncio.timeout(60):
                await left.wait()


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"max_model_len": 8192}, Facts(context_length=8192, is_settled=True)),
        ({"meta": {"n_ctx_train": 9, "n_ctx": 4}, "owned_by": "llamacpp"}, Facts(context_length=4)),
        ({"context_length": "big", "capabilities": 5, "meta": None, "architecture": []}, Facts()),
        ({"context_length": 0, "type": 7}, Facts()),
        ({"type": "embedding"}, Facts(chats=False)),
        ({"type": "chat"}, Facts()),
        ({"capabilities": ["embedding"]}, Facts(chats=False)),
        ({"capabilities": ["completion", "embedding"]}, Facts(chats=True)),
        (
            {"capabilities": {"completion_chat": True, "vision": True, "function_calling": False}},
            Facts(capabilities=frozenset({"vision"}), chats=True),
        ),
        ({"capabilities": {"completion_chat": False, "vision": False}}, Facts(chats=False)),
        (
            {"architecture": {"input_modalities": ["text", "audio", "image"]}},
            Facts(capabilities=frozenset({"audio", "vision"})),
        ),
        ({"architecture": {"output_modalities": ["image"]}}, Facts(chats=False)),
        ({"supported_parameters": ["tools", "x"]}, Facts(capabilities=frozenset({"tools"}))),
    ],
)
def test_what_a_list_says(item: dict[str, Any], expected: Facts) -> None:
    """Each server adds to OpenAI's list in fields of its own; odd values say nothing."""
    assert listed([{"id": "a", **item}]) == {"a": expected}


def test_the_names_of_capabilities_are_documented() -> None:
    """docs/models.md has a row for each capability, in their order, and for no other."""
    lines = (Path(__file__).parent.parent / "docs" / "models.md").read_text().splitlines()
    rows = [line.split("`")[1] for line in lines if line.startswith("| `")]
    assert tuple(rows) == chatd.discovery.CAPABILITIES
