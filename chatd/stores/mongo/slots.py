"""The slot of a session in MongoDB: taken, renewed, freed, found abandoned.

The slot stands in the session's document, the turn's messages do not, and there is no transaction
over both. So the fence for the messages stands among them: a process that frees another's slot
because nothing is stored first inserts a seal under the id of each message that the turn would
store. An owner that was only asleep, or a request that lay in a socket, then runs against the
unique `_id`. Either the message or the seal is there, and whoever comes second learns it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from chatd.errors import GenerationRunning, NotFound, SessionDeleted, StoreUnavailable
from chatd.stores.branches import Branches, continuations
from chatd.stores.mongo.changes import Change, change_one, free_all, take_all
from chatd.stores.mongo.database import Database, Taken
from chatd.stores.mongo.documents import HEAD, SESSION, head_of, session_of, slot_of, to_ms
from chatd.stores.mongo.driver import Document
from chatd.stores.mongo.messages import branches_of, of_slot
from chatd.stores.mongo.sessions import name_of_model
from chatd.types import Abandoned, Head, Message, Session, Slot, now

NO_SLOT = {"slot": {"$exists": False}}


async def take_slot(
    database: Database,
    user_id: str,
    session_id: str,
    slot: Slot,
    *,
    lease: float,
    fork_after: int | None = None,
) -> Head:
    """Take the session's slot, and show a new branch if asked.

    Raises StoreUnavailable also when the slot is taken and no majority shows it yet.
    """
    while True:
        wanted: Document = {"_id": session_id, "user_id": user_id, "is_active": True, **NO_SLOT}
        change: Document = {"slot": _held(slot, lease)}
        if fork_after is not None:
            branch, left = await _fork(database, user_id, session_id, fork_after)
            wanted[f"branches.{branch}"] = {"$exists": False}
            change |= {"branch": branch, f"branches.{branch}": {"$literal": left}}
        take = Change(session_id, slot.generation_id, wanted, [{"$set": change}])
        found = await database.together(take_all, session_id, take)
        if found is not None:
            place = Taken(user_id, found["branch"], found["seq"], found["revision"])
            database.taken[slot.generation_id] = place
            return head_of(found)
        await _check_refusal(database, user_id, session_id, slot.generation_id)


async def select_message(
    database: Database, user_id: str, session_id: str, message_id: str
) -> Session:
    """Show the branch that continues a message up to its newest descendant."""
    while True:
        session = {"_id": session_id, "user_id": user_id}
        found = await database.latest_sessions.find_one(session, {"branches": 1, "revision": 1})
        own = {"_id": message_id, "session_id": session_id, "document": {"$exists": True}}
        message = await database.latest_messages.find_one(own, {"branch": 1, "seq": 1})
        if found is None or message is None:
            raise NotFound
        last = await _last_of(database, session_id, message, branches_of(found))
        # A turn since then would have raised the revision.
        free = {**session, "is_active": True, "revision": found["revision"], **NO_SLOT}
        changed = await database.sessions.find_one_and_update(
            free,
            {"$set": {"branch": last["branch"], "head_id": last["_id"]}},
            projection=SESSION,
            return_document=ReturnDocument.AFTER,
        )
        if changed is not None:
            return session_of(changed)
        await _check_refusal(database, user_id, session_id)


async def _last_of(
    database: Database, session_id: str, message: Document, branches: Branches
) -> Document:
    """Return the newest of the messages that continue one, or that one."""
    shown = continuations(message["branch"], message["seq"], branches)
    found = await database.latest_messages.find_one(
        {"session_id": session_id, "branch": {"$in": shown}},
        {"branch": 1},
        sort=[("seq", -1)],
        hint="by_branch",
    )
    return found or message


async def _check_refusal(
    database: Database, user_id: str, session_id: str, generation_id: str = ""
) -> None:
    """Raise what speaks against a take; return if nothing does any more.

    A slot that this very generation holds was taken by a write whose effect a majority does not
    show yet, as behind a primary that has just stepped down.
    """
    found = await database.latest_sessions.find_one(
        {"_id": session_id, "user_id": user_id}, {"is_active": 1, "slot.generation_id": 1}
    )
    if found is None:
        raise NotFound
    if not found["is_active"]:
        raise SessionDeleted
    if "slot" in found:
        is_own = found["slot"]["generation_id"] == generation_id
        raise StoreUnavailable if is_own else GenerationRunning


def _held(slot: Slot, lease: float) -> Document:
    """Return the expression for a slot that is held from now on, by the server's clock."""
    fields = {name: getattr(slot, name) for name in slot.__struct_fields__}
    until = {"lease": _until(lease), "previous_branch": "$branch"}
    return {"$mergeObjects": [{"$literal": fields}, until]}


def _until(lease: float) -> Document:
    return {"$add": ["$$NOW", round(lease * 1000)]}


async def _fork(
    database: Database, user_id: str, session_id: str, after: int
) -> tuple[int, list[int]]:
    """Return the number of a new branch, and where it leaves which."""
    found = await database.latest_sessions.find_one(
        {"_id": session_id, "user_id": user_id}, {"branches": 1}
    )
    if found is None:
        raise NotFound
    parent = 0
    if after:
        left = await database.latest_messages.find_one(
            {"session_id": session_id, "seq": after}, {"branch": 1}
        )
        if left is None:
            raise NotFound
        parent = left["branch"]
    return max(map(int, found.get("branches", ())), default=0) + 1, [parent, after]


