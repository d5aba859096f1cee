"""The caller: signing in and out, tickets, preferences."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable

from chatd import accounts
from chatd.errors import Unauthenticated
from chatd.handlers.base import BaseHandler
from chatd.handlers.credentials import read_request
from chatd.types import Token, User, digest_token, now


def shown(user: User) -> User:
    """Return a user as the wire has one: with every preference, null for one that is not set."""
    return user.replace(preferences={"default_model": None, **user.preferences})


async def token_used(handler: BaseHandler) -> Token | None:
    """Return the token that a request came with, None when a plugin knows its caller otherwise."""
    token = read_request(handler).token
    found = await handler.app.store.find_token(digest_token(token)) if token else None
    return found[0] if found else None


class SignInHandler(BaseHandler):
    """Signing in."""

    is_public = True

    async def post(self) -> None:
        """Exchange a ticket, or what a plugin takes, for a token."""
        credentials = self.body(self.app.shapes.credentials)
        ticket = credentials.get("ticket")
        if isinstance(ticket, str):
            taken = await self.app.store.take_ticket(digest_token(ticket), "sign_in_ticket")
            if taken is None:
                raise Unauthenticated("This ticket has been used, or is too old.")
            user, is_still_good = taken[1], None
        else:
            found = await self.app.signed_in(credentials, read_request(self))
            user, is_still_good = found.user, found.is_still_good
        lifetime = self.app.config.tokens.lifetime
        expires_at = now() + dt.timedelta(seconds=lifetime) if lifetime else None
        token = await accounts.create_token(
            self.app.store, user, label="signed in", expires=expires_at
        )
        if is_still_good is not None:
            await self._check_again(is_still_good, token)
        self.send({"token": token, "expires_at": expires_at, "user": shown(user)})

    async def _check_again(self, is_still_good: Callable[[], Awaitable[bool]], token: str) -> None:
        """End a token that nobody has seen yet when what it was given for has changed."""
        is_good = False
        try:
            is_good = await is_still_good()
        finally:
            if not is_good:
                found = await self.app.store.find_token(digest_token(token))
                if found is not None:
                    await self.app.store.revoke_token(found[0].id)
        if not is_good:
            raise Unauthenticated("These credentials have just changed.")


class SignOutHandler(BaseHandler):
    """Signing out."""

    async def post(self) -> None:
        """Revoke the token used."""
        self.no_body()
        token = await token_used(self)
        if token is not None:
            await self.app.store.revoke_token(token.id)
        self.set_status(204)


class SocketTicketHandler(BaseHandler):
    """Tickets for sockets."""

    async def post(self) -> None:
        """Issue a ticket that opens one socket, for clients whose URLs might be logged."""
        self.no_body()
        lifetime, token = self.app.config.tokens.ws_ticket, await token_used(self)
        ticket, expires_at = await accounts.create_ticket(
            self.app.store,
            self.user,
            "ws_ticket",
            lifetime,
            asked_by=token.digest if token else "",
        )
        self.send({"ticket": ticket, "expires_at": expires_at})


class MeHandler(BaseHandler):
    """The caller's own account."""

    def get(self) -> None:
        """Return the caller."""
        self.send(shown(self.user))

    async def patch(self) -> None:
        """Change preferences; null removes one."""
        fields = self.body(self.app.shapes.me)
        account = await self.app.store.update_account(self.user.id, **fields)
        self.send(shown(account.user.replace(roles=self.user.roles)))
