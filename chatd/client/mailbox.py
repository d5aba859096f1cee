"""What was received and is not read yet: who reads late gets fewer and larger pieces."""

from __future__ import annotations

import asyncio
from collections import deque

from chatd.client.events import Event, Reasoning, Reload, Text


class Mailbox:
    """A queue of events for one reader.

    Text that waits is merged, as it is at the server, so that a reply waits as one event. `most`
    bounds the rest: past it everything is dropped and one Reload left. 0 is no bound.
    """

    def __init__(self, *, most: int = 0) -> None:
        self._events: deque[Event] = deque()
        self._most = most
        self._changed = asyncio.Event()
        self._error: BaseException | None = None
        self._is_closed = False

    def put(self, event: Event) -> None:
        """Add an event. Never waits."""
        if self._is_closed:
            return
        self._events.append(event)
        if self._most and len(self._events) > self._most:
            self._events = deque(merged(self._events))
            if len(self._events) > self._most // 2:
                self._events = deque([Reload()])
        self._changed.set()

    def close(self, error: BaseException | None = None) -> None:
        """Let nothing in any more; the reader gets what is there, then the error, if any."""
        if not self._is_closed:
            self._is_closed, self._error = True, error
            self._changed.set()

    @property
    def is_empty(self) -> bool:
        """Whether `get` has to wait, or ends."""
        return not self._events

    async def get(self) -> Event:
        """Return the next event. Raises StopAsyncIteration at the end."""
        while not self._events:
            if self._is_closed:
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        first = self._events.popleft()
        if not isinstance(first, (Text, Reasoning)):
            return first
        parts = [first.content]
        while self._events and _continues(first, self._events[0]):
            parts.append(_content(self._events.popleft()))
        return first if len(parts) == 1 else first.replace(content="".join(parts))


def merged(events: deque[Event]) -> list[Event]:
    """Return events with neighbouring pieces of one text in one."""
    found: list[Event] = []
    parts: list[str] = []
    for event in events:
        if found and _continues(found[-1], event):
            parts.append(_content(event))
            continue
        _join(found, parts)
        found.append(event)
        parts = [_content(event)]
    _join(found, parts)
    return found


def _join(found: list[Event], parts: list[str]) -> None:
    if len(parts) > 1:
        found[-1] = found[-1].replace(content="".join(parts))


def _continues(first: Event, event: Event) -> bool:
    return (
        isinstance(first, (Text, Reasoning))
        and type(event) is type(first)
        and getattr(event, "generation_id", None) == first.generation_id
    )


def _content(event: Event) -> str:
    return event.content if isinstance(event, (Text, Reasoning)) else ""
