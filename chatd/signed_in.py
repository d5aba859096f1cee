"""What signing in gives, where the credential may change meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from chatd.types import User, Value


class SignedIn(Value, frozen=True, kw_only=True):
    """Who has signed in by a credential that may change meanwhile.

    `is_still_good` is asked when the token that they get is in the store: whoever changes the
    credential ends the tokens that are there, and would not have seen this one. When it says no,
    the token ends and nobody is signed in.
    """

    user: User
    is_still_good: Callable[[], Awaitable[bool]] | None = None
