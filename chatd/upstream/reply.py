"""What a provider makes of the bytes of a reply, and of its end."""

from __future__ import annotations

import abc
import json
import logging
from typing import TypeVar

import msgspec

from chatd.errors import ProviderError, ProviderInterrupted
from chatd.gathering import Gathering
from chatd.provider import Chunk
from chatd.sse import Event, Parser

logger = logging.getLogger("chatd.upstream")

T = TypeVar("T")

UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)


class Reply(abc.ABC):
    """A reply while it comes. A provider reads its bytes; the rest is the same for all.

    `read` adds what it finds to `gathering`, sets `grew` if the model said anything, and `is_done`
    when nothing is to come.
    """

    def __init__(self, name: str) -> None:
        """Take the provider's name, which errors tell."""
        self.name = name
        self.gathering = Gathering()
        self.grew = False
        self.is_done = False
        self._error: ProviderError | None = None

    @abc.abstractmethod
    def read(self, data: bytes) -> None:
        """Read the next bytes, wherever they were cut. Raises ProviderError."""

    def read_whole(self, body: bytes) -> None:
        """Read the JSON of a server that does not stream, or that reports an error so."""
        self.read(body)

    def read_end(self) -> None:  # noqa: B027 - most replies have nothing after their last line
        """Read what stands at the end without a line's end."""

    def take(self, data: bytes) -> list[Chunk | str]:
        """Return what these bytes say, joined; `grew` then tells if it was anything at all."""
        self.grew = False
        try:
            self.read(data)
        except ProviderError as exc:
            # What came before it is handed on first.
            self._error, self.is_done = exc, True
        return self.gathering.take()

    def take_whole(self, body: bytes) -> list[Chunk | str]:
        """Return what a whole reply in JSON says."""
        try:
            self.read_whole(body)
        except ProviderError as exc:
            self._error = exc
        self.is_done = True
        return self.gathering.take()

    def end(self) -> list[Chunk | str]:
        """Return what comes when all is said; raise the ProviderError if it is not."""
        if not self.is_done:
            self.read_end()
        if self._error is not None:
            raise self._error
        if not self.gathering.is_finished and not self.is_done:
            raise ProviderInterrupted(f"{self.name} ended its reply before it was complete.")
        return self.gathering.end()

    def decode(self, decoder: msgspec.json.Decoder[T], data: bytes) -> T:
        """Return an object, also one that is no good UTF-8 or has a lone surrogate.

        Raises ProviderError for what cannot be read: some of the reply is lost then, and a text
        with a hole in it must not be stored as a complete one.
        """
        try:
            return decoder.decode(data)
        except UNREADABLE:
            try:
                value = json.loads(data.decode(errors="replace"))
                return msgspec.convert(value, decoder.type)
            except (ValueError, msgspec.ValidationError, RecursionError) as exc:
                raise self.failure(data) from exc

    def failure(self, data: bytes, kind: type[ProviderError] = ProviderError) -> ProviderError:
        """Return the error for a report of one, or for what cannot be read.

        What the server said is logged for debugging only: it may quote the key, or the prompt.
        """
        logger.warning("%s sent an error, or what cannot be read", self.name)
        logger.debug("%s sent: %r", self.name, data[:1000])
        return kind(f"The model provider {self.name} failed.")


class EventReply(Reply):
    """A reply that comes as server-sent events."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._parser = Parser()

    @abc.abstractmethod
    def take_event(self, event: Event) -> None:
        """Read one event, as `read` does bytes. Raises ProviderError."""

    def read(self, data: bytes) -> None:
        """Read the events that these bytes complete."""
        for event in self._parser.feed(data):
            self.take_event(event)
            if self.is_done:
                break

    def read_whole(self, body: bytes) -> None:
        """Read a body as if it were an event: errors have the same form."""
        self.take_event(Event(body))
