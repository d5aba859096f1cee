"""The SQLite store: how writes are grouped, and what happens when one cannot be made."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import shutil
import sqlite3
import stat
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from stored import ALICE, a_question, a_session, a_slot, a_turn, add
from tornado.ioloop import IOLoop

from chatd.errors import ConfigError, Conflict, NotFound, StoreUnavailable
from chatd.stores import open_store
from chatd.stores.sqlite.store import SqliteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a file that does not exist yet, in a directory that does not."""
    return tmp_path / "data" / "chat.db"


@pytest.fixture
def store(path: Path, io_loop: IOLoop) -> Iterator[SqliteStore]:
    """Give an open store."""
    store = SqliteStore(path)
    io_loop.run_sync(store.open)
    yield store
    io_loop.run_sync(store.aclose)


async def together(store: SqliteStore, *calls: Coroutine[Any, Any, Any]) -> list[Any]:
    """Make calls while the writer is busy, so that they wait as one group; return what came."""
    begun, go_on = threading.Event(), threading.Event()
    busy = store.database.write(lambda connection: begun.set() or go_on.wait(20))
    await asyncio.to_thread(begun.wait)
    tasks = [asyncio.ensure_future(call) for call in calls]
    await asyncio.sleep(0)
    go_on.set()
    return (await asyncio.gather(busy, *tasks, return_exceptions=True))[1:]


@contextlib.contextmanager
def full_disk(path: Path) -> Iterator[None]:
    """Let no file of this process grow beyond the present size of the store's WAL."""
    size = path.with_name(f"{path.name}-wal").stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


async def pragma(store: SqliteStore, text: str) -> None:
    """Give the writer's connection a setting."""
    await store.database.write(lambda connection: connection.execute(f"PRAGMA {text}").fetchall())


async def test_waiting_writes_share_a_commit(store: SqliteStore) -> None:
    """All writes that wait are committed at once."""
    log: list[str] = []
    await store.database.write(lambda connection: connection.set_trace_callback(log.append))
    log.clear()
    sessions = [a_session() for _ in range(50)]
    await together(store, *[store.add_session(ALICE.id, session) for session in sessions])

    assert log.count("COMMIT") == 2  # that of the write which held them up, and theirs
    for session in sessions:
        assert await store.get_session(ALICE.id, session.id) == session


async def test_a_write_that_fails_fails_alone(store: SqliteStore) -> None:
    """What it has changed is undone, and the rest of its group is stored."""
    session = await add(store)
    await a_turn(store, session, client_id="c")
    slot = a_slot(client_id="c")
    await store.take_slot(ALICE.id, session.id, slot, lease=15)
    before = await store.get_head(ALICE.id, session.id)
    first, last = a_session(), a_session()

    results = await together(
        store,
        store.add_session(ALICE.id, first),
        store.add_messages(slot.generation_id, [a_question(session, slot)]),  # counts, then fails
        store.update_session("nobody", session.id, {}),
        store.add_session(ALICE.id, last),
    )

    assert [type(result) for result in results] == [type(None), Conflict, NotFound, type(None)]
    assert await store.get_head(ALICE.id, session.id) == before
    assert await store.get_session(ALICE.id, first.id) == first
    assert await store.get_session(ALICE.id, last.id) == last


async def test_a_commit_that_fails_fails_its_whole_group(store: SqliteStore, path: Path) -> None:
    """On a full disk all of the group learn it, nothing of it is stored, and writing goes on."""
    kept, sessions = await add(store), [a_session(title="x" * 5000) for _ in range(20)]
    with full_disk(path):
        results = await together(store, *[store.add_session(ALICE.id, s) for s in sessions])
        assert {type(result) for result in results} == {StoreUnavailable}
        with pytest.raises(StoreUnavailable):
            await store.ping()
        assert await store.get_session(ALICE.id, kept.id) == kept
        assert (await store.list_sessions(ALICE.id)).results == [kept]

    await store.ping()
    for session in sessions:
        await store.add_session(ALICE.id, session)
    assert len((await store.list_sessions(ALICE.id)).results) == 21


async def test_a_full_database_refuses_what_does_not_fit(store: SqliteStore) -> None:
    """A write for which there is no page is store_unavailable, and a smaller one is not."""
    session = await add(store)
    await pragma(store, "max_page_count = 30")
    large, small = a_session(title="x" * 200_000), a_session()

    large_result, small_result = await together(
        store, store.add_session(ALICE.id, large), store.add_session(ALICE.id, small)
    )

    assert isinstance(large_result, StoreUnavailable)
    assert small_result is None or isinstance(small_result, StoreUnavailable)
    await pragma(store, "max_page_count = 1000000")
    await a_turn(store, session)
    with pytest.raises(NotFound):
        await store.get_session(ALICE.id, large.id)
    await store.add_session(ALICE.id, large)
    assert await store.get_session(ALICE.id, large.id) == large


async def test_an_error_that_undoes_everything_is_told_to_everybody(store: SqliteStore) -> None:
    """When SQLite gives up the transaction in the middle of a group, nobody is told of success."""

    def give_up(connection: sqlite3.Connection) -> None:
        connection.execute("ROLLBACK")
        raise sqlite3.OperationalError("disk I/O error")

    async def fail() -> None:
        await store.database.write(give_up)

    session, other = a_session(), a_session()
    results = await together(
        store, store.add_session(ALICE.id, session), fail(), store.add_session(ALICE.id, other)
    )

    assert {type(result) for result in results} == {StoreUnavailable}
    assert (await store.list_sessions(ALICE.id)).results == []
    await store.add_session(ALICE.id, session)
    assert (await store.list_sessions(ALICE.id)).results == [session]


