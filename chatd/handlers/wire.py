"""Where Tornado's private parts are touched: writing prebuilt WebSocket frames, and idle sockets.

A frame is built once (RFC 6455, section 5.2) for all the sockets it goes to, instead of once for
each in `write_message`. Where Tornado does not look as expected, `write_message` is used; a test
fails then.
"""

from __future__ import annotations

import struct
import sys
from asyncio import Future
from collections import deque
from typing import Any, TypeVar

from tornado.httputil import HTTPHeaders
from tornado.iostream import IOStream, StreamClosedError
from tornado.web import RequestHandler
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from chatd.log import Frame

if sys.platform == "linux":
    import fcntl
    import termios

T = TypeVar("T")

_FIN_TEXT = 0x81
_NO_HEADERS = HTTPHeaders()


class Few(list[T]):
    """A queue that is mostly empty, in 56 bytes: a deque has room for 64 things in 760."""

    __slots__ = ()

    def popleft(self) -> T:
        """Take the first."""
        return self.pop(0)


def frame_bytes(data: bytes) -> bytes:
    """Return an unmasked, final text frame."""
    length = len(data)
    if length < 126:
        return struct.pack("!BB", _FIN_TEXT, length) + data
    if length < 65536:
        return struct.pack("!BBH", _FIN_TEXT, 126, length) + data
    return struct.pack("!BBQ", _FIN_TEXT, 127, length) + data


def write_frames(handler: WebSocketHandler, frames: list[Frame]) -> Future[None] | None:
    """Send frames in one write; return a future if the network has not taken all of it yet.

    Raises WebSocketClosedError.
    """
    connection = handler.ws_connection
    if connection is None or connection.is_closing():
        raise WebSocketClosedError
    stream = getattr(connection, "stream", None)
    if stream is None:
        return _write_messages(handler, frames)
    if len(frames) == 1:
        data = frames[0].wire or _wire(frames[0])
    else:
        data = b"".join([frame.wire or _wire(frame) for frame in frames])
    sent = _send(stream, data)
    if sent == len(data):
        return None
    try:
        future = stream.write(memoryview(data)[sent:])
    except StreamClosedError as exc:
        raise WebSocketClosedError from exc
    return None if future.done() and not future.exception() else future


def _send(stream: Any, data: bytes) -> int:
    """Give the network what it takes at once, if nothing waits before it; return how much.

    Tornado's `write` makes a future, a callback and two copies of what almost always goes at once.
    What fails here fails there again, and is seen to.
    """
    if type(stream) is not IOStream or stream.writing():
        return 0
    try:
        return int(stream.socket.send(data))
    except OSError:
        return 0


def _wire(frame: Frame) -> bytes:
    frame.wire = frame_bytes(frame.data)
    return frame.wire


def _write_messages(handler: WebSocketHandler, frames: list[Frame]) -> Future[None] | None:
    future = None
    for frame in frames:
        future = handler.write_message(frame.data.decode())
    return future if future is not None and not future.done() else None


def forget_handshake(handler: WebSocketHandler) -> None:
    """Let go of 3.5 KiB that an open socket needs no more: headers, and room for many writes."""
    handler.request.headers.clear()  # in place: Tornado holds on to the object
    if isinstance(getattr(handler, "_headers", None), HTTPHeaders):
        setattr(handler, "_headers", _NO_HEADERS)  # noqa: B010 - private, and perhaps not there
    stream = getattr(handler.ws_connection, "stream", None)
    writes = getattr(stream, "_write_buffer", None)
    for holder, name in ((stream, "_write_futures"), (writes, "_buffers")):
        if type(queue := getattr(holder, name, None)) is deque:
            setattr(holder, name, Few(queue))


def bytes_taken(handler: WebSocketHandler) -> int:
    """Return a number that grows whenever the client takes something of what was written."""
    return _bytes_taken(handler.ws_connection)


def answer_bytes_taken(handler: RequestHandler) -> int:
    """Return such a number for an answer over HTTP."""
    return _bytes_taken(handler.request.connection)


def _bytes_taken(connection: Any) -> int:
    stream = getattr(connection, "stream", None)
    if stream is None or stream.closed():
        return 0
    return getattr(stream, "_total_write_done_index", 0) - _bytes_on_the_way(stream.fileno())


def _bytes_on_the_way(descriptor: int) -> int:
    """Return how many bytes the system has that the client has not acknowledged.

    0 where it does not tell. A full send buffer takes more only when a third of it is free, up to
    megabytes: until then a client that reads 1 kB/s would look like one that reads nothing.
    """
    if sys.platform != "linux":
        return 0
    answer = fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4))  # as SIOCOUTQ, tcp(7)
    return int.from_bytes(answer, sys.byteorder)


def has_unsent(handler: WebSocketHandler) -> bool:
    """Return whether the network has not taken all that was written, control frames included."""
    stream = getattr(handler.ws_connection, "stream", None)
    return stream is not None and bool(stream.writing())


def abort(handler: WebSocketHandler) -> None:
    """Close the connection without a handshake: its peer does not answer."""
    connection: Any = handler.ws_connection
    if connection is not None:
        connection.stream.close()


def abort_answer(handler: RequestHandler) -> None:
    """Close the connection of a request whose answer is not taken."""
    connection: Any = handler.request.connection
    if connection is not None:
        connection.stream.close()
