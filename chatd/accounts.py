"""Accounts, and the credentials that chatd itself issues for them."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import uuid
from collections.abc import Iterable
from typing import Literal

from chatd.errors import ConfigError, Conflict, InvalidInput, NotFound, Unauthenticated
from chatd.store import Store
from chatd.types import Account, Token, User, digest_token, new_id, new_token, now

logger = logging.getLogger(__name__)

OWNER = "owner"
LONGEST_NAME = 64
MOST_ROLES = 64  # of one user, from outside
REGISTERED = "registered"  # under this name the store keeps who has made their account themselves
OUTSIDE = uuid.UUID("8f6f6c4e-5a0c-5f0e-9c55-1d1f6a3f6e7b")  # where ids of outside users are made
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


async def registered_user(store: Store, source: str, name: str, *, id: str = "") -> User:
    """Make an account for somebody who came by themselves; `source` is the plugin that let them.

    It is kept with the account who made it: nobody has vouched that its user is whom the name says,
    so nothing of the configuration that speaks of that name means them. Raises Conflict when the
    name is taken, InvalidInput when it is no name.
    """
    user = User(id=id or new_id(), name=_checked(name))
    # First: an account must not be without its mark for a moment.
    await store.put_datum(REGISTERED, user.id, {"by": source})
    try:
        await store.add_user(user)
    except Conflict:
        await store.delete_datum(REGISTERED, user.id)
        raise
    return user


async def registered_by(store: Store, user_id: str) -> str:
    """Return the plugin by which a user made their account, empty when nobody has to doubt it."""
    datum = await store.get_datum(REGISTERED, user_id)
    return str(datum.value["by"]) if datum else ""


async def vouch(store: Store, user: User) -> int:
    """Make a registered account one that the operator knows; its tokens end. Return how many."""
    tokens = [token for token, whose in await store.list_tokens() if whose.id == user.id]
    for token in tokens:
        await store.revoke_token(token.id)
    await store.delete_datum(REGISTERED, user.id)
    return len(tokens)


async def outside_user(
    store: Store,
    source: str,
    subject: str,
    *,
    name: str = "",
    account: str = "",
    roles: Iterable[str] | None = None,
    admin_role: str = "admin",
) -> User:
    """Return the user whom `source` calls `subject`; their account is made at first sight.

    It is theirs alone: an account of the same name that was made otherwise is somebody else's, and
    then theirs has a longer name. With `account` it is that of this name, which the operator says
    is theirs; one that somebody registered is not, as they may have been faster. `roles`, unless
    None, go before those of the account, and are not kept; `admin_role` is what chatd's admin is
    called there. Raises Unauthenticated when the account is disabled, or was registered.
    """
    if account:
        found = await store.get_account(name=account) or await _add_or_get(store, account)
        await _check_vouched(store, found.user, source)
    else:
        user_id = str(uuid.uuid5(uuid.uuid5(OUTSIDE, source), subject))
        known = await store.get_account(user_id=user_id)
        found = known or await _add_outside(store, user_id, _printable(name or subject))
    if not found.is_active:
        raise Unauthenticated("This account is disabled.")
    if roles is None:
        return found.user
    given = {*roles}
    others = sorted(given - {admin_role, "admin"})[:MOST_ROLES]
    return found.user.replace(roles=(*(["admin"] if admin_role in given else []), *others))


async def _check_vouched(store: Store, user: User, source: str) -> None:
    by = await registered_by(store, user.id)
    if by:
        logger.warning(
            "%s speaks of the user %s, whose account somebody registered by %s: refused; if it is"
            " theirs, run: chatd users vouch %s",
            source,
            user.name,
            by,
            user.name,
        )
        raise Unauthenticated("This account is not yours.")


async def _add_outside(store: Store, user_id: str, name: str) -> Account:
    # The end is random: nobody can have taken the name on purpose.
    for free in ([] if name == OWNER else [name]) + [f"{name[:50]}-{uuid.uuid4().hex[:8]}"]:
        with contextlib.suppress(Conflict):
            await store.add_user(User(id=user_id, name=free))
            if free != name:
                logger.info("there is another user %s: the one from outside is %s", name, free)
        found = await store.get_account(user_id=user_id)
        if found is not None:
            return found
    raise Conflict(f"No name is left for {name}.")


def _printable(name: str) -> str:
    """Return what of a name from outside can be a user's name."""
    kept = "".join([letter for letter in name if letter.isprintable()])
    return kept.strip()[:LONGEST_NAME].strip() or "somebody"


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
