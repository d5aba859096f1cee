"""Lookups that share a query: never older than the asking, and each gets its own answer."""

from __future__ import annotations

import asyncio
import gc
from functools import partial

import pytest
from pymongo.errors import PyMongoError

from chatd.errors import StoreUnavailable
from chatd.stores.mongo.database import Database
from chatd.stores.mongo.store import MongoStore
from chatd.stores.mongo.together import Shared, Together


class Shelf:
    """Things by their keys; a look at it waits to be let go on."""

    def __init__(self) -> None:
        self.things: dict[str, int] = {}
        self.looks: list[list[str]] = []
        self.go_on = asyncio.Semaphore(0)

    async def look(self, keys: list[str]) -> dict[str, int]:
        """Return what is there when the look begins."""
        self.looks.append(keys)
        found = {key: self.things[key] for key in keys if key in self.things}
        await self.go_on.acquire()
        if "broken" in keys:
            raise StoreUnavailable
        return found


async def begin(together: Together[int], *keys: str) -> list[asyncio.Task[int | None]]:
    """Begin lookups, and go as far as they come alone."""
    tasks = [asyncio.create_task(together.find(key)) for key in keys]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


async def test_what_is_asked_meanwhile_shares_the_next_query() -> None:
    """One query is under way at a time; the next one looks for all that was asked meanwhile."""
    shelf = Shelf()
    together = Together(shelf.look)
    shelf.things = {"a": 1, "b": 2}
    first = await begin(together, "a", "b", "a")
    later = await begin(together, "c", "a")
    shelf.go_on.release()
    assert await asyncio.gather(*first) == [1, 2, 1]
    shelf.go_on.release()
    assert await asyncio.gather(*later) == [None, 1]
    assert shelf.looks == [["a", "b"], ["c", "a"]]


async def test_nobody_gets_what_was_read_before_the_asking() -> None:
    """A lookup that comes while the same key is being looked for does not join that query."""
    shelf = Shelf()
    together = Together(shelf.look)
    [before] = await begin(together, "a")
    shelf.things = {"a": 1}
    [after] = await begin(together, "a")
    shelf.go_on.release()
    shelf.go_on.release()
    assert (await before, await after) == (None, 1)


async def test_a_query_that_fails_fails_for_those_it_was_for() -> None:
    """All that wait for it learn it; the next query is made."""
    shelf = Shelf()
    together = Together(shelf.look)
    shelf.things = {"a": 1}
    failing = await begin(together, "a", "broken")
    [later] = await begin(together, "a")
    shelf.go_on.release()
    shelf.go_on.release()
    for task in failing:
        with pytest.raises(StoreUnavailable):
            await task
    assert await later == 1


async def test_one_that_goes_away_takes_nothing_along() -> None:
    """A cancelled lookup leaves the others of its query alone."""
    shelf = Shelf()
    together = Together(shelf.look)
    shelf.things = {"a": 1}
    tasks = await begin(together, "a", "a", "b")
    tasks[0].cancel()
    tasks[2].cancel()
    shelf.go_on.release()
    assert await tasks[1] == 1
    assert tasks[0].cancelled()
    assert tasks[2].cancelled()


async def ask(shared: Shared[int], shelf: Shelf, *keys: str) -> list[asyncio.Task[int]]:
    """Ask for each key, and go as far as that comes alone."""

    async def look(key: str) -> int:
        return (await shelf.look([key]))[key]

    tasks = [asyncio.create_task(shared.find(key, partial(look, key))) for key in keys]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


async def test_those_who_ask_the_same_share_the_next_query() -> None:
    """Of one thing one query is under way at a time, beside those of other things."""
    shelf, shared = Shelf(), Shared[int]()
    shelf.things = {"a": 1, "b": 2}
    first = await ask(shared, shelf, "a", "b")
    assert shelf.looks == [["a"], ["b"]]
    shelf.things = {"a": 3, "b": 4}
    later = await ask(shared, shelf, "a", "a", "a")
    assert len(shelf.looks) == 2
    for _ in range(3):
        shelf.go_on.release()

    assert await asyncio.gather(*first, *later) == [1, 2, 3, 3, 3]
    assert shelf.looks == [["a"], ["b"], ["a"]]
    shelf.go_on.release()
    assert await asyncio.gather(*await ask(shared, shelf, "a")) == [3]


async def test_a_shared_query_that_fails_is_made_again_for_the_next() -> None:
    """Those who waited for it learn that it failed; who came later gets an answer."""
    shelf, shared = Shelf(), Shared[int]()
    failing = await ask(shared, shelf, "a")
    shelf.things = {"a": 1}
    later = await ask(shared, shelf, "a", "a")
    later[0].cancel()
    shelf.go_on.release()
    shelf.go_on.release()
    with pytest.raises(KeyError):
        await failing[0]
    assert await later[1] == 1


async def test_a_failure_that_nobody_waits_for_is_no_news(mongo_url: str) -> None:
    """Whose caller was cancelled may fail: asyncio does not log an exception never retrieved."""
    news: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: news.append(context))
    shelf, go_on = Shelf(), asyncio.Event()
    store = MongoStore(mongo_url)
    await store.open()

    async def fail(database: Database) -> None:
        await go_on.wait()
        raise PyMongoError("away")

    shared: Shared[dict[str, int]] = Shared()
    together = Together(shelf.look)
    asked = [
        asyncio.create_task(store.database.call(fail)),
        asyncio.create_task(together.find("broken")),
        asyncio.create_task(shared.find("key", partial(shelf.look, ["broken"]))),
    ]
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(shelf.looks) == 2
    for task in asked:
        task.cancel()
    await asyncio.wait(asked)
    go_on.set()
    shelf.go_on.release()
    shelf.go_on.release()
    await store.aclose()  # waits for what was begun
    del asked, shared, together, store
    gc.collect()
    assert news == []
