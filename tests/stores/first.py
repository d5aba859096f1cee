"""What stood in a store of the first version: put in by the code of its first commit.

`first.sql.gz` and `first.json.gz` are what `put` left when it ran in a checkout of that commit:

    git worktree add /tmp/first 404ccf7   # MongoDB: 71a2ed4
    PYTHONPATH=/tmp/first python tests/stores/first.py URL FILE

Ids, times and texts are always the same, so a store into which the present code puts it is equal.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import gzip
import random
import sqlite3
import sys
import uuid
from pathlib import Path
from typing import Any

from chatd.types import Checkpoint, Message, Preset, Session, Slot, Token, Usage, User

HERE = Path(__file__).parent
BEGINNING = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
SESSIONS, TURNS = 30, 12
WORDS = [
    "tea",
    "coffee",
    "naïve",
    "Straße",
    "ÉTÉ",
    "don't",
    "3.14",
    "foo_bar",
    "東京都",
    "学校",
    "한국어",
    "ภาษาไทย",
    "yes/no",
]


def an_id(*of: Any) -> str:
    """Return an id that is always the same."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, repr(of)))


def a_time(*of: int) -> dt.datetime:
    """Return a time that is always the same, in the order of the numbers."""
    return BEGINNING + dt.timedelta(seconds=sum(n * 100 ** (2 - i) for i, n in enumerate(of)))


USERS = [User(id=an_id(name), name=name) for name in ("alice", "bob")]


def a_text(*of: Any) -> str:
    """Return a text that is always the same."""
    return " ".join(random.Random(repr(of)).choices(WORDS, k=12)) + f" {'-'.join(map(str, of))}!"


async def put(store: Any) -> None:
    """Put everything in: turns, branches, ends of each kind, and one generation that runs."""
    for user in USERS:
        await store.add_user(user)
        token = Token(
            id=an_id(user.id), user_id=user.id, digest=user.name * 9, created_at=BEGINNING
        )
        await store.add_token(token)
        times = {"created_at": BEGINNING, "updated_at": BEGINNING}
        preset = Preset(id=an_id("preset", user.id), name="p", is_public=True, **times)
        await store.add_preset(user.id, preset)
    for number in range(SESSIONS):
        owner = USERS[number % 2]
        time = a_time(number)
        session = Session(
            id=an_id(number),
            title=f"Ünïcode {number}",
            metadata={"a.b": {"$c": number}},
            created_at=time,
            updated_at=time,
        )
        await store.add_session(owner.id, session)
        for turn in range(TURNS):
            fork = 4 if turn == 9 else None
            await put_turn(store, owner, session, turn, fork)
        if number % 10 == 3:
            await store.update_session(owner.id, session.id, {"is_active": False})
    await put_turn(store, owner, session, TURNS, None, runs=True)


