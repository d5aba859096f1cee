"""chatd users: add, list, disable, enable, vouch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from chatd.cli.frame import everywhere, table, with_store

if TYPE_CHECKING:
    from chatd.store import Store


@click.group()
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


@users.command()
@click.argument("name")
@everywhere
def vouch(name: str) -> None:
    """Take the user NAME, who registered themselves, for the one whom the configuration means.

    Their tokens end. A password that they have stays: chatd password NAME sets another.
    """
    from chatd import accounts

    async def change(store: Store) -> None:
        account = await accounts.get_account(store, name)
        ended = await accounts.vouch(store, account.user)
        click.echo(f"{name} is the {name} of the configuration; tokens revoked: {ended}.", err=True)

    with_store(change)


def _set_active(name: str, *, is_active: bool) -> None:
    from chatd import accounts

    async def change(store: Store) -> None:
        account = await accounts.get_account(store, name)
        await store.update_account(account.user.id, is_active=is_active)
        click.echo(f"{name} is {'enabled' if is_active else 'disabled'}.", err=True)

    with_store(change)
