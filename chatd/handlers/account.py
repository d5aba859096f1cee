"""The caller: signing in and out, tickets, preferences."""

from __future__ import annotations

import datetime as dt

from marshmallow import INCLUDE, Schema

from chatd import accounts
from chatd.errors import Unauthenticated
from chatd.handlers.base import BaseHandler, read_request
from chatd.types import digest_token, now


class _Credentials(Schema):
    """What an authentication plugin takes: any fields."""

    class Meta:
        unknown = INCLUDE


class SignInHandler(BaseHandler):
    """Signing in."""

    is_public = True

    async def post(self) -> None:
        """Exchange a ticket, or what a plugin takes, for a token."""
        credentials = self.body(_Credentials())
        ticket = credentials.get("ticket")
        if isinstance(ticket, str):
            digest = digest_token(ticket)
            user = await self.app.store.take_ticket(digest, "sign_in_ticket")
            if user is None:
                raise Unauthenticated("This ticket has been used, or is too old.")
        else:
            user = await self.app.sign_in(credentials)
        lifetime = self.app.config.tokens.lifetime
        expires_at = now() + dt.timedelta(seconds=lifetime) if lifetime else None
        token = await accounts.create_token(
            self.app.store, user, label="signed in", expires=expires_at
        )
        self.send({"token": token, "expires_at": expires_at, "user": user})


class SignOutHandler(BaseHandler):
    """Signing out."""

    async def post(self) -> None:
        """Revoke the token used."""
        token = read_request(self).token
        found = await self.app.store.find_token(digest_token(token)) if token else None
        if found is not None:
            await self.app.store.revoke_token(found[0].id)
        self.set_status(204)


class SocketTicketHandler(BaseHandler):
    """Tickets for sockets."""

    async def post(self) -> None:
        """Issue a ticket that opens one socket, for clients whose URLs might be logged."""
        lifetime = self.app.config.tokens.ws_ticket
        ticket, expires_at = await accounts.create_ticket(
            self.app.store, self.user, "ws_ticket", lifetime
        )
        self.send({"ticket": ticket, "expires_at": expires_at})


class MeHandler(BaseHandler):
    """The caller's own account."""

    def get(self) -> None:
        """Return the caller."""
        self.send(self.user)

    async def patch(self) -> None:
        """Change preferences; null removes one."""
        fields = self.body(self.app.shapes.me)
        account = await self.app.store.update_account(self.user.id, **fields)
        self.send(account.user)
