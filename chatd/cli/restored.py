"""chatd restored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from chatd.cli.frame import everywhere, existing, load, place, unserved, with_store

if TYPE_CHECKING:
    from chatd.store import Store


@click.command(short_help="Say that the database came from a backup.")
@everywhere
def restored() -> None:
    """Say that the database was restored from a backup, before the server starts.

    Clients that were connected before load everything again, instead of going on from a state that
    the database no longer has. A copy made by `chatd backup` needs this not.
    """

    async def renew(store: Store) -> None:
        if await store.get_copy_mark() is not None:
            raise click.ClickException(
                "This is the unfinished copy of another database: call `chatd store copy` again."
            )
        await store.end_copy()  # there is none, and the epoch is a new one
        click.echo(f"Clients will load again what is in {place(load())}.", err=True)

    config = load()
    with unserved({config.data_dir} if existing(config) else set()):
        with_store(renew)
