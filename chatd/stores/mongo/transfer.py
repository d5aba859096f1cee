"""A whole MongoDB store: records out and in."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import msgspec
from pymongo import ReplaceOne
from pymongo.errors import BulkWriteError

from chatd.errors import Conflict
from chatd.store.transfer import (
    Collection,
    Conversation,
    CopyMark,
    Record,
    RecordPage,
    StoredMessage,
    StoredSession,
)
from chatd.stores.mongo.database import Database
from chatd.stores.mongo.documents import slot_of
from chatd.stores.mongo.driver import Document, broken_index
from chatd.stores.mongo.locks import Lock
from chatd.stores.mongo.messages import of_slot
from chatd.stores.mongo.records import (
    DOCUMENT,
    RECORD,
    message_record,
    message_written,
    session_record,
    session_written,
)
from chatd.stores.mongo.schema import META

MOST_BYTES = 4_000_000  # of the texts of one page
# Documents of one call, which has a few seconds: the index of words takes most of the time of one,
# more the larger it is.
PART = 100
KEPT = {"document": {"$exists": True}}  # no seals
ADDING = "adding"  # the name of a lock

_mark_of = msgspec.json.Decoder(CopyMark).decode


async def read_records(
    database: Database, collection: Collection, *, after: str = "", limit: int = 1000
) -> RecordPage:
    """Return records behind an id."""
    wanted = {"_id": {"$gt": after}, **(KEPT if collection == "messages" else {})}
    # The condition alone does not bind the server to the index of ids.
    cursor = database.collection(collection).find(wanted, hint="_id_").sort("_id", 1).limit(limit)
    records: list[Record] = []
    last = ""
    async for document in _bounded(cursor):
        last = document["_id"]
        if collection == "sessions":
            records.append(await _session_record(database, document))
        else:
            records.append(RECORD[collection](document))
    return RecordPage(records, last)


async def _bounded(cursor: Any) -> AsyncIterator[Document]:
    """Yield what a cursor finds until the texts have reached MOST_BYTES."""
    left = MOST_BYTES
    try:
        async for document in cursor:
            yield document
            left -= len(document["document"])
            if left < 0:
                return
    finally:
        await cursor.close()


async def _session_record(database: Database, document: Document) -> StoredSession:
    slot = slot_of(document)
    messages = await of_slot(database, document["_id"], slot) if slot else ()
    return session_record(document, messages)


async def count_records(database: Database, collection: Collection) -> int:
    """Return how many documents there are, by the server's own account."""
    count: int = await database.collection(collection).estimated_document_count()
    return count


async def read_sessions(
    database: Database, user_id: str, *, after: str = "", limit: int = 200
) -> list[StoredSession]:
    """Return sessions of a user by id."""
    wanted = {"_id": {"$gt": after}, "user_id": user_id}
    cursor = database.sessions.find(wanted, hint="_id_").sort("_id", 1).limit(limit)
    return [await _session_record(database, document) async for document in cursor]


async def read_messages(
    database: Database, session_id: str, *, after: int = 0, limit: int = 1000
) -> list[StoredMessage]:
    """Return messages of a session by seq."""
    wanted = {"session_id": session_id, "seq": {"$gt": after}}
    cursor = database.messages.find(wanted, hint="by_seq").sort("seq", 1).limit(limit)
    return [message_record(document) async for document in _bounded(cursor)]


async def find_owners(database: Database, session_ids: Sequence[str]) -> dict[str, str]:
    """Return whose sessions these are."""
    wanted = {"_id": {"$in": list(session_ids)}}
    found = await database.sessions.find(wanted, {"user_id": 1}).to_list(None)
    return {document["_id"]: document["user_id"] for document in found}


async def put_records(
    database: Database, collection: Collection, records: Sequence[Record]
) -> None:
    """Insert records; where some are there already, each in place of the one with its id."""
    target = database.collection(collection)
    for documents in _parts([DOCUMENT[collection](record) for record in records]):
        try:
            await target.insert_many(documents, ordered=False)
        except BulkWriteError as exc:
            if not broken_index(exc):
                raise
            writes = [ReplaceOne(_place(document), document, upsert=True) for document in documents]
            with _conflicts():
                await target.bulk_write(writes, ordered=False)


def _parts(documents: list[Document]) -> Iterator[list[Document]]:
    for start in range(0, len(documents), PART):
        yield documents[start : start + PART]


@contextlib.contextmanager
def _conflicts() -> Iterator[None]:
    """Have many writes fail as one does."""
    try:
        yield
    except BulkWriteError as exc:
        raise Conflict("This is already stored.") if broken_index(exc) else exc from exc


def _place(document: Document) -> Document:
    """Return the condition that names a document and, of a message, its shard."""
    return {name: document[name] for name in ("_id", "session_id") if name in document}


async def add_conversations(database: Database, conversations: Sequence[Conversation]) -> None:
    """Insert messages and then their sessions: who finds a session finds all of it.

    What a process that died in between has left of them is erased first. One that is alive would
    look the same, so one process adds at a time.
    """
    documents = [message_written(record) for _, messages in conversations for record in messages]
    sessions = [session_written(session) for session, _ in conversations]
    async with Lock(database, ADDING).held():
        if await find_owners(database, [session["_id"] for session in sessions]):
            raise Conflict("This is already stored.")
        try:
            with _conflicts():
                if documents:
                    await _insert_messages(database, documents)
                await database.sessions.insert_many(sessions, ordered=False)
        except Conflict:
            await _erase_orphans(database, [session["_id"] for session in sessions])
            raise


async def _insert_messages(database: Database, documents: list[Document]) -> None:
    try:
        for part in _parts(documents):
            await database.messages.insert_many(part, ordered=False)
    except BulkWriteError as exc:
        if not broken_index(exc):
            raise
        await _erase_orphans(database, sorted({d["session_id"] for d in documents}))
        for part in _parts(documents):
            await database.messages.insert_many(part, ordered=False)


async def _erase_orphans(database: Database, session_ids: Sequence[str]) -> None:
    """Erase messages of those of these sessions that do not exist."""
    there = await find_owners(database, session_ids)
    orphans = {"session_id": {"$in": [i for i in session_ids if i not in there]}}
    await database.messages.delete_many(orphans)


async def is_generating(database: Database) -> bool:
    """Return whether a slot's lease has not run out, by the server's clock."""
    alive = {"$expr": {"$gt": ["$slot.lease", "$$NOW"]}, "slot.lease": {"$exists": True}}
    return await database.sessions.find_one(alive, {"_id": 1}) is not None


async def get_copy_mark(database: Database) -> CopyMark | None:
    """Return the mark of an unfinished copy."""
    found = await database.meta.find_one({"_id": META}, {"copy": 1})
    return _mark_of(found["copy"]) if found and "copy" in found else None


async def set_copy_mark(database: Database, mark: CopyMark) -> None:
    """Note how far a copy has come."""
    change = {"$set": {"copy": msgspec.json.encode(mark).decode()}}
    await database.meta.update_one({"_id": META}, change)


async def end_copy(database: Database) -> None:
    """Forget the mark, and take a new epoch."""
    change = {"$unset": {"copy": ""}, "$set": {"epoch": secrets.token_hex(16)}}
    await database.meta.update_one({"_id": META}, change)
