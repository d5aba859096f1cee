"""Runs all measures on a fresh chatd and prints one table.

Everything runs on this machine over loopback; a busy machine shows in the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import json

from benchmarks.measures import Row, first_chunk, lists, turns
from benchmarks.processes import chat_server, model_server


async def measure(*, rounds: int, seconds: float) -> list[Row]:
    """Return all rows."""
    async with model_server() as upstream, chat_server(upstream) as (url, pid):
        rows = [row async for row in first_chunk(url, upstream, rounds)]
        rows += [row async for row in turns(url, pid, seconds)]
        rows += [row async for row in lists(url, pid, seconds)]
        return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds, for a first look")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    rounds, seconds = (50, 1.0) if arguments.quick else (400, 5.0)
    rows = asyncio.run(measure(rounds=rounds, seconds=seconds))
    if arguments.json:
        keys = ("what", "figure", "unit", "target")
        print(json.dumps([dict(zip(keys, row, strict=True)) for row in rows], indent=2))
        return
    for what, figure, unit, target in rows:
        print(f"{what:45} {figure:10.2f} {unit:6} {target}")


main()
