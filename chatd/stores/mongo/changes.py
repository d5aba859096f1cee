"""Slots of many sessions taken or freed by one write.

Such a write tells how many of its updates met their condition, not which. The sessions are read
behind it anyway, for what the calls return, and show that: a generation's id is never used twice,
and a free leaves a mark.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any, NamedTuple

from pymongo import ReturnDocument, UpdateOne

from chatd.stores.mongo.database import Database
from chatd.stores.mongo.documents import HEAD, SESSION
from chatd.stores.mongo.driver import Document

TAKEN = {**HEAD, "branch": 1, "seq": 1}
FREED = {**SESSION, "freed": 1}


class Change(NamedTuple):
    """An update of the session that meets a condition, for a generation."""

    session_id: str
    generation_id: str
    wanted: Document
    update: Any  # of MongoDB: a document, or a pipeline


async def take_all(database: Database, takes: Sequence[Change]) -> list[Document | None]:
    """Take slots; return each session as it then is, None where the slot was not to be had."""
    if len(takes) == 1:
        return [await change_one(database, takes[0], TAKEN)]
    _, found = await _change_all(database, takes, TAKEN)
    return [
        session if session and _holder(session) == take.generation_id else None
        for take, session in zip(takes, found, strict=True)
    ]


async def free_all(database: Database, frees: Sequence[Change]) -> list[Document | None]:
    """Free slots of turns; return each session as it then is, None where the slot was another's."""
    if len(frees) == 1:
        return [await change_one(database, frees[0], SESSION)]
    marked = [_marked(free) for free in frees]
    count, found = await _change_all(database, marked, FREED)
    return [
        session if count == len(frees) or (session and _mark(session, free)) else None
        for free, session in zip(marked, found, strict=True)
    ]


def _marked(free: Change) -> Change:
    """Return an update that leaves a mark of its own: a free of the same turn would look alike."""
    update = {**free.update, "$set": {**free.update["$set"], "freed": secrets.token_hex(8)}}
    return free._replace(update=update)


def _mark(session: Document, free: Change) -> bool:
    is_same: bool = session.get("freed") == free.update["$set"]["freed"]
    return is_same


async def change_one(database: Database, one: Change, fields: Document) -> Document | None:
    """Change a session alone; return it as it then is, None if it does not meet the condition."""
    found: Document | None = await database.sessions.find_one_and_update(
        one.wanted, one.update, projection=fields, return_document=ReturnDocument.AFTER
    )
    return found


async def _change_all(
    database: Database, changes: Sequence[Change], fields: Document
) -> tuple[int, list[Document | None]]:
    """Return how many sessions met their condition, and all of them as they then are."""
    updates = [UpdateOne(one.wanted, one.update) for one in changes]
    result = await database.sessions.bulk_write(updates, ordered=False)
    wanted = {"_id": {"$in": [one.session_id for one in changes]}}
    found = {s["_id"]: s for s in await database.sessions.find(wanted, fields).to_list(None)}
    return result.matched_count, [found.get(one.session_id) for one in changes]


def _holder(session: Document) -> str | None:
    holder: str | None = session.get("slot", {}).get("generation_id")
    return holder
