"""When a provider pauses: the moment to pass on what it has said."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Pausing(Generic[T]):
    """Goes through an async generator; `on_pause` is called whenever that has to be waited for.

    It is called in the same step of the event loop: as a callback of the loop's it would come one
    turn later, behind all that others do in this one. What it raises goes into the generator.
    """

    __slots__ = ("_on_pause", "_values")

    def __init__(self, values: AsyncIterable[T], on_pause: Callable[[], None]) -> None:
        self._values = aiter(values)
        self._on_pause = on_pause

    def __aiter__(self) -> Pausing[T]:
        return self

    def __anext__(self) -> Pausing[T]:
        return self

    def __await__(self) -> Generator[Any, Any, T]:
        """Wait for the next value."""
        steps = self._values.__anext__().__await__()
        try:
            awaited = steps.send(None)
            while True:
                try:
                    self._on_pause()
                    sent = yield awaited
                except BaseException as exc:
                    awaited = steps.throw(exc)
                else:
                    awaited = steps.send(sent)
        except StopIteration as exc:
            value: T = exc.value
            return value
