"""A store of the first version comes up to the present one, whatever happens on the way."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import process
import pytest
from first import USERS, everything, load_mongo, load_sqlite, put
from pymongo import MongoClient
from stored import ALICE, a_turn, add

from chatd.errors import ConfigError, StoreUnavailable
from chatd.store import Store
from chatd.store.upkeep import Progress
from chatd.stores import open_store, sqlite_path
from chatd.stores.mongo.store import MongoStore
from chatd.stores.sqlite.store import SqliteStore

ALL_WORDS = ("tea", "ete", "naive strasse", "東京", "学 coffee", "foo_bar 3.14", "don't")


def load(url: str) -> None:
    """Put the store of the first version where a URL says."""
    path = sqlite_path(url)
    if path is None:
        load_mongo(url)
    else:
        path.parent.mkdir()
        load_sqlite(path)


def run(url: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command of chatd on a store."""
    return subprocess.run(
        [sys.executable, "-m", "chatd", *arguments],
        env=process.environment(CHATD_STORE=url, **environ),
        capture_output=True,
        text=True,
        timeout=60,
    )


def say_nothing(progress: Progress) -> None:
    """Take a report."""


@contextlib.asynccontextmanager
async def opened(store: Store) -> AsyncIterator[Store]:
    """Open a store, and close it."""
    await store.open()
    try:
        yield store
    finally:
        await store.aclose()


async def found(store: Store) -> dict[str, set[str]]:
    """Return the ids of what each user's searches find."""
    return {
        f"{user.name} {query}": {
            one.message.id
            for one in (await store.search(user.id, query, limit=200, is_active=None)).results
        }
        for user in USERS
        for query in ALL_WORDS
    }


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """Give what a new store has, and finds, into which the same was put."""

    async def make() -> tuple[Any, Any]:
        async with opened(SqliteStore(tmp_path_factory.mktemp("fresh") / "chat.db")) as store:
            await put(store)
            return await everything(store), await found(store)

    return asyncio.run(make())


def execute(url: str, sqlite: str, mongo: dict[str, Any]) -> None:
    """Change what a store knows of itself, by a statement or an update."""
    path = sqlite_path(url)
    if path is not None:
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.executescript(sqlite)
    else:
        with MongoClient(url) as client:
            meta = client.get_default_database()["meta"]
            meta.update_one({"_id": mongo.pop("_id", "chatd")}, mongo, upsert=True)


def expire(url: str, after: dt.timedelta) -> None:
    """Have the lock of whoever migrates expire after a time from now."""
    until = dt.datetime.now(dt.UTC) + after
    milliseconds = round(until.timestamp() * 1000)
    execute(
        url,
        f"UPDATE meta SET value = json_set(value, '$.until', {milliseconds}) WHERE name = 'lock'",
        {"_id": "lock", "$set": {"until": until}},
    )


