"""Lets in who has a token that chatd issued, or the one that the operator chose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import chatd

OURS = "chatd_"  # how the tokens begin that chatd issues; an operator's may be any text


@chatd.hookimpl
async def authenticate(app: chatd.App, request: chatd.Request) -> chatd.User | None:
    """Return the user of the request's token, None when it looks like somebody else's token."""
    if not request.token:
        return None
    user = await _user_of(app, request.token)
    if user is None and request.token.startswith(OURS):
        raise chatd.Unauthenticated("This token is unknown, expired or revoked.")
    return user


@chatd.hookimpl
async def sign_in(app: chatd.App, credentials: Mapping[str, Any]) -> chatd.User | None:
    """Return the user of {"token": ...}."""
    match credentials:
        case {"token": str(token)}:
            return await _user_of(app, token)
    return None


async def _user_of(app: chatd.App, token: str) -> chatd.User | None:
    found = await app.store.find_token(chatd.digest_token(token))
    return found[1] if found else None
