"""Clients that no server likes: they read slowly or not at all, come and go, or talk rubbish."""

from __future__ import annotations

import asyncio
import contextlib
import socket as sockets
from collections.abc import Callable, Coroutine
from typing import Any

from crowd import Away, Crowd, greeted, socket_url
from load import GONE

PER_SECOND = 1000 / 60  # connections of one who comes a thousand times in a minute
SMALL = 2048  # bytes that a connection takes which nobody reads
GARBAGE = [
    "no JSON", "[]", "1", '{"type": 5}', '{"type": "no such type"}', '{"type": "send_message"}',
    '{"type": "send_message", "message": 7}', '{"type": "ping"', "[" * 5000, '{"a":' * 100,
    '{"type": "ping", "t": NaN}', '{"type": "send_message", "message": "\\ud800"}',
    '{"type": "resume", "generation_id": "x", "after_seq": -1}',
    '{"type": "regenerate", "message_id": "no id"}', b"\x00\xff", b"", "",
]  # fmt: skip
RAW = [
    b"\x00" * 100, b"GET / HTTP/9.9\r\n\r\n", b"GET /ws/ai-chat/session/x/ HTTP/1.1\r\n\r\n",
    b"POST /ai-chat/api/sessions/ HTTP/1.1\r\nContent-Length: 50\r\n\r\n{", b"\r\n" * 50,
]  # fmt: skip
BAD_FRAMES = [b"\xff\xff\xff\xff", b"\x81\x05hello", b"\x83\x80\x00\x00\x00\x00", b"\x81\xfe\x00"]

Rough = Callable[[Crowd, str], Coroutine[Any, Any, None]]


async def never_read(crowd: Crowd, session_id: str) -> None:
    """Open sockets that take little, and read nothing from them."""
    async with contextlib.AsyncExitStack() as stack:
        for chunks in ("full", "delta", "full"):
            with contextlib.suppress(*GONE, Away):
                _, writer = await _handshake(crowd, session_id, chunks)
                stack.callback(writer.transport.abort)
        await crowd.history.until(lambda: False)


async def drip(crowd: Crowd, session_id: str) -> None:
    """Read a kilobyte a second."""
    while not crowd.history.is_over:
        with contextlib.suppress(*GONE, Away):
            reader, writer = await _handshake(crowd, session_id, "full")
            try:
                while not crowd.history.is_over and await reader.read(50):
                    await crowd.pause(0.05, 0.05)
            finally:
                writer.transport.abort()
        await crowd.pause(0.05, 0.2)


async def storm(crowd: Crowd, session_id: str) -> None:
    """Come and go, a thousand times a minute."""
    while not crowd.history.is_over:
        with contextlib.suppress(*GONE, Away):
            async with greeted(crowd, session_id, since=0) as socket:
                if crowd.random.random() < 0.5:
                    socket.transport.abort()
        await asyncio.sleep(1 / PER_SECOND)


async def garbage(crowd: Crowd, session_id: str) -> None:
    """Send what nobody understands, in every layer; be answered, or be thrown out."""
    while not crowd.history.is_over:
        with contextlib.suppress(*GONE, Away):
            async with greeted(crowd, session_id) as socket:
                for _ in range(crowd.random.randint(1, 5)):
                    await socket.send(crowd.random.choice(GARBAGE))
                    await crowd.pause(0, 0.05)
        with contextlib.suppress(*GONE, Away):
            _, writer = await _handshake(crowd, session_id, "delta")
            writer.write(crowd.random.choice(BAD_FRAMES))
            await crowd.pause(0, 0.05)
            writer.transport.abort()
        with contextlib.suppress(*GONE, Away):
            _, writer = await _dial(crowd)
            writer.write(crowd.random.choice(RAW))
            await crowd.pause(0, 0.05)
            writer.transport.abort()
        await crowd.pause(0.05, 0.2)


async def _dial(crowd: Crowd) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect, with little room for what comes."""
    sock = sockets.socket()
    sock.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, SMALL)
    sock.setblocking(False)
    port = int(crowd.url.rpartition(":")[2])
    try:
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    except BaseException:
        sock.close()
        raise
    return await asyncio.open_connection(sock=sock, limit=SMALL)


async def _handshake(
    crowd: Crowd, session_id: str, chunks: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a socket by hand; its answer is not read."""
    _, _, rest = socket_url(crowd, session_id, chunks=chunks).partition("://")
    host, _, path = rest.partition("/")
    reader, writer = await _dial(crowd)
    writer.write(
        f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    return reader, writer


ROUGH: dict[str, Rough] = {
    "never read": never_read,
    "read 1 kB/s": drip,
    "reconnect": storm,
    "garbage": garbage,
}
