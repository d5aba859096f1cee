"""The command line: arguments in, sentences out.

What a command needs is imported inside it, so that `chatd --help` comes at once. Exit codes:
0 done, 1 failed, 2 wrong usage.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from chatd import __version__
from chatd.errors import ChatdError

if TYPE_CHECKING:
    from chatd.config import Config
    from chatd.store import Store

Command = TypeVar("Command", bound=Callable[..., Any])


class Commands(click.Group):
    """A group whose failures are one sentence and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ChatdError as exc:
            raise click.ClickException(exc.message) from exc
        except BrokenPipeError:
            raise  # click ends quietly when the reader of a pipe is gone
        except OSError as exc:
            sentence = f"{exc.filename}: {exc.strerror}." if exc.filename else str(exc)
            raise click.ClickException(sentence) from exc


def everywhere(command: Command) -> Command:
    """Give a command the options that all have, before or after its name."""
    for name, description in (
        ("--config", "The configuration file; conf/chatd.toml if it exists."),
        ("--data-dir", "The directory of the database."),
    ):
        path = click.Path(path_type=Path)
        command = click.option(
            name, type=path, help=description, expose_value=False, callback=_remember
        )(command)
    return command


def _remember(ctx: click.Context, parameter: click.Parameter, value: Path | None) -> None:
    if value is not None:
        ctx.find_root().ensure_object(dict)[parameter.name] = value


def load(**overrides: Any) -> Config:
    """Return the configuration with what the command line says."""
    from chatd.config import load_config

    common = click.get_current_context().find_root().ensure_object(dict)
    overrides["data.dir"] = common.get("data_dir")
    return load_config(common.get("config"), os.environ, overrides)


@contextlib.asynccontextmanager
async def opened_store(config: Config) -> AsyncIterator[Store]:
    """Open the store beside a server that may be running."""
    from chatd.stores import open_store

    store = open_store(config.store.url)
    await store.open()
    try:
        yield store
    finally:
        await store.aclose()


def place(config: Config) -> str:
    """Return where the data is, without a password."""
    url: str = config.redacted()["store"]["url"]
    return url.removeprefix("sqlite:///")


def existing(config: Config) -> Path | None:
    """Return the file of the database, None if it is no file. Fails when there is none yet."""
    from chatd.stores import sqlite_path

    path = sqlite_path(config.store.url)
    if path is not None and not path.is_file():
        raise click.ClickException(
            f"There is no database {path} yet."
            " Name its directory with --data-dir or CHATD_DATA_DIR."
        )
    return path


def with_store(
    work: Callable[[Store], Coroutine[Any, Any, None]], *, may_create: bool = False
) -> None:
    """Run `work` with the store of the configuration."""
    import asyncio

    config = load()
    if not may_create:
        existing(config)

    async def run() -> None:
        async with opened_store(config) as store:
            await work(store)

    asyncio.run(run())


def table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    """Print rows in aligned columns."""
    lines = [heads, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="chatd", message="%(prog)s %(version)s")
@everywhere
def main() -> None:
    """A self-hosted chat server for language models."""


@main.command()
@click.option("--host", help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port to listen on.")
@click.option(
    "--dev",
    is_flag=True,
    default=None,
    help="For development: pages of any port of localhost may call, unless CHATD_ALLOWED_ORIGINS"
    " is set, which may then be * for all.",
)
@everywhere
def serve(host: str | None, port: int | None, dev: bool | None) -> None:
    """Run the server."""
    config = load(**{"server.host": host, "server.port": port, "server.dev": dev})
    from chatd.server import run

    run(config)


@main.group()
@everywhere
def tokens() -> None:
    """Tokens that let clients in."""


@tokens.command("create")
@click.argument("name")
@click.option(
    "--expires", type=click.IntRange(1, 36500), metavar="DAYS", help="Days it is good for."
)
@click.option("--label", default="", help="What it is for; shown by `chatd tokens list`.")
@everywhere
def create_token(name: str, expires: int | None, label: str) -> None:
    """Create a token for the user NAME, made if missing, and print it."""
    import datetime as dt

    from chatd import accounts
    from chatd.types import now

    async def create(store: Store) -> None:
        user = await accounts.ensure_user(store, name)
        end = now() + dt.timedelta(days=expires) if expires else None
        secret = await accounts.create_token(store, user, label=label, expires=end)
        click.echo(secret)
        lasting = f"until {end:%Y-%m-%d}" if end else "until it is revoked"
        click.echo(f"A token of {user.name}, good {lasting}. It is not shown again.", err=True)
        click.echo(f"It is kept in {place(load())}.", err=True)

    with_store(create, may_create=True)


@tokens.command("list")
@everywhere
def list_tokens() -> None:
    """List all tokens that are good now; the secrets themselves are not stored."""

    async def show(store: Store) -> None:
        rows = [
            (
                token.id,
                user.name,
                f"{token.created_at:%Y-%m-%d}",
                f"{token.expires_at:%Y-%m-%d}" if token.expires_at else "never",
                token.label,
            )
            for token, user in await store.list_tokens()
        ]
        table(("ID", "USER", "CREATED", "EXPIRES", "LABEL"), rows)

    with_store(show)


@tokens.command("revoke")
@click.argument("token_id", metavar="ID")
@everywhere
def revoke_token(token_id: str) -> None:
    """Revoke the token ID, as `chatd tokens list` shows it; its open sockets close."""

    async def revoke(store: Store) -> None:
        if not await store.revoke_token(token_id):
            raise click.ClickException(f"There is no token {token_id}: see chatd tokens list.")
        click.echo("Revoked.", err=True)

    with_store(revoke)


@main.group()
@everywhere
def users() -> None:
    """The accounts of this server."""


@users.command("add")
@click.argument("name")
@click.option("--admin", is_flag=True, help="Give the role admin.")
@everywhere
def add_user(name: str, admin: bool) -> None:
    """Add the user NAME."""
    from chatd import accounts

    async def add(store: Store) -> None:
        user = await accounts.add_user(store, name, is_admin=admin)
        click.echo(f"Added {user.name}; let them in with: chatd tokens create {name}", err=True)

    with_store(add, may_create=True)


@users.command("list")
@everywhere
def list_users() -> None:
    """List all users."""

    async def show(store: Store) -> None:
        rows = [
            (
                account.user.name,
                ",".join(account.user.roles) or "-",
                "active" if account.is_active else "disabled",
                f"{account.created_at:%Y-%m-%d}",
                account.user.id,
            )
            for account in await store.list_accounts()
        ]
        table(("NAME", "ROLES", "STATE", "CREATED", "ID"), rows)

    with_store(show)


@users.command()
@click.argument("name")
@everywhere
def disable(name: str) -> None:
    """Shut the user NAME out; what they wrote is kept."""
    _set_active(name, is_active=False)


@users.command()
@click.argument("name")
@everywhere
def enable(name: str) -> None:
    """Let the user NAME in again."""
    _set_active(name, is_active=True)


def _set_active(name: str, *, is_active: bool) -> None:
    from chatd import accounts

    async def change(store: Store) -> None:
        account = await accounts.get_account(store, name)
        await store.update_account(account.user.id, is_active=is_active)
        click.echo(f"{name} is {'enabled' if is_active else 'disabled'}.", err=True)

    with_store(change)


@main.command()
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
