"""How far a long command has come: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.progress import Progress

EVERY = 5.0  # seconds between two lines

Report = Callable[[str, int, int | None], None]


@contextlib.contextmanager
def reporting() -> Iterator[Report]:
    """Yield what is called with what is being done, how much is done, and of how much."""
    if not sys.stderr.isatty():
        lines = Lines()
        yield lines
        lines.finish()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
        yield Bars(progress)


class Lines:
    """Prints a line every few seconds, and for each thing that is done the last state of it."""

    def __init__(self) -> None:
        self._what = self._unsaid = ""
        self._next = 0.0

    def __call__(self, what: str, done: int, total: int | None) -> None:
        time_now = time.monotonic()
        if what != self._what:
            self.finish()
            self._what, self._next = what, time_now + EVERY
        whole = f" of {total:,}" if total is not None else ""
        self._unsaid = f"{what}: {done:,}{whole}"
        if time_now >= self._next:
            self.finish()
            self._next = time_now + EVERY

    def finish(self) -> None:
        """Print what has not been printed yet."""
        if self._unsaid:
            click.echo(self._unsaid, err=True)
        self._unsaid = ""


class Bars:
    """Draws one bar for each thing that is done."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks = {}  # type: ignore[var-annotated]

    def __call__(self, what: str, done: int, total: int | None) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=total)
        self._progress.update(self._tasks[what], completed=done, total=total)
