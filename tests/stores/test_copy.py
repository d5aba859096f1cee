"""`chatd store copy`: from any kind of store to any other, cut off, gone on with, refused."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from commands import Commands
from filled import a_conversation, fill, held
from stored import ALICE, a_turn, add, begin
from test_cli import Shell

from chatd.errors import Conflict
from chatd.recovery import end_abandoned
from chatd.store import Store
from chatd.store.transfer import CopyMark
from chatd.stores import open_store
from chatd.transfer.copying import add_up, copy_store
from chatd.types import Token, new_id, now


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Store]:
    """Open a store."""
    store = open_store(url)
    await store.open()
    try:
        yield store
    finally:
        await store.aclose()


def silent(what: str, done: int, total: int | None) -> None:
    """Report nothing."""


@pytest.fixture
def shell(tmp_path: Path) -> Commands:
    """Commands over an empty directory."""
    return Commands(tmp_path)


@pytest.fixture
def source(shell: Commands) -> str:
    """The URL of a SQLite store with one of everything."""

    async def prepare(url: str) -> None:
        async with opened(url) as store:
            await fill(store)
            await a_turn(store, await add(store))

    url = f"sqlite:///{shell.data}/chatd.db"
    asyncio.run(prepare(url))
    return url


async def test_copies_to_mongodb_and_back(source: str, shell: Commands, mongo_url: str) -> None:
    """What comes back is what went; both targets have new epochs; a table shows the totals."""
    back = f"sqlite:///{shell.data}/back/chatd.db"
    tables = [shell.says("store", "copy", source, "env:TO", TO=mongo_url)]
    tables.append(shell.says("store", "copy", mongo_url, back))

    assert tables[0] == tables[1]
    assert tables[0].splitlines()[0].split() == ["COLLECTION", "RECORDS", "CHECKSUM"]
    async with opened(source) as one, opened(mongo_url) as two, opened(back) as three:
        assert await held(one) == await held(two) == await held(three)
        assert len({one.epoch, two.epoch, three.epoch}) == 3
        for abandoned in await three.abandoned("n", "c"):
            await end_abandoned(three, abandoned)
        for session in (await three.list_sessions(ALICE.id)).results:
            assert len(await a_turn(three, session)) == 2


@pytest.mark.parametrize("kind", ["sqlite", "mongo"])
async def test_a_killed_copy_goes_on(
    source: str, shell: Commands, kind: str, request: pytest.FixtureRequest
) -> None:
    """A copy that died is not served; called again, it goes on, and nothing is there twice."""
    async with opened(source) as store:
        await store.add_conversations([a_conversation(2200)])
    target = f"sqlite:///{shell.data}/new/chatd.db"
    if kind == "mongo":
        target = request.getfixturevalue("mongo_url")
    dying = {"CHATD_TEST_BUILD": "1", "CHATD_FAILPOINT": "copy_page:7"}

    process = Shell(shell.data.parent)

    result = process.run("store", "copy", source, target, **dying)

    assert result.returncode == -9
    async with opened(target) as store:
        mark = await store.get_copy_mark()
        assert mark is not None
        assert mark.collection == "messages"
        assert mark.after
        assert 0 < (await add_up(store, "messages", silent)).records < 2200
    sentence = "Error: The store is an unfinished copy: call the same chatd store copy again"
    assert sentence in process.fails("serve", "--port", "0", CHATD_STORE=target)

    shell.says("store", "copy", source, target)

    async with opened(source) as one, opened(target) as two:
        assert await held(one) == await held(two)
        assert await two.get_copy_mark() is None


async def test_what_cannot_be_copied(source: str, shell: Commands, tmp_path: Path) -> None:
    """Every refusal is a sentence that says what to do, and changes nothing."""
    empty, other = f"sqlite:///{tmp_path}/e/e.db", f"sqlite:///{tmp_path}/o/o.db"
    for url in (empty, other):
        async with opened(url):
            pass
    for arguments, sentence in (
        ((source, source), "FROM and TO are one store"),
        ((source, source.replace("chatd.db", "../data/chatd.db")), "FROM and TO are one store"),
        ((f"sqlite:///{tmp_path}/none.db", empty), "There is no database"),
        (("env:NOTHING", empty), "NOTHING is not set in the environment"),
        ((source, "postgres://x"), "A store's URL is sqlite:///PATH or mongodb://HOST/NAME"),
        ((empty, other), "FROM holds nothing at all: is that its name?"),
    ):
        assert sentence in shell.fails("store", "copy", *arguments)
    async with opened(other) as store:
        await store.add_user(ALICE)
    assert "TO holds users already: a copy needs an empty store" in shell.fails(
        "store", "copy", source, other
    )
    async with opened(other) as store:
        await store.set_copy_mark(CopyMark(source="another"))
    assert "TO is the unfinished copy of another store" in shell.fails(
        "store", "copy", source, other
    )
    assert "FROM is an unfinished copy itself" in shell.fails("store", "copy", other, empty)


async def test_a_server_must_not_run(source: str, shell: Commands, tmp_path: Path) -> None:
    """A store whose data directory a server has is not copied, nor one with a living lease."""
    empty = f"sqlite:///{tmp_path}/e/e.db"
    with (shell.data / "node").open("w") as node:
        fcntl.flock(node, fcntl.LOCK_EX)
        assert "Another chatd serves from" in shell.fails("store", "copy", source, empty)
    async with opened(source) as store:
        await begin(store, await add(store))
    assert "A server runs on FROM: stop it" in shell.fails("store", "copy", source, empty)


async def test_tickets_stay_where_they_are(store: Store, tmp_path: Path) -> None:
    """A ticket is good once, in one place: it is not copied; a token is."""
    await store.add_user(ALICE)
    token = Token(id=new_id(), user_id=ALICE.id, digest="d", created_at=now())
    await store.add_token(token)
    await store.add_token(token.replace(id=new_id(), digest="t", kind="ws_ticket"))

    async with opened(f"sqlite:///{tmp_path}/copy.db") as target:
        totals = await copy_store(store, target, silent)
        assert totals["tokens"].records == 1
        assert await target.find_token("d") == (token, ALICE)
        assert await target.take_ticket("t", "ws_ticket") is None


async def test_a_source_that_changes_is_noticed(store: Store, tmp_path: Path) -> None:
    """What is written while a copy runs makes it fail; the next run copies it all again."""
    await store.add_user(ALICE)
    session = await add(store)
    await a_turn(store, session)
    async with opened(f"sqlite:///{tmp_path}/copy.db") as target:
        await copy_store(store, target, silent)
        await target.set_copy_mark(CopyMark(source=store.epoch, collection="messages"))
        await store.update_session(ALICE.id, session.id, {"title": "changed"})

        with pytest.raises(Conflict, match=r"differs from its source in sessions \(1 and 1\)"):
            await copy_store(store, target, silent)
        await copy_store(store, target, silent)

        assert await held(target) == await held(store)
