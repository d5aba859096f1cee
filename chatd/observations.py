"""What plugins observe: told behind the back of what happens, which never waits for them.

Each plugin has a bounded queue and a task of its own. Who is slow loses what does not fit, counted
and logged; who raises is logged.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any

from chatd.calling import Call
from chatd.events import Observed
from chatd.plugins import Plugins
from chatd.types import Session, now

logger = logging.getLogger(__name__)

HOOK = "observe"
QUEUE = 1000  # events; some 2 KB each
DRAIN_WITHIN = 2.0  # seconds for what is queued when the App closes
SAY_EVERY = 60.0  # seconds from one line about drops to the next

Dropped = Callable[[str], None]  # takes the plugin


class Observations:
    """Tells the plugins that observe. Without any, telling costs a look at an empty tuple."""

    def __init__(self, plugins: Plugins, dropped: Dropped | None = None) -> None:
        self._plugins, self._dropped = plugins, dropped or (lambda plugin: None)
        self._queues: tuple[Queue, ...] = ()

    def open(self, app: object) -> None:
        """Begin to tell."""
        calls = self._plugins.calls(HOOK)
        self._queues = tuple(Queue(self._plugins, call, app, self._dropped) for call in calls)

    async def aclose(self) -> None:
        """Tell what is queued, for a short while, and nothing more."""
        queues, self._queues = self._queues, ()
        await asyncio.gather(*[queue.aclose() for queue in queues])

    def tell(
        self, type: str, user_id: str, *, session: Session | None = None, **about: Any
    ) -> None:
        """Tell everybody who observes; waits for nothing. `about` are fields of Observed."""
        if not self._queues:
            return
        if session is not None:
            about |= {"session": session, "session_id": session.id}
        event = Observed(type=type, at=now(), user_id=user_id, **about)
        for queue in self._queues:
            queue.put(event)


class Queue:
    """The events that one plugin has not been told yet, and the task that tells it."""

    def __init__(self, plugins: Plugins, call: Call, app: object, dropped: Dropped) -> None:
        self._plugins, self._call, self._app, self._on_drop = plugins, call, app, dropped
        self._queue: asyncio.Queue[Observed] = asyncio.Queue(QUEUE)
        self._drops, self._said_at = 0, 0.0
        self._task = asyncio.create_task(self._tell_on(), name=f"{HOOK} of {call.plugin}")

    def put(self, event: Observed) -> None:
        """Queue an event, or drop it."""
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            self._drop()

    def _drop(self) -> None:
        self._on_drop(self._call.plugin)
        self._drops += 1
        if time.monotonic() - self._said_at > SAY_EVERY:
            logger.warning(
                "plugin %s is too slow in %s: dropped %d events",
                self._plugins.place(self._call.plugin),
                HOOK,
                self._drops,
            )
            self._drops, self._said_at = 0, time.monotonic()

    async def _tell_on(self) -> None:
        while True:
            event = await self._queue.get()
            try:
                await self._call({"app": self._app, "event": event})
            except Exception:
                logger.exception(
                    "plugin %s failed in %s", self._plugins.place(self._call.plugin), HOOK
                )
            finally:
                self._queue.task_done()

    async def aclose(self) -> None:
        """Wait a while for what is queued, then end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_WITHIN):
                await self._queue.join()
        if self._queue.qsize():
            logger.warning("plugin %s was not told the last events", self._call.plugin)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
