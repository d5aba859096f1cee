"""Users and their tokens in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from sqlite3 import Connection
from typing import Any

from chatd.errors import Conflict, NotFound
from chatd.stores.changes import merge
from chatd.stores.sqlite.rows import Row, account_of, to_json, to_ms, token_of
from chatd.types import Account, Token, User, now

ADD_TOKEN = """
INSERT INTO tokens (digest, id, user_id, kind, created_at, expires_at, document)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (digest) DO UPDATE SET id = excluded.id, user_id = excluded.user_id,
    kind = excluded.kind, created_at = excluded.created_at, expires_at = excluded.expires_at,
    document = excluded.document"""
_UNEXPIRED = "(expires_at IS NULL OR expires_at > ?)"
_TOKENS = f"""
SELECT tokens.document, users.document FROM tokens JOIN users ON users.id = tokens.user_id
WHERE kind = 'token' AND {_UNEXPIRED}"""
_TAKE_TICKET = f"""
DELETE FROM tokens WHERE digest = ? AND kind = ? AND {_UNEXPIRED} RETURNING document"""


def add_user(connection: Connection, user: User) -> None:
    """Insert a user."""
    account = Account(user=user, is_active=True, created_at=now())
    try:
        connection.execute(
            "INSERT INTO users (id, name, is_active, document) VALUES (?, ?, 1, ?)",
            (user.id, user.name, to_json(account)),
        )
    except sqlite3.IntegrityError as exc:
        raise Conflict(f"There already is a user {user.name}.") from exc


def get_account(connection: Connection, *, user_id: str = "", name: str = "") -> Account | None:
    """Return an account by id or by name."""
    column, wanted = ("id", user_id) if user_id else ("name", name)
    row = connection.execute(f"SELECT document FROM users WHERE {column} = ?", (wanted,)).fetchone()
    return account_of(row[0]) if row else None


def list_accounts(connection: Connection) -> list[Account]:
    """Return all accounts by name."""
    rows = connection.execute("SELECT document FROM users ORDER BY name").fetchall()
    return [account_of(document) for (document,) in rows]


def update_account(
    connection: Connection,
    user_id: str,
    *,
    preferences: Mapping[str, Any] | None = None,
    roles: Sequence[str] | None = None,
    is_active: bool | None = None,
) -> Account:
    """Change what is given."""
    account = get_account(connection, user_id=user_id)
    if account is None:
        raise NotFound
    user = account.user.replace(
        preferences=merge(account.user.preferences, preferences or {}),
        roles=account.user.roles if roles is None else tuple(roles),
    )
    is_active = account.is_active if is_active is None else is_active
    account = account.replace(user=user, is_active=is_active)
    connection.execute(
        "UPDATE users SET is_active = ?, document = ? WHERE id = ?",
        (is_active, to_json(account), user_id),
    )
    return account


def add_token(connection: Connection, token: Token) -> None:
    """Insert a token, and erase those that have expired."""
    connection.execute("DELETE FROM tokens WHERE expires_at <= ?", (to_ms(now()),))
    connection.execute(ADD_TOKEN, token_row(token))


def token_row(token: Token) -> Row:
    """Return the parameters of ADD_TOKEN."""
    return (
        token.digest,
        token.id,
        token.user_id,
        token.kind,
        to_ms(token.created_at),
        to_ms(token.expires_at),
        to_json(token),
    )


def find_token(connection: Connection, digest: str) -> tuple[Token, User] | None:
    """Return an unexpired token and its active user."""
    row = connection.execute(
        f"{_TOKENS} AND digest = ? AND is_active = 1", (to_ms(now()), digest)
    ).fetchone()
    return (token_of(row[0]), account_of(row[1]).user) if row else None


def list_tokens(connection: Connection) -> list[tuple[Token, User]]:
    """Return all unexpired tokens, oldest first, with their users."""
    rows = connection.execute(
        f"{_TOKENS} ORDER BY tokens.created_at, digest", (to_ms(now()),)
    ).fetchall()
    return [(token_of(token), account_of(account).user) for token, account in rows]


def take_ticket(connection: Connection, digest: str, kind: str) -> tuple[Token, User] | None:
    """Erase an unexpired ticket and return it with its user, if active."""
    row = connection.execute(_TAKE_TICKET, (digest, kind, to_ms(now()))).fetchone()
    if row is None:
        return None
    ticket = token_of(row[0])
    account = get_account(connection, user_id=ticket.user_id)
    return (ticket, account.user) if account and account.is_active else None


def revoke_token(connection: Connection, token_id: str) -> bool:
    """Erase a token; return whether it was there."""
    return connection.execute("DELETE FROM tokens WHERE id = ?", (token_id,)).rowcount > 0
