"""The messages of a generation in MongoDB: stored, checkpointed, ended.

Numbers are given by the unique indexes on `seq` and `revision`. The slot makes the session's writer
single: the last numbers stand in the session's document when its slot is taken, and nobody else can
use the next ones meanwhile. They are given by the very insert or update that shows them, so N is
visible before N+1 is given; a counter that is raised before would show them in any order. Should
somebody have used one all the same, the index refuses it, and the last one is looked up again.
"""

from __future__ import annotations

from collections.abc import Sequence

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from chatd.errors import Conflict, GenerationInterrupted
from chatd.stores.mongo.database import Database, Taken
from chatd.stores.mongo.documents import MESSAGE, message_of, to_json
from chatd.stores.mongo.driver import Document, broken_index
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
                await database.messages.insert_many(
                    [message_document(place.user_id, place.branch, m) for m in numbered]
                )
        except BulkWriteError as exc:
            broken = broken_index(exc)
            if not broken or "client_id" in broken:
                raise Conflict("This is already stored.") if broken else exc from exc
            place = await _place(database, session_id, generation_id)
            stored = await _stored(database, messages)
        else:
            stored |= {message.id: message for message in numbered}
            return [stored[message.id] for message in messages]


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
            result = await database.messages.update_one({**wanted, "revision": old}, change)
            if result.matched_count:
                return ended
        except DuplicateKeyError:
            pass  # somebody has used the number: after the last one there is another
        found = await database.latest_messages.find_one(wanted, {"revision": 1})
        if found is None:
            return None
        old = found["revision"]
        new = await _last(database, message.session_id, "revision") + 1