@pytest.mark.parametrize("url", ["sqlite", "mongo"], indirect=True)
async def test_it_is_killed_half_way_and_goes_on(url: str, fresh: tuple[Any, Any]) -> None:
    """After kill -9 the next one waits for the dead one's lock, does the rest, and all is there."""
    load(url)
    batch = "2" if url.startswith("sqlite") else "4"
    failing = {"CHATD_TEST_BUILD": "1", "CHATD_FAILPOINT": f"after_migration_batch:{batch}"}
    killed = run(url, "migrate", **failing)
    assert killed.returncode == -9
    half = run(url, "migrate", "--check")
    assert half.returncode == 3
    assert "make an index of what messages say" in half.stdout
    expire(url, dt.timedelta(minutes=5))
    command = [sys.executable, "-m", "chatd", "migrate"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    environ = process.environment(CHATD_STORE=url)
    with subprocess.Popen(command, env=environ, text=True, **pipes) as rest:
        assert rest.stderr is not None
        assert "Waiting for another process" in rest.stderr.readline()
        expire(url, dt.timedelta(0))
        said, _ = rest.communicate(timeout=60)
    assert (rest.returncode, said) == (0, half.stdout.replace("Lacking", "Done"))

    async with opened(open_store(url)) as store:
        ids = await found(store)
        assert (await everything(store), ids) == fresh
        assert all(ids.values())
        assert len(await a_turn(store, await add(store))) == 2


def test_a_server_migrates_and_says_so(tmp_path: Path) -> None:
    """`chatd serve` brings the store up, and then ends the generation that a dead one has left."""
    url = f"sqlite:///{tmp_path}/store/chat.db"
    load(url)
    with process.running(tmp_path / "data", CHATD_STORE=url) as server:
        assert "migrating the store to version 2: make an index of what" in server.log
        assert "migrated the store to version 2" in server.log
    with contextlib.closing(sqlite3.connect(tmp_path / "store" / "chat.db")) as connection:
        streaming = "SELECT count(*) FROM messages WHERE status = 'streaming'"
        assert connection.execute(streaming).fetchone() == (0,)


def test_of_two_servers_one_migrates(mongo_url: str, tmp_path: Path) -> None:
    """Servers that start at once on one database all come up; who finds it locked says so."""
    load(mongo_url)
    execute(mongo_url, "", {"_id": "lock", "$set": {"holder": "somebody"}})
    expire(mongo_url, dt.timedelta(minutes=5))
    servers = [process.Process(tmp_path / name, CHATD_STORE=mongo_url) for name in "ab"]
    try:
        for server in servers:
            wait_for_line(server, "waiting for another process that migrates the store")
        expire(mongo_url, dt.timedelta(0))
        for server in servers:
            server.wait_for_url()
        logs = [server.log for server in servers]
    finally:
        for server in servers:
            server.kill()
    assert sum("migrated the store to version 3" in log for log in logs) == 1


def wait_for_line(server: process.Process, line: str) -> None:
    """Return when a server has logged a line."""
    deadline = time.monotonic() + process.STARTS_WITHIN
    while line not in server.log:
        assert time.monotonic() < deadline, server.log
        time.sleep(0.02)


def test_a_command_refuses_an_old_store(tmp_path: Path) -> None:
    """A command beside the server says in a sentence what to run; an up to date one needs none."""
    url = f"sqlite:///{tmp_path}/store/chat.db"
    load(url)
    refused = run(url, "tokens", "list")
    assert refused.returncode == 1
    assert "schema version 1, this chatd needs 3: run `chatd migrate`" in refused.stderr
    assert run(url, "migrate").returncode == 0
    again = run(url, "migrate", "--check")
    assert (again.returncode, again.stdout) == (0, "")
    assert "up to date" in again.stderr


async def test_an_old_store_is_refused_until_it_is_migrated(url: str) -> None:
    """An old store is not opened; its migration tells each step and how far it is."""
    load(url)
    with pytest.raises(ConfigError, match="chatd migrate"):
        await open_store(url).open()
    steps = await open_store(url).pending()
    assert [step.version for step in steps] == ([2, 3] if url.startswith("sqlite") else [2, 3, 4])
    said: list[Progress] = []
    assert await open_store(url).migrate(said.append) == steps
    assert [one.step for one in said if one.done == one.total] == steps
    assert all(0 < one.done <= one.total for one in said)
    async with opened(open_store(url)) as store:
        assert len(await a_turn(store, await add(store))) == 2


async def test_a_newer_store_is_used_if_it_says_so(url: str) -> None:
    """A newer store is opened by code that it calls compatible, and by no other."""
    async with opened(open_store(url)) as store:
        await add(store)
    newest = 3 if url.startswith("sqlite") else 4
    change = "UPDATE meta SET value = '{}' WHERE name = '{}'"
    execute(url, change.format(999, "schema_version"), {"$set": {"schema_version": 999}})
    async with opened(open_store(url)) as store:
        assert len((await store.list_sessions(ALICE.id)).results) == 1
    assert await open_store(url).pending() == []
    execute(
        url,
        change.format(newest + 1, "compatible_from"),
        {"$set": {"compatible_from": newest + 1}},
    )
    for use in (open_store(url).open(), open_store(url).pending()):
        with pytest.raises(ConfigError, match="version 999"):
            await use


async def test_nothing_to_do_for_a_new_store(url: str) -> None:
    """A store that does not exist lacks nothing and is not made; a new one is the newest."""
    store = open_store(url)
    assert await store.pending() == await store.migrate(say_nothing) == []
    path = sqlite_path(url)
    assert path is None or not path.exists()
    async with opened(store):
        pass
    assert await store.pending() == []


async def test_the_sqlite_code_of_before_runs_on(tmp_path: Path) -> None:
    """A server of version 1 works while and after another migrates; its messages are found."""
    path = tmp_path / "chat.db"
    load_sqlite(path)
    before, after = SqliteStore(path), SqliteStore(path)
    await before.database.open(lambda connection: None)
    early = await add(before)
    await a_turn(before, early, "early bird")
    await after.migrate(say_nothing)
    async with opened(after):
        late = await add(before)
        await a_turn(before, late, "late bird")
        assert await words_of(after, "bird") == {"early bird", "late bird"}
        for session in (early, late):
            await before.purge_session(ALICE.id, session.id)
        again = await add(before)
        await a_turn(before, again, "last bird")  # with keys that were given before
        assert await words_of(after, "bird") == {"last bird"}
        await before.aclose()


async def words_of(store: Store, query: str) -> set[str]:
    """Return the texts of what Alice finds."""
    return {found.message.content for found in (await store.search(ALICE.id, query)).results}


async def test_the_mongodb_code_of_before_runs_on(mongo_url: str) -> None:
    """What a server of version 1 stores beside is found as soon as somebody searches."""
    async with opened(MongoStore(mongo_url)) as store:
        assert isinstance(store, MongoStore)
        await a_turn(store, await add(store), "東京都 Élan!", "ok")
        await store.database.messages.update_many({}, {"$rename": {"words": "search_text"}})
        change = {"$set": {"search_text": "東京都 Élan!"}}
        await store.database.messages.update_one({"search_text": {"$regex": "elan"}}, change)
        assert await words_of(store, "elan 京都") == {"東京都 Élan!"}
        assert await store.database.messages.count_documents({"search_text": {"$ne": None}}) == 0


async def test_mongodb_counts_wrong(mongo_url: str) -> None:
    """How many messages there are is only known about; all of them get their words."""
    load_mongo(mongo_url)
    execute(mongo_url, "", {"_id": "search", "$set": {"done": 0, "total": 1}})
    store = MongoStore(mongo_url)
    await store.migrate(say_nothing)
    async with opened(store):
        assert await store.database.messages.count_documents({"search_text": {"$ne": None}}) == 0


async def test_a_file_that_takes_no_writes(tmp_path: Path) -> None:
    """A store that is read-only, or held by somebody else, is said to be so and stays as it is."""
    path = tmp_path / "chat.db"
    load_sqlite(path)
    store = SqliteStore(path, busy_timeout=0.1)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreUnavailable, match=r"chat\.db: database is locked"):
            await store.migrate(say_nothing)
    with path.open("r+b") as file:  # as SQLite knows a file of a newer SQLite: only to be read
        file.seek(18)
        file.write(b"\x03")
    with pytest.raises(StoreUnavailable, match="readonly"):
        await store.migrate(say_nothing)
    refused = run(f"sqlite:///{path}", "serve", "--port", "0", CHATD_DATA_DIR=str(tmp_path))
    assert refused.returncode == 1
    assert "readonly" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert len(await store.pending()) == 2
