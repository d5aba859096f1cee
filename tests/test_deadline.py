"""The limit for waiting, and that it gets in nobody's way."""

from __future__ import annotations

import asyncio
import time

import pytest

from chatd.deadline import Deadline

SHORT = 0.05


async def test_waiting_too_long() -> None:
    """A wait that is too long ends with TimeoutError, and the task is not cancelled by it."""
    deadline = Deadline(SHORT)
    started = time.monotonic()
    with pytest.raises(TimeoutError), deadline:
        await asyncio.Event().wait()

    assert SHORT * 0.9 <= time.monotonic() - started < 60
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_many_short_waits_count_together() -> None:
    """Without a restart the time runs on from wait to wait."""
    deadline = Deadline(SHORT)
    with pytest.raises(TimeoutError):
        while True:
            with deadline:
                await asyncio.sleep(SHORT / 10)


async def test_a_restart_gives_more_time() -> None:
    """With restarts the waits may be any time together."""
    deadline = Deadline(SHORT)
    started = time.monotonic()
    while time.monotonic() - started < 4 * SHORT:
        with deadline:
            await asyncio.sleep(SHORT / 10)
        deadline.restart()
    deadline.close()


async def test_time_outside_is_not_limited() -> None:
    """A time that passes while nobody waits is forgiven by the restart after it."""
    deadline = Deadline(SHORT)
    with deadline:
        await asyncio.sleep(0)
    await asyncio.sleep(2 * SHORT)
    deadline.restart()
    with deadline:
        await asyncio.sleep(SHORT / 10)
    with pytest.raises(TimeoutError), deadline:
        await asyncio.Event().wait()


async def test_a_cancellation_is_not_a_time_out() -> None:
    """A task that is cancelled while it waits is cancelled."""

    async def wait() -> None:
        with Deadline(10):
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_goes_before_a_time_out() -> None:
    """A task that is cancelled as its time passes is cancelled, as it was told."""
    loop = asyncio.get_running_loop()

    async def wait() -> None:
        with Deadline(SHORT):
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    # Blocking the loop until both are due makes them happen in the same turn of it.
    loop.call_later(SHORT, task.cancel)
    await asyncio.sleep(0)
    time.sleep(2 * SHORT)
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_other_errors_pass() -> None:
    """What is raised while waiting is not changed."""
    deadline = Deadline(10)
    with pytest.raises(KeyError), deadline:
        raise KeyError
    deadline.close()
