"""chatd import."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from chatd.cli.frame import everywhere, load, table, with_store

if TYPE_CHECKING:
    from chatd.store import Store
    from chatd.transfer.files import Problem, Source
    from chatd.transfer.importing import Tally


@click.command("import", short_help="Add the sessions that a file holds.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--user", metavar="NAME", help="Whose the sessions become.")
@everywhere
def import_(file: Path, user: str | None) -> None:
    """Add the sessions in FILE, those that are there already left as they are.

    FILE is what `chatd export` wrote, or the conversations.json or zip of ChatGPT's or Claude's
    export, or the chats of Open WebUI's; packed by gzip or not; `-` is the standard input. Without
    --user the sessions of a chatd export go to users of the same names, made if missing.

    The exit code is 1 when a record could not be imported; each is reported with its place.
    """
    from chatd.transfer.files import opened

    tallies: list[Tally] = []

    async def work(store: Store) -> None:
        with opened(file) as source:
            if user is None and not source.names_users:
                raise click.UsageError("This file does not say whose it is: add --user NAME.")
            tallies.append(await _import(store, source, user))

    with_store(work, may_create=user is None)
    (tally,) = tallies
    table(
        ("SESSIONS", "NUMBER"),
        [
            ("added", f"{tally.added:,}, with {tally.messages:,} messages"),
            ("already there", f"{tally.there:,}"),
            ("failed", f"{tally.failed:,}"),
        ],
    )
    if tally.failed:
        what = "One record" if tally.failed == 1 else f"{tally.failed:,} records"
        raise click.ClickException(
            f"{what} could not be imported, as said above: mend the file and import it again."
        )


async def _import(store: Store, source: Source, user: str | None) -> Tally:
    from chatd import accounts
    from chatd.cli.progress import reporting
    from chatd.transfer.importing import Importer
    from chatd.transfer.trees import Planter

    config = load()
    user_id = (await accounts.get_account(store, user)).user.id if user else None
    planter = Planter(config.limits, config.models.option_keys)

    def complain(problem: Problem) -> None:
        click.echo(f"{problem.place}: {problem.reason}", err=True)

    with reporting() as report:
        importer = Importer(store, planter, user_id=user_id, report=report, complain=complain)
        return await importer.take(source.records)
