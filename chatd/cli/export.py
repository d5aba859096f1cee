"""chatd export."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from chatd import __version__
from chatd.cli.frame import everywhere, with_store

if TYPE_CHECKING:
    from chatd.store import Store


@click.command(short_help="Write sessions to a file.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--user", metavar="NAME", help="Only the sessions of this user.")
@everywhere
def export(file: Path, user: str | None) -> None:
    """Write the sessions of all users to the new file FILE, also while the server runs.

    As JSON Lines, packed if FILE ends in .gz; `-` is the standard output. `chatd import` reads it.
    """
    from chatd import accounts
    from chatd.cli.progress import reporting
    from chatd.transfer.jsonlines import export_lines

    async def work(store: Store) -> None:
        total = None
        if user is None:
            users = [account.user for account in await store.list_accounts()]
            total = await store.count_records("messages")
        else:
            users = [(await accounts.get_account(store, user)).user]
        with created(file) as output, reporting() as report:
            async for line in export_lines(store, users, f"chatd/{__version__}", report, total):
                output.write(line)
        if str(file) != "-":
            click.echo(f"Wrote {file}: {_contents(line)}.", err=True)

    with_store(work)


def _contents(end: bytes) -> str:
    """Return what an export holds, by its last line."""
    import msgspec

    numbers = msgspec.json.decode(end)["end"]
    return ", ".join(f"{name} {numbers[name]:,}" for name in ("users", "sessions", "messages"))


@contextlib.contextmanager
def created(path: Path) -> Iterator[IO[bytes]]:
    """Yield a new file that only its owner can read, removed if it does not become whole."""
    if str(path) == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as exc:
        raise click.ClickException(f"{path} is there already: an export replaces nothing.") from exc
    with contextlib.ExitStack() as stack:
        stack.callback(path.unlink)
        with os.fdopen(descriptor, "wb") as plain, _packed(path, plain) as file:
            yield file
            file.flush()
        stack.pop_all()


@contextlib.contextmanager
def _packed(path: Path, plain: IO[bytes]) -> Iterator[IO[bytes]]:
    if path.suffix != ".gz":
        yield plain
        return
    import gzip

    with gzip.GzipFile(filename="", fileobj=plain, mode="wb", compresslevel=5) as file:
        yield file  # type: ignore[misc]
