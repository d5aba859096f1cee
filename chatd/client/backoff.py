"""When to connect again, and when not: close codes (PROTOCOL section 4.5) and full jitter."""

from __future__ import annotations

import random

from chatd.errors import BadRequest, ChatdError, Forbidden, NotFound, Unauthenticated

STOP = {4501: Unauthenticated, 4503: Forbidden, 4504: NotFound}


def refusal(code: int | None, reason: str) -> ChatdError | None:
    """Return why a close code means to stop; None means to connect again.

    4500 to 4999 stop. 4000 to 4499, 1001, 1012 and every other end, also one without a close
    frame, are followed by another try.
    """
    if code is None or not 4500 <= code < 5000:
        return None
    # The reason is a stable code, or some words.
    return STOP.get(code, BadRequest)(f"{reason.capitalize()}." if " " in reason else "")


class Backoff:
    """Waiting times with full jitter: any time up to a limit that doubles with each failure."""

    def __init__(
        self, *, shortest: float = 0.5, longest: float = 30.0, rng: random.Random | None = None
    ) -> None:
        self._shortest, self._longest = shortest, longest
        self._random = rng or random.Random()
        self._failures = 0

    def next(self) -> float:
        """Return for how many seconds to wait now."""
        limit = min(self._longest, self._shortest * 2 ** min(self._failures, 30))
        self._failures += 1
        return self._random.uniform(0, limit)

    def reset(self) -> None:
        """Begin again: a connection was good for a while."""
        self._failures = 0
