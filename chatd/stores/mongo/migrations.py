"""Bringing a MongoDB database up to the newest version, while servers may use it.

The lock is a document of `meta`; its clock is the server's. Who works takes it again before each
batch, and while one is under way.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator

from pymongo.errors import DuplicateKeyError

from chatd.failpoints import failpoint
from chatd.store.upkeep import Progress, Report, Step
from chatd.stores.mongo.database import Database
from chatd.stores.mongo.schema import MIGRATIONS, Batch, set_version, versions
from chatd.stores.versions import LOCKED_FOR, Migration, lacking
from chatd.types import new_id

LOCK = "lock"  # its _id in `meta`
LONG_AGO = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
AGAIN = 0.1  # seconds from one look at another's lock to the next


async def pending(database: Database) -> list[Migration[Batch]]:
    """Return what a database lacks: nothing, when it is new. Raises ConfigError."""
    found = await versions(database)
    return lacking(MIGRATIONS, *found) if found else []


async def migrate(database: Database, report: Report, stopped: asyncio.Event) -> list[Step]:
    """Do what a database lacks, batch by batch, until it lacks nothing or is stopped."""
    done: list[Step] = []
    holder, is_waiting = new_id(), False
    while (left := await pending(database)) and not stopped.is_set():
        if not await _take(database, holder):
            if not is_waiting:
                report(Progress(left[0].step, 0, 0))
            is_waiting = True
            await _sleep(stopped, AGAIN)
            continue
        is_waiting = False
        # Who held the lock before may have come to the end since we looked.
        for migration in (await pending(database))[:1]:
            progress = await _go_on(database, migration, holder)
            report(progress)
            if progress.done == progress.total:
                done.append(progress.step)
        failpoint("after_migration_batch")
    await database.meta.delete_one({"_id": LOCK, "holder": holder})
    return done


async def _go_on(database: Database, migration: Migration[Batch], holder: str) -> Progress:
    """Do a batch under the lock."""
    async with _renewing(database, holder):
        done, total = await migration.batch(database)
        if done == total:
            await set_version(database, migration)
    return Progress(migration.step, done, total)


@contextlib.asynccontextmanager
async def _renewing(database: Database, holder: str) -> AsyncIterator[None]:
    """Keep the lock during a batch, however long an index takes."""
    stopped = asyncio.Event()
    task = asyncio.create_task(_renew(database, holder, stopped), name="migration lock")
    try:
        yield
    finally:
        stopped.set()
        await task


async def _renew(database: Database, holder: str, stopped: asyncio.Event) -> None:
    await _sleep(stopped, LOCKED_FOR / 4)
    while not stopped.is_set():
        await _take(database, holder)
        await _sleep(stopped, LOCKED_FOR / 4)


async def _sleep(stopped: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopped.wait()


async def _take(database: Database, holder: str) -> bool:
    """Take or renew the lock; return whether it is ours."""
    with contextlib.suppress(DuplicateKeyError):
        await database.meta.insert_one({"_id": LOCK, "holder": "", "until": LONG_AGO})
    free = {"$or": [{"$eq": ["$holder", holder]}, {"$lte": ["$until", "$$NOW"]}]}
    held = {"holder": holder, "until": {"$add": ["$$NOW", round(LOCKED_FOR * 1000)]}}
    result = await database.meta.update_one({"_id": LOCK, "$expr": free}, [{"$set": held}])
    return result.matched_count > 0
