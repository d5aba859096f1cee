"""Search in what messages say, in MongoDB.

A text index holds the words that `chatd.words` cuts and folds: all its own tokenizer still does is
to part them at spaces. Every phrase of a query stands between spaces in quotes: so all are
required, as whole words.

`words` is written with the end of a message. A server of schema version 1 or 2 writes `search_text`
instead; what has that is found by an index of its own, and gets words in its place before a search
looks.
"""

from __future__ import annotations

from typing import Any

import pymongo
from pymongo import ASCENDING, TEXT, IndexModel, UpdateOne

from chatd.store.messages import Found, FoundPage
from chatd.stores.found import Place, found_page, place_of
from chatd.stores.mongo.database import Database
from chatd.stores.mongo.documents import MESSAGE, SESSION, message_of, session_of
from chatd.stores.mongo.driver import Document, aggregate
from chatd.words import phrases, searchable

BATCH = 100
OLD = {"search_text": {"$exists": True}}
POSITION = "search"  # the _id in `meta` of how far the migration is
A_DAY = 86400

# What messages say, each user's apart: others' are never walked through.
SEARCH = IndexModel(
    [("user_id", ASCENDING), ("words", TEXT)],
    name="search",
    default_language="none",
    language_override="search_language",  # of no document: none chooses how it is parsed
)
# What a server of an older version has stored.
UNSEARCHED = IndexModel([("user_id", ASCENDING)], name="unsearched", partialFilterExpression=OLD)


async def build(database: Database) -> tuple[int, int]:
    """Give a batch of messages their words, and last make the index; return how far that is."""
    with pymongo.timeout(A_DAY):  # an index of many messages takes its time
        await database.messages.create_indexes([UNSEARCHED])
    meta = database.meta
    position = await meta.find_one({"_id": POSITION})
    if position is None:
        # To count those that are old would take longer than a call may.
        count = await database.messages.estimated_document_count()
        position = {"_id": POSITION, "done": 0, "total": count + 1}  # one is the index
        await meta.insert_one(position)
    found = await catch_up(database)
    if found == BATCH:
        done = min(position["done"] + found, position["total"] - 1)
        await meta.update_one({"_id": POSITION}, {"$set": {"done": done}})
        return done, position["total"]
    with pymongo.timeout(A_DAY):
        await database.messages.create_indexes([SEARCH])
    await meta.delete_one({"_id": POSITION})
    return position["total"], position["total"]


async def catch_up(database: Database) -> int:
    """Give words to a batch of what an older version has stored; return how many there were."""
    fields = {"search_text": 1, "session_id": 1}
    cursor = database.latest_messages.find(OLD, fields, hint="unsearched").limit(BATCH)
    found = await cursor.to_list(None)
    if found:
        await database.messages.bulk_write([_with_words(one) for one in found], ordered=False)
    return len(found)


def _with_words(found: Document) -> UpdateOne:
    this = {name: found[name] for name in ("_id", "session_id")}
    change = {"$set": words_of(found["search_text"]), "$unset": {"search_text": ""}}
    return UpdateOne(this, change)


def words_of(content: str) -> Document:
    """Return the field of an ended message that is searched."""
    return {"words": searchable(content)}


async def search(
    database: Database,
    user_id: str,
    query: str,
    *,
    is_active: bool | None = True,
    limit: int = 50,
    cursor: str = "",
) -> FoundPage:
    """Return a page of the messages that have all phrases of a query."""
    place = place_of(cursor)
    wanted = phrases(query)
    if not wanted:
        return FoundPage(results=[])
    while await catch_up(database):
        pass
    every = " ".join(f'" {" ".join(phrase)} "' for phrase in wanted)
    text = {"user_id": user_id, "$text": {"$search": every, "$diacriticSensitive": True}}
    pipeline = _pipeline(text, user_id, is_active, place, limit + 1)
    ranks = {one["_id"]: one for one in await aggregate(database.messages, pipeline)}
    messages = await _messages(database, ranks)
    found = [
        Found(
            message=messages[message_id],
            title=session_of(one["session"][0]).title,
            rank=one["rank"],
        )
        for message_id, one in ranks.items()
        if message_id in messages
    ]
    return found_page(found, place, limit)


def _pipeline(
    text: Document, user_id: str, is_active: bool | None, place: Place, limit: int
) -> list[Document]:
    """Return the stages from a text to the best of what it matches; a rank depends on its own
    message alone, and stays."""
    order, beyond = (-1, "$lt") if place.direction == "next" else (1, "$gt")
    behind = [{"rank": {beyond: place.rank}}, {"rank": place.rank, "_id": {beyond: place.id}}]
    mine: Document = {"session.user_id": user_id}
    if is_active is not None:
        mine["session.is_active"] = is_active
    session: Any = {
        "from": "sessions",
        "localField": "session_id",
        "foreignField": "_id",
        "as": "session",
    }
    shown = {f"session.{name}": 1 for name in SESSION}
    return [
        {"$match": text},
        {"$project": {"session_id": 1, "rank": {"$meta": "textScore"}}},
        {"$match": {"$or": behind}},
        {"$sort": {"rank": order, "_id": order}},
        {"$lookup": session},
        {"$match": mine},
        {"$limit": limit},
        {"$project": {"session_id": 1, "rank": 1, **shown}},
    ]


async def _messages(database: Database, found: dict[str, Document]) -> dict[str, Any]:
    """Return messages by id, those that are still there."""
    sessions = sorted({one["session_id"] for one in found.values()})
    wanted = {"_id": {"$in": list(found)}, "session_id": {"$in": sessions}}
    cursor = database.messages.find(wanted, {**MESSAGE, "_id": 1})
    return {one["_id"]: message_of(one) for one in await cursor.to_list(None)}
