"""HTTP/1.1 down to the byte: a connection, a request, a response that may misbehave."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import cast

logger = logging.getLogger(__name__)

MAX_HEAD = 64 * 1024


class MalformedRequest(Exception):
    """This is not a request that this server can read."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request; header names are in lower case; port is the local one it came to."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    port: int


class Response:
    """One answer; whoever does not `end` it leaves the connection unfit for another request."""

    def __init__(self, connection: Connection, *, keep_alive: bool) -> None:
        self._connection = connection
        self._keep_alive = keep_alive
        self.status: int | None = None
        self.is_ended = False

    @property
    def is_reusable(self) -> bool:
        """Whether another request may follow on this connection."""
        return self.is_ended and self._keep_alive

    async def start(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the head; the body follows in chunks."""
        await self._send_head(status, {**headers, "Transfer-Encoding": "chunked"})

    async def write(self, data: bytes) -> None:
        """Send some of the body as one HTTP chunk; return when the kernel has it."""
        if data:
            await self._connection.send(b"%x\r\n%b\r\n" % (len(data), data))

    async def end(self) -> None:
        """Send the last chunk, unless the connection was cut."""
        if not self._connection.transport.is_closing():
            await self._connection.send(b"0\r\n\r\n")
            self.is_ended = True

    async def send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        """Send a whole answer of known length."""
        await self._send_head(status, {**headers, "Content-Length": str(len(body))}, body)
        self.is_ended = True

    async def send_json(
        self, status: int, value: object, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send a whole answer as JSON."""
        headers = {"Content-Type": "application/json", **(headers or {})}
        await self.send(status, json.dumps(value).encode(), headers)

    def close(self) -> None:
        """Close the connection here and now (FIN)."""
        self._connection.transport.close()

    def reset(self) -> None:
        """Break the connection here and now (RST)."""
        sock = self._connection.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.transport.abort()

    async def _send_head(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        self.status = status
        # Some statuses are in no register, such as Anthropic's 529.
        phrase = HTTPStatus(status).phrase if status in {*HTTPStatus} else "Unknown"
        lines = [f"HTTP/1.1 {status} {phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if not self._keep_alive:
            lines.append("Connection: close")
        await self._connection.send("\r\n".join([*lines, "", ""]).encode() + body)


class Connection(asyncio.Protocol):
    """One client; when it leaves, whatever is being answered is cancelled at once.

    A client that only closes its writing side counts as gone: HTTP clients do not do that.
    """

    transport: asyncio.Transport
    task: asyncio.Task[None]

    def __init__(
        self,
        answer: Callable[[Request, Response], Awaitable[None]],
        on_open: Callable[[Connection], None],
        on_close: Callable[[Connection], None],
    ) -> None:
        self._answer = answer
        self._on_open = on_open
        self._on_close = on_close
        # It gets no transport, so it never pauses reading: EOF is seen however much is unread.
        self._reader = asyncio.StreamReader(limit=MAX_HEAD)
        self._writable = asyncio.Event()
        self._writable.set()
        self.closed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not instances of asyncio.Transport.
        self.transport = cast(asyncio.Transport, transport)
        # Writable means empty: what was sent is in the kernel, so a RST or FIN may follow.
        self.transport.set_write_buffer_limits(high=0)
        self.task = asyncio.create_task(self._serve(), name=f"connection {id(self)}")
        self._on_open(self)

    def data_received(self, data: bytes) -> None:
        self._reader.feed_data(data)

    def eof_received(self) -> None:
        self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.task.cancel()
        self.closed.set()
        self._on_close(self)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def abort(self) -> None:
        """Close without sending what is buffered, and cancel the answer."""
        self.task.cancel()
        self.transport.abort()

    async def send(self, data: bytes) -> None:
        """Return when the kernel has the bytes; a client that does not read makes it wait."""
        self.transport.write(data)
        await self._writable.wait()

    async def _serve(self) -> None:
        try:
            while await self._serve_one():
                pass
        except Exception:
            logger.exception("connection failed")
        finally:
            self.transport.close()

    async def _serve_one(self) -> bool:
        try:
            request = await self._read_request()
        except MalformedRequest as exc:
            await Response(self, keep_alive=False).send_json(400, {"error": {"message": str(exc)}})
            return False
        keep_alive = request.headers.get("connection", "").lower() != "close"
        response = Response(self, keep_alive=keep_alive)
        await self._answer(request, response)
        return response.is_reusable

    async def _read_request(self) -> Request:
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError as exc:
            raise MalformedRequest("the head is too long") from exc
        first, *lines = head.decode("latin-1").rstrip().split("\r\n")
        if first.count(" ") != 2 or not first.endswith(" HTTP/1.1"):
            raise MalformedRequest("not an HTTP/1.1 request")
        method, path, _ = first.split(" ")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        length = headers.get("content-length", "0")
        if "transfer-encoding" in headers or not length.isdecimal():
            raise MalformedRequest("a request needs a Content-Length")
        body = await self._reader.readexactly(int(length))
        port = self.transport.get_extra_info("sockname")[1]
        return Request(method=method, path=path, headers=headers, body=body, port=port)
