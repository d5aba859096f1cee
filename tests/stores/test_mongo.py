"""The MongoDB store: owners that were asleep, numbers, drivers, URLs, and other people's data."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import mongod
import pytest
from pymongo import MongoClient
from stored import ALICE, a_question, a_slot, a_turn, add, an_answer, begin, finish

from chatd.errors import ConfigError, Conflict, GenerationInterrupted, StoreUnavailable
from chatd.stores import open_store
from chatd.stores.mongo.database import Taken
from chatd.stores.mongo.store import MongoStore
from chatd.types import Message, Session, Slot, now


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[MongoStore]:
    """Give an open store."""
    store = MongoStore(url)
    await store.open()
    try:
        yield store
    finally:
        await store.aclose()


async def taken(store: MongoStore) -> tuple[Session, Slot, list[Message]]:
    """Return a session with an earlier turn whose slot is taken, and what is to be stored."""
    session = await add(store)
    await a_turn(store, session)
    slot = a_slot(client_id="c", boot="old")
    await store.take_slot(ALICE.id, session.id, slot, lease=0)
    return session, slot, [a_question(session, slot), an_answer(session, slot)]


async def test_an_owner_that_slept_stores_nothing(mongo_url: str) -> None:
    """Its slot was freed because nothing was stored; what it then inserts is refused."""
    async with opened(mongo_url) as sleeper, opened(mongo_url) as store:
        session, slot, messages = await taken(sleeper)
        [found] = await store.abandoned("n", "new")
        assert found.messages == []
        assert await store.free_slot(session.id, slot.generation_id, []) is not None

        with pytest.raises(GenerationInterrupted):
            await sleeper.add_messages(slot.generation_id, messages)
        turn = await a_turn(store, session, client_id="c")
        with pytest.raises(GenerationInterrupted):
            await sleeper.add_messages(slot.generation_id, messages)
        stored = await store.list_messages(ALICE.id, session.id)
        assert [message.seq for message in stored.results] == [1, 2, 3, 4]
        assert stored.results[2:] == turn
        page = await store.list_messages(ALICE.id, session.id, since=0)
        assert [message.revision for message in page.results] == [1, 3, 4, 6]


async def arrive(store: MongoStore, trips: int, slot: Slot, messages: list[Message]) -> Any:
    """Store messages after some trips to the server and back."""
    for _ in range(trips):
        await store.get_session(ALICE.id, messages[0].session_id)
    return await store.add_messages(slot.generation_id, messages)


async def test_a_request_that_lay_in_a_socket_is_in_time_or_refused(mongo_url: str) -> None:
    """Storing and freeing at the same moment: either the turn is there and held, or neither."""
    async with opened(mongo_url) as sleeper, opened(mongo_url) as store:
        kept = 0
        for number in range(60):
            session, slot, messages = await taken(sleeper)
            calls = (
                arrive(sleeper, number % 4, slot, messages),
                store.free_slot(session.id, slot.generation_id, []),
            )
            added, freed = await asyncio.gather(*calls, return_exceptions=True)
            is_stored = isinstance(added, list)
            assert is_stored or isinstance(added, GenerationInterrupted)
            assert (freed is None) is is_stored
            page = await store.list_messages(ALICE.id, session.id, since=0)
            assert len(page.results) == (4 if is_stored else 2)
            head = await store.get_head(ALICE.id, session.id)
            assert (head.slot is not None) is is_stored
            kept += is_stored
        assert 0 < kept < 60


async def test_a_repeated_insert_is_recognised(mongo_url: str) -> None:
    """Who does not know whether messages were stored stores them again and gets the first ones."""
    async with opened(mongo_url) as store:
        _, slot, messages = await taken(store)
        first = await store.add_messages(slot.generation_id, messages[:1])
        both = await store.add_messages(slot.generation_id, messages)

        assert both[:1] == first
        assert await store.add_messages(slot.generation_id, messages) == both
        assert [(message.seq, message.revision) for message in both] == [(3, 4), (4, 5)]
        with pytest.raises(Conflict):
            other = messages[1].replace(content="other")
            await store.add_messages(slot.generation_id, [other])


async def test_a_number_is_given_once(mongo_url: str) -> None:
    """Numbers that somebody has used meanwhile are refused by the index, and others are taken."""
    async with opened(mongo_url) as store:
        session, slot, messages = await taken(store)
        store.database.taken[slot.generation_id] = Taken(ALICE.id, 0, 0, 0)
        stored = await store.add_messages(slot.generation_id, messages)
        assert [(message.seq, message.revision) for message in stored] == [(3, 4), (4, 5)]

        late = stored[0].replace(id="late", client_id=None, status="streaming")
        [late] = await store.add_messages(slot.generation_id, [late])
        ended = await store.end_message(stored[1].replace(status="complete"))
        assert (late.revision, ended and ended.revision) == (6, 7)
        ended = await store.end_message(late.replace(status="complete", revision=1))
        assert ended is not None
        assert ended.revision == 8
        assert (await store.get_head(ALICE.id, session.id)).revision == 7  # the slot's turn's
        page = await store.list_messages(ALICE.id, session.id, since=0)
        assert [message.revision for message in page.results] == [1, 3, 4, 7, 8]


async def test_a_purge_that_was_cut_off_is_finished(mongo_url: str, mongodb: str) -> None:
    """A session that is nobody's any more is erased with its messages by the next start."""
    async with opened(mongo_url) as store:
        session, other = await add(store), await add(store)
        await a_turn(store, session)
        await a_turn(store, other)
        await store.database.sessions.update_one({"_id": session.id}, {"$set": {"user_id": ""}})
    async with opened(mongo_url) as store:
        await store.tend()
        left = await store.database.messages.distinct("session_id")
        assert left == [other.id]
        assert [s.id for s in (await store.list_sessions(ALICE.id)).results] == [other.id]


