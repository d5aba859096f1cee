"""What plugins keep, in every kind of store."""

from __future__ import annotations

import asyncio
import datetime as dt

import pytest

from chatd.errors import Conflict, PreconditionFailed, TooLarge
from chatd.store import Store
from chatd.types import now

PAST, FUTURE = dt.timedelta(seconds=-1), dt.timedelta(days=1)


async def test_a_value_is_kept(store: Store) -> None:
    """A value comes back as it was put in, under its own plugin alone, until it is forgotten."""
    value = {"a.b": [1, 2.5, None, "ä"], "$c": {"d": True}}
    end = now() + FUTURE
    kept = await store.put_datum("one", "k/1", value, expires_at=end)
    assert (kept.key, kept.value, kept.version, kept.expires_at) == ("k/1", value, 1, end)
    assert await store.get_datum("one", "k/1") == kept
    assert await store.get_datum("two", "k/1") is None
    again = await store.put_datum("one", "k/1", "other")
    assert (again.value, again.version, again.expires_at) == ("other", 2, None)
    assert await store.delete_datum("one", "k/1")
    assert not await store.delete_datum("one", "k/1")
    assert await store.get_datum("one", "k/1") is None


async def test_a_version_is_compared(store: Store) -> None:
    """With a version a value is put if it is the present one; of many at once one is."""
    await store.put_datum("p", "k", 1, version=0)
    for wrong in (0, 2):
        with pytest.raises(PreconditionFailed):
            await store.put_datum("p", "k", 2, version=wrong)
    tries = [store.put_datum("p", "k", number, version=1) for number in range(10)]
    done = await asyncio.gather(*tries, return_exceptions=True)
    [kept] = [result for result in done if not isinstance(result, BaseException)]
    assert all(isinstance(r, PreconditionFailed) for r in done if r is not kept)
    assert await store.get_datum("p", "k") == kept
    tries = [store.put_datum("p", "new", number, version=0) for number in range(10)]
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(result, PreconditionFailed) for result in done) == 9


async def test_keys_are_listed_in_order(store: Store) -> None:
    """Keys that begin alike come in order, page by page; those of other plugins never do."""
    keys = ["a%", "a.b", "ab", "a\U0001f600", "aé", "b"]
    for key in keys:
        await store.put_datum("p", key, key)
    await store.put_datum("p2", "a", 0)
    await store.put_datum("p", "ax", 0, expires_at=now() + PAST)
    found = await store.list_data("p", prefix="a", limit=3)
    assert len(found) == 3
    found = [*found, *await store.list_data("p", prefix="a", after=found[-1].key)]
    assert [datum.key for datum in found] == sorted(key for key in keys if key[0] == "a")
    assert [datum.key for datum in await store.list_data("p")] == sorted(keys)
    assert [datum.key for datum in await store.list_data("p", prefix="a.")] == ["a.b"]


async def test_many_add_to_a_count(store: Store) -> None:
    """Nothing is lost of what many add at once, and with a bound none comes above it."""
    assert await asyncio.gather(*[store.add_to_count("p", "n") for _ in range(20)])
    datum = await store.get_datum("p", "n")
    assert datum is not None
    assert datum.value == 20
    bounded = await asyncio.gather(*[store.add_to_count("p", "m", 3, most=10) for _ in range(8)])
    assert sorted(n for n in bounded if n is not None) == [3, 6, 9]
    assert await store.add_to_count("p", "m", -4) == 5
    assert await store.add_to_count("p", "m", 5, most=10) == 10
    assert await store.add_to_count("p", "m", most=10) is None
    assert await store.add_to_count("p", "other", 11, most=10) is None
    assert await store.get_datum("p", "other") is None


async def test_a_count_is_a_number(store: Store) -> None:
    """A value that is no whole number is not added to; a number that was put is."""
    for value in ("1", 1.5, True, None, [1]):
        await store.put_datum("p", "k", value)
        with pytest.raises(Conflict):
            await store.add_to_count("p", "k")
    await store.put_datum("p", "k", 5)
    assert await store.add_to_count("p", "k") == 6


async def test_what_has_expired_is_not_there(store: Store) -> None:
    """At its end a value is as if it had never been, and a count begins again."""
    past, future = now() + PAST, now() + FUTURE
    for key in ("k", "n", "l"):
        await store.put_datum("p", key, 7, expires_at=past)
    assert await store.get_datum("p", "k") is None
    assert not await store.delete_datum("p", "l")
    assert (await store.put_datum("p", "k", 8, version=0)).version == 1
    assert await store.add_to_count("p", "n", 2, most=5, expires_at=future) == 2
    assert await store.add_to_count("p", "n", 2, expires_at=past) == 4
    datum = await store.get_datum("p", "n")
    assert datum is not None
    assert datum.expires_at == future


async def test_many_begin_a_count_again(store: Store) -> None:
    """Nothing is lost of what many add at once to a count that has expired."""
    for key in map(str, range(5)):
        await store.add_to_count("p", key, expires_at=now() + PAST)
        adding = [store.add_to_count("p", key, expires_at=now() + FUTURE) for _ in range(10)]
        assert sorted(map(int, filter(None, await asyncio.gather(*adding)))) == [*range(1, 11)]


async def test_what_is_refused(store: Store) -> None:
    """A value above 1 MiB, and a plugin whose name could be another's key."""
    with pytest.raises(TooLarge):
        await store.put_datum("p", "k", "x" * 1024 * 1024)
    with pytest.raises(ValueError, match="a/b"):
        await store.get_datum("a/b", "c")
