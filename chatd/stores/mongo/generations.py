"""The messages of a generation in MongoDB: stored, checkpointed, ended.

Numbers are given by the unique indexes on `seq` and `revision`. The slot makes the session's writer
single: the last numbers stand in the session's document when its slot is taken, and nobody else can
use the next ones meanwhile. They are given by the very insert or update that shows them, so N is
visible before N+1 is given; a counter that is raised before would show them in any order. Should
somebody have used one all the same, the index refuses it, and the last one is looked up again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from chatd.errors import Conflict, GenerationInterrupted
from chatd.stores.mongo.database import Database, Taken
from chatd.stores.mongo.documents import MESSAGE, message_of, to_json
from chatd.stores.mongo.driver import Document, broken_index, is_open
from chatd.stores.mongo.search import words_of
from chatd.types import Checkpoint, Message


async def add_messages(
    database: Database, generation_id: str, messages: Sequence[Message]
) -> list[Message]:
    """Insert messages on the shown branch; what an earlier try has stored counts as inserted."""
    session_id = messages[0].session_id
    place = database.taken.pop(generation_id, None)
    place = place or await _place(database, session_id, generation_id)
    stored: dict[str, Message] = {}
    while True:
        left = [message for message in messages if message.id not in stored]
        numbered = [
            message.replace(seq=place.seq + number, revision=place.revision + number)
            for number, message in enumerate(left, 1)
        ]
        try:
            if left:
                documents = [message_document(place.user_id, place.branch, m) for m in numbered]
                await database.together(_insert_all, session_id, documents)
        except BulkWriteError as exc:
            if is_open(exc):
                raise  # it is of all of a group, and what it says may be of another
            broken = broken_index(exc)
            if not broken or "client_id" in broken:
                raise Conflict("This is already stored.") if broken else exc from exc
            place = await _place(database, session_id, generation_id)
            stored = await _stored(database, messages)
        else:
            stored |= {message.id: message for message in numbered}
            return [stored[message.id] for message in messages]


async def _insert_all(
    database: Database, groups: Sequence[Sequence[Document]]
) -> list[Exception | None]:
    """Insert documents, those of a group in order and none behind one that is refused.

    Raises what leaves open which are stored.
    """
    results: list[Exception | None] = []
    while len(results) < len(groups):
        left = groups[len(results) :]
        try:
            await database.messages.insert_many([d for group in left for d in group])
        except Exception as exc:
            if is_open(exc):
                raise
            if isinstance(exc, BulkWriteError):
                # The server stopped there: what is before is stored, and nothing behind.
                results += _up_to(exc.details["writeErrors"][0]["index"], left, exc)
            elif len(left) == 1:
                results.append(exc)
            else:  # the driver takes one of them for none that could be sent
                results += [(await _insert_all(database, [group]))[0] for group in left]
        else:
            results += [None] * len(left)
    return results


def _up_to(
    index: int, groups: Sequence[Sequence[Document]], exc: Exception
) -> list[Exception | None]:
    """Return what became of the groups up to the one whose document was refused."""
    results: list[Exception | None] = []
    for group in groups:
        if index < len(group):
            return [*results, exc]
        index -= len(group)
        results.append(None)
    return results


def message_document(user_id: str, branch: int, message: Message) -> Document:
    """Return a message as it is kept."""
    document: Document = {
        "_id": message.id,
        "session_id": message.session_id,
        "user_id": user_id,
        "branch": branch,
        "seq": message.seq,
        "generation_id": message.generation_id,
        **_ended(message),
    }
    if message.client_id is not None:
        document["client_id"] = message.client_id
    return document


def _ended(message: Message) -> Document:
    """Return the fields that change with the end of a message."""
    fields: Document = {
        "revision": message.revision,
        "status": message.status,
        "document": to_json(message),
    }
    if message.status != "streaming":
        fields |= words_of(message.content)
    return fields


async def _place(database: Database, session_id: str, generation_id: str) -> Taken:
    """Return where messages of the slot's holder go. Raises GenerationInterrupted."""
    found = await database.latest_sessions.find_one(
        {"_id": session_id, "slot.generation_id": generation_id},
        {"user_id": 1, "branch": 1},
    )
    if found is None:
        raise GenerationInterrupted
    seq = await _last(database, session_id, "seq")
    revision = await _last(database, session_id, "revision")
    return Taken(found["user_id"], found["branch"], seq, revision)


