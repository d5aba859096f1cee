"""A client of one session's socket, cheap enough for hundreds of streams beside the server.

It reads the seed's protocol, which chatd and the peers speak alike, and decodes no more of an event
than its type and its text.
"""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlsplit

import httpx
import msgspec
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks.processes import TOKEN, Server
from benchmarks.upstream import TOKEN_CHARS, stamp


class _Event(msgspec.Struct):
    type: str
    content: str = ""


_decode = msgspec.json.Decoder(_Event).decode
_MESSAGE = msgspec.json.encode({"type": "send_message", "message": "hi"})
_STOP = msgspec.json.encode({"type": "stop_generation"})
ENDS = ("ai_message_complete", "error")


class Chat(WSListener):  # type: ignore[misc]  # the library is compiled
    """A session with one socket on it."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        self.tokens = 0
        self.bytes = 0
        self.turns = 0
        self.failures: list[str] = []
        self.latencies: list[int] | None = None  # microseconds, of each token, when it is a list
        self.first_at = 0.0
        self.stops = False  # whether it stops each reply at its first chunk
        self.stopped_at = 0  # when it did so last, as `stamp`
        self._ended: asyncio.Future[None] | None = None
        self._greeted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: WSTransport

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Keep the transport."""
        self._transport = transport

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Fail what waits for an event that will not come."""
        for waiting in (self._greeted, self._ended):
            if waiting and not waiting.done():
                waiting.set_exception(ConnectionError("the server closed the socket"))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Count."""
        if frame.msg_type == WSMsgType.PING:
            return transport.send_pong(frame.get_payload_as_bytes())
        if frame.msg_type != WSMsgType.TEXT:
            return None
        data = frame.get_payload_as_bytes()
        self.bytes += len(data)
        event = _decode(data)
        if event.type == "ai_message_chunk":
            self._count(event.content)
        elif event.type in ENDS:
            if event.type == "error":
                self.failures.append(data.decode())
            self.turns += 1
            if self._ended and not self._ended.done():
                self._ended.set_result(None)
        elif not self._greeted.done():
            self._greeted.set_result(None)
        return None

    def _count(self, text: str) -> None:
        if not self.first_at:
            self.first_at = time.perf_counter()
            if self.stops:
                self.stopped_at = stamp()
                self._transport.send(WSMsgType.TEXT, _STOP)
        self.tokens += len(text) // TOKEN_CHARS
        if self.latencies is not None:
            now = stamp()
            for start in range(0, len(text), TOKEN_CHARS):
                sent = int(text[start : start + TOKEN_CHARS], 16)
                self.latencies.append((now - sent) & 0xFFFFFFFF)

    async def greeting(self) -> None:
        """Wait for the server's first event."""
        await self._greeted

    async def turn(self) -> float:
        """Send a message and wait for the end; return the seconds until the first chunk."""
        self._ended = asyncio.get_running_loop().create_future()
        self.first_at, begun = 0.0, time.perf_counter()
        self._transport.send(WSMsgType.TEXT, _MESSAGE)
        await self._ended
        return self.first_at - begun

    def aclose(self) -> None:
        """Disconnect."""
        self._transport.send_close()
        self._transport.disconnect()


async def make_sessions(server: Server, model: str, count: int) -> list[str]:
    """Make that many sessions that use a model; return their ids."""
    headers = {"Authorization": f"Token {TOKEN}"}
    limits = httpx.Limits(max_connections=8)
    body = {"model": f"llm/{model}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, limits=limits) as http:

        async def make() -> str:
            answer = await http.post("/ai-chat/api/sessions/", json=body, timeout=60)
            return str(answer.raise_for_status().json()["id"])

        return list(await asyncio.gather(*(make() for _ in range(count))))


async def join(server: Server, session_id: str, query: str = "&chunks=delta") -> Chat:
    """Connect to a session."""
    base = f"ws://{urlsplit(server.url).netloc}/ws/ai-chat/session/{session_id}/"
    _, chat = await ws_connect(lambda: Chat(session_id), f"{base}?token={TOKEN}{query}")
    assert isinstance(chat, Chat)
    await chat.greeting()
    return chat


async def open_chats(
    server: Server, model: str, count: int, query: str = "&chunks=delta"
) -> list[Chat]:
    """Make that many sessions, and connect to each."""
    ids = await make_sessions(server, model, count)
    return [await join(server, session_id, query) for session_id in ids]
