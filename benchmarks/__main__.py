"""Measures chatd, on each of its stores, beside what people could use instead.

speed: every figure of chatd and of the peers, in one run and in turns, as a table of medians with
their spread; growth: what stored data costs, up to a million messages; memory: what many turns
leave behind; latency: a plot of token latency against the number of streams; slow: clients that
hardly read, and who reads beside them; joins: what a reload in the middle of a long reply costs;
plugins: what all plugins of chatd's add to a turn of 10,000 chunks; page: how busy the web page
keeps the browser's main thread.

Everything runs on this machine over loopback; a busy machine shows in the figures, so compare the
columns of one run rather than the figures of two.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path
from statistics import median

PLOT = Path(__file__).parent.parent / "docs" / "_static" / "latency.svg"


async def print_speed(*, quick: bool, as_json: bool, names: tuple[str, ...]) -> None:
    """Print the table, a line as it comes; or all of it as JSON."""
    from benchmarks import here
    from benchmarks.speed import Row, headline, line, speed

    rows: list[Row] = []
    if not as_json:
        print(headline(), flush=True)
    async for row in speed(quick=quick, names=names):
        rows.append(row)
        if not as_json:
            print(line(row), flush=True)
    if as_json:
        print(json.dumps([row._asdict() for row in rows], indent=2))
        return
    print()
    for text in here.lines(rows):
        print(text)


async def print_growth(*, quick: bool, largest: int, stores: tuple[str, ...]) -> None:
    """Print a line for each operation on each size of each store, as it comes."""
    from benchmarks.growth import Row, growth

    print("{:6} {:38} {:17} {:>9} {:>9} {:>6} {:>11} {:>9}".format(*Row._fields))
    async for row in growth(quick=quick, largest=largest, stores=stores):
        mark = "" if row.is_good else "  <-- more than a tenth"
        line = "{:6} {:38} {:17} {:9.0f} {:9.0f} {:6.2f} {:11} {:9}".format(*row)
        print(line + mark, flush=True)


async def print_memory(turns: int) -> None:
    """Print what a server takes after so many turns."""
    from benchmarks.memory import memory

    async for name, done, mebibytes in memory(turns):
        print(f"{name:14} {done:9,} turns {mebibytes:8.1f} MiB", flush=True)


async def print_slow(seconds: float) -> None:
    """Print what slow clients cost."""
    from benchmarks.slow import slow_clients

    async for what, figure, unit in slow_clients(seconds):
        print(f"{what:56} {figure:10.2f} {unit}", flush=True)


async def print_joins(rounds: int) -> None:
    """Print what a join costs in a reply of a hundred entries and of many."""
    from benchmarks.joins import joins

    async for entries, chunks, milliseconds, size in joins(rounds):
        print(
            f"{entries:8,} entries, {chunks:5} {milliseconds:8.2f} ms {size:12,} bytes", flush=True
        )


async def print_plugins(rounds: int, turns: int) -> None:
    """Print each round, and the medians with what plugins add."""
    from benchmarks.enabled import plugin_costs

    print("ms of processor for a turn: {:>8} {:>8}".format("none", "all"), flush=True)
    found = []
    async for row in plugin_costs(rounds, turns):
        found.append(row)
        print(f"{'':26} {row.without:9.2f} {row.all:8.2f}", flush=True)
    none, every = (median(column) for column in zip(*found, strict=True))
    # Of neighbours in time: what else the machine does changes from round to round.
    added = median(row.all / row.without for row in found) - 1
    print(f"{'median':26} {none:9.2f} {every:8.2f}  {added:+.1%}", flush=True)
    short = [row async for row in plugin_costs(rounds, 2 * turns, "t1-r0")]
    once = median(row.all - row.without for row in short)
    print(f"a turn of one chunk: {once:+.2f} ms, which is {once / none:+.1%} of the long one")


async def print_page(*, quick: bool) -> None:
    """Print what the page costs the browser."""
    from benchmarks.page import page

    async for what, figure, unit in page(quick=quick):
        print(f"{what:60} {figure:10.1f} {unit}", flush=True)


async def draw_latency(*, quick: bool, path: Path) -> None:
    """Measure, and write the plot."""
    from benchmarks.latency import draw, latency

    draw(*await latency(quick=quick), path)
    print(path)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whats = ("speed", "growth", "memory", "latency", "slow", "joins", "plugins", "page")
    parser.add_argument("what", nargs="?", choices=whats, default="speed")
    parser.add_argument("--quick", action="store_true", help="a minute, for a first look")
    parser.add_argument("--json", action="store_true", help="speed: print JSON instead of a table")
    parser.add_argument("--servers", help="speed: these alone, as chatd/sqlite,fastapi")
    parser.add_argument("--store", choices=("sqlite", "mongo"), help="growth: of this one alone")
    parser.add_argument("--largest", type=int, default=1_000_000, help="growth: messages")
    parser.add_argument("--turns", type=int, default=100_000, help="memory: turns")
    parser.add_argument("--to", type=Path, default=PLOT, help="latency: the plot's file")
    arguments = parser.parse_args()
    quick = arguments.quick
    if arguments.what == "growth":
        stores = (arguments.store,) if arguments.store else ("sqlite", "mongo")
        asyncio.run(print_growth(quick=quick, largest=arguments.largest, stores=stores))
    elif arguments.what == "memory":
        asyncio.run(print_memory(2000 if quick else arguments.turns))
    elif arguments.what == "slow":
        asyncio.run(print_slow(45 if quick else 180))
    elif arguments.what == "joins":
        asyncio.run(print_joins(20 if quick else 200))
    elif arguments.what == "plugins":
        asyncio.run(print_plugins(*((5, 5) if quick else (31, 5))))
    elif arguments.what == "page":
        asyncio.run(print_page(quick=quick))
    elif arguments.what == "latency":
        asyncio.run(draw_latency(quick=quick, path=arguments.to))
    else:
        from benchmarks.speed import COLUMNS

        names = tuple(arguments.servers.split(",")) if arguments.servers else COLUMNS
        asyncio.run(print_speed(quick=quick, as_json=arguments.json, names=names))


main()