async def test_names_of_models_are_kept_whole(mongo_url: str) -> None:
    """What means something in MongoDB or in our own writing of it is counted under its name."""
    models = ["llm/qwen3.5:8b", "$a/$b.c", "a%2Eb/%", "5"]
    async with opened(mongo_url) as store:
        session = await add(store)
        for model in models:
            slot, messages = await begin(store, session)
            await finish(store, slot, messages, model=model)
        assert (await store.get_stats(ALICE.id)).models == dict.fromkeys(models, 1)


async def test_text_means_itself(mongo_url: str) -> None:
    """Operators and paths of MongoDB are text wherever a user can write."""
    evil = "$slot.lease"
    async with opened(mongo_url) as store:
        session = await add(store, title=evil, metadata={"$set": {"a.b": evil}, "": None})
        slot = a_slot(client_id=evil, node="$n", boot="$b")
        head = await store.take_slot(ALICE.id, session.id, slot, lease=60)
        assert head.slot is not None
        assert (head.slot.client_id, head.slot.node) == (evil, "$n")
        assert await store.abandoned("$n", "$b") == []
        assert len(await store.abandoned("$n", "else")) == 1
        [page] = (await store.list_sessions(ALICE.id, query=evil)).results
        assert page == session


async def test_a_url_does_not_weaken_a_write(mongo_url: str) -> None:
    """What a URL says of write concern is not taken; what it says of time-outs is."""
    joint = "&" if "?" in mongo_url else "?"
    async with opened(f"{mongo_url}{joint}w=0&journal=false&timeoutMS=7000") as store:
        concern = store.database.messages.write_concern.document
        assert concern == {"w": "majority", "j": True}
        assert store.database.sessions.read_concern.level == "majority"
        assert store.database.messages.database.client.options.timeout == 7.0


# PyMongo (4.20) leaves the socket of a refused connection to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.parametrize("driver", ["pymongo", "motor"])
async def test_nobody_there_is_unavailable(monkeypatch: pytest.MonkeyPatch, driver: str) -> None:
    """Without a server the start fails within the time that the URL gives it."""
    monkeypatch.setenv("CHATD_MONGO_DRIVER", driver)
    url = f"mongodb://127.0.0.1:{mongod.free_port()}/chatd?timeoutMS=200"
    with pytest.raises(StoreUnavailable):
        await open_store(url).open()
    gc.collect()


@pytest.mark.parametrize(
    "url",
    ["mongodb://me:se/cret@h/x", "mongodb://me:secret@h:x/x", "mongodb://me:secret@h/a b"],
)
async def test_a_wrong_url_is_refused(url: str) -> None:
    """A URL that cannot be meant stops the start with a sentence without its password."""
    with pytest.raises(ConfigError) as caught:
        await open_store(url).open()
    assert "cret" not in str(caught.value)


