"""The parts of the client that need no server."""

from __future__ import annotations

import random

import pytest

from chatd import errors
from chatd.client.backoff import Backoff, refusal
from chatd.client.errors import BY_CODE, error_of
from chatd.client.events import Reload, Text
from chatd.client.mailbox import Mailbox


@pytest.mark.parametrize("code", [None, 1000, 1001, 1006, 1011, 1012, 1013, 4000, 4008, 4029, 4499])
def test_close_codes_after_which_to_connect_again(code: int | None) -> None:
    """4000 to 4499, a stopping server, and a connection that simply broke."""
    assert refusal(code, "whatever") is None


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (4501, errors.Unauthenticated),
        (4503, errors.Forbidden),
        (4504, errors.NotFound),
        (4513, errors.BadRequest),
        (4999, errors.BadRequest),
    ],
)
def test_close_codes_that_say_to_stop(code: int, kind: type[errors.ChatdError]) -> None:
    """4500 to 4999, as the error they stand for."""
    assert type(refusal(code, "session deleted")) is kind


def test_waiting_times_have_full_jitter() -> None:
    """Any time up to a limit that doubles, up to the longest; a success begins anew."""
    backoff = Backoff(shortest=1, longest=8, rng=random.Random(1))
    times = [[backoff.next() for _ in range(6)] for _ in range(500) if not backoff.reset()]
    limits = [1, 2, 4, 8, 8, 8]
    for column, limit in zip(zip(*times, strict=True), limits, strict=True):
        assert 0 <= min(column) < 0.1 * limit
        assert 0.9 * limit < max(column) <= limit


@pytest.mark.parametrize("kind", BY_CODE.values())
def test_every_code_is_its_class(kind: type[errors.ChatdError]) -> None:
    """A problem and an `error` event become the class that has their code."""
    error = error_of({"code": kind.code, "detail": "why", "retry_after": 3}, kind.status)
    assert type(error) is kind
    assert (error.message, error.retry_after) == ("why", 3)
    assert error_of({"code": kind.code, "message": "why"}).message == "why"


def test_a_code_of_a_newer_server() -> None:
    """It is kept, in the class that fits the status."""
    error = error_of({"code": "too_purple", "detail": "Too purple.", "retryable": True}, 422)
    assert isinstance(error, errors.BadRequest)
    assert (error.code, error.status, error.retryable) == ("too_purple", 422, True)
    assert isinstance(error_of({}, 503), errors.Unavailable)


def text(content: str, generation_id: str = "g") -> Text:
    """Return a piece of text."""
    return Text(generation_id=generation_id, message_id="m", content=content)


async def test_text_that_waits_is_merged() -> None:
    """Who reads late gets one event for all text of a generation, not of two."""
    mailbox = Mailbox()
    for piece in "abc":
        mailbox.put(text(piece))
    mailbox.put(text("d", "h"))
    mailbox.close()
    assert await mailbox.get() == text("abc")
    assert await mailbox.get() == text("d", "h")
    with pytest.raises(StopAsyncIteration):
        await mailbox.get()


async def test_a_mailbox_that_nobody_reads() -> None:
    """Text alone never fills it; too much of the rest is dropped, and Reload left."""
    mailbox = Mailbox(most=10)
    for piece in "abcdefghijklmnopqrstuvwxyz":
        mailbox.put(text(piece))
    assert await mailbox.get() == text("abcdefghijklmnopqrstuvwxyz")
    for number in range(25):
        mailbox.put(text("x", f"g{number}"))
    assert await mailbox.get() == Reload()
