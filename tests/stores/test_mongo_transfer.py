"""What only MongoDB's way of keeping whole sessions can get wrong."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import mongod
from filled import a_conversation, fill, held, pour
from pymongo import MongoClient
from stored import ALICE

from chatd.store.transfer import COLLECTIONS
from chatd.stores import open_store

FREE = {"copy", "epoch", "is_disabled"}  # said otherwise where it is not so


def documents(url: str, database: str) -> dict[str, list[dict[str, Any]]]:
    """Return all documents of a database, as they are."""
    with MongoClient(url) as client:
        return {
            name: [
                {key: value for key, value in document.items() if key not in FREE}
                for document in client[database][name].find().sort("_id")
                if "sealed_at" not in document
            ]
            for name in COLLECTIONS
        }


async def test_a_copy_has_every_field(mongodb: str) -> None:
    """No field of a document is lost between two databases."""
    names = [f"chatd_{uuid.uuid4().hex}" for _ in range(2)]
    one, other = (open_store(mongod.named(mongodb, name)) for name in names)
    await asyncio.gather(one.open(), other.open())
    try:
        await fill(one)
        await pour(one, other)
        first, second = (documents(mongodb, name) for name in names)
    finally:
        await asyncio.gather(one.aclose(), other.aclose())
        with MongoClient(mongodb) as client:
            for name in names:
                client.drop_database(name)
    for name in COLLECTIONS:
        for before, after in zip(first[name], second[name], strict=True):
            # The text of a message that streams stands in its checkpoint; the rest in one place.
            for volatile in ("document", "seq", "revision"):
                if name == "sessions" or "checkpoint" in before:
                    before.pop(volatile, None), after.pop(volatile, None)
            if before.get("branches") == {}:
                del before["branches"]
            # Drawn anew, so that nobody takes the copy of a session for the one that he knows.
            before.pop("made", None), after.pop("made", None)
            assert after == before


async def test_what_a_dead_import_left_is_replaced(mongo_url: str) -> None:
    """Messages without their session, from an import that died, do not stop the next one."""
    store = open_store(mongo_url)
    await store.open()
    conversation = a_conversation(3)
    left = [record.replace(branch=9) for record in conversation.messages[:2]]
    await store.put_records("messages", left)

    await store.add_conversations([conversation])

    found = await held(store)
    assert sorted(found["messages"], key=repr) == sorted(conversation.messages, key=repr)
    assert [session.id for session in (await store.list_sessions(ALICE.id)).results] == [
        conversation.session.session.id
    ]
    await store.aclose()


async def test_nothing_to_put(mongo_url: str) -> None:
    """No records are nothing to do."""
    store = open_store(mongo_url)
    await store.open()
    for collection in COLLECTIONS:
        await store.put_records(collection, [])
    await store.aclose()
