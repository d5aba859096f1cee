"""Clients that cost little: what they measure is not themselves."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Self
from urllib.parse import urlsplit

from benchmarks.processes import TOKEN


class Connection:
    """An HTTP connection that is kept; as a context it is open until the block ends."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url)

    async def open(self) -> None:
        """Connect."""
        host, port = self._address.hostname, self._address.port
        self._reader, self._writer = await asyncio.open_connection(host, port)

    async def aclose(self) -> None:
        """Disconnect."""
        self._writer.close()
        await self._writer.wait_closed()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class Getter(Connection):
    """A client of REST."""

    async def get(self, path: str) -> bytes:
        """Return the body of an answer."""
        return await self._ask(f"GET {path}")

    async def post(self, path: str) -> bytes:
        """Send an empty object; return the body of the answer."""
        return await self._ask(f"POST {path}", b"{}")

    async def _ask(self, target: str, body: bytes = b"") -> bytes:
        head = f"{target} HTTP/1.1\r\nHost: x\r\nAuthorization: Token {TOKEN}\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self._writer.write(f"{head}\r\n".encode() + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        if not answer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(answer.decode())
        length = answer.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        return await self._reader.readexactly(int(length))


class Direct(Connection):
    """A client of the model server itself."""

    async def cuts(self) -> tuple[int, int]:
        """Return how many replies lost their reader, and when the last one did, as `stamp`."""
        self._writer.write(b"GET /cuts HTTP/1.1\r\nHost: x\r\n\r\n")
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        found = json.loads(await self._reader.readexactly(int(length)))
        return found["cuts"], found["at"]

    async def first_chunk(self, model: str) -> float:
        """Ask, and return the seconds until the first piece of text; then read the rest."""
        messages = [{"role": "user", "content": "hi"}]
        body = json.dumps({"model": model, "stream": True, "messages": messages}).encode()
        head = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        begun = time.perf_counter()
        self._writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        first = 0.0
        while True:
            line = await self._reader.readline()
            if not first and b'"content":' in line and b'"content":""' not in line:
                first = time.perf_counter() - begun
            if line == b"0\r\n":
                await self._reader.readline()
                return first
