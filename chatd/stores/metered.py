"""A store whose calls are timed, or are parts of a trace."""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
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
    for name in dir(Store)
    if name[0] != "_"
    and name not in NOT_TIMED
    and inspect.iscoroutinefunction(getattr(Store, name))
)


class WrappedStore:
    """Another store, each call of the contract wrapped; everything else is that store's own."""

    def __init__(self, store: Store, wrap: Callable[[str, Method], Method]) -> None:
        self._store = store
        for name in TIMED:
            setattr(self, name, wrap(name, getattr(store, name)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def metered(store: Store, report: Report) -> Store:
    """Return the store with its calls timed and reported."""
    return cast(Store, WrappedStore(store, lambda name, call: _timed(name, call, report)))


def traced(store: Store, part: Callable[[str], AbstractContextManager[None]]) -> Store:
    """Return the store with each call surrounded by what `part` gives for its name."""

    def wrap(name: str, call: Method) -> Method:
        @wraps(call)
        async def method(*args: Any, **kwargs: Any) -> Any:
            with part(f"store {name}"):
                return await call(*args, **kwargs)

        return method

    return cast(Store, WrappedStore(store, wrap))


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
