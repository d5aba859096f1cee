"""The plugin auth_token: who gets in with a token that chatd knows."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from chatd.accounts import create_ticket, create_token, ensure_owner, ensure_user
from chatd.app import App
from chatd.config import load_config
from chatd.errors import Unauthenticated
from chatd.types import Request, User, now


def app_in(directory: Path) -> App:
    """Return an App with this plugin alone."""
    environ = {"CHATD_PLUGINS_ENABLED": "auth_token", "CHATD_DATA_DIR": str(directory)}
    return App(load_config(None, environ, {}))


def with_token(token: str | None) -> Request:
    """Return a request that brings a token."""
    return Request(method="GET", path="/", headers={}, token=token)


async def test_a_token_lets_its_user_in(tmp_path: Path) -> None:
    """A request with an issued token is made by the token's user."""
    async with app_in(tmp_path) as app:
        alice = await ensure_user(app.store, "alice")
        token = await create_token(app.store, alice)

        assert await app.authenticate(with_token(token)) == alice


async def test_the_operators_own_token_may_be_any_text(tmp_path: Path) -> None:
    """CHATD_TOKEN need not look like a token that chatd issues."""
    async with app_in(tmp_path) as app:
        owner = await ensure_owner(app.store, "open-sesame")

        assert await app.authenticate(with_token("open-sesame")) == owner


@pytest.mark.parametrize("token", [None, "", "chatd_unknown", "unknown", "\ud800", "é\0"])
async def test_nobody_else_gets_in(tmp_path: Path, token: str | None) -> None:
    """No token, and an unknown one of whatever form, end in Unauthenticated."""
    async with app_in(tmp_path) as app:
        with pytest.raises(Unauthenticated):
            await app.authenticate(with_token(token))


async def test_other_plugins_get_their_chance(tmp_path: Path) -> None:
    """A token that does not look like ours is left to others; one that does is refused here."""
    async with app_in(tmp_path) as app:
        token = await create_token(app.store, await ensure_user(app.store, "alice"))

        found = await app.plugins.first("authenticate", app=app, request=with_token("a.b.c"))
        assert found is None
        with pytest.raises(Unauthenticated, match="unknown, expired or revoked"):
            await app.plugins.first("authenticate", app=app, request=with_token(token[:-1]))


async def test_an_expired_token(tmp_path: Path) -> None:
    """A token past its end is as good as none."""
    async with app_in(tmp_path) as app:
        alice = await ensure_user(app.store, "alice")
        token = await create_token(app.store, alice, expires=now() - dt.timedelta(seconds=1))

        with pytest.raises(Unauthenticated):
            await app.authenticate(with_token(token))


async def test_a_revoked_token(tmp_path: Path) -> None:
    """A revoked token stops working at once."""
    async with app_in(tmp_path) as app:
        token = await create_token(app.store, await ensure_user(app.store, "alice"))
        [(known, _)] = await app.store.list_tokens()
        await app.store.revoke_token(known.id)

        with pytest.raises(Unauthenticated):
            await app.authenticate(with_token(token))


async def test_a_disabled_user(tmp_path: Path) -> None:
    """The tokens of a disabled user do not work, and work again when the user is enabled."""
    async with app_in(tmp_path) as app:
        alice = await ensure_user(app.store, "alice")
        token = await create_token(app.store, alice)
        await app.store.update_account(alice.id, is_active=False)

        with pytest.raises(Unauthenticated):
            await app.authenticate(with_token(token))

        await app.store.update_account(alice.id, is_active=True)
        assert await app.authenticate(with_token(token)) == alice


async def test_a_ticket_is_no_token(tmp_path: Path) -> None:
    """A ticket does one thing once; it never authenticates a request."""
    async with app_in(tmp_path) as app:
        alice = await ensure_user(app.store, "alice")
        ticket, _ = await create_ticket(app.store, alice, "ws_ticket", 30)

        with pytest.raises(Unauthenticated):
            await app.authenticate(with_token(ticket))


async def test_sign_in_by_token(tmp_path: Path) -> None:
    """A page can sign in with a token; credentials of another kind are left to other plugins."""
    async with app_in(tmp_path) as app:
        alice = await ensure_user(app.store, "alice")
        token = await create_token(app.store, alice)

        async def user_of(credentials: dict[str, object]) -> User | None:
            found: User | None = await app.plugins.first(
                "sign_in", app=app, credentials=credentials
            )
            return found

        assert await user_of({"token": token}) == alice
        assert await user_of({"token": "chatd_unknown"}) is None
        assert await user_of({"token": 5}) is None
        assert await user_of({"name": "alice", "password": token}) is None
