"""An OpenAI-compatible model server that costs next to nothing, so that what is measured is not it.

The model's name says what to send: `t200-r50` is a reply of 200 tokens at 50 a second, and `r0`
means as fast as the reader takes them. Every token is eight ASCII characters: the monotonic clock
when it was sent, in microseconds, as hexadecimal digits (32 bits of them, which last 71 minutes).

`GET /cuts` says how many replies lost their reader before their end, and when the last one did.

    python -m benchmarks.upstream        prints its address on standard output
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import re
import time

TOKEN_CHARS = 8
MODELS = ("t1-r0", "t20-r0", "t200-r0", "t1000-r0", "t200-r50", "t1000-r50")
TOKENS_IN_A_WRITE = 4
_MODEL = re.compile(rb'"model":\s*"t(\d+)-r(\d+)"')
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
    b"Cache-Control: no-cache\r\n\r\n"
)


def stamp() -> int:
    """Return the monotonic clock as tokens carry it: microseconds modulo 2**32."""
    return time.monotonic_ns() // 1000 & 0xFFFFFFFF


def _event(delta: dict[str, str], *, finish: str | None = None, usage: object = None) -> bytes:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    body = {"id": "b", "object": "chat.completion.chunk", "choices": choices, "usage": usage}
    return b"data: " + json.dumps(body, separators=(",", ":")).encode() + b"\n\n"


def _http_chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


_BEFORE, _AFTER = _event({"content": "\0"}).split(b"\\u0000")


def _tokens(count: int) -> bytes:
    event = _BEFORE + b"%08x" % stamp() + _AFTER
    return _http_chunk(event * count)


class Upstream(asyncio.Protocol):
    """One connection: reads requests and answers each."""

    cuts, cut_at = 0, 0  # how many replies lost their reader before their end; when the last did

    def __init__(self) -> None:
        self._data = b""
        self._writing: asyncio.Task[None] | None = None
        self._drained = asyncio.Event()
        self._drained.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """End the reply that nobody reads any more."""
        if self._writing and not self._writing.done():
            Upstream.cuts, Upstream.cut_at = Upstream.cuts + 1, stamp()
            self._writing.cancel()

    def pause_writing(self) -> None:
        """The reader is slower than we are."""
        self._drained.clear()

    def resume_writing(self) -> None:
        """The reader has caught up."""
        self._drained.set()

    def data_received(self, data: bytes) -> None:
        """Answer when a request is whole."""
        self._data += data
        head, separator, body = self._data.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not separator or (length and len(body) < int(length[1])):
            return
        self._data = b""
        if head.startswith(b"GET /cuts "):
            return self._answer({"cuts": Upstream.cuts, "at": Upstream.cut_at})
        if head.startswith(b"GET"):
            return self._list_models()
        model = _MODEL.search(body)
        if model is None:
            self._transport.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        self._writing = asyncio.create_task(self._reply(int(model[1]), int(model[2])))

    def _list_models(self) -> None:
        names = [{"id": name, "object": "model"} for name in MODELS]
        self._answer({"object": "list", "data": names})

    def _answer(self, value: object) -> None:
        body = json.dumps(value).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self._transport.write(head % len(body) + body)

    async def _reply(self, tokens: int, per_second: int) -> None:
        self._transport.write(_HEAD)
        if per_second:
            await self._paced(tokens, per_second)
        else:
            await self._fast(tokens)
        usage = {"prompt_tokens": 1, "completion_tokens": tokens, "total_tokens": tokens + 1}
        end = _event({}, finish="stop", usage=usage) + b"data: [DONE]\n\n"
        self._transport.write(_http_chunk(end) + b"0\r\n\r\n")

    async def _fast(self, tokens: int) -> None:
        for begun in range(0, tokens, TOKENS_IN_A_WRITE):
            self._transport.write(_tokens(min(TOKENS_IN_A_WRITE, tokens - begun)))
            await self._drained.wait()
            await asyncio.sleep(0)

    async def _paced(self, tokens: int, per_second: int) -> None:
        clock = asyncio.get_running_loop().time
        begun = clock()
        for number in range(tokens):
            await asyncio.sleep(begun + number / per_second - clock())
            self._transport.write(_tokens(1))


async def serve() -> None:
    """Listen on a free port until cancelled."""
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0, backlog=4096)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    # A pause of the garbage collector here would be read as one of the server under measurement.
    gc.freeze()
    gc.disable()
    await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())
