"""Accounts and the tokens that let them in."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any

from chatd.types import Account, Token, User


class AccountStore(abc.ABC):
    """Accounts and the tokens that let them in."""

    @abc.abstractmethod
    async def add_user(self, user: User) -> None:
        """Keep a new user. Raises Conflict when the name is taken."""

    @abc.abstractmethod
    async def get_account(self, *, user_id: str = "", name: str = "") -> Account | None:
        """Return the account with this id or this name, disabled or not."""

    @abc.abstractmethod
    async def list_accounts(self) -> list[Account]:
        """Return all accounts by name."""

    @abc.abstractmethod
    async def update_account(
        self,
        user_id: str,
        *,
        preferences: Mapping[str, Any] | None = None,
        roles: Sequence[str] | None = None,
        is_active: bool | None = None,
    ) -> Account:
        """Change what is given; preferences merge key by key, None removes a key.

        Raises NotFound.
        """

    @abc.abstractmethod
    async def add_token(self, token: Token) -> None:
        """Keep a token or a ticket. A token with the digest of an old one replaces it."""

    @abc.abstractmethod
    async def find_token(self, digest: str) -> tuple[Token, User] | None:
        """Return an unexpired token (never a ticket) and its user, if that account is active."""

    @abc.abstractmethod
    async def take_ticket(self, digest: str, kind: str) -> tuple[Token, User] | None:
        """Use up an unexpired ticket: of all callers only one gets it, with its active user."""

    @abc.abstractmethod
    async def list_tokens(self) -> list[tuple[Token, User]]:
        """Return all unexpired tokens (no tickets), oldest first, with their users."""

    @abc.abstractmethod
    async def revoke_token(self, token_id: str) -> bool:
        """Erase a token by id; return whether it was there."""
