"""chatd store: copy."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from chatd.cli.frame import everywhere, load, table, unserved

if TYPE_CHECKING:
    from chatd.store.transfer import Collection
    from chatd.transfer.copying import Total

ENVIRONMENT = "env:"


@click.group()
@everywhere
def store() -> None:
    """The database as a whole."""


@store.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@everywhere
def copy(source: str, target: str) -> None:
    """Copy everything in the store FROM to the empty store TO, and compare the two.

    A store is sqlite:///PATH, mongodb://HOST/NAME, or env:VARIABLE for one whose URL, with its
    password, is in the environment. No server may run on either. What was cut off goes on when the
    same command is called again.
    """
    import asyncio

    from_url, to_url = _url(source), _url(target)
    directories = _directories(from_url, may_create=False) | _directories(to_url, may_create=True)
    with unserved(directories):
        totals = asyncio.run(_copy(from_url, to_url))
    rows = [(name, f"{total.records:,}", total.shown) for name, total in totals.items()]
    table(("COLLECTION", "RECORDS", "CHECKSUM"), rows)
    click.echo("Copied, and read again from both: they are the same.", err=True)


def _url(argument: str) -> str:
    if not argument.startswith(ENVIRONMENT):
        return argument
    name = argument.removeprefix(ENVIRONMENT)
    if not os.environ.get(name):
        raise click.ClickException(f"{name} is not set in the environment.")
    return os.environ[name]


def _directories(url: str, *, may_create: bool) -> set[Path]:
    """Return the data directories from which a server of a SQLite store would run."""
    from chatd.stores import sqlite_path

    path = sqlite_path(url)
    if path is None:
        return set()
    if not may_create and not path.is_file():
        raise click.ClickException(f"There is no database {path}.")
    config = load()
    ours = sqlite_path(config.store.url)
    is_ours = ours is not None and ours.resolve() == path.resolve()
    directories = {path.parent, path.resolve().parent, *([config.data_dir] if is_ours else [])}
    return {directory.resolve() for directory in directories}  # one lock, however it is spelled


async def _copy(from_url: str, to_url: str) -> dict[Collection, Total]:
    from chatd.cli.frame import opened
    from chatd.cli.progress import reporting
    from chatd.transfer.copying import copy_store

    async with opened(from_url) as source, opened(to_url) as target:
        with reporting() as report:
            return await copy_store(source, target, report)
