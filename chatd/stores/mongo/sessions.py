"""Sessions in MongoDB."""

from __future__ import annotations

import asyncio
import functools
import secrets
from collections.abc import Mapping
from typing import Any

from pymongo import ReturnDocument

from chatd.errors import GenerationRunning, NotFound
from chatd.stores.changes import apply, check_version
from chatd.stores.mongo.database import Database
from chatd.stores.mongo.documents import (
    HEAD,
    SESSION,
    head_of,
    session_of,
    sessions_of,
    slot_of,
    to_json,
    to_ms,
    to_time,
)
from chatd.stores.mongo.driver import Document, aggregate
from chatd.stores.mongo.messages import of_slot
from chatd.stores.pages import Cursor, place_of, session_page
from chatd.types import Head, Session, SessionPage, Stats, Tip

NOBODY = ""  # whose the sessions are that are being purged: no user has this id
COUNTERS = (
    *("user_messages", "assistant_messages"),
    *("prompt_tokens", "completion_tokens", "total_tokens"),
)


async def add_session(database: Database, user_id: str, session: Session) -> None:
    """Insert a session."""
    await database.sessions.insert_one(session_document(user_id, session))


def session_document(user_id: str, session: Session) -> Document:
    """Return a session as it is kept, without any turn."""
    document: Document = {
        "_id": session.id,
        "user_id": user_id,
        "activity_at": to_ms(session.last_message_at or session.created_at),
        "message_count": session.message_count,
        "head_id": session.head_id,
        # The last numbers given, as of the last time the slot was freed.
        "seq": 0,
        "revision": 0,
        "branch": 0,  # the one shown
        # Of this one alone: a file that is imported again gives an erased session's ids again.
        "made": secrets.token_hex(8),
        # branches: {branch: [parent branch, seq after which it leaves it]}; 0 has no parent
        # slot: the Slot, while it is held
        # The session's part of its user's Stats, counted by the write that frees the slot; and
        # models: {model: answers}, first_message_at
        **dict.fromkeys(COUNTERS, 0),
        **_own_fields(session),
    }
    if session.last_message_at is not None:
        document["last_message_at"] = to_ms(session.last_message_at)
    return document


def _own_fields(session: Session) -> Document:
    """Return what changes with a session's version, and with no turn."""
    return {
        "version": session.version,
        "is_active": session.is_active,
        "title_folded": session.title.casefold(),
        "document": to_json(session),
    }


async def get_session(database: Database, user_id: str, session_id: str) -> Session:
    """Return the user's session."""
    return session_of(await _find(database, user_id, session_id))


async def _find(database: Database, user_id: str, session_id: str) -> Document:
    found = await database.find_sessions.find(session_id)
    if found is None or found["user_id"] != user_id:
        raise NotFound
    return found


async def get_head(database: Database, user_id: str, session_id: str) -> Head:
    """Return the user's session with its newest revision and its slot.

    What a held slot's turn has stored is read after the session, and nothing of later turns: the
    revision may be ahead of the slot by the turn's end, as it is between that and the free.
    """
    found = await _find(database, user_id, session_id)
    slot = slot_of(found)
    return head_of(found, await of_slot(database, session_id, slot) if slot else ())


async def get_tip(database: Database, user_id: str, session_id: str) -> Tip | None:
    """Return what the shown branch ends with, None while a turn may change that."""
    found = await database.find_tips.find(session_id)
    if found is None or found["user_id"] != user_id:
        raise NotFound
    if "slot" in found or found["head_id"] is None:
        return None
    return Tip(head_id=found["head_id"], revision=found["revision"], made=found.get("made", ""))


async def list_sessions(
    database: Database,
    user_id: str,
    *,
    is_active: bool | None = True,
    query: str = "",
    limit: int = 50,
    cursor: str = "",
) -> SessionPage:
    """Return a page of sessions; active and deleted ones together are merged from two ranges."""
    place = place_of(cursor)

    async def page(wanted: bool) -> list[Session]:
        asked = (user_id, query.casefold(), place, limit + 1, wanted)
        return await database.pages.find(asked, functools.partial(_page, database, *asked))

    if is_active is None:
        active, deleted = await asyncio.gather(page(True), page(False))
        return session_page(active + deleted, place, limit)
    return session_page(await page(is_active), place, limit)


