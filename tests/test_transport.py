"""Reading the bodies of model servers: by aiohttp's own reader where it is found."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from functools import partial

import aiohttp
import httpx
import pytest

from chatd.errors import ProviderError
from chatd.transport import FULL_READ, Read, body_of, new_transport
from chatd.upstream import Upstream
from scripts.llm import LlmServer


async def whole(read: Read) -> list[bytes]:
    """Read up to the end."""
    found = []
    while data := await read():
        found.append(data)
    return found


async def test_the_reader_is_aiohttps() -> None:
    """Found under httpx's stream, which is private: fails when that looks otherwise."""
    async with LlmServer() as llm, new_transport(max_connections=1, environment_proxies=False) as t:
        response = await t.handle_async_request(httpx.Request("GET", f"{llm.url}/v1/models"))
        read = body_of(response)
        assert isinstance(read, partial)
        assert isinstance(read.func.__self__, aiohttp.StreamReader)  # type: ignore[attr-defined]
        assert b"".join(await whole(read)).startswith(b"{")
        assert await read() == b""
        await response.aclose()


class Pieces(httpx.AsyncByteStream):
    """A stream that is not aiohttp's."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


async def test_any_other_stream_is_read_as_it_is() -> None:
    """Piece by piece, however small or large."""
    pieces = [b"a", b"b" * 2 * FULL_READ]
    assert await whole(body_of(httpx.Response(200, stream=Pieces(*pieces)))) == pieces


async def test_what_is_compressed_is_unpacked() -> None:
    """A server may compress though it was not asked to."""
    packed = gzip.compress(b"said " * 1000)
    stream = Pieces(packed[:10], packed[10:])
    response = httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=stream)
    assert b"".join(await whole(body_of(response))) == b"said " * 1000


async def test_behind_an_error_is_the_end() -> None:
    """Who reads on when the connection broke, to keep it, is not told a second time."""

    async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nsaid")
        writer.close()

    async with await asyncio.start_server(break_off, "127.0.0.1", 0) as server:
        upstream = Upstream(
            "llm", [f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"], timeout=9
        )
        async with upstream.answer(lambda server: upstream.request("GET", server, "/")) as answer:
            assert await answer.read() == b"said"
            with pytest.raises(ProviderError):
                await answer.read()
            assert await answer.read() == b""
        await upstream.aclose()