async def renew_leases(
    database: Database, generations: Mapping[str, str], *, lease: float
) -> set[str]:
    """Renew slots in one write; return the generations that lost theirs."""
    if not generations:
        return set()
    held = {
        "_id": {"$in": sorted(set(generations.values()))},
        "slot.generation_id": {"$in": list(generations)},
    }
    renewal = [{"$set": {"slot.lease": _until(lease)}}]
    result = await database.sessions.update_many(held, renewal)
    if result.matched_count == len(generations):
        return set()
    found = database.sessions.find(held, {"slot.generation_id": 1})
    kept = {(d["slot"]["generation_id"], d["_id"]) async for d in found}
    return {generation_id for generation_id, _ in generations.items() - kept}


async def free_slot(
    database: Database, session_id: str, generation_id: str, messages: Sequence[Message]
) -> Session | None:
    """Free the slot and count the turn; without messages, show the branch of before again."""
    held = {"_id": session_id, "slot.generation_id": generation_id}
    change = _counted(messages) if messages else await _given_back(database, held)
    database.taken.pop(generation_id, None)
    if change is None:
        return None
    free = Change(session_id, generation_id, held, change)
    if messages:
        found = await database.together(free_all, session_id, free)
    else:
        found = await change_one(database, free, SESSION)
    return session_of(found) if found else None


def _counted(messages: Sequence[Message]) -> dict[str, Document]:
    """Return the update that frees a slot and counts its turn."""
    answers = [message for message in messages if message.role == "assistant"]
    usages = [message.usage for message in messages if message.usage]
    models = Counter(name_of_model(answer.model) for answer in answers if answer.model)
    last = to_ms(messages[-1].created_at)
    return {
        "$unset": {"slot": ""},
        "$set": {"head_id": messages[-1].id, "last_message_at": last, "activity_at": last},
        "$min": {"first_message_at": to_ms(messages[0].created_at)},
        "$max": {
            "seq": max(message.seq for message in messages),
            "revision": max(message.revision for message in messages),
        },
        "$inc": {
            "message_count": len(messages),
            "user_messages": sum(message.role == "user" for message in messages),
            "assistant_messages": len(answers),
            "prompt_tokens": sum(usage.prompt_tokens for usage in usages),
            "completion_tokens": sum(usage.completion_tokens for usage in usages),
            "total_tokens": sum(usage.total_tokens for usage in usages),
            **{f"models.{name}": count for name, count in models.items()},
        },
    }


async def _given_back(database: Database, held: Document) -> dict[str, Document] | None:
    """Return the update that frees a slot of which nothing is stored; None if something is."""
    found = await database.latest_sessions.find_one(held, {"slot": 1, "branch": 1})
    slot = slot_of(found) if found else None
    if found is None or slot is None:
        return None
    # Of a slot that was taken here and is not yet used no request can be under way.
    if slot.generation_id not in database.taken and not await _seal(database, held["_id"], slot):
        return None
    unset = {"slot": ""}
    if found["branch"] != slot.previous_branch:
        unset[f"branches.{found['branch']}"] = ""
    return {"$unset": unset, "$set": {"branch": slot.previous_branch}}


async def _seal(database: Database, session_id: str, slot: Slot) -> bool:
    """Let none of a turn's messages be stored any more; return False if one already is.

    In the order in which they would be inserted: behind a seal comes nothing.
    """
    for message_id in (slot.user_message_id, slot.assistant_message_id):
        # Its own id is a number that no other has; a range of numbers never meets a text.
        seal: dict[str, Any] = {"_id": message_id, "session_id": session_id}
        seal |= {"seq": message_id, "revision": message_id, "sealed_at": now()}
        try:
            await database.messages.insert_one(seal)
        except DuplicateKeyError:
            if await _is_stored(database, session_id, message_id, slot.generation_id):
                return False
    return True


async def _is_stored(
    database: Database, session_id: str, message_id: str, generation_id: str
) -> bool:
    """Whether an id is that of a message of a generation: no seal, and no earlier turn's."""
    wanted = {"_id": message_id, "session_id": session_id, "generation_id": generation_id}
    return await database.latest_messages.find_one(wanted, {"_id": 1}) is not None


async def abandoned(database: Database, node: str, boot: str) -> list[Abandoned]:
    """Return the sessions whose slot is held by a process that no longer runs."""
    is_expired = {"$lte": ["$slot.lease", "$$NOW"]}
    is_earlier = {
        "$and": [
            {"$eq": ["$slot.node", {"$literal": node}]},
            {"$ne": ["$slot.boot", {"$literal": boot}]},
        ]
    }
    wanted = {"slot.lease": {"$exists": True}, "$expr": {"$or": [is_expired, is_earlier]}}
    found = await database.sessions.find(wanted, {**HEAD, "user_id": 1}).to_list(None)
    return [await _abandoned(database, document) for document in found]


async def _abandoned(database: Database, document: Document) -> Abandoned:
    slot = slot_of(document)
    messages = await of_slot(database, document["_id"], slot) if slot else []
    head = head_of(document, messages)
    return Abandoned(user_id=document["user_id"], head=head, messages=messages)
