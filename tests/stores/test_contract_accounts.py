"""The contract of a store: users, tokens, tickets."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

import pytest
from stored import ALICE, BOB

from chatd.errors import Conflict, NotFound
from chatd.store import Store
from chatd.types import Token, User, digest_token, new_id, now

MINUTE = dt.timedelta(minutes=1)


def a_token(user: User = ALICE, **fields: Any) -> Token:
    """Return a token that is not yet stored."""
    values = {
        "id": new_id(),
        "user_id": user.id,
        "digest": digest_token(new_id()),
        "created_at": now(),
    }
    return Token(**values | fields)


async def test_an_account_is_found_by_id_and_by_name(store: Store) -> None:
    """A user comes back as it was put in, active, by either key."""
    user = ALICE.replace(roles=("admin",), preferences={"default_model": "echo/echo"})
    await store.add_user(user)

    account = await store.get_account(name="alice")

    assert account is not None
    assert account.user == user
    assert account.is_active
    assert abs(account.created_at - now()) < MINUTE
    assert await store.get_account(user_id=user.id) == account
    assert await store.get_account(name="nobody") is None
    assert await store.get_account(user_id="nobody") is None


async def test_a_name_belongs_to_one(store: Store) -> None:
    """A second user of the same name is a conflict, also when both come at once."""
    twins = [ALICE.replace(id=new_id()) for _ in range(10)]
    results = await asyncio.gather(*map(store.add_user, twins), return_exceptions=True)

    assert [type(r) for r in results if r is not None] == [Conflict] * 9
    assert len(await store.list_accounts()) == 1


async def test_accounts_are_listed_by_name(store: Store) -> None:
    """All accounts, disabled ones too, in the order of their names."""
    await store.add_user(BOB)
    await store.add_user(ALICE)
    await store.update_account(BOB.id, is_active=False)

    accounts = await store.list_accounts()

    assert [(a.user.name, a.is_active) for a in accounts] == [("alice", True), ("bob", False)]


async def test_only_what_is_given_of_an_account_changes(store: Store) -> None:
    """Preferences merge key by key and None removes one; the rest stays."""
    await store.add_user(ALICE.replace(preferences={"a": 1, "b": 2}))

    account = await store.update_account(ALICE.id, preferences={"b": None, "c": {"d": []}})
    assert account.user.preferences == {"a": 1, "c": {"d": []}}
    assert account.is_active
    account = await store.update_account(ALICE.id, roles=["admin"])
    assert account.user.is_admin
    account = await store.update_account(ALICE.id, is_active=False)

    assert not account.is_active
    assert account.user.preferences == {"a": 1, "c": {"d": []}}
    assert await store.get_account(name="alice") == account
    with pytest.raises(NotFound):
        await store.update_account("nobody", is_active=True)


async def test_a_token_finds_its_user(store: Store) -> None:
    """A token comes back with its user; another digest finds nobody."""
    await store.add_user(ALICE)
    token = a_token(label="laptop", expires_at=now() + MINUTE)
    await store.add_token(token)

    assert await store.find_token(token.digest) == (token, ALICE)
    assert await store.find_token(digest_token("guessed")) is None


async def test_a_token_without_a_good_user_is_none(store: Store) -> None:
    """An expired token, one of a disabled account, and a ticket sign nobody in."""
    await store.add_user(ALICE)
    expired, ticket, good = (
        a_token(expires_at=now() - MINUTE),
        a_token(kind="ws_ticket", expires_at=now() + MINUTE),
        a_token(),
    )
    for token in (expired, ticket, good):
        await store.add_token(token)

    assert await store.find_token(expired.digest) is None
    assert await store.find_token(ticket.digest) is None
    assert await store.find_token(good.digest) is not None
    await store.update_account(ALICE.id, is_active=False)
    assert await store.find_token(good.digest) is None


async def test_tokens_are_listed_oldest_first(store: Store) -> None:
    """The list has unexpired tokens with their users, and no tickets."""
    await store.add_user(ALICE)
    await store.add_user(BOB)
    young = a_token(BOB, created_at=now() - MINUTE, expires_at=now() + MINUTE)
    old = a_token(created_at=now() - 2 * MINUTE)
    for token in (young, old, a_token(kind="ws_ticket"), a_token(expires_at=now() - MINUTE)):
        await store.add_token(token)

    assert await store.list_tokens() == [(old, ALICE), (young, BOB)]


async def test_a_digest_has_one_token(store: Store) -> None:
    """A token with the digest of an old one takes its place."""
    await store.add_user(ALICE)
    await store.add_user(BOB)
    first = a_token()
    second = a_token(BOB, digest=first.digest, label="new")
    await store.add_token(first)
    await store.add_token(second)

    assert await store.list_tokens() == [(second, BOB)]
    assert await store.find_token(first.digest) == (second, BOB)


async def test_a_revoked_token_is_gone(store: Store) -> None:
    """Revoking says whether there was something to revoke."""
    await store.add_user(ALICE)
    token = a_token()
    await store.add_token(token)

    assert await store.revoke_token(token.id)
    assert not await store.revoke_token(token.id)
    assert await store.find_token(token.digest) is None


async def test_a_ticket_is_used_once(store: Store) -> None:
    """Of many callers at once exactly one gets the ticket, as it was put in, and its user."""
    await store.add_user(ALICE)
    ticket = a_token(kind="sign_in_ticket", expires_at=now() + MINUTE, asked_by="a digest")
    await store.add_token(ticket)

    takers = [store.take_ticket(ticket.digest, "sign_in_ticket") for _ in range(50)]
    taken = await asyncio.gather(*takers)

    assert taken.count((ticket, ALICE)) == 1
    assert taken.count(None) == 49


async def test_a_ticket_is_good_for_one_thing(store: Store) -> None:
    """Another kind, an expired ticket, and one of a disabled account give nobody."""
    await store.add_user(ALICE)
    ticket, expired, late = (
        a_token(kind="ws_ticket", expires_at=now() + MINUTE),
        a_token(kind="ws_ticket", expires_at=now() - MINUTE),
        a_token(kind="ws_ticket", expires_at=now() + MINUTE),
    )
    for token in (ticket, expired, late):
        await store.add_token(token)

    assert await store.take_ticket(ticket.digest, "sign_in_ticket") is None
    assert await store.take_ticket(expired.digest, "ws_ticket") is None
    assert await store.take_ticket(ticket.digest, "ws_ticket") == (ticket, ALICE)
    await store.update_account(ALICE.id, is_active=False)
    assert await store.take_ticket(late.digest, "ws_ticket") is None