async def put_turn(
    store: Any, owner: User, session: Session, turn: int, fork: int | None, runs: bool = False
) -> None:
    """Put a turn in, up to its end unless it still runs."""
    ids = {
        name: an_id(session.id, turn, name)
        for name in ("generation_id", "user_message_id", "assistant_message_id")
    }
    slot = Slot(**ids, client_id=f"c{turn}", node="n", boot="b")
    await store.take_slot(owner.id, session.id, slot, lease=0, fork_after=fork)
    question, answer = await store.add_messages(
        slot.generation_id, [a_question(session, slot, turn), an_answer(session, slot, turn)]
    )
    text = a_text(session.title, turn, "a")
    if runs:
        half = text[: len(text) // 2]
        point = Checkpoint(
            session_id=session.id,
            message_id=answer.id,
            generation_id=slot.generation_id,
            content=half,
            parts=[{"type": "text", "text": half}],
            seq=2,
        )
        await store.checkpoint([point])
        return
    status = ("complete", "stopped", "interrupted")[turn % 3]
    usage = Usage(prompt_tokens=turn, completion_tokens=2, total_tokens=turn + 2)
    ended = await store.end_message(answer.replace(content=text, status=status, usage=usage))
    await store.free_slot(session.id, slot.generation_id, [question, ended])


def a_question(session: Session, slot: Slot, turn: int) -> Message:
    """Return a turn's first message."""
    time = session.created_at + dt.timedelta(seconds=2 * turn)
    return Message(
        id=slot.user_message_id,
        session_id=session.id,
        role="user",
        content=a_text(session.title, turn, "q"),
        generation_id=slot.generation_id,
        client_id=slot.client_id,
        created_at=time,
        updated_at=time,
    )


def an_answer(session: Session, slot: Slot, turn: int) -> Message:
    """Return a turn's second message, which streams."""
    time = session.created_at + dt.timedelta(seconds=2 * turn + 1)
    return Message(
        id=slot.assistant_message_id,
        session_id=session.id,
        parent_id=slot.user_message_id,
        role="assistant",
        status="streaming",
        model="a.b/c",
        generation_id=slot.generation_id,
        created_at=time,
        updated_at=time,
    )


async def everything(store: Any) -> dict[str, Any]:
    """Return what can be read of all this by the store's contract, but not the time of the put."""
    found: dict[str, Any] = {"tokens": [token for token, _ in await store.list_tokens()]}
    for user in USERS:
        found[user.name] = [
            (await store.get_account(name=user.name)).user,
            await store.get_stats(user.id),
            await store.list_presets(user.id),
        ]
        for number in range(SESSIONS):
            if USERS[number % 2] == user:
                found[an_id(number)] = await everything_of(store, user.id, an_id(number))
    found["running"] = [
        (one.user_id, one.messages) for one in await store.abandoned("other", "other")
    ]
    return found


async def everything_of(store: Any, user_id: str, session_id: str) -> list[Any]:
    """Return what can be read of a session."""
    head = await store.get_head(user_id, session_id)
    slot = head.slot and head.slot.replace(lease=None)
    pages = [
        await store.list_messages(user_id, session_id, all_branches=True, limit=200),
        await store.list_messages(user_id, session_id, limit=200),
        await store.list_messages(user_id, session_id, since=10, limit=200),
    ]
    turns = [await store.find_turn(user_id, session_id, f"c{turn}") for turn in range(TURNS)]
    session = head.session.replace(updated_at=BEGINNING)
    return [session, head.revision, slot, pages, turns]


def dump_sqlite(path: str) -> str:
    """Return the statements that make a database again."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return "\n".join(connection.iterdump())


def load_sqlite(path: Path) -> None:
    """Make the SQLite store of the first version again."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(gzip.decompress((HERE / "first.sql.gz").read_bytes()).decode())


def dump_mongo(url: str) -> str:
    """Return the indexes and documents of all collections, as extended JSON."""
    from bson import json_util
    from pymongo import MongoClient

    with MongoClient(url) as client:
        database = client.get_default_database()
        collections = {
            name: {
                "indexes": [index for index in database[name].list_indexes()],
                "documents": list(database[name].find()),
            }
            for name in sorted(database.list_collection_names())
        }
    return json_util.dumps(collections, indent=1)


def load_mongo(url: str) -> None:
    """Make the MongoDB store of the first version again."""
    from bson import json_util
    from pymongo import MongoClient

    text = gzip.decompress((HERE / "first.json.gz").read_bytes()).decode()
    with MongoClient(url) as client:
        database = client.get_default_database()
        for name, found in json_util.loads(text).items():
            indexes = [index for index in found["indexes"] if index["name"] != "_id_"]
            if indexes:
                database.command("createIndexes", name, indexes=indexes)
            if found["documents"]:
                database[name].insert_many(found["documents"])


async def main(url: str, file: str) -> None:
    """Put everything into a new store and write what it then holds to a file."""
    from chatd.stores import open_store

    store = open_store(url)
    await store.open()
    await put(store)
    await store.aclose()
    is_sqlite = url.startswith("sqlite")
    text = dump_sqlite(url.removeprefix("sqlite:///")) if is_sqlite else dump_mongo(url)
    Path(file).write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
