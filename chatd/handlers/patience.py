"""How often one socket may be refused something before it is closed."""

from __future__ import annotations

WITHIN = 60.0  # seconds

BAD_FRAMES = 60
REFUSALS = 30
PINGS_UNREAD = 1000


class Patience:
    """Counts what happened within the last minute, up to a number."""

    __slots__ = ("_most", "_times")

    def __init__(self, most: int) -> None:
        self._most = most
        self._times: list[float] = []

    def is_over(self, now: float) -> bool:
        """Count once more; return whether that is too often. `now` is of any steady clock."""
        self._times = [at for at in self._times if now - at < WITHIN]
        self._times.append(now)
        return len(self._times) > self._most
