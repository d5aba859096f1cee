"""How often and how much at once: the limits on one user's turns, and on tries to sign in."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from chatd.errors import RateLimited, TooManyGenerations

FORGET_ABOVE = 10_000
TRIES_REMEMBERED = 100_000  # of names and addresses


class TurnLimits:
    """A token bucket for each user, and a bound on generations at the same time; 0 means none."""

    def __init__(
        self,
        *,
        sends_per_minute: int,
        burst: int,
        generations_per_user: int,
        refused: Callable[[str], None] | None = None,
    ) -> None:
        """Take the limits, and whom to tell the name of one that has refused a send."""
        self._refused = refused or (lambda limit: None)
        self._rate = sends_per_minute / 60
        self._burst = burst
        self._generations = generations_per_user
        self._buckets: dict[str, tuple[float, float]] = {}  # user id: (tokens, at)

    def check(self, user_id: str, *, running: int) -> None:
        """Count one send. Raises TooManyGenerations, or RateLimited with the seconds to wait."""
        if self._generations and running >= self._generations:
            self._refused("generations_per_user")
            raise TooManyGenerations(
                f"You may have {_number(self._generations, 'generation')} running; try again when"
                " one has ended.",
                retry_after=1,
            )
        if self._rate:
            self._take(user_id, time.monotonic())

    def _take(self, user_id: str, now: float) -> None:
        tokens, at = self._buckets.get(user_id, (float(self._burst), now))
        tokens = min(self._burst, tokens + (now - at) * self._rate)
        if tokens < 1:
            self._refused("sends_per_minute")
            wait = math.ceil((1 - tokens) / self._rate)
            raise RateLimited(
                f"You may send {_number(round(self._rate * 60), 'message')} a minute; try again in"
                f" {_number(wait, 'second')}.",
                retry_after=wait,
            )
        if len(self._buckets) > FORGET_ABOVE:
            self._forget_full(now)
        self._buckets[user_id] = (tokens - 1, now)

    def _forget_full(self, now: float) -> None:
        self._buckets = {
            user_id: (tokens, at)
            for user_id, (tokens, at) in self._buckets.items()
            if tokens + (now - at) * self._rate < self._burst
        }


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


class Tries:
    """How often somebody may still try, by name or address: a bucket that fills evenly."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most, self._rate = most, most / seconds
        self._buckets: dict[str, tuple[float, float]] = {}  # key: (tries left, at)

    def take(self, key: str) -> None:
        """Count a try before it is made. Raises RateLimited."""
        now = time.monotonic()
        left = self._left(key, now)
        if left < 1:
            wait = math.ceil((1 - left) / self._rate)
            raise RateLimited(f"Too many tries; the next one in {wait} s.", retry_after=wait)
        if len(self._buckets) >= TRIES_REMEMBERED:
            self._buckets.pop(next(iter(self._buckets)))
        self._buckets.pop(key, None)  # the one that was used last is forgotten last
        self._buckets[key] = (left - 1, now)

    def give_back(self, key: str) -> None:
        """Take back that a try was made: it was right."""
        now = time.monotonic()
        self._buckets[key] = (min(self._most, self._left(key, now) + 1), now)

    def _left(self, key: str, now: float) -> float:
        left, at = self._buckets.get(key, (float(self._most), now))
        return min(self._most, left + (now - at) * self._rate)
