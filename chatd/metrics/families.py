"""Counting: numbers with labels, kept as plain dictionaries.

prometheus_client takes a lock and several function calls for each count, 2-3 us with labels. The
numbers here are touched by one thread, the event loop's, and cost a tenth of that; the library is
loaded when somebody asks for them, and writes them down.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

Labels = tuple[str, ...]


class Sample(NamedTuple):
    """A family as it was at one moment.

    `values` are one number for each set of labels. A histogram has `rows` instead: how many fell
    into each bucket and above the last, then their sum.
    """

    kind: str
    name: str
    help: str
    labels: Labels
    values: dict[Labels, float]
    bounds: tuple[float, ...] = ()
    rows: Mapping[Labels, list[float]] = MappingProxyType({})


class Counter:
    """Numbers that only grow."""

    def __init__(self, name: str, help: str, *labels: str) -> None:
        self.name, self.help, self.labels = name, help, labels
        self._values: dict[Labels, float] = {}

    def add(self, *labels: str, by: float = 1) -> None:
        """Count one, or several, with the values of all labels."""
        self._values[labels] = self._values.get(labels, 0) + by

    def sample(self) -> Sample:
        """Return the present numbers."""
        return Sample("counter", self.name, self.help, self.labels, dict(self._values))


class Gauge:
    """Numbers that are read when somebody asks."""

    def __init__(self, name: str, help: str, *labels: str) -> None:
        self.name, self.help, self.labels = name, help, labels
        self.read: Callable[[], Mapping[Labels, float]] = dict

    def sample(self) -> Sample:
        """Return the present numbers."""
        return Sample("gauge", self.name, self.help, self.labels, dict(self.read()))


class Histogram:
    """How often seconds were how many; `bounds` are the upper ends of the buckets."""

    def __init__(self, name: str, help: str, *labels: str, bounds: Sequence[float]) -> None:
        self.name, self.help, self.labels = name, help, labels
        self.bounds = tuple(bounds)
        self._values: dict[Labels, list[float]] = {}

    def row(self, *labels: str) -> list[float]:
        """Return the row of these labels, to be filled by `put` without looking it up again."""
        row = self._values.get(labels)
        if row is None:
            row = self._values[labels] = [0] * (len(self.bounds) + 1) + [0.0]
        return row

    def put(self, row: list[float], seconds: float) -> None:
        """Count a duration in a row."""
        row[bisect_left(self.bounds, seconds)] += 1
        row[-1] += seconds

    def observe(self, seconds: float, *labels: str) -> None:
        """Count a duration, with the values of all labels."""
        self.put(self._values.get(labels) or self.row(*labels), seconds)

    def sample(self) -> Sample:
        """Return the present numbers."""
        rows = {labels: list(row) for labels, row in self._values.items()}
        return Sample("histogram", self.name, self.help, self.labels, {}, self.bounds, rows)


Family = Counter | Gauge | Histogram
