"""chatd backup."""

from __future__ import annotations

from pathlib import Path

import click

from chatd.cli.frame import everywhere, existing, load


@click.command(short_help="Copy the database, also beside a running server.")
@click.argument("file", type=click.Path(path_type=Path))
@everywhere
def backup(file: Path) -> None:
    """Copy the database to the new file FILE, also while the server runs."""
    path = existing(load())
    if path is None:
        raise click.ClickException("This copies SQLite; use the tools of your database.")
    from chatd.stores.sqlite.backup import copy_database

    copy_database(path, file.absolute())
    click.echo(f"Copied {path} to {file}.", err=True)
