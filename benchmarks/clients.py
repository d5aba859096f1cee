"""Clients that cost little: what they measure is not themselves."""

from __future__ import annotations

import asyncio
import json
import time
from urllib.parse import urlsplit

import httpx
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.processes import TOKEN

MODEL = "qwen3:8b"


class Connection:
    """An HTTP connection that is kept."""

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


class Getter(Connection):
    """A client of REST."""

    async def get(self, path: str) -> bytes:
        """Return the body of an answer."""
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Token {TOKEN}\r\n\r\n"
        self._writer.write(head.encode())
        answer = await self._reader.readuntil(b"\r\n\r\n")
        if not answer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(answer.decode())
        length = answer.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        return await self._reader.readexactly(int(length))


class Direct(Connection):
    """A client of the model server itself."""

    async def first_chunk(self, text: str) -> float:
        """Ask, and return the seconds until the first piece of text; then read the rest."""
        messages = [{"role": "user", "content": text}]
        body = json.dumps({"model": MODEL, "stream": True, "messages": messages}).encode()
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


class Chat:
    """A client of one session of chatd, over one socket."""

    def __init__(self, url: str, *, query: str = "") -> None:
        self._url, self._query = url, query
        self.socket: ClientConnection

    async def open(self) -> None:
        """Make a session and connect to it."""
        headers = {"Authorization": f"Token {TOKEN}"}
        async with httpx.AsyncClient(base_url=self._url, headers=headers) as http:
            answer = await http.post("/ai-chat/api/sessions/", json={"model": f"llm/{MODEL}"})
            self.session_id = answer.raise_for_status().json()["id"]
        path = f"/ws/ai-chat/session/{self.session_id}/?token={TOKEN}{self._query}"
        self.socket = await connect(self._url.replace("http", "ws") + path, max_size=None)
        await self.socket.recv()

    async def first_chunk(self, text: str) -> float:
        """Send, and return the seconds until the first chunk; then read the rest."""
        begun = time.perf_counter()
        await self.socket.send(json.dumps({"type": "send_message", "message": text}))
        first = 0.0
        while True:
            event = await self.socket.recv(decode=False)
            if not first and event.startswith(b'{"type":"ai_message_chunk"'):
                first = time.perf_counter() - begun
            elif event.startswith(b'{"type":"ai_message_complete"'):
                return first
            elif event.startswith(b'{"type":"error"'):
                raise RuntimeError(event.decode())

    async def aclose(self) -> None:
        """Disconnect."""
        await self.socket.close()
