"""What the targets come to on the machine of a run.

They were set on a machine of their time, beside the peer on FastAPI. How much slower that peer is
in a run says how much slower everything can be expected to be there: its own row says it for each,
and the median of its rows for those that it was not measured in.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from benchmarks.servers import NAMES
from benchmarks.speed import Row, figure, is_reached

PEER = "fastapi"


def slower(row: Row) -> float | None:
    """Return how many times slower the peer was than where the targets were set; None: unknown."""
    if row.there is None or PEER not in row.figures:
        return None
    here = row.figures[PEER][0]
    return row.there / here if _is_rate(row) else here / row.there


def _is_rate(row: Row) -> bool:
    return row.targets[NAMES[0]].startswith(">=")


def at_speed(target: str, factor: float) -> str:
    """Return what a target comes to where everything takes so many times as long."""
    sign, _, limit = target.partition(" ")
    scaled = float(limit) / factor if sign == ">=" else float(limit) * factor
    return f"{sign} {scaled:.4g}"


def lines(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of the table; none in a run without the peer."""
    factors = [factor for row in rows if (factor := slower(row)) is not None]
    if not factors:
        return
    middle = statistics.median(factors)
    yield f"In this run {PEER} is {middle:.1f} times slower than where the targets were set."
    yield f"{'targets at that speed':48} {'unit':6} {'slower':>7}" + "".join(
        f" {name:>34}" for name in NAMES[:2]
    )
    for row in rows:
        if row.is_of_machine:
            factor = slower(row) or middle
            cells = "".join(f" {_cell(row, name, factor):>34}" for name in NAMES[:2])
            yield f"{row.what:48} {row.unit:6} {factor:7.2f}{cells}"


def _cell(row: Row, name: str, factor: float) -> str:
    if name not in row.figures:
        return "-"
    target, median = at_speed(row.targets[name], factor), row.figures[name][0]
    verdict = "" if is_reached(target, median) else "NOT "
    return f"{verdict}{figure(median)} (wanted {target})"
