"""Where in a request its credentials are."""

from __future__ import annotations

from typing import Any

from tornado.web import RequestHandler

from chatd.errors import Unauthenticated
from chatd.store import Store
from chatd.types import Request, User

SUBPROTOCOL = "chatd.v1"
_OFFERED_TOKEN = "chatd.token."


def read_request(handler: RequestHandler) -> Request:
    """Return what authentication may look at, with the token of the Authorization header."""
    request = handler.request
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    found: str | None = token.strip() if scheme.lower() in ("token", "bearer") else None
    query = {
        name: values[-1].decode("utf-8", "replace")
        for name, values in request.query_arguments.items()
    }
    return Request(
        method=request.method or "",
        path=request.path,
        headers=request.headers,
        query=query,
        token=found or None,
        peer=_peer(request.connection),
    )


def socket_token(request: Request) -> str | None:
    """Return the token of a WebSocket: of its header, else its subprotocols, else its query."""
    offers = request.headers.get("Sec-WebSocket-Protocol", "").split(",")
    offered = (offer.strip() for offer in offers if offer.strip().startswith(_OFFERED_TOKEN))
    in_offer = next(offered, "").removeprefix(_OFFERED_TOKEN)
    return request.token or in_offer or request.query.get("token") or None


async def check_ticket(store: Store, asked_by: str, user: User) -> None:
    """Raise Unauthenticated when whoever asked for a ticket may no longer use what it opened.

    `asked_by` is the digest of the token that it was asked with, which tells of the account too.
    Without one a plugin let them in, whose credentials a ticket does not hold: then the account
    alone can be looked at.
    """
    if asked_by:
        if await store.find_token(asked_by) is None:
            raise Unauthenticated("The token behind this socket's ticket is no longer good.")
        return
    account = await store.get_account(user_id=user.id)
    if account is None or not account.is_active:
        raise Unauthenticated("The account of this socket is disabled.")


def _peer(connection: Any) -> str:
    """Return the socket's own address: what headers claim is not to be trusted."""
    address = getattr(getattr(connection, "context", None), "address", None)
    return str(address[0]) if isinstance(address, tuple) else ""
