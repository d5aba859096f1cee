"""The table of speed: every measure on every server, in turns, several rounds of it."""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import measures, starting
from benchmarks.measures import Load, Measure
from benchmarks.processes import Server
from benchmarks.servers import BARE, NAMES, servers, upstream

FULL, QUICK = Load(3.0, 200, 500), Load(0.7, 50, 100)
ROUNDS = 3


class Row(NamedTuple):
    """One line of the table: medians, and the lowest and highest of all rounds."""

    what: str
    unit: str
    targets: dict[str, str]  # by server
    figures: dict[str, tuple[float, float, float]]  # by server: median, lowest, highest
    is_of_machine: bool = False  # whether a slower machine changes it in proportion
    there: float | None = None  # what `fastapi` did where the targets were set


class _Line(NamedTuple):
    what: str
    unit: str
    sqlite: str  # chatd's target
    mongodb: str
    is_of_machine: bool = False
    there: float | None = None


SAME = "="


def _paced(streams: str) -> tuple[_Line, ...]:
    # 0.6 of a core for two hundred streams are 60 us a token. `fastapi` filled a core with 211.
    return (
        _Line(f"{streams} at 50 tokens/s: delivered", "%", ">= 99", SAME),
        _Line("  token latency, median", "ms", "<= 1", SAME),
        _Line("  token latency, 99th percentile", "ms", "<= 10", SAME),
        _Line("  server CPU", "cores", "<= 0.6", SAME),
        _Line("  server CPU a token", "us", "<= 60", SAME, True, 95),
    )


# For each measure the lines that its figures become.
LINES: dict[Measure, tuple[_Line, ...]] = {
    measures.running_generations: (_Line("memory of a running generation", "KiB", "", ""),),
    measures.idle_sockets: (
        _Line("connects", "per s", ">= 1500", SAME, True),
        _Line("memory of an idle socket", "KiB", "<= 18", SAME),
    ),
    measures.fast_streams: (
        _Line("fast replies, 32 sessions: server CPU a token", "us", "<= 10", SAME, True, 48),
    ),
    measures.paced_streams: _paced("200 streams"),
    measures.few_paced_streams: _paced("50 streams"),
    measures.first_chunk: (_Line("time to first chunk, 1 session", "ms", "", ""),),
    measures.first_chunk_of_many: (
        _Line("time to first chunk, 32 sessions at once", "ms", "<= 60", SAME, True, 222),
    ),
    measures.stops: (
        _Line("stop to the model server's connection closed", "ms", "", ""),
        _Line("  the longest", "ms", "<= 100", SAME),
    ),
    measures.turns: (_Line("turns of one token, 32 sessions", "per s", ">= 600", ">= 300", True),),
    measures.list_of_sessions: (
        _Line("list of sessions", "per s", ">= 1500", ">= 1200", True, 1200),
    ),
    measures.last_messages: (
        _Line("last 50 of 10,000 messages", "per s", ">= 1500", ">= 1200", True, 982),
    ),
    measures.full_content: (
        _Line("bytes sent for each of the text, `full_content` on", "", "<= 12", SAME),
    ),
}
# First and once: a server that has done something takes new memory out of what that left.
ONCE = (measures.running_generations, measures.idle_sockets)
CHATD_ONLY = (measures.full_content, measures.stops)  # peers send no full_content, and stop nothing
BARE_TOO = (measures.list_of_sessions, measures.last_messages)  # all that the bare finds can do
COLUMNS = (*NAMES, BARE)


async def speed(*, quick: bool, names: tuple[str, ...] = COLUMNS) -> AsyncIterator[Row]:
    """Yield all lines of the table."""
    load, rounds = (QUICK, 1) if quick else (FULL, ROUNDS)
    with tempfile.TemporaryDirectory() as directory:
        async with upstream() as url, servers(url, Path(directory), names) as running:
            alone = [await measures.model_server_alone(url, load) for _ in range(rounds)]
            yield _row(_Line("first chunk, the model server alone", "ms", "", ""), {"": alone})
            for measure, lines in LINES.items():
                found: dict[str, list[Any]] = {}
                for _ in range(1 if measure in ONCE else rounds):
                    for server in running:
                        if _can(server, measure):
                            figure = await _ask(measure, server, load)
                            found.setdefault(server.name, []).append(figure)
                for number, line in enumerate(lines):
                    yield _row(line, {name: _column(all, number) for name, all in found.items()})
                if measure is measures.first_chunk:
                    yield _added(found, statistics.median(alone))
    for line, once in (
        (_Line("ready after `chatd serve`", "s", "<= 1", SAME, True), starting.start_up),
        (_Line("CPU of `chatd --help`", "s", "<= 0.25", SAME, True), starting.help_text),
    ):
        yield _row(line, {"chatd/sqlite": [await once() for _ in range(rounds)]})


def _can(server: Server, measure: Measure) -> bool:
    if server.name == BARE:
        return measure in BARE_TOO
    return server.is_chatd or measure not in CHATD_ONLY


async def _ask(measure: Measure, server: Server, load: Load) -> object:
    figure = await measure(server, load)
    await measures.idle(server)
    print(f"{server.name}: {measure.__name__}", file=sys.stderr, flush=True)
    return figure


def _column(figures: list[Any], number: int) -> list[float]:
    return [figure[number] if isinstance(figure, tuple) else figure for figure in figures]


def _added(found: dict[str, list[float]], alone: float) -> Row:
    line = _Line("  added to the model server's", "ms", "<= 3", SAME, True, 3.8)
    return _row(line, {name: [time - alone for time in times] for name, times in found.items()})


def _row(line: _Line, found: dict[str, list[float]]) -> Row:
    mongodb = line.sqlite if line.mongodb == SAME else line.mongodb
    figures = {name: (statistics.median(all), min(all), max(all)) for name, all in found.items()}
    targets = {NAMES[0]: line.sqlite, NAMES[1]: mongodb}
    return Row(line.what, line.unit, targets, figures, line.is_of_machine, line.there)


def is_reached(target: str, figure: float) -> bool:
    """Say whether a figure is as a target like "<= 3" wants it."""
    sign, _, limit = target.partition(" ")
    return not target or (figure <= float(limit) if sign == "<=" else figure >= float(limit))


def headline() -> str:
    """Return the first line of the table."""
    return f"{'':48} {'unit':6}" + "".join(f" {name:>27}" for name in COLUMNS)


def line(row: Row) -> str:
    """Return a line of the table: medians, and behind them the lowest and the highest.

    A figure of chatd that misses its target has the target beside it.
    """
    text = f"{row.what:48} {row.unit:6}"
    if "" in row.figures:  # of no server
        return f"{text} {figure(row.figures[''][0])}"
    for name in COLUMNS:
        if name not in row.figures:
            text += f" {'-':>27}"
            continue
        median, low, high = row.figures[name]
        target = row.targets.get(name, "")
        missed = "" if is_reached(target, median) else f"not {target} "
        spread = f" ({figure(low)}-{figure(high)})" if low != high else ""
        text += f" {missed + figure(median) + spread:>27}"
    return text


def figure(value: float) -> str:
    """Return three digits of it."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
