"""The collections and indexes of the MongoDB store.

A document holds a value of chatd.types whole, as JSON text in `document`, and beside it what the
store looks for, counts or changes alone. JSON text, because a page of 50 messages is decoded faster
from it than from BSON, and because the keys of metadata, options and arguments are the users': as
text a dot or a `$` in them means nothing. Times beside it are milliseconds since 1970; those that
the server itself compares (leases, ends of tokens) are its dates.

Sharding: `sessions` by `_id` and `messages` by `session_id`. Every read and write of one session
names it, so that it goes to one shard, and every unique index of `messages` begins with the shard
key; that index must exist before the collection is sharded. The rest is small and stays whole.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable

import pymongo
from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError, OperationFailure

from chatd.errors import ConfigError
from chatd.stores.mongo import data, search
from chatd.stores.mongo.database import Database
from chatd.stores.mongo.driver import Document
from chatd.stores.versions import Migration, lacking, refuse_old

Batch = Callable[[Database], Awaitable[tuple[int, int]]]

CREATE_WITHIN = 60.0  # seconds for the indexes of a new collection: each waits for the disk
META = "chatd"  # the _id of what the store knows of itself
TOUCHED = "touched"
SEALED_FOR = 30 * 86400  # seconds


def _index(
    name: str, *fields: str, unique: bool = False, present: str = "", expire: int | None = None
) -> IndexModel:
    """Return an index; with `present` of the documents that have this field alone."""
    options = {"partialFilterExpression": {present: {"$exists": True}}} if present else {}
    if expire is not None:
        options["expireAfterSeconds"] = expire  # type: ignore[assignment]
    return IndexModel([(field, ASCENDING) for field in fields], name=name, unique=unique, **options)


BY_KIND = _index("by_kind", "kind", "created_at", "_id")
DATA_EXPIRY = _index("expiry", "expires_at", present="expires_at", expire=0)

INDEXES = {
    "users": [
        # Found and listed by name.
        _index("by_name", "name", unique=True),
    ],
    "tokens": [
        # How the command line revokes one.
        _index("by_id", "id", unique=True),
        # Tokens in the order of the command line's list; tickets apart from them.
        BY_KIND,
        # What has expired is erased by the server, within a minute or so.
        _index("expiry", "expires_at", present="expires_at", expire=0),
    ],
    "sessions": [
        # A user's list of sessions, latest activity first, paged by (activity_at, _id); and Stats.
        _index("by_activity", "user_id", "is_active", "activity_at", "_id"),
        # The sweep for generations whose process is gone: only running ones are in it.
        _index("by_lease", "slot.lease", present="slot.lease"),
    ],
    "messages": [
        # All branches in order, and the answer after a user's message; no seq is given twice.
        _index("by_seq", "session_id", "seq", unique=True),
        # What a client missed since a revision; none is given twice.
        _index("by_revision", "session_id", "revision", unique=True),
        # A shown branch: one range for each of its segments.
        _index("by_branch", "session_id", "branch", "seq"),
        # A repeated send finds its first, and cannot be stored twice. Without a client_id the field
        # is left out: a null would be one value for all, also in a sparse compound index.
        _index("by_client_id", "session_id", "client_id", unique=True, present="client_id"),
        # Seals are forgotten: no request lies that long in a socket.
        _index("seals", "sealed_at", present="sealed_at", expire=SEALED_FOR),
        search.SEARCH,
        search.UNSEARCHED,
    ],
    "presets": [
        # A user's presets, and everybody's public ones, by name.
        _index("by_owner", "owner", "name"),
        _index("public", "public_name", present="public_name"),
    ],
    data.NAME: [
        # What has expired is erased by the server.
        DATA_EXPIRY,
    ],
    "models": [
        # What a provider listed before, and all models in order.
        _index("by_provider", "provider", "name", unique=True),
        # The default, at most one: the others do not have the field.
        _index("default", "is_default", unique=True, present="is_default"),
    ],
}


async def _index_tokens(database: Database) -> tuple[int, int]:
    """Put the tokens into the order of their list: the first stores lack the last field."""
    try:
        await database.tokens.create_indexes([BY_KIND])
    except OperationFailure as exc:
        if exc.code not in (85, 86):  # the name is another index's
            raise
        await database.tokens.drop_index("by_kind")
        await database.tokens.create_indexes([BY_KIND])
    return 1, 1


async def _index_data(database: Database) -> tuple[int, int]:
    """Make the collection with its index; it is made by whoever is first."""
    await database.collection(data.NAME).create_indexes([DATA_EXPIRY])
    return 1, 1


# Version 1 is what chatd began with. A new store is made as the last one has it.
MIGRATIONS: tuple[Migration[Batch], ...] = (
    Migration(2, "have an index list tokens in order", _index_tokens, 1),
    Migration(3, "make an index of what messages say, to search them", search.build, 1),
    Migration(4, "make a place for what plugins keep", _index_data, 1),
)


async def prepare(database: Database) -> str:
    """Create what a new database lacks and return the store's epoch. Raises ConfigError.

    What the store knows of itself is written last: a start that dies before is made again.
    """
    meta = await database.meta.find_one({"_id": META}) or await _create(database)
    version, compatible_from = _versions(meta)
    lacking(MIGRATIONS, version, compatible_from)
    refuse_old(MIGRATIONS, version)
    epoch: str = meta["epoch"]
    return epoch


async def versions(database: Database) -> tuple[int, int] | None:
    """Return the version of a store, and the oldest whose code can use it; None for a new one."""
    meta = await database.meta.find_one({"_id": META})
    return _versions(meta) if meta else None


def _versions(meta: Document) -> tuple[int, int]:
    version: int = meta["schema_version"]
    return version, meta.get("compatible_from", version)


async def set_version(database: Database, migration: Migration[Batch]) -> None:
    """Note that a store has been migrated."""
    earlier = {"_id": META, "schema_version": {"$lt": migration.version}}
    await database.meta.update_one(earlier, {"$set": _version(migration)})


def _version(migration: Migration[Batch]) -> Document:
    return {
        "schema_version": migration.version,
        "compatible_from": migration.compatible_from,
    }


async def _create(database: Database) -> Document:
    for name, indexes in INDEXES.items():
        if await database.collection(name).find_one({}, {"_id": 1}):
            found = await database.meta.find_one({"_id": META})
            if found is None:
                raise ConfigError(f"The collection {name} of this database was not made by chatd.")
            return found  # another process has just created everything
        with pymongo.timeout(CREATE_WITHIN):
            await database.collection(name).create_indexes(indexes)
    newest = MIGRATIONS[-1]
    meta: Document = {"_id": META, "epoch": secrets.token_hex(16), **_version(newest)}
    try:
        await database.meta.insert_one(meta)
    except DuplicateKeyError:
        found = await database.meta.find_one({"_id": META})
        assert found is not None
        return found
    return meta


async def touch(database: Database) -> None:
    """Write something, to see that the server takes writes."""
    change = {"$currentDate": {"at": True}}
    try:
        await database.meta.update_one({"_id": TOUCHED}, change, upsert=True)
    except DuplicateKeyError:  # somebody else was the first to do it
        await database.meta.update_one({"_id": TOUCHED}, change)
