"""Accounts and the credentials that chatd issues."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from chatd import accounts
from chatd.errors import ConfigError, Conflict, InvalidInput
from chatd.store import Store
from chatd.stores import open_store
from chatd.types import User, digest_token, new_token, now


@asynccontextmanager
async def store_in(directory: Path) -> AsyncIterator[Store]:
    """Open an empty store."""
    store = open_store(f"sqlite:///{directory}/chatd.db")
    await store.open()
    try:
        yield store
    finally:
        await store.aclose()


async def user_of(store: Store, token: str) -> User | None:
    """Return whom a token lets in."""
    found = await store.find_token(digest_token(token))
    return found[1] if found else None


def test_new_tokens_differ() -> None:
    """A token says whose it is by its prefix, and holds 256 random bits."""
    tokens = {new_token() for _ in range(100)}

    assert len(tokens) == 100
    assert {len(token) for token in tokens} == {len("chatd_") + 43}
    assert all(token.startswith("chatd_") for token in tokens)


async def test_the_owner(tmp_path: Path) -> None:
    """The first start makes an owner with role admin; later ones find the same."""
    async with store_in(tmp_path) as store:
        owner = await accounts.ensure_owner(store, None)

        assert (owner.name, owner.is_admin) == ("owner", True)
        assert await accounts.ensure_owner(store, None) == owner
        assert not await accounts.has_token(store)


async def test_the_owner_however_made_is_admin(tmp_path: Path) -> None:
    """`chatd tokens create owner` before the first start makes no powerless owner."""
    async with store_in(tmp_path) as store:
        assert (await accounts.ensure_user(store, "owner")).is_admin
        assert not (await accounts.ensure_user(store, "alice")).is_admin


async def test_the_owners_token(tmp_path: Path) -> None:
    """CHATD_TOKEN is the owner's token, takes its forerunner's place, and leaves others alone."""
    async with store_in(tmp_path) as store:
        owner = await accounts.ensure_owner(store, "first")
        own = await accounts.create_token(store, owner, label="laptop")
        await accounts.ensure_owner(store, "first")
        assert len(await store.list_tokens()) == 2

        await accounts.ensure_owner(store, "second")

        assert await user_of(store, "first") is None
        assert await user_of(store, "second") == owner
        assert await user_of(store, own) == owner
        assert await accounts.has_token(store)


@pytest.mark.parametrize("token", ["two words", "clé", "line\n", "\x7f"])
async def test_a_token_that_cannot_be_sent(tmp_path: Path, token: str) -> None:
    """A CHATD_TOKEN that no header can hold stops the start; the error does not repeat it."""
    async with store_in(tmp_path) as store:
        with pytest.raises(ConfigError) as caught:
            await accounts.ensure_owner(store, token)

        assert token not in caught.value.message


async def test_a_disabled_owner_does_not_stop_the_start(tmp_path: Path) -> None:
    """An operator who shut the owner out still gets a server, and no way in as the owner."""
    async with store_in(tmp_path) as store:
        owner = await accounts.ensure_owner(store, "open-sesame")
        await store.update_account(owner.id, is_active=False)

        assert await accounts.ensure_owner(store, "open-sesame") == owner
        assert await user_of(store, "open-sesame") is None


async def test_a_disabled_user_gets_no_token(tmp_path: Path) -> None:
    """Making a token for a disabled user is refused with the command that enables them."""
    async with store_in(tmp_path) as store:
        alice = await accounts.ensure_user(store, "alice")
        await store.update_account(alice.id, is_active=False)

        with pytest.raises(Conflict, match="chatd users enable alice"):
            await accounts.ensure_user(store, "alice")


@pytest.mark.parametrize("name", ["", " alice", "a\nb", "\x1b[31m", "x" * 65])
async def test_what_is_no_name(tmp_path: Path, name: str) -> None:
    """A name is short and printable: it is shown in terminals."""
    async with store_in(tmp_path) as store:
        with pytest.raises(InvalidInput):
            await accounts.add_user(store, name)


async def test_a_token_is_never_stored(tmp_path: Path) -> None:
    """What the store keeps of a token is its SHA-256."""
    async with store_in(tmp_path) as store:
        alice = await accounts.ensure_user(store, "alice")
        end = now() + dt.timedelta(days=1)
        secret = await accounts.create_token(store, alice, label="phone", expires=end)
        [(token, user)] = await store.list_tokens()

        assert user == alice
        assert (token.label, token.expires_at, token.kind) == ("phone", end, "token")
    assert all(
        secret.encode() not in path.read_bytes() for path in tmp_path.iterdir() if path.is_file()
    )


async def test_a_ticket_is_good_once(tmp_path: Path) -> None:
    """A ticket says when it ends, lets its user in once, and only for its purpose."""
    async with store_in(tmp_path) as store:
        alice = await accounts.ensure_user(store, "alice")
        ticket, end = await accounts.create_ticket(store, alice, "ws_ticket", 30)
        digest = digest_token(ticket)

        assert dt.timedelta(seconds=29) < end - now() <= dt.timedelta(seconds=30)
        assert await store.take_ticket(digest, "sign_in_ticket") is None
        taken = await store.take_ticket(digest, "ws_ticket")
        assert taken is not None and taken[1] == alice
        assert await store.take_ticket(digest, "ws_ticket") is None
        assert not await accounts.has_token(store)