async def _last(database: Database, session_id: str, number: str) -> int:
    """Return the last number that was given in a session."""
    wanted = {"session_id": session_id, number: {"$gt": 0}}
    fields = {number: 1, "_id": 0}
    found = await database.latest_messages.find_one(wanted, fields, sort=[(number, -1)])
    return found[number] if found else 0


async def _stored(database: Database, messages: Sequence[Message]) -> dict[str, Message]:
    """Return those messages that an earlier try has stored.

    Raises GenerationInterrupted when one is sealed, and Conflict when one is another's.
    """
    ids = [message.id for message in messages]
    wanted = {"_id": {"$in": ids}, "session_id": messages[0].session_id}
    stored: dict[str, Message] = {}
    for document in await database.messages.find(wanted, {**MESSAGE, "_id": 1}).to_list(None):
        if "document" not in document:
            raise GenerationInterrupted
        stored[document["_id"]] = message_of(document)
    for message in messages:
        found = stored.get(message.id)
        if found and found != message.replace(seq=found.seq, revision=found.revision):
            raise Conflict("This is already stored.")
    return stored


async def checkpoint(database: Database, checkpoints: Sequence[Checkpoint]) -> set[str]:
    """Set the text of messages that stream; return the generations whose do not."""
    if not checkpoints:
        return set()
    writes = [UpdateOne(_streaming(point), {"$set": _text(point)}) for point in checkpoints]
    result = await database.messages.bulk_write(writes, ordered=False)
    if result.matched_count == len(checkpoints):
        return set()
    wanted = {
        "_id": {"$in": [point.message_id for point in checkpoints]},
        "session_id": {"$in": [point.session_id for point in checkpoints]},
        "status": "streaming",
    }
    streaming = {document["_id"] async for document in database.messages.find(wanted, {"_id": 1})}
    return {point.generation_id for point in checkpoints if point.message_id not in streaming}


def _streaming(point: Checkpoint) -> Document:
    return {"_id": point.message_id, "session_id": point.session_id, "status": "streaming"}


def _text(point: Checkpoint) -> Document:
    return {
        "checkpoint": {"seq": point.seq, "content": point.content, "parts": to_json(point.parts)}
    }


async def end_message(database: Database, message: Message) -> Message | None:
    """Replace a message that still streams by its end.

    The streaming message of a slot's holder is the last change of its session, so that its next
    revision is its own and one.
    """
    wanted = {"_id": message.id, "session_id": message.session_id, "status": "streaming"}
    old, new = message.revision, message.revision + 1
    while True:
        ended = message.replace(revision=new)
        change = {"$set": _ended(ended), "$unset": {"checkpoint": ""}}
        try:
            end = End({**wanted, "revision": old}, change)
            if await database.together(_end_all, message.id, end):
                return ended
        except DuplicateKeyError:
            pass  # somebody has used the number: after the last one there is another
        found = await database.latest_messages.find_one(wanted, {"revision": 1})
        if found is None:
            return None
        old = found["revision"]
        new = await _last(database, message.session_id, "revision") + 1


class End(NamedTuple):
    """An update of the message that meets a condition."""

    wanted: Document
    update: Document


async def _end_all(database: Database, ends: Sequence[End]) -> list[bool | Exception]:
    """End messages; return which were still streaming. Raises what leaves that open."""
    if len(ends) == 1:
        return [await _end(database, ends[0])]
    updates = [UpdateOne(end.wanted, end.update) for end in ends]
    try:
        result = await database.messages.bulk_write(updates, ordered=False)
    except Exception as exc:
        if is_open(exc):
            raise
    else:
        if result.matched_count == len(ends):
            return [True] * len(ends)
    return [await _see_end(database, end) for end in ends]


async def _end(database: Database, end: End) -> bool | Exception:
    try:
        result = await database.messages.update_one(end.wanted, end.update)
    except Exception as exc:
        return exc
    return result.matched_count > 0


async def _see_end(database: Database, end: End) -> bool | Exception:
    """Return whether an end that was written with others is there; if not, try it alone.

    Another's would say another time, at least.
    """
    wanted = {name: end.wanted[name] for name in ("_id", "session_id")}
    found = await database.messages.find_one(wanted, {"document": 1, "status": 1})
    if found is not None and found["status"] != "streaming":
        is_ours: bool = found["document"] == end.update["$set"]["document"]
        return is_ours
    return await _end(database, end)
