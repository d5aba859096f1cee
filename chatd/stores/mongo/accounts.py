"""Users and their tokens in MongoDB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo.errors import DuplicateKeyError

from chatd.errors import Conflict, NotFound
from chatd.stores.changes import merge
from chatd.stores.mongo.database import Database
from chatd.stores.mongo.documents import ACCOUNT, WITH_USER, account_of, to_json, to_ms, token_of
from chatd.stores.mongo.driver import Document, aggregate
from chatd.types import Account, Token, User, now


def _unexpired() -> Document:
    # The server erases what has expired only now and then.
    return {"$or": [{"expires_at": {"$exists": False}}, {"expires_at": {"$gt": now()}}]}


async def add_user(database: Database, user: User) -> None:
    """Insert a user."""
    account = Account(user=user, is_active=True, created_at=now())
    try:
        await database.users.insert_one(account_document(account))
    except DuplicateKeyError as exc:
        raise Conflict(f"There already is a user {user.name}.") from exc


def account_document(account: Account) -> Document:
    """Return an account as it is kept."""
    user = account.user
    return {"_id": user.id, "name": user.name, "document": to_json(account)}


async def get_account(database: Database, *, user_id: str = "", name: str = "") -> Account | None:
    """Return an account by id or by name."""
    found = await database.users.find_one({"_id": user_id} if user_id else {"name": name}, ACCOUNT)
    return account_of(found["document"]) if found else None


async def list_accounts(database: Database) -> list[Account]:
    """Return all accounts by name."""
    # The condition on the name has the index walked instead of the collection sorted.
    found = await database.users.find({"name": {"$gte": ""}}, ACCOUNT).sort("name").to_list(None)
    return [account_of(document["document"]) for document in found]


async def update_account(
    database: Database,
    user_id: str,
    *,
    preferences: Mapping[str, Any] | None = None,
    roles: Sequence[str] | None = None,
    is_active: bool | None = None,
) -> Account:
    """Change what is given; again, if the account has changed meanwhile."""
    while True:
        found = await database.users.find_one({"_id": user_id}, ACCOUNT)
        if found is None:
            raise NotFound
        account = account_of(found["document"])
        user = account.user.replace(
            preferences=merge(account.user.preferences, preferences or {}),
            roles=account.user.roles if roles is None else tuple(roles),
        )
        account = account.replace(
            user=user, is_active=account.is_active if is_active is None else is_active
        )
        change = {"$set": {"document": to_json(account)}}
        result = await database.users.update_one({"_id": user_id, **found}, change)
        if result.matched_count:
            return account


async def add_token(database: Database, token: Token) -> None:
    """Keep a token in place of one with the same digest."""
    document = token_document(token)
    await database.tokens.replace_one({"_id": token.digest}, document, upsert=True)


def token_document(token: Token) -> Document:
    """Return a token as it is kept."""
    document: Document = {
        "_id": token.digest,
        "id": token.id,
        "user_id": token.user_id,
        "kind": token.kind,
        "created_at": to_ms(token.created_at),
        "document": to_json(token),
    }
    if token.expires_at is not None:
        document["expires_at"] = token.expires_at
    return document


async def find_token(database: Database, digest: str) -> tuple[Token, User] | None:
    """Return an unexpired token and its active user."""
    found = await database.find_tokens.find(digest)
    if found is None or not found["users"]:
        return None
    token, account = token_of(found["document"]), account_of(found["users"][0]["document"])
    is_expired = token.expires_at is not None and token.expires_at <= now()
    if token.kind != "token" or is_expired or not account.is_active:
        return None
    return token, account.user


async def list_tokens(database: Database) -> list[tuple[Token, User]]:
    """Return all unexpired tokens, oldest first, with their users."""
    wanted = {"kind": "token", **_unexpired()}
    pipeline = [{"$match": wanted}, {"$sort": {"created_at": 1, "_id": 1}}, *WITH_USER]
    return [
        (token_of(found["document"]), account_of(user["document"]).user)
        for found in await aggregate(database.tokens, pipeline)
        for user in found["users"]
    ]


async def take_ticket(database: Database, digest: str, kind: str) -> tuple[Token, User] | None:
    """Erase an unexpired ticket and return it with its user, if active."""
    wanted = {"_id": digest, "kind": kind, **_unexpired()}
    found = await database.tokens.find_one_and_delete(wanted, {"document": 1})
    if found is None:
        return None
    ticket = token_of(found["document"])
    account = await get_account(database, user_id=ticket.user_id)
    return (ticket, account.user) if account and account.is_active else None


async def revoke_token(database: Database, token_id: str) -> bool:
    """Erase a token; return whether it was there."""
    return (await database.tokens.delete_one({"id": token_id})).deleted_count > 0
