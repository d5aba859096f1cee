"""A call of a plugin: timed, and watched for what it does to everybody else.

One event loop serves all. Who computes or waits in it without `await` holds up every other request,
so each stretch between two awaits is timed, and a plugin that takes too long is named in the log.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import math
import time
from collections.abc import Awaitable, Callable, Generator
from typing import Any, NamedTuple

from chatd.errors import ChatdError

logger = logging.getLogger(__name__)

BLOCKS = 0.1  # seconds without an await that are worth a line in the log
SAY_EVERY = 60.0  # seconds from one line about a plugin's hook to the next

# Takes plugin, hook and seconds, and whether the call failed.
Report = Callable[[str, str, float, bool], None]


class Call(NamedTuple):
    """A plugin's implementation of a hook: an async function of its arguments, and their names."""

    plugin: str
    function: Callable[..., Awaitable[Any]]
    names: tuple[str, ...]

    def __call__(self, arguments: dict[str, Any]) -> Awaitable[Any]:
        """Call it with those of the hook's arguments that it takes."""
        return self.function(*[arguments[name] for name in self.names])


def watched(
    plugin: str, hook: str, function: Callable[..., Any], report: Report
) -> Callable[..., Awaitable[Any]]:
    """Return an async function that calls a plain or async one, and watches it."""
    clock, look = time.perf_counter, _looking(plugin, hook)

    @functools.wraps(function)
    async def call(*args: Any) -> Any:
        begun, failed = clock(), True
        try:
            result = function(*args)
            if inspect.isawaitable(result):
                result = await _Steps(result, look)
            else:
                look(clock() - begun)
            failed = False
            return result
        except ChatdError as exc:
            failed = exc.status >= 500
            raise
        except asyncio.CancelledError as exc:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # Not we are cancelled, but what it awaited: that would end the caller's task unseen.
            raise RuntimeError("What it awaited was cancelled.") from exc
        finally:
            report(plugin, hook, clock() - begun, failed)

    return call


def _looking(plugin: str, hook: str) -> Callable[[float], None]:
    """Return what is told how long the event loop was held."""
    said_at = -math.inf

    def look(seconds: float) -> None:
        nonlocal said_at
        if seconds > BLOCKS and time.monotonic() - said_at > SAY_EVERY:
            said_at = time.monotonic()
            logger.warning(
                "plugin %s held up the whole server for %.0f ms in %s: it must await what takes"
                " long, or use asyncio.to_thread",
                plugin,
                seconds * 1000,
                hook,
            )

    return look


class _Steps:
    """An awaitable whose steps, from one await to the next, are looked at."""

    __slots__ = ("_awaitable", "_look")

    def __init__(self, awaitable: Awaitable[Any], look: Callable[[float], None]) -> None:
        self._awaitable, self._look = awaitable, look

    def __await__(self) -> Generator[Any, None, Any]:
        clock, look, steps = time.perf_counter, self._look, self._awaitable.__await__()
        thrown: BaseException | None = None
        while True:
            begun = clock()
            try:
                awaited = next(steps) if thrown is None else steps.throw(thrown)
            except StopIteration as exc:
                return exc.value
            finally:
                thrown = None
                look(clock() - begun)
            try:
                yield awaited
            except BaseException as exc:
                thrown = exc
