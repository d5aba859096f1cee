"""Clients that do not read, or hardly: what they cost, and who reads beside them, `... slow`.

Fifty never read, fifty read 1 kB/s; all of their sessions get one turn after the other over REST.
One client beside them reads. Who is closed connects again, as the protocol tells it to.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import os
import re
import socket
import statistics
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx
from websockets.asyncio.client import connect

from benchmarks.alone import chatd_alone, new_session, socket_url
from benchmarks.processes import Server

CLIENTS = 50  # of each kind
RECEIVE_BUFFER = 4096
BYTES_A_SECOND = 1000
AT_A_TIME = 8  # turns
CLOSED = re.compile(r'chatd_sockets_closed_total\{code="(\d+)",kind="session"\} ([\d.]+)')

Row = tuple[str, float, str]


class Slow:
    """A client of one session that reads so many bytes a second."""

    def __init__(self, url: str, rate: int) -> None:
        self._address, self._rate = urlsplit(url), rate
        self.connections = 0

    async def run(self) -> None:
        """Connect, read as slowly as that, and again when the server closes."""
        loop = asyncio.get_running_loop()
        while True:
            with contextlib.closing(socket.socket()) as sock, contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
                sock.setblocking(False)
                await loop.sock_connect(sock, (self._address.hostname, self._address.port))
                await loop.sock_sendall(sock, self._handshake())
                self.connections += 1
                await self._read(sock)
            await asyncio.sleep(1)

    async def _read(self, sock: socket.socket) -> None:
        poll = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(1)
            if self._rate:
                async with asyncio.timeout(60):
                    if not await poll.sock_recv(sock, self._rate):
                        return
            elif _is_closed(sock):
                return

    def _handshake(self) -> bytes:
        key = base64.b64encode(os.urandom(16)).decode()
        target = f"{self._address.path}?{self._address.query}"
        head = f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
        head += f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
        return f"{head}\r\n".encode()


def _is_closed(sock: socket.socket) -> bool:
    """Return whether a connection has been cut, without reading what is there."""
    information = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
    return information[0] != 1  # TCP_ESTABLISHED


async def slow_clients(seconds: float) -> AsyncIterator[Row]:
    """Yield (what, figure, unit): memory, the pace of who reads, codes of closed sockets."""
    async with chatd_alone() as (server, http):
        sessions = [await new_session(http, "fast") for _ in range(2 * CLIENTS)]
        await asyncio.gather(*(_turn(http, session) for session in sessions))  # all is loaded
        alone = await _gaps(server, http, seconds / 4)
        before = server.memory()
        urls = [socket_url(server, session, "full") for session in sessions]
        clients = [Slow(url, BYTES_A_SECOND * (n % 2)) for n, url in enumerate(urls)]
        samples: list[int] = []
        sending, done = itertools.cycle(sessions), itertools.count()
        work = [client.run() for client in clients] + [_watch(server, samples)]
        work += [_turns(http, sending, done) for _ in range(AT_A_TIME)]
        tasks = [asyncio.create_task(one) for one in work]
        beside = await _gaps(server, http, seconds)
        failed = [task.exception() for task in tasks if task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if failed:
            raise RuntimeError("a client failed") from failed[0]
        yield "turns meanwhile", next(done), ""
        closed = CLOSED.findall((await http.get("/metrics")).text)
    for third in range(3):
        part = samples[len(samples) * third // 3 : len(samples) * (third + 1) // 3]
        yield (
            f"memory beyond that of before, most of third {third + 1}",
            _mebibytes(part, before),
            "MiB",
        )
    for what, gaps in (("alone", alone), ("beside them", beside)):
        quantiles = statistics.quantiles(gaps, n=100)
        yield f"time between frames, median, {what}", quantiles[49] * 1000, "ms"
        yield f"time between frames, 99th percentile, {what}", quantiles[98] * 1000, "ms"
    for code, count in sorted(closed):
        yield f"sockets that the server closed or lost, code {code}", float(count), ""
    for kind, first in (("never read", 0), (f"read {BYTES_A_SECOND} B/s", 1)):
        connections = sum(client.connections for client in clients[first::2])
        yield f"connections of {CLIENTS} clients that {kind}", connections, ""


def _mebibytes(samples: list[int], before: int) -> float:
    return (max(samples) - before) / 2**20


async def _turn(http: httpx.AsyncClient, session_id: str) -> None:
    path = f"/ai-chat/api/sessions/{session_id}/send_message/"
    (await http.post(path, json={"message": "hi"})).raise_for_status()


async def _turns(
    http: httpx.AsyncClient, sessions: itertools.cycle[str], done: itertools.count[int]
) -> None:
    while True:
        await _turn(http, next(sessions))
        next(done)


async def _watch(server: Server, samples: list[int]) -> None:
    while True:
        samples.append(server.memory())
        await asyncio.sleep(0.25)


async def _gaps(server: Server, http: httpx.AsyncClient, seconds: float) -> list[float]:
    """Return the times between the frames of one client that reads."""
    gaps: list[float] = []
    url = socket_url(server, await new_session(http, "paced"), "delta")
    async with connect(url, max_size=None) as reader:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await reader.send(json.dumps({"type": "send_message", "message": "hi"}))
            times: list[float] = []
            while (event := json.loads(await reader.recv()))["type"] != "ai_message_complete":
                if event["type"] == "ai_message_chunk":
                    times.append(time.perf_counter())
            gaps += [later - earlier for earlier, later in itertools.pairwise(times)]
    return gaps
