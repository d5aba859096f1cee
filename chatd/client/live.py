"""What the two live connections share: opening, listeners, closing."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Self

from chatd.client.errors import Closed, Unreachable
from chatd.client.events import Disconnected, Event
from chatd.client.link import Link, Receiver, Timing
from chatd.client.log import Frame
from chatd.client.mailbox import Mailbox

MOST_EVENTS = 10_000


class Events:
    """The events of a live connection from now on, each once; iterate over it."""

    def __init__(self) -> None:
        self._mailbox = Mailbox(most=MOST_EVENTS)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        return await self._mailbox.get()

    def put(self, event: Event) -> None:
        """Add an event. Never waits."""
        self._mailbox.put(event)

    def close(self, error: BaseException | None = None) -> None:
        """End, with an error if there is one."""
        self._mailbox.close(error)


class Live:
    """What is common to live connections: opening, reporting to listeners, closing.

    Entering waits for the first greeting. It raises Unreachable when there is none in time, and
    what the server says when it lets nobody in.
    """

    def __init__(self, make_link: Callable[[Receiver], Link], timing: Timing) -> None:
        self._link = make_link(self)
        self._timing = timing
        self._listeners: weakref.WeakSet[Events] = weakref.WeakSet()
        self._greeted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._error: BaseException | None = None
        self._lost_because = "it does not answer"
        self.is_connected = False

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="chatd client")
        greeted = asyncio.create_task(self._greeted.wait())
        try:
            await asyncio.wait(
                {self._task, greeted},
                timeout=self._timing.open,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            greeted.cancel()
            if not self._greeted.is_set():
                await self.aclose()
        if self._greeted.is_set():
            return self
        if self._error is not None and not isinstance(self._error, Closed):
            raise self._error
        raise Unreachable(f"The server cannot be reached: {self._lost_because}.")

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection; a generation that runs goes on at the server."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._finish(Closed())

    def events(self) -> Events:
        """Return everything that happens from now on. Raises what has ended the connection."""
        self._check()
        events = Events()
        self._listeners.add(events)
        return events

    async def _run(self) -> None:
        try:
            await self._link.run()
        except Exception as exc:
            self._finish(exc)

    def _check(self) -> None:
        if self._error is not None:
            raise self._error
        if self._task is None:
            raise Closed("Enter it first: async with ...")

    def _finish(self, error: BaseException) -> None:
        if self._error is None:
            self._error, self.is_connected = error, False
            for events in tuple(self._listeners):
                events.close(None if isinstance(error, Closed) else error)
            self._ended(error)

    def _ended(self, error: BaseException) -> None:
        """Let go of whoever waits."""

    def _tell(self, event: Event) -> None:
        for events in tuple(self._listeners):
            events.put(event)

    def lost(self, reason: str, code: int | None, retry_in: float) -> None:
        """Note that the connection is lost for now."""
        self.is_connected, self._lost_because = False, reason
        self._report(Disconnected(reason=reason, code=code, retry_in=retry_in))

    def _report(self, event: Event) -> None:
        self._tell(event)

    def query(self) -> dict[str, str]:
        """Return the query of the next attempt."""
        return {}

    def received(self, frame: Frame) -> None:
        """Take a frame."""
        raise NotImplementedError
