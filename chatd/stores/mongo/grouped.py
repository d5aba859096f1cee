"""Writes that share a call: while one is under way, those that come meanwhile are the next group.

What a call of the driver costs, here and for the server's journal, is the same for one document and
for thirty. Beside other turns a turn waits for the call before its own; alone it waits for nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

A = TypeVar("A")
R = TypeVar("R")

LARGEST = 100  # writes of one group
PATIENCE = 0.25  # seconds after which the next group no longer waits for the one before


class Grouped(Generic[A, R]):
    """Does things in groups, each of which gets what became of it, or the exception.

    What `work` raises is raised for all of a group. No group has two things with the same key: what
    became of the one could not be told from what became of the other.
    """

    def __init__(self, work: Callable[[Sequence[A]], Awaitable[Sequence[R | Exception]]]) -> None:
        self._work = work
        self._waiting: list[tuple[str, A, asyncio.Future[R]]] = []
        self._task: asyncio.Task[None] | None = None
        self._groups: set[asyncio.Task[None]] = set()

    async def do(self, key: str, item: A) -> R:
        """Do one thing, perhaps together with others."""
        done: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((key, item, done))
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="groups")
        return await done

    async def _run(self) -> None:
        while self._waiting:
            task = asyncio.create_task(self._do(self._next_group()), name="group")
            self._groups.add(task)
            task.add_done_callback(self._groups.discard)
            await asyncio.wait([task], timeout=PATIENCE)
        self._task = None

    def _next_group(self) -> list[tuple[A, asyncio.Future[R]]]:
        group: dict[str, tuple[A, asyncio.Future[R]]] = {}
        left = []
        for waiting in self._waiting:
            key, item, done = waiting
            if key in group or len(group) == LARGEST:
                left.append(waiting)
            else:
                group[key] = item, done
        self._waiting = left
        return [*group.values()]

    async def _do(self, group: Sequence[tuple[A, asyncio.Future[R]]]) -> None:
        results: Sequence[R | Exception]
        try:
            results = await self._work([item for item, _ in group])
        except Exception as exc:
            results = [exc] * len(group)
        for (_, done), result in zip(group, results, strict=True):
            if done.cancelled():
                continue
            if isinstance(result, Exception):
                done.set_exception(result)
            else:
                done.set_result(result)
