"""Going through a generator that pauses: what it has said is passed on before it is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from chatd.pausing import Pausing


async def test_each_pause_is_told() -> None:
    """Before each wait, and not between values that are there at once."""
    told: list[str] = []

    async def values() -> AsyncGenerator[str, None]:
        yield "one"
        yield "two"
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        yield "three"

    async for value in Pausing(values(), lambda: told.append("pause")):
        told.append(value)
    assert told == ["one", "two", "pause", "pause", "three"]


async def test_a_pause_is_told_in_the_same_step() -> None:
    """Nothing else of the loop runs between the last value and the telling."""
    told: list[str] = []

    async def values() -> AsyncGenerator[str, None]:
        yield "one"
        asyncio.get_running_loop().call_soon(told.append, "somebody else")
        await asyncio.sleep(0)

    async for value in Pausing(values(), lambda: told.append("pause")):
        told.append(value)
    assert told == ["one", "pause", "somebody else"]


async def test_what_it_raises_comes_out() -> None:
    """At once and after a wait."""

    async def values(*, waits: bool) -> AsyncGenerator[str, None]:
        if waits:
            await asyncio.sleep(0)
        raise ValueError("broken")
        yield ""

    for waits in (False, True):
        with pytest.raises(ValueError, match="broken"):
            await anext(Pausing(values(waits=waits), lambda: None))


async def test_a_cancellation_goes_in() -> None:
    """The generator is cancelled where it waits, and what it makes of that comes out."""
    waits, seen = asyncio.Event(), []

    async def values() -> AsyncGenerator[str, None]:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        yield ""

    async def read() -> None:
        async for _ in Pausing(values(), waits.set):
            pass

    task = asyncio.create_task(read())
    await waits.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["cancelled"]


async def test_a_cancellation_may_be_survived() -> None:
    """A generator that catches it goes on."""
    waits = asyncio.Event()

    async def values() -> AsyncGenerator[str, None]:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            yield "survived"

    async def read() -> list[str]:
        return [value async for value in Pausing(values(), waits.set)]

    task = asyncio.create_task(read())
    await waits.wait()
    task.cancel()
    assert await task == ["survived"]


async def test_who_cannot_be_told_ends_it() -> None:
    """What is raised then is raised where the generator waits: it frees what it holds."""
    freed = []

    async def values() -> AsyncGenerator[str, None]:
        try:
            yield "one"
            await asyncio.Event().wait()
        finally:
            freed.append("freed")

    def fail() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        async for _ in Pausing(values(), fail):
            pass
    assert freed == ["freed"]


async def test_any_async_iterable() -> None:
    """What only has `__aiter__`, as a plugin may return."""

    class Values:
        def __aiter__(self) -> AsyncGenerator[str, None]:
            return values()

    async def values() -> AsyncGenerator[str, None]:
        yield "one"

    assert [value async for value in Pausing(Values(), lambda: None)] == ["one"]
