"""RFC 6455 to the letter where Tornado's protocol is lenient, or ends a connection without a word.

This touches private parts of Tornado: two methods that its loop of frames calls. Where Tornado does
not look as expected they are never called, and its own behaviour remains; tests/test_frames.py
fails then.
"""

from __future__ import annotations

import struct
from asyncio import Future

from tornado.websocket import WebSocketHandler, WebSocketProtocol, WebSocketProtocol13

_TEXT, _CLOSE = 0x1, 0x8
PROTOCOL_ERROR, NOT_UTF8 = 1002, 1007
# What a close frame may say (section 7.4, and IANA's registry). 1005, 1006 and 1015 never travel.
_CODES = frozenset([1000, 1001, 1002, 1003, *range(1007, 1015)])


class StrictProtocol(WebSocketProtocol13):
    """Tornado's protocol that says why it ends a connection, and takes no unmasked frames."""

    _frame_mask: bytes | None

    async def _receive_frame(self) -> None:
        self._frame_mask = None
        await super()._receive_frame()
        if self._frame_mask is None:
            self._fail(PROTOCOL_ERROR, "frames of clients are masked")  # section 5.1

    def _handle_message(self, opcode: int, data: bytes) -> Future[None] | None:
        if self._frame_mask is None:
            return None  # not masked: the connection is ended behind this
        if opcode == _TEXT and not _is_utf8(data):
            self._fail(NOT_UTF8, "text is not UTF-8")  # section 8.1
        elif opcode == _CLOSE and (code := _fault(data)):
            self._fail(code, "the close frame is wrong")
        else:
            return super()._handle_message(opcode, data)
        return None

    def _fail(self, code: int, reason: str) -> None:
        """Say why, and end the connection (section 7.1.7)."""
        if not self.client_terminated:
            self.close(code, reason)
            self._abort()


class StrictWebSocket(WebSocketHandler):
    """A handler whose frames are read by StrictProtocol."""

    def get_websocket_protocol(self) -> WebSocketProtocol | None:
        """Return what reads and writes frames; None for a version that Tornado does not speak."""
        protocol = super().get_websocket_protocol()
        if isinstance(protocol, WebSocketProtocol13):
            return StrictProtocol(self, mask_outgoing=False, params=protocol.params)
        return protocol


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _fault(data: bytes) -> int:
    """Return the code that a close frame has to be answered with, 0 if nothing is wrong with it."""
    if not data:
        return 0
    if len(data) < 2:
        return PROTOCOL_ERROR
    (code,) = struct.unpack("!H", data[:2])
    if code not in _CODES and not 3000 <= code <= 4999:
        return PROTOCOL_ERROR
    return 0 if _is_utf8(data[2:]) else NOT_UTF8
