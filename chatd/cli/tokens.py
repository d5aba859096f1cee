"""chatd tokens: create, list, revoke."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from chatd.cli.frame import everywhere, load, place, table, with_store

if TYPE_CHECKING:
    from chatd.store import Store


@click.group()
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


@tokens.command("list", short_help="List all tokens that are good now.")
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


@tokens.command("revoke", short_help="Revoke a token; its open sockets close.")
@click.argument("token_id", metavar="ID")
@everywhere
def revoke_token(token_id: str) -> None:
    """Revoke the token ID, as `chatd tokens list` shows it; its open sockets close."""

    async def revoke(store: Store) -> None:
        if not await store.revoke_token(token_id):
            raise click.ClickException(f"There is no token {token_id}: see chatd tokens list.")
        click.echo("Revoked.", err=True)

    with_store(revoke)