async def _page(
    database: Database, user_id: str, folded: str, place: Cursor, limit: int, is_active: bool
) -> list[Session]:
    order, beyond = (-1, "$lt") if place.direction == "next" else (1, "$gt")
    wanted: Document = {
        "user_id": user_id,
        "is_active": is_active,
        "activity_at": {f"{beyond}e": place.activity_at},  # bounds the range of the index
        "$or": [{"activity_at": {beyond: place.activity_at}}, {"_id": {beyond: place.id}}],
    }
    if folded:  # no pattern: every character means itself
        at = {"$indexOfBytes": ["$title_folded", {"$literal": folded}]}
        wanted["$expr"] = {"$gte": [at, 0]}
    found = database.sessions.find(wanted, SESSION).sort([("activity_at", order), ("_id", order)])
    return sessions_of(await found.limit(limit).to_list(None))


async def update_session(
    database: Database,
    user_id: str,
    session_id: str,
    changes: Mapping[str, Any],
    *,
    version: int | None = None,
) -> Session:
    """Set fields of a session; again, if it has got another version meanwhile."""
    while True:
        found = await database.latest_sessions.find_one(
            {"_id": session_id, "user_id": user_id}, SESSION
        )
        if found is None:
            raise NotFound
        old = session_of(found)
        check_version(old, version)
        new = apply(old, changes)
        if new is old:
            return await get_session(database, user_id, session_id)
        changed = await database.sessions.find_one_and_update(
            {"_id": session_id, "user_id": user_id, "version": old.version},
            {"$set": _own_fields(new)},
            projection=SESSION,
            return_document=ReturnDocument.AFTER,
        )
        if changed is not None:
            return session_of(changed)


async def purge_session(
    database: Database, user_id: str, session_id: str, *, version: int | None = None
) -> None:
    """Erase a session and its messages: first it is nobody's, then its messages go, then itself."""
    while True:
        found = await database.latest_sessions.find_one(
            {"_id": session_id, "user_id": user_id}, HEAD
        )
        if found is None:
            raise NotFound
        session = session_of(found)
        check_version(session, version)
        if "slot" in found:
            raise GenerationRunning
        unchanged = {"version": session.version, "slot": {"$exists": False}}
        result = await database.sessions.update_one(
            {"_id": session_id, "user_id": user_id, **unchanged}, {"$set": {"user_id": NOBODY}}
        )
        if result.matched_count:
            return await finish_purges(database)


async def finish_purges(database: Database) -> None:
    """Erase the sessions that are nobody's; also those of a purge that a crash has cut off."""
    async for found in database.sessions.find({"user_id": NOBODY}, {"_id": 1}):
        await database.messages.delete_many({"session_id": found["_id"]})
        await database.sessions.delete_one({"_id": found["_id"], "user_id": NOBODY})


async def get_stats(database: Database, user_id: str) -> Stats:
    """Return the sums of a user's sessions."""
    mine = {"$match": {"user_id": user_id}}
    sums = {
        "_id": None,
        "sessions": {"$sum": 1},
        "active_sessions": {"$sum": {"$cond": ["$is_active", 1, 0]}},
        **{name: {"$sum": f"${name}"} for name in COUNTERS},
        "first_message_at": {"$min": "$first_message_at"},
        "last_message_at": {"$max": "$last_message_at"},
    }
    models: list[Document] = [
        {"$match": {"models": {"$exists": True}}},
        {"$project": {"models": {"$objectToArray": "$models"}}},
        {"$unwind": "$models"},
        {"$group": {"_id": "$models.k", "count": {"$sum": "$models.v"}}},
    ]
    totals, counts = await asyncio.gather(
        aggregate(database.sessions, [mine, {"$group": sums}]),
        aggregate(database.sessions, [mine, *models]),
    )
    if not totals:
        return Stats()
    (total,) = totals
    del total["_id"]
    for name in ("first_message_at", "last_message_at"):
        total[name] = to_time(total[name])
    return Stats(**total, models={model_named(c["_id"]): c["count"] for c in counts})


def name_of_model(model: str) -> str:
    """Return a model's id as the name of a field: a dot would be a path, a `$` an operator."""
    return model.replace("%", "%25").replace(".", "%2E").replace("$", "%24")


def model_named(name: str) -> str:
    """Return the model's id of `name_of_model`."""
    return name.replace("%24", "$").replace("%2E", ".").replace("%25", "%")
