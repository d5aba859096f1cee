"""Runs all measures on a fresh chatd and prints one table.

`growth` measures what stored data costs instead: a million messages in each store, which takes
about twenty minutes and 4 GB of disk.

Everything runs on this machine over loopback; a busy machine shows in the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import AsyncIterator

from benchmarks.growth import Row as GrowthRow
from benchmarks.growth import growth
from benchmarks.measures import Row, first_chunk, lists, turns
from benchmarks.processes import chat_server, model_server


async def measure(*, rounds: int, seconds: float) -> list[Row]:
    """Return all rows."""
    async with model_server() as upstream, chat_server(upstream) as (url, pid):
        rows = [row async for row in first_chunk(url, upstream, rounds)]
        rows += [row async for row in turns(url, pid, seconds)]
        rows += [row async for row in lists(url, pid, seconds)]
        return rows


async def print_growth(rows: AsyncIterator[GrowthRow]) -> None:
    """Print a line for each operation on each size of each store, as it comes."""
    names = GrowthRow._fields
    print("{:6} {:38} {:17} {:>9} {:>9} {:>6} {:>11} {:>9}".format(*names))
    async for row in rows:
        mark = "" if row.is_good else "  <-- more than a tenth"
        line = "{:6} {:38} {:17} {:9.0f} {:9.0f} {:6.2f} {:11} {:9}".format(*row)
        print(line + mark, flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("speed", "growth"), default="speed")
    parser.add_argument("--store", choices=("sqlite", "mongo"), help="growth of this one alone")
    parser.add_argument("--largest", type=int, default=1_000_000, help="growth: messages")
    parser.add_argument("--quick", action="store_true", help="a few seconds, for a first look")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    if arguments.what == "growth":
        stores = (arguments.store,) if arguments.store else ("sqlite", "mongo")
        measured = growth(quick=arguments.quick, largest=arguments.largest, stores=stores)
        return asyncio.run(print_growth(measured))
    rounds, seconds = (50, 1.0) if arguments.quick else (400, 5.0)
    rows = asyncio.run(measure(rounds=rounds, seconds=seconds))
    if arguments.json:
        keys = ("what", "figure", "unit", "target")
        print(json.dumps([dict(zip(keys, row, strict=True)) for row in rows], indent=2))
        return
    for what, figure, unit, target in rows:
        print(f"{what:45} {figure:10.2f} {unit:6} {target}")


main()
