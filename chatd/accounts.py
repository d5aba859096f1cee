"""Accounts, and the credentials that chatd itself issues for them."""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import Literal

from chatd.errors import ConfigError, Conflict, InvalidInput, NotFound
from chatd.store import Store
from chatd.types import Account, Token, User, digest_token, new_id, new_token, now

OWNER = "owner"
LONGEST_NAME = 64
FROM_ENVIRONMENT = "CHATD_TOKEN"  # the label of the owner's token that the environment sets


async def add_user(store: Store, name: str, *, is_admin: bool = False) -> User:
    """Make an account. Raises Conflict when the name is taken, InvalidInput when it is no name."""
    roles = ("admin",) if is_admin or name == OWNER else ()
    user = User(id=new_id(), name=_checked(name), roles=roles)
    await store.add_user(user)
    return user


async def ensure_user(store: Store, name: str) -> User:
    """Return the user of this name, made if missing. Raises Conflict for a disabled account."""
    account = await store.get_account(name=name) or await _add_or_get(store, name)
    if not account.is_active:
        raise Conflict(f"{name} is disabled; first run: chatd users enable {name}")
    return account.user


async def _add_or_get(store: Store, name: str) -> Account:
    with contextlib.suppress(Conflict):  # somebody else may be faster
        await add_user(store, name)
    return await get_account(store, name)


async def get_account(store: Store, name: str) -> Account:
    """Return the account of this name. Raises NotFound."""
    account = await store.get_account(name=name)
    if account is None:
        raise NotFound(f"There is no user {name}; chatd users list shows all.")
    return account


async def ensure_owner(store: Store, token: str | None) -> User:
    """Return the owner, made at the first start; `token`, if any, is the owner's from now on.

    It takes the place of the one that was given so before. Raises ConfigError for a token that no
    client could send.
    """
    account = await store.get_account(name=OWNER) or await _add_or_get(store, OWNER)
    if token:
        await _set_owners_token(store, account.user, token)
    return account.user


async def _set_owners_token(store: Store, owner: User, token: str) -> None:
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigError(
            "CHATD_TOKEN holds a character that no header can: use letters, digits, _"
        )
    digest = digest_token(token)
    is_known = False
    for old, user in await store.list_tokens():
        if old.digest == digest and user.id == owner.id:
            is_known = True
        elif old.label == FROM_ENVIRONMENT and user.id == owner.id:
            await store.revoke_token(old.id)
    if not is_known:
        await store.add_token(_token(owner, digest, label=FROM_ENVIRONMENT))


async def has_token(store: Store) -> bool:
    """Return whether anybody holds a token that is good now."""
    return bool(await store.list_tokens())


async def create_token(
    store: Store, user: User, *, label: str = "", expires: dt.datetime | None = None
) -> str:
    """Issue a token and return it: nobody can show it again."""
    secret = new_token()
    await store.add_token(_token(user, digest_token(secret), label=label, expires_at=expires))
    return secret


async def create_ticket(
    store: Store,
    user: User,
    kind: Literal["sign_in_ticket", "ws_ticket"],
    lifetime: float,
    *,
    asked_by: str = "",
) -> tuple[str, dt.datetime]:
    """Issue a ticket that is good once and for `lifetime` seconds; return it and its end.

    `asked_by` is the digest of a token: what the ticket opens can end with that token.
    """
    secret, end = new_token(), now() + dt.timedelta(seconds=lifetime)
    ticket = _token(user, digest_token(secret), kind=kind, expires_at=end)
    await store.add_token(ticket.replace(asked_by=asked_by))
    return secret, end


def _token(
    user: User,
    digest: str,
    *,
    kind: Literal["token", "sign_in_ticket", "ws_ticket"] = "token",
    label: str = "",
    expires_at: dt.datetime | None = None,
) -> Token:
    return Token(
        id=new_id(),
        user_id=user.id,
        digest=digest,
        kind=kind,
        label=label,
        created_at=now(),
        expires_at=expires_at,
    )


def _checked(name: str) -> str:
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable() or name != name.strip():
        raise InvalidInput(f"A user's name has 1 to {LONGEST_NAME} printable characters.")
    return name
