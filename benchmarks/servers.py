"""All servers of a run: chatd on SQLite and on MongoDB, and the peers, side by side.

Each begins with the same: sixty sessions of its one user, and one more of 10,000 messages.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import sqlite3
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from pymongo import MongoClient

from benchmarks.filling import Filler, MongoFiller, Session, SqliteFiller, owner_of, texts
from benchmarks.processes import NO_LIMITS, PEERS, TOKEN, Server, pin, process
from tests import mongod

SESSIONS, MESSAGES = 60, 10_000
MODEL = "llm/t1-r0"
NAMES = ("chatd/sqlite", "chatd/mongodb", "fastapi", "channels")
BARE = "bare find"  # not a chat server: the least that can be asked of MongoDB for a list
ON_MONGODB = {"chatd/mongodb", "fastapi", BARE}


@contextlib.asynccontextmanager
async def upstream() -> AsyncIterator[str]:
    """Run the model server; yield its address."""
    async with process("-m", "benchmarks.upstream") as (pid, url):
        pin(pid, server=False)
        yield url


@contextlib.asynccontextmanager
async def servers(
    model_server: str, directory: Path, names: tuple[str, ...] = NAMES
) -> AsyncIterator[list[Server]]:
    """Run the servers of these names; those that need MongoDB are left out where none can run."""
    async with contextlib.AsyncExitStack() as stack:
        wants_mongo = not ON_MONGODB.isdisjoint(names)
        mongo = stack.enter_context(_mongo(directory)) if wants_mongo else None
        found = []
        for name in names:
            if mongo is None and name in ON_MONGODB:
                continue
            found.append(
                await stack.enter_async_context(_RUNNERS[name](model_server, directory, mongo))
            )
            pin(found[-1].pid, server=True)
        yield found


@contextlib.contextmanager
def _mongo(directory: Path) -> Iterator[str | None]:
    if mongod.find_mongod() is None:
        yield mongod.server_url()
        return
    with mongod.replica_set(directory / "mongodb") as replica_set:
        for member in replica_set.members:
            pin(member.pid, server=False)
        yield replica_set.url


@contextlib.asynccontextmanager
async def chatd_on_sqlite(
    model_server: str, directory: Path, _: str | None
) -> AsyncIterator[Server]:
    """Run chatd with its embedded store."""
    filler = SqliteFiller(f"sqlite:///{directory}/chatd-sqlite/chatd.db")
    async with _chatd("chatd/sqlite", filler, model_server, directory) as server:
        yield server


@contextlib.asynccontextmanager
async def chatd_on_mongodb(
    model_server: str, directory: Path, mongo: str | None
) -> AsyncIterator[Server]:
    """Run chatd on MongoDB."""
    assert mongo is not None
    filler = MongoFiller(mongod.named(mongo, "chatd"))
    async with _chatd("chatd/mongodb", filler, model_server, directory) as server:
        yield server


@contextlib.asynccontextmanager
async def _chatd(
    name: str, filler: Filler, model_server: str, directory: Path
) -> AsyncIterator[Server]:
    owner = await owner_of(filler.url, TOKEN)
    await filler.sample()
    *_, long = filler.fill([Session(owner.id)] * SESSIONS + [Session(owner.id, MESSAGES)])
    data = directory / name.replace("/", "-")
    arguments = ("-m", "chatd", "serve", "--port", "0", "--data-dir", str(data))
    settings = {"CHATD_TOKEN": TOKEN, "CHATD_STORE": filler.url, "LLM_SERVER_URL": model_server}
    settings["CHATD_MODELS_SYNC_INTERVAL"] = "0"
    async with process(*arguments, **settings, **NO_LIMITS) as (pid, line):
        yield Server(name, line.partition("/?")[0], pid, long, model_server)


@contextlib.asynccontextmanager
async def fastapi(model_server: str, _: Path, mongo: str | None) -> AsyncIterator[Server]:
    """Run the peer on FastAPI."""
    assert mongo is not None
    url = mongod.named(mongo, "fastapi")
    arguments = (str(PEERS / "fastapi_server.py"), url, model_server, TOKEN)
    async with process(*arguments) as (pid, address):
        with contextlib.closing(MongoClient(url)) as client:
            database = client.get_default_database()
            for session, messages in _conversations():
                database.sessions.insert_one(session | {"_id": session["id"]})
                database.messages.insert_many([one | {"_id": one["id"]} for one in messages])
        yield Server("fastapi", address, pid, str(session["id"]))


@contextlib.asynccontextmanager
async def channels(model_server: str, directory: Path, _: str | None) -> AsyncIterator[Server]:
    """Run the peer on Django Channels."""
    path = directory / "channels.db"
    arguments = (str(PEERS / "channels_server.py"), str(path), model_server, TOKEN)
    async with process(*arguments) as (pid, address):
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            for session, messages in _conversations():
                _insert(connection, "chat_session", [session])
                _insert(connection, "chat_message", messages)
        yield Server("channels", address, pid, str(session["id"]))


@contextlib.asynccontextmanager
async def bare(_: str, __: Path, mongo: str | None) -> AsyncIterator[Server]:
    """Run two finds on documents like chatd's."""
    assert mongo is not None
    filler = MongoFiller(mongod.named(mongo, "bare"))
    owner = await owner_of(filler.url, TOKEN)
    await filler.sample()
    *_, long = filler.fill([Session(owner.id)] * SESSIONS + [Session(owner.id, MESSAGES)])
    arguments = (str(PEERS / "bare_server.py"), filler.url, owner.id)
    async with process(*arguments) as (pid, address):
        yield Server(BARE, address, pid, long)


_RUNNERS = dict(
    zip((*NAMES, BARE), (chatd_on_sqlite, chatd_on_mongodb, fastapi, channels, bare), strict=True)
)


def _conversations() -> Iterator[tuple[dict[str, object], list[dict[str, object]]]]:
    """Yield the sessions that peers begin with, and their messages; the long one last."""
    questions, answers = texts()
    time = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    for count in [100] * SESSIONS + [MESSAGES]:
        id, messages = str(uuid.uuid4()), []
        for number in range(count):
            time += dt.timedelta(seconds=1)
            role, versions = (("user", questions), ("assistant", answers))[number % 2]
            message = {"id": str(uuid.uuid4()), "session_id": id, "role": role}
            message |= {"content": versions[number // 2 % len(versions)], "created_at": time}
            messages.append(message)
        session = {"id": id, "user_id": "u1", "title": "A session like many others"}
        yield session | {"model": MODEL, "last_message_at": time, "created_at": time}, messages


def _insert(connection: sqlite3.Connection, table: str, rows: list[dict[str, object]]) -> None:
    def stored(name: str, value: object) -> object:
        is_id = name in ("id", "session_id")  # Django keeps a UUID without its dashes here
        return str(value).replace("-", "") if is_id else str(value)

    places = ", ".join("?" * len(rows[0]))
    query = f"INSERT INTO {table} ({', '.join(rows[0])}) VALUES ({places})"
    connection.executemany(query, [[stored(*item) for item in row.items()] for row in rows])
