"""A store whose calls are timed."""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, cast

from chatd.errors import ChatdError, StoreUnavailable
from chatd.store import Store

# Takes the name of a call, its seconds, and the code of its error, empty if it did not fail.
Report = Callable[[str, float, str], None]
Method = Callable[..., Awaitable[Any]]

NOT_TIMED = {"open", "aclose"}
TIMED = frozenset(
    name
    for name in Store.__abstractmethods__ - NOT_TIMED
    if inspect.iscoroutinefunction(getattr(Store, name))
)


class MeteredStore:
    """Another store, each call of the contract reported; everything else is that store's own."""

    def __init__(self, store: Store, report: Report) -> None:
        self._store = store
        for name in TIMED:
            setattr(self, name, _timed(name, getattr(store, name), report))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def metered(store: Store, report: Report) -> Store:
    """Return the store with its calls reported."""
    return cast(Store, MeteredStore(store, report))


def _timed(name: str, call: Method, report: Report) -> Method:
    clock = time.perf_counter

    @wraps(call)
    async def method(*args: Any, **kwargs: Any) -> Any:
        begun = clock()
        try:
            result = await call(*args, **kwargs)
        except Exception as exc:
            report(name, clock() - begun, _code(exc))
            raise
        report(name, clock() - begun, "")
        return result

    return method


def _code(exc: Exception) -> str:
    """Return the code of a failure; that something is not there, or taken, is an answer."""
    if isinstance(exc, ChatdError) and not isinstance(exc, StoreUnavailable):
        return ""
    return exc.code if isinstance(exc, StoreUnavailable) else "internal"