async def test_an_unknown_driver_is_refused(
    monkeypatch: pytest.MonkeyPatch, mongo_url: str
) -> None:
    """CHATD_MONGO_DRIVER is pymongo or motor."""
    monkeypatch.setenv("CHATD_MONGO_DRIVER", "mongoose")
    with pytest.raises(ConfigError, match="expected pymongo or motor"):
        await open_store(mongo_url).open()


async def test_a_database_of_something_else_is_left_alone(mongo_url: str, mongodb: str) -> None:
    """Another program's collection and a newer schema stop the start."""
    name = mongo_url.partition("?")[0].rpartition("/")[2]
    with MongoClient(mongodb) as client:
        client[name].messages.insert_one({"text": "dear diary"})
        with pytest.raises(ConfigError, match="messages"):
            await open_store(mongo_url).open()
        assert client[name].messages.count_documents({}) == 1
        client.drop_database(name)
        async with opened(mongo_url):
            newer = {"schema_version": 999, "compatible_from": 999}
            client[name].meta.update_one({"_id": "chatd"}, {"$set": newer})
        with pytest.raises(ConfigError, match="999"):
            await open_store(mongo_url).open()


async def test_many_may_be_the_first(mongo_url: str) -> None:
    """Processes that create one store at the same time agree on its epoch."""
    stores = [MongoStore(mongo_url) for _ in range(4)]
    await asyncio.gather(*(store.open() for store in stores))
    await asyncio.gather(*(store.ping() for store in stores))

    assert len({store.epoch for store in stores}) == 1
    for store in stores:
        await store.aclose()


async def test_closing_finishes_what_was_begun(mongo_url: str) -> None:
    """What was begun before aclose is stored; what comes after it is refused."""
    store = MongoStore(mongo_url)
    await store.open()
    adds = [asyncio.ensure_future(add(store)) for _ in range(30)]
    await asyncio.sleep(0)
    await store.aclose()

    assert len(await asyncio.gather(*adds)) == 30
    with pytest.raises(StoreUnavailable):
        await add(store)
    await store.aclose()
    async with opened(mongo_url) as again:
        assert len((await again.list_sessions(ALICE.id)).results) == 30


@pytest.mark.parametrize("driver", ["pymongo", "motor"])
async def test_a_cancelled_caller_goes_away(
    monkeypatch: pytest.MonkeyPatch, mongo_url: str, driver: str
) -> None:
    """No cancellation is swallowed, wherever it meets a call, and what was begun is done."""
    monkeypatch.setenv("CHATD_MONGO_DRIVER", driver)
    async with opened(mongo_url) as store:
        calls, cancelled = [], []
        for steps in range(200):
            calls.append(asyncio.create_task(add(store)))
            for _ in range(1 + steps % 20):
                await asyncio.sleep(0)
            if calls[-1].cancel():
                cancelled.append(calls[-1])
        await asyncio.wait(calls)
        assert len(cancelled) > 100
        assert all(call.cancelled() for call in cancelled)
    async with opened(mongo_url) as store:
        page = await store.list_sessions(ALICE.id, limit=300)
        assert len(page.results) == 200


async def test_a_standalone_server_with_users(tmp_path: Path) -> None:
    """A mongod that is no replica set will do; a wrong password is said, not tried for ever."""
    binary = mongod.find_mongod()
    if binary is None:
        pytest.skip(mongod.NONE)
    server = mongod.Mongod(binary, tmp_path / "db", "--auth")
    try:
        with server.client() as client:
            roles = ["root"]
            client.admin.command("createUser", "me", pwd="p@ss", roles=roles)
        place = f"{server.address}/chatd?authSource=admin"
        with pytest.raises(ConfigError, match="refuses"):
            await open_store(f"mongodb://me:wrong@{place}").open()
        async with opened(f"mongodb://me:p%40ss@{place}") as store:
            session = await add(store, created_at=now())
            messages = await a_turn(store, session)
            assert (await store.list_messages(ALICE.id, session.id)).results == messages
            await store.ping()
    finally:
        server.kill()
