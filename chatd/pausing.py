"""When a provider pauses: the moment to pass on what it has said."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Pausing(Generic[T]):
    """Goes through an async generator; `on_pause` is called whenever that has to be waited for.

    It is called in the same step of the event loop: as a callback of the loop's it would come one
    turn later, behind all that others do in this one. It must not raise.
    """

    __slots__ = ("_on_pause", "_values")

    def __init__(self, values: AsyncGenerator[T, None], on_pause: Callable[[], None]) -> None:
        self._values, self._on_pause = values, on_pause

    def __aiter__(self) -> Pausing[T]:
        return self

    def __anext__(self) -> Pausing[T]:
        return self

    def __await__(self) -> Generator[Any, Any, T]:
        """Wait for the next value."""
        steps = self._values.__anext__().__await__()
        try:
            awaited = steps.send(None)
            self._on_pause()
            while True:
                try:
                    sent = yield awaited
                except BaseException as exc:
                    awaited = steps.throw(exc)
                else:
                    awaited = steps.send(sent)
        except StopIteration as exc:
            value: T = exc.value
            return value