async def test_a_locked_file_is_unavailable(store: SqliteStore, path: Path) -> None:
    """While another process writes for too long, writes fail and reads do not."""
    session = await add(store)
    await pragma(store, "busy_timeout = 20")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable):
            await store.update_session(ALICE.id, session.id, {"title": "x"})
        assert await store.get_session(ALICE.id, session.id) == session
        other.execute("ROLLBACK")

    assert (await store.update_session(ALICE.id, session.id, {"title": "x"})).title == "x"


async def test_a_caller_that_goes_away_harms_nobody(store: SqliteStore) -> None:
    """Cancelled reads and writes leave the others of their group alone."""
    await add(store)
    sessions = [a_session() for _ in range(20)]
    tasks: list[asyncio.Task[Any]] = []

    async def begin_and_cancel() -> None:
        for each in sessions:
            tasks.append(asyncio.create_task(store.add_session(ALICE.id, each)))
            tasks.append(asyncio.create_task(store.list_accounts()))
        await asyncio.sleep(0)
        for task in tasks[::3]:
            task.cancel()

    await together(store, begin_and_cancel(), store.ping())
    results = await asyncio.gather(*tasks, return_exceptions=True)

    assert all(isinstance(result, asyncio.CancelledError) for result in results[::3])
    assert sum(isinstance(result, BaseException) for result in results) == len(tasks[::3])
    assert len((await store.list_sessions(ALICE.id)).results) == 21


async def test_closing_finishes_what_was_begun(path: Path) -> None:
    """What was queued before aclose is stored; what comes after it is refused."""
    store, sessions = SqliteStore(path), [a_session() for _ in range(100)]
    await store.open()
    writes = [asyncio.ensure_future(store.add_session(ALICE.id, s)) for s in sessions]
    await asyncio.sleep(0)
    await store.aclose()

    assert await asyncio.gather(*writes) == [None] * 100
    with pytest.raises(StoreUnavailable):
        await store.get_session(ALICE.id, sessions[0].id)
    with pytest.raises(StoreUnavailable):
        await store.add_session(ALICE.id, a_session())
    await store.aclose()
    again = SqliteStore(path)
    await again.open()
    assert len((await again.list_sessions(ALICE.id, limit=200)).results) == 100
    await again.aclose()


async def test_who_writes_reads_it_at_once(store: SqliteStore) -> None:
    """A read that begins after a write has returned sees it, beside other writers."""

    async def write_and_read() -> None:
        session = await add(store)
        for number in range(50):
            await store.update_session(ALICE.id, session.id, {"title": str(number)})
            assert (await store.get_session(ALICE.id, session.id)).title == str(number)

    await asyncio.gather(*[write_and_read() for _ in range(8)])


async def test_nobody_else_can_read_the_files(store: SqliteStore, path: Path) -> None:
    """A new directory and all files in it are their owner's alone."""
    await add(store)

    files = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert files == dict.fromkeys(("chat.db", "chat.db-wal", "chat.db-shm"), 0o600)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    """A file that is no database, another program's and a newer schema's stop the start."""
    text, foreign, newer = (tmp_path / name for name in ("text", "foreign", "newer"))
    text.write_text("dear diary " * 100)
    with contextlib.closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE songs (title TEXT)")
    store = SqliteStore(newer)
    await store.open()
    await store.database.write(
        lambda connection: (
            connection.execute("UPDATE meta SET value = '999' WHERE name <> 'epoch'") and None
        )
    )
    await store.aclose()

    for path in (text, foreign, newer):
        with pytest.raises(ConfigError):
            await SqliteStore(path).open()
    assert text.read_text() == "dear diary " * 100


async def test_a_place_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    """A path below a file cannot be opened, and the sentence names it."""
    (tmp_path / "file").touch()

    with pytest.raises(StoreUnavailable, match=r"file/chat\.db"):
        await SqliteStore(tmp_path / "file" / "chat.db").open()


@pytest.mark.parametrize("url", ["postgres://u:secret@host/", "x"])
def test_an_unknown_store_is_told_from_a_known(url: str) -> None:
    """A URL of no store stops the start with a sentence that holds no password."""
    with pytest.raises(ConfigError) as caught:
        open_store(url)
    assert "sqlite:///" in str(caught.value)
    assert "secret" not in str(caught.value)


async def test_a_url_is_relative_or_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three slashes mean the working directory, four the root."""
    monkeypatch.chdir(tmp_path)
    for url in ("sqlite:///here/chat.db", f"sqlite:///{tmp_path}/there/chat.db"):
        store = open_store(url)
        await store.open()
        await store.aclose()

    assert (tmp_path / "here" / "chat.db").exists()
    assert (tmp_path / "there" / "chat.db").exists()


async def test_a_new_file_alone_is_a_database(tmp_path: Path) -> None:
    """As soon as a store is open, its file without the WAL beside it holds the tables."""
    store = open_store(f"sqlite:///{tmp_path}/chatd.db")
    await store.open()
    shutil.copy(tmp_path / "chatd.db", tmp_path / "copy.db")
    await store.aclose()

    copy = open_store(f"sqlite:///{tmp_path}/copy.db")
    await copy.open()
    await copy.aclose()
    assert copy.epoch == store.epoch
