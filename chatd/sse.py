"""An incremental parser of server-sent events, over bytes.

By the specification: https://html.spec.whatwg.org/multipage/server-sent-events.html, section
"Interpreting an event stream". Lines end with LF, CR or CRLF and with nothing else: U+2028 and
U+0085, where str.splitlines() splits, are legal inside JSON.
"""

from __future__ import annotations

import msgspec

from chatd.errors import ProviderError

BOM = b"\xef\xbb\xbf"
NEXT = b"\n\ndata: "

# Six bytes for each of the 1 MiB of text that a reply may have, should all of it be escaped.
EVENT_BYTES = 6 * 1024 * 1024


class Event(msgspec.Struct, frozen=True, gc=False):
    """One complete event; `id` is the last one the stream told."""

    data: bytes
    type: str = "message"
    id: str = ""


class Parser:
    """Splits one stream into events, wherever its reads were cut.

    An event that is not ended by an empty line is none; `is_unfinished` tells that there is the
    beginning of one. `retry` is the reconnection time in milliseconds, if the stream told one.
    """

    def __init__(self, *, limit: int = EVENT_BYTES) -> None:
        """Take the most bytes that the data of one event, or one line, may have."""
        self.retry: int | None = None
        self._limit = limit
        self._start: bytes | None = b""
        self._line: list[bytes] = []
        self._line_size = 0
        self._after_cr = False
        self._data: list[bytes] = []
        self._data_size = 0
        self._type = ""
        self._id = ""
        self._has_fields = False

    @property
    def is_unfinished(self) -> bool:
        """Whether the stream, should it end here, ends inside an event."""
        return bool(self._line or self._data or self._start)

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that these bytes complete; raise ProviderError for one too large."""
        if self._line or self._after_cr or self._start is not None:
            data = self._continued(data)
        # The usual stream has only lines `data: ...`, each with an empty line after it. Going from
        # one to the next is cheap when nothing in between can be a line of its own.
        end = data.rfind(b"\n\n")
        if end > 0 and data.startswith(b"data: ") and not self._has_fields:
            pieces = data[6:end].split(NEXT)
            is_usual = b"\n" not in b"".join(pieces) and b"\r" not in data
            if is_usual and len(data) <= self._limit:
                if end + 2 < len(data):
                    self._keep(data[end + 2 :])
                return [Event(piece) for piece in pieces]
        return self._any(data)

    def _continued(self, data: bytes) -> bytes:
        """Return what is to be read now: nothing while no line ends."""
        if self._start is not None:
            data = self._without_bom(self._start + data)
        if self._after_cr and data:
            # The line has ended with its CR; this LF belongs to it.
            self._after_cr = False
            data = data.removeprefix(b"\n")
        if b"\n" not in data and b"\r" not in data:
            # Kept in pieces: joining a long line at every read would copy it again and again.
            self._keep(data)
            return b""
        data = b"".join([*self._line, data])
        self._line, self._line_size = [], 0
        return data

    def _any(self, data: bytes) -> list[Event]:
        lines = data.splitlines()
        if data.endswith(b"\r"):
            self._after_cr = True
        elif lines and not data.endswith(b"\n"):
            self._keep(lines.pop())
        events = [event for line in lines if (event := self._take(line)) is not None]
        self._has_fields = bool(self._data or self._type or self._id)
        return events

    def _take(self, line: bytes) -> Event | None:
        """Take a whole line; return the event that it ends."""
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            self._data_size += len(value) + 1
            self._check()
        elif name == b"event":
            self._type = value.decode(errors="replace")
        elif name == b"id" and b"\0" not in value:
            self._id = value.decode(errors="replace")
        elif name == b"retry" and value.isdigit() and len(value) < 10:
            self.retry = int(value)
        return None

    def _dispatch(self) -> Event | None:
        data, kind = self._data, self._type
        self._data, self._data_size, self._type = [], 0, ""
        return Event(b"\n".join(data), kind or "message", self._id) if data else None

    def _keep(self, data: bytes) -> None:
        """Keep the beginning of a line."""
        if data:
            self._line.append(data)
            self._line_size += len(data)
            self._check()

    def _check(self) -> None:
        if self._data_size + self._line_size > self._limit:
            raise ProviderError("The model provider sent an event that is too large.")

    def _without_bom(self, data: bytes) -> bytes:
        if len(data) < len(BOM) and BOM.startswith(data):
            self._start = data
            return b""
        self._start = None
        return data.removeprefix(BOM)
