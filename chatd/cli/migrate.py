"""chatd migrate."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from chatd.cli.frame import everywhere, existing, load, naming

if TYPE_CHECKING:
    from chatd.store.upkeep import Progress, Report, Step

LACKING = 3  # the exit code of --check


@click.command()
@click.option(
    "--check", is_flag=True, help="Only say what there is to do; exit code 3 if anything is."
)
@everywhere
def migrate(check: bool) -> None:
    """Bring the database up to this version of chatd.

    The server does that by itself when it starts. Servers of the version before may run meanwhile.
    What is interrupted goes on with the next call.
    """
    import asyncio

    from chatd.stores import open_store

    config = load()
    existing(config)
    store = open_store(config.store.url)
    if check:
        with naming(config.store.url):
            steps = asyncio.run(store.pending())
        _say("Lacking", steps)
        sys.exit(LACKING if steps else 0)
    with naming(config.store.url), _reporting() as report:
        steps = asyncio.run(store.migrate(report))
    _say("Done", steps)


def _say(what: str, steps: Sequence[Step]) -> None:
    for step in steps:
        click.echo(f"{what}: version {step.version}: {step.sentence}.")
    if not steps:
        click.echo("The database is up to date.", err=True)


@contextlib.contextmanager
def _reporting() -> Iterator[Report]:
    """Give what shows how far it is: a bar in a terminal, else a line where one has to wait."""
    if not sys.stderr.isatty():
        yield _say_that_it_waits
        return
    from rich.console import Console
    from rich.progress import Progress as Bars

    with Bars(console=Console(stderr=True), transient=True) as bars:
        tasks = {}

        def show(progress: Progress) -> None:
            if progress.is_waiting:
                bars.console.print("Waiting for another process that migrates the database.")
                return
            step = progress.step
            if step not in tasks:
                tasks[step] = bars.add_task(f"version {step.version}: {step.sentence}")
            bars.update(tasks[step], completed=progress.done, total=progress.total)

        yield show


def _say_that_it_waits(progress: Progress) -> None:
    if progress.is_waiting:
        click.echo("Waiting for another process that migrates the database.", err=True)
