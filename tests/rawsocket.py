"""A WebSocket client of bare frames (RFC 6455): it sends whatever it is told, right or wrong."""

from __future__ import annotations

import os
import socket
import struct
from typing import NamedTuple

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
CONTINUATION = 0x0
FIN = 0x80


class Frame(NamedTuple):
    """One frame as it came."""

    first: int  # the first byte: FIN, the reserved bits, the opcode
    payload: bytes

    @property
    def opcode(self) -> int:
        """What kind of frame it is."""
        return self.first & 0x0F

    @property
    def close_code(self) -> int:
        """The code of a close frame."""
        return int(struct.unpack("!H", self.payload[:2])[0])


def header(first: int, length: int, *, is_masked: bool = True) -> bytes:
    """Return the start of a frame, without the mask."""
    bit = 0x80 if is_masked else 0
    if length < 126:
        return struct.pack("!BB", first, bit | length)
    if length < 65536:
        return struct.pack("!BBH", first, bit | 126, length)
    return struct.pack("!BBQ", first, bit | 127, length)


def frame(first: int, payload: bytes = b"", *, is_masked: bool = True) -> bytes:
    """Return a frame as it goes over the wire."""
    if not is_masked:
        return header(first, len(payload), is_masked=False) + payload
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[n % 4] for n, byte in enumerate(payload))
    return header(first, len(payload)) + mask + masked


class RawSocket:
    """A blocking connection; use it in a thread of its own. `received` counts bytes."""

    def __init__(
        self, port: int, target: str, timeout: float = 30.0, receive_buffer: int = 0
    ) -> None:
        self.sock = socket.socket()
        self.sock.settimeout(timeout)
        if receive_buffer:  # what it takes before somebody reads; it counts from the handshake on
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.connect(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""
        self.received = 0
        key = "dGhlIHNhbXBsZSBub25jZQ=="
        lines = [
            f"GET {target} HTTP/1.1",
            "Host: localhost",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
        ]
        self.sock.sendall("\r\n".join([*lines, "", ""]).encode())
        while b"\r\n\r\n" not in self._buffer:
            self._fill()
        answer, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 101 "), answer

    def _fill(self) -> None:
        data = self.sock.recv(65536)
        if not data:
            raise EOFError
        self.received += len(data)
        self._buffer += data

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._fill()
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def send(self, *frames: bytes) -> None:
        """Send frames in one write."""
        self.sock.sendall(b"".join(frames))

    def receive(self) -> Frame:
        """Return the next frame. Raises EOFError at the end, TimeoutError, ConnectionError."""
        first, length = self._take(2)
        assert not length & 0x80, "a server does not mask"
        if length == 126:
            (length,) = struct.unpack("!H", self._take(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self._take(8))
        return Frame(first, self._take(length))

    def rest(self) -> list[Frame]:
        """Return all frames until the server ends the connection."""
        frames: list[Frame] = []
        try:
            while True:
                frames.append(self.receive())
        except (EOFError, ConnectionError):
            return frames

    def close(self) -> None:
        """End the connection without a handshake."""
        self.sock.close()
