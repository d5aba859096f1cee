"""Locks of what one process does at a time: documents of `meta`, by the server's clock.

Who holds one renews it while it works; of who is dead it expires.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator

from pymongo.errors import DuplicateKeyError

from chatd.stores.mongo.database import Database
from chatd.stores.versions import LOCKED_FOR
from chatd.types import new_id

AGAIN = 0.1  # seconds from one look at another's lock to the next
LONG_AGO = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class Lock:
    """A lock by its name, for one holder."""

    def __init__(self, database: Database, name: str) -> None:
        self._meta = database.meta
        self._name = name
        self._holder = new_id()

    async def take(self) -> bool:
        """Take or renew it; return whether it is ours."""
        with contextlib.suppress(DuplicateKeyError):
            await self._meta.insert_one({"_id": self._name, "holder": "", "until": LONG_AGO})
        free = {"$or": [{"$eq": ["$holder", self._holder]}, {"$lte": ["$until", "$$NOW"]}]}
        until = {"$add": ["$$NOW", round(LOCKED_FOR * 1000)]}
        result = await self._meta.update_one(
            {"_id": self._name, "$expr": free}, [{"$set": {"holder": self._holder, "until": until}}]
        )
        return result.matched_count > 0

    async def release(self) -> None:
        """Give it back, if it is still ours."""
        await self._meta.delete_one({"_id": self._name, "holder": self._holder})

    @contextlib.asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Keep it while the block runs, however long that takes."""
        stopped = asyncio.Event()
        task = asyncio.create_task(self._renew(stopped), name=f"lock {self._name}")
        try:
            yield
        finally:
            stopped.set()
            await task

    async def _renew(self, stopped: asyncio.Event) -> None:
        await sleep(stopped, LOCKED_FOR / 4)
        while not stopped.is_set():
            await self.take()
            await sleep(stopped, LOCKED_FOR / 4)

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Wait for it, and hold it while the block runs."""
        never = asyncio.Event()
        while not await self.take():
            await sleep(never, AGAIN)
        try:
            async with self.kept():
                yield
        finally:
            await self.release()


async def sleep(stopped: asyncio.Event, seconds: float) -> None:
    """Return after a while, or when stopped."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopped.wait()
