"""What plugins keep in MongoDB.

A document holds a value as JSON text in `document`; a count has `count`, and an empty text there.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import msgspec
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError
from pymongo.read_concern import ReadConcern

from chatd.errors import Conflict, PreconditionFailed
from chatd.store.data import Datum, full_key, is_gone, split_key, written
from chatd.stores.mongo.database import Database
from chatd.stores.mongo.driver import Document
from chatd.types import now

NAME = "plugin_data"


def _unexpired() -> Document:
    # The server erases what has expired only now and then.
    return {"$or": [{"expires_at": {"$exists": False}}, {"expires_at": {"$gt": now()}}]}


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def datum_of(document: Document) -> Datum:
    """Return what a document holds."""
    count, text, expires_at = (
        document.get("count"),
        document["document"],
        document.get("expires_at"),
    )
    return Datum(
        key=split_key(document["_id"])[1],
        value=msgspec.json.decode(text) if count is None else count,
        version=document["version"],
        expires_at=expires_at.replace(tzinfo=dt.UTC) if expires_at else None,
    )


def written_datum(plugin: str, datum: Datum) -> Document:
    """Return the document of a datum."""
    document: Document = {"_id": full_key(plugin, datum.key), "version": datum.version}
    if _is_count(datum.value):
        document |= {"count": datum.value, "document": ""}
    else:
        document["document"] = written(datum.value)
    return document | ({"expires_at": datum.expires_at} if datum.expires_at else {})


async def get_datum(database: Database, plugin: str, key: str) -> Datum | None:
    """Return what is kept under a key."""
    found = await database.collection(NAME).find_one({"_id": full_key(plugin, key)})
    datum = datum_of(found) if found else None
    return None if datum is None or is_gone(datum.expires_at, now()) else datum


async def list_data(
    database: Database, plugin: str, *, prefix: str = "", after: str = "", limit: int = 100
) -> list[Datum]:
    """Return what is kept under the keys that begin so."""
    begins = f"^{re.escape(full_key(plugin, prefix))}"
    wanted = {"_id": {"$regex": begins, "$gt": full_key(plugin, after)}, **_unexpired()}
    cursor = database.collection(NAME).find(wanted, hint="_id_").sort("_id", 1).limit(limit)
    return [datum_of(document) for document in await cursor.to_list(None)]


async def put_datum(
    database: Database,
    plugin: str,
    key: str,
    value: Any,
    *,
    version: int | None = None,
    expires_at: dt.datetime | None = None,
) -> Datum:
    """Keep a value, if the version is the present one; again, if it has changed meanwhile."""
    collection = database.collection(NAME, read_concern=ReadConcern("local"))
    place = full_key(plugin, key)
    while True:
        found = await collection.find_one({"_id": place}, {"version": 1, "expires_at": 1})
        if found and is_gone(datum_of({"document": "0", **found}).expires_at, now()):
            await collection.delete_one(found)
            found = None
        present = found["version"] if found else 0
        if version not in (None, present):
            raise PreconditionFailed
        datum = Datum(key=key, value=value, version=present + 1, expires_at=expires_at)
        document = written_datum(plugin, datum)
        if found is None:
            try:
                await collection.insert_one(document)
            except DuplicateKeyError:
                continue
            return datum
        earlier = {"_id": place, "version": present}
        if (await collection.replace_one(earlier, document)).matched_count:
            return datum


async def delete_datum(database: Database, plugin: str, key: str) -> bool:
    """Forget what is kept under a key."""
    found = await database.collection(NAME).find_one_and_delete({"_id": full_key(plugin, key)})
    return found is not None and not is_gone(datum_of(found).expires_at, now())


async def add_to_count(
    database: Database,
    plugin: str,
    key: str,
    by: int = 1,
    *,
    most: int | None = None,
    expires_at: dt.datetime | None = None,
) -> int | None:
    """Add to a count, if it does not become more than `most`."""
    collection = database.collection(NAME, read_concern=ReadConcern("local"))
    place = full_key(plugin, key)
    bound: Document = {"$exists": True} if most is None else {"$lte": most - by}
    begins: Document = {"document": ""} | ({"expires_at": expires_at} if expires_at else {})
    change = {"$inc": {"count": by, "version": 1}, "$setOnInsert": begins}
    while True:
        try:
            found = await collection.find_one_and_update(
                {"_id": place, "count": bound, **_unexpired()},
                change,
                upsert=most is None or by <= most,
                return_document=ReturnDocument.AFTER,
            )
        except DuplicateKeyError:
            found = None
        if found is not None:
            count: int = found["count"]
            return count
        there = await collection.find_one({"_id": place})
        if there is not None and is_gone(datum_of(there).expires_at, now()):
            # Not by its version: one that somebody has begun meanwhile may have the same.
            await collection.delete_one({"_id": place, "expires_at": there["expires_at"]})
        elif there is None and most is not None and by > most:
            return None
        elif there is not None and there.get("count") is None:
            raise Conflict("This is no count.")
        elif there is not None and most is not None and there["count"] + by > most:
            return None
