"""Bringing a MongoDB database up to the newest version, while servers may use it.

Who works takes the lock again before each batch, and while one is under way.
"""

from __future__ import annotations

import asyncio

from chatd.failpoints import failpoint
from chatd.store.upkeep import Progress, Report, Step
from chatd.stores.mongo.database import Database
from chatd.stores.mongo.locks import AGAIN, Lock, sleep
from chatd.stores.mongo.schema import MIGRATIONS, Batch, set_version, versions
from chatd.stores.versions import Migration, lacking

LOCK = "lock"  # its _id in `meta`


async def pending(database: Database) -> list[Migration[Batch]]:
    """Return what a database lacks: nothing, when it is new. Raises ConfigError."""
    found = await versions(database)
    return lacking(MIGRATIONS, *found) if found else []


async def migrate(database: Database, report: Report, stopped: asyncio.Event) -> list[Step]:
    """Do what a database lacks, batch by batch, until it lacks nothing or is stopped."""
    done: list[Step] = []
    lock, is_waiting = Lock(database, LOCK), False
    while (left := await pending(database)) and not stopped.is_set():
        if not await lock.take():
            if not is_waiting:
                report(Progress(left[0].step, 0, 0))
            is_waiting = True
            await sleep(stopped, AGAIN)
            continue
        is_waiting = False
        # Who held the lock before may have come to the end since we looked.
        for migration in (await pending(database))[:1]:
            progress = await _go_on(database, migration, lock)
            report(progress)
            if progress.done == progress.total:
                done.append(progress.step)
        failpoint("after_migration_batch")
    await lock.release()
    return done


async def _go_on(database: Database, migration: Migration[Batch], lock: Lock) -> Progress:
    """Do a batch under the lock."""
    async with lock.kept():
        done, total = await migration.batch(database)
        if done == total:
            await set_version(database, migration)
    return Progress(migration.step, done, total)
