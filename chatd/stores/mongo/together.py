"""Lookups that share a query: while one is under way, those that come meanwhile gather.

Those of `Together` ask for things by their keys, many of them in one query; those of `Shared` for
the same. A call of the driver costs some hundred microseconds of Python, however little it asks,
and every request looks for a token and most for a session. What is found is never older than the
asking: a query is sent after all those that wait for it have asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


def take_note(future: asyncio.Future[Any]) -> None:
    """Look at what a future has come to: asyncio would log a failure that nobody waits for.

    A shield that was cancelled no longer looks at what is behind it.
    """
    if not future.cancelled():
        future.exception()


class Together(Generic[T]):
    """Looks for things by their keys, many at a time."""

    def __init__(self, look: Callable[[list[str]], Awaitable[dict[str, T]]]) -> None:
        self._look = look
        self._waiting: dict[str, asyncio.Future[T | None]] = {}
        self._task: asyncio.Task[None] | None = None

    async def find(self, key: str) -> T | None:
        """Return what has this key, if anything. Raises what the query does."""
        found = self._waiting.get(key)
        if found is None:
            found = self._waiting[key] = asyncio.get_running_loop().create_future()
            found.add_done_callback(take_note)
            if self._task is None:
                self._task = asyncio.create_task(self._run(), name="lookups")
        return await asyncio.shield(found)

    async def _run(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, {}
            try:
                found = await self._look(list(waiting))
            except Exception as exc:
                for future in waiting.values():
                    future.set_exception(exc)
            else:
                for key, future in waiting.items():
                    future.set_result(found.get(key))
        self._task = None


class Shared(Generic[T]):
    """Has those who ask the same at the same time answered by one query."""

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Task[T]] = {}
        self._next: dict[Hashable, asyncio.Task[T]] = {}

    async def find(self, key: Hashable, look: Callable[[], Awaitable[T]]) -> T:
        """Return what a query finds that is sent from now on. Raises what it does."""
        task = self._next.get(key)
        if task is None:
            running = self._running.get(key)
            task = asyncio.create_task(self._run(key, look, running), name="shared lookup")
            task.add_done_callback(take_note)
            (self._running if running is None else self._next)[key] = task
        return await asyncio.shield(task)

    async def _run(
        self, key: Hashable, look: Callable[[], Awaitable[T]], before: asyncio.Task[T] | None
    ) -> T:
        if before is not None:
            await asyncio.wait([before])
            self._running[key] = self._next.pop(key)
        try:
            return await look()
        finally:
            if key not in self._next:
                del self._running[key]
