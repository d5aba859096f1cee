"""How a store comes up to what this chatd writes, and stays in order while a server runs."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Step(NamedTuple):
    """A migration that is to be made: the version that it leads to, and what it does."""

    version: int
    sentence: str


class Progress(NamedTuple):
    """How far a step is: `done` of `total`, 0 of 0 while another process holds the lock."""

    step: Step
    done: int
    total: int

    @property
    def is_waiting(self) -> bool:
        """Whether another process migrates the store."""
        return self.total == 0


Report = Callable[[Progress], None]  # called from any thread


class UpkeepStore(abc.ABC):
    """What a store does for itself. Only a server and `chatd migrate` ask for it."""

    @abc.abstractmethod
    async def pending(self) -> Sequence[Step]:
        """Return the migrations that the store lacks; the store need not be open.

        One that does not exist yet lacks none. Raises ConfigError for a store that only a newer
        chatd can use, and StoreUnavailable.
        """

    @abc.abstractmethod
    async def migrate(self, report: Report) -> Sequence[Step]:
        """Bring a store, which is not open, up to the newest version; return what was done.

        Of all processes one works at a time. What a killed one has done stays done: the next goes
        on from there, when the lock of the killed one has expired.
        """

    @abc.abstractmethod
    async def tend(self) -> None:
        """Finish what crashes and servers of the version before have left, now and from now on."""
