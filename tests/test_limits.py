"""How often and how much at once."""

from __future__ import annotations

import pytest

from chatd.errors import RateLimited, TooManyGenerations
from chatd.handlers.frames import error_event
from chatd.limits import TurnLimits


def test_the_sentence_says_which_limit_and_how_long() -> None:
    """Who sends too often learns the limit and after how many whole seconds to try again."""
    for rate, sentence, seconds in (
        (30, "You may send 30 messages a minute; try again in 2 seconds.", 2),
        (60, "You may send 60 messages a minute; try again in 1 second.", 1),
        (1, "You may send 1 message a minute; try again in 60 seconds.", 60),
    ):
        limits = TurnLimits(sends_per_minute=rate, burst=1, generations_per_user=0)
        limits.check("alice", running=0)
        with pytest.raises(RateLimited) as refused:
            limits.check("alice", running=0)
        assert str(refused.value) == sentence
        assert error_event(refused.value).payload["retry_after"] == seconds


def test_too_many_at_a_time() -> None:
    """Who has too many generations running learns how many there may be."""
    limits = TurnLimits(sends_per_minute=0, burst=1, generations_per_user=4)
    with pytest.raises(TooManyGenerations, match="You may have 4 generations running;"):
        limits.check("alice", running=4)


def test_events_have_whole_seconds() -> None:
    """What an event says of waiting is rounded up."""
    assert error_event(RateLimited(retry_after=1.2)).payload["retry_after"] == 2
