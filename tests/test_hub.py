"""Rooms, logs and cursors: what each subscriber is given, however the events interleave."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chatd.events import Batch, Entry, Event
from chatd.hub import QUEUE_BYTES, QUEUE_EVENTS, Hub, Subscriber
from chatd.log import FRAMES_AT_ONCE, Log, event_frame

ROOM = "session"


def starts(generation_id: str = "g", revision: int = 2) -> Event:
    """Return the start of a generation."""
    payload = {"message_id": "m", "generation_id": generation_id}
    return Event(
        type="ai_typing",
        payload=payload,
        revision=revision,
        generation_id=generation_id,
        generation="starts",
    )


def ends(generation_id: str = "g", revision: int = 3) -> Event:
    """Return the end of a generation."""
    return Event(
        type="ai_message_complete",
        payload={"generation_id": generation_id},
        revision=revision,
        generation_id=generation_id,
        generation="ends",
    )


def said(prev: int, *texts: str, generation_id: str = "g") -> Batch:
    """Return entries of text."""
    return Batch(generation_id, prev, [Entry("text", text) for text in texts])


def told(number: int) -> Event:
    """Return a durable event that belongs to no generation."""
    return Event(type="message_updated", payload={"n": number}, revision=number)


def read(subscriber: Subscriber, now: float = 0.0) -> list[dict[str, Any]]:
    """Return the events that a subscriber takes."""
    return [json.loads(frame.data) for frame in subscriber.take(now)[0]]


def joined(hub: Hub, *, full: bool = False) -> Subscriber:
    """Return a subscriber that has joined and settled."""
    subscriber = Subscriber(lambda: None, full=full)
    hub.join(ROOM, subscriber)
    subscriber.settle(0)
    return subscriber


def kinds(events: list[dict[str, Any]]) -> list[str]:
    """Return the types of events."""
    return [event["type"] for event in events]


def test_what_came_while_a_reader_was_away_is_one_frame() -> None:
    """All text since the cursor comes as one chunk, behind the start and before the end."""
    hub = Hub()
    subscriber = joined(hub)
    for item in (starts(), said(0, "a"), said(1, "b", "c"), ends()):
        hub.publish(ROOM, item)
    # The reader took nothing until the end: the whole generation passed while it was blocked.
    assert kinds(read(subscriber)) == ["ai_typing", "ai_message_complete"]

    hub.publish(ROOM, starts("h"))
    assert kinds(read(subscriber)) == ["ai_typing"]
    hub.publish(ROOM, said(0, "a", generation_id="h"))
    hub.publish(ROOM, said(1, "b", "c", generation_id="h"))
    hub.publish(ROOM, ends("h"))
    chunk, end = read(subscriber)
    assert (chunk["content"], chunk["prev"], chunk["seq"]) == ("abc", 0, 3)
    assert end["type"] == "ai_message_complete"


def test_a_durable_event_stands_where_it_was_published() -> None:
    """The log goes out up to the place of a durable event before the event does."""
    hub = Hub()
    subscriber = joined(hub)
    hub.publish(ROOM, starts())
    read(subscriber)
    for item in (said(0, "a"), told(7), said(1, "b")):
        hub.publish(ROOM, item)
    assert kinds(read(subscriber)) == ["ai_message_chunk", "message_updated", "ai_message_chunk"]


def test_kinds_of_entries_keep_their_order() -> None:
    """Neighbours of one kind are merged, different kinds are frames of their own."""
    log = Log("g", "m")
    entries = [Entry("reasoning", "h"), Entry("reasoning", "m"), Entry("text", "a")]
    call = Entry("tool_call", '{"tool_call_id":"1","name":"f","arguments":"{}"}')
    log.extend(Batch("g", 0, [*entries, call, call, Entry("text", "b")]))
    events = [json.loads(frame.data) for frame in log.frames(0, 6, full=False)[0]]
    assert [(e["type"], e["prev"], e["seq"]) for e in events] == [
        ("ai_reasoning_chunk", 0, 2),
        ("ai_message_chunk", 2, 3),
        ("ai_tool_call", 3, 4),
        ("ai_tool_call", 4, 5),
        ("ai_message_chunk", 5, 6),
    ]
    assert events[2]["name"] == "f"


def test_a_batch_that_does_not_follow_is_dropped() -> None:
    """Entries that come twice, or after a hole, do not get into the log."""
    log = Log("g", "m")
    for batch in (said(0, "a", "b"), said(0, "a", "b"), said(3, "d")):
        log.extend(batch)
    assert len(log.entries) == 2
    assert log.text(2) == "ab"


def test_a_frame_is_encoded_once() -> None:
    """All readers at the same cursor are given the same frame object."""
    hub = Hub()
    readers = [joined(hub) for _ in range(3)]
    hub.publish(ROOM, starts())
    for reader in readers:
        reader.take(0.0)
    hub.publish(ROOM, said(0, "a"))
    assert len({id(reader.take(0.0)[0][0]) for reader in readers}) == 1


# The store's revision when so many of the four events below have been published, and the one it may
# have already: what is published has been stored before. Then every order in which a join, the
# reading of the store after it, and these events can come.
PUBLISHED, STORED = [0, 1, 2, 2, 3], [2, 2, 3, 3, 3]
INTERLEAVINGS = [
    (joins_after, reads_after, revision, is_replayed)
    for joins_after in range(5)
    for reads_after in range(joins_after, 5)
    for revision in range(PUBLISHED[joins_after], STORED[reads_after] + 1)
    for is_replayed in (True, False)
]


@pytest.mark.parametrize(("joins_after", "reads_after", "revision", "is_replayed"), INTERLEAVINGS)
def test_joining_in_every_interleaving(
    joins_after: int, reads_after: int, revision: int, is_replayed: bool
) -> None:
    """Wherever a join and the reading of the store fall, nothing is missed and nothing is twice.

    The store is read after the join, so it shows at least what had been published by then. Who asks
    for what it missed is replayed what the store shows; who does not, and was there before the end,
    gets the generation from its start.
    """
    user_message = Event(type="user_message", payload={}, revision=1, generation_id="g")
    items = [user_message, starts(), said(0, "a"), ends()]
    hub = Hub()
    subscriber = Subscriber(lambda: None, full=False)
    for item in items[:joins_after]:
        hub.publish(ROOM, item)
    hub.join(ROOM, subscriber)
    for item in items[joins_after:reads_after]:
        hub.publish(ROOM, item)
    replayed = ["g"] if revision >= 3 and is_replayed else []
    subscriber.settle(revision, replayed)
    got = read(subscriber)
    for item in items[reads_after:]:
        hub.publish(ROOM, item)
        got += read(subscriber)
    names = kinds(got)
    assert names.count("user_message") == (revision < 1)
    if joins_after == 4 or replayed:
        assert names == []
    else:
        assert names.count("ai_typing") == names.count("ai_message_complete") == 1
        assert names[-1] == "ai_message_complete"
        assert names.index("ai_typing") < len(names) - 1


def test_a_queue_is_bounded_in_events() -> None:
    """One event more than the bound drops all of them and tells the reader to go."""
    hub = Hub()
    subscriber = joined(hub)
    for number in range(QUEUE_EVENTS):
        hub.publish(ROOM, told(number))
    assert not subscriber.is_lagging
    hub.publish(ROOM, told(0))
    assert subscriber.is_lagging
    assert read(subscriber) == []


def test_a_queue_is_bounded_in_bytes() -> None:
    """A few large events reach the bound as many small ones do."""
    hub = Hub()
    subscriber = joined(hub)
    half = Event(type="session_updated", payload={"x": "x" * (QUEUE_BYTES // 2)})
    hub.publish(ROOM, half)
    assert not subscriber.is_lagging
    hub.publish(ROOM, half)
    assert subscriber.is_lagging


def test_full_content_is_paced() -> None:
    """A frame waits until the text grew by an eighth or long enough, and at most 250 ms."""
    hub = Hub()
    subscriber = joined(hub, full=True)
    hub.publish(ROOM, starts())
    hub.publish(ROOM, said(0, "x" * 80_000))
    assert kinds(read(subscriber, now=10.0)) == ["ai_typing", "ai_message_chunk"]
    hub.publish(ROOM, said(1, "y"))
    frames, delay = subscriber.take(10.1)
    assert (frames, round(delay, 3)) == ([], 0.15)
    assert kinds(read(subscriber, now=10.25)) == ["ai_message_chunk"]
    hub.publish(ROOM, said(2, "z" * 12_000))
    assert kinds(read(subscriber, now=10.26)) == ["ai_message_chunk"]


@pytest.mark.parametrize("size", [1, 8, 100])
def test_full_content_is_at_most_twelve_times_the_text(size: int) -> None:
    """Whatever the pace of the model, a fast reply costs at most 12 times its text."""
    hub = Hub()
    subscriber = joined(hub, full=True)
    hub.publish(ROOM, starts())
    subscriber.take(0.0)
    sent, entries = 0, 8000 // size
    for number in range(entries):
        hub.publish(ROOM, said(number, "x" * size))
        sent += sum(len(e["full_content"]) for e in read(subscriber, now=number * 1e-5))
    hub.publish(ROOM, ends())
    sent += sum(len(e.get("full_content", "")) for e in read(subscriber, now=1.0))
    assert sent <= 12 * entries * size


def test_an_empty_room_is_forgotten() -> None:
    """A room is there while somebody reads it or a generation runs in it, and no longer."""
    hub = Hub()
    subscriber = joined(hub)
    hub.publish(ROOM, starts())
    hub.leave(ROOM, subscriber)
    assert hub.running(ROOM) is not None
    hub.publish(ROOM, said(0, "a"))
    hub.publish(ROOM, ends())
    assert list(hub.rooms()) == []
    hub.publish(ROOM, told(1))
    assert list(hub.rooms()) == []


def test_an_event_does_not_come_back_to_its_origin() -> None:
    """Who caused a typing event is the only one that does not get it."""
    hub = Hub()
    own, other = [Subscriber(lambda: None, full=False, name=name) for name in ("own", "other")]
    for subscriber in (own, other):
        hub.join(ROOM, subscriber)
        subscriber.settle(0)
    hub.publish(ROOM, Event(type="user_typing", payload={}, origin="own"))
    assert (kinds(read(own)), kinds(read(other))) == ([], ["user_typing"])


def test_an_answer_about_another_generation_ends_nothing() -> None:
    """A reader that is told again how an old generation ended goes on reading the running one."""
    hub = Hub()
    subscriber = joined(hub)
    hub.publish(ROOM, starts("new"))
    read(subscriber)
    subscriber.answer(event_frame(ends("old")))
    hub.publish(ROOM, said(0, "a", generation_id="new"))
    assert kinds(read(subscriber)) == ["ai_message_complete", "ai_message_chunk"]


def test_an_answer_stands_behind_the_log_as_it_was() -> None:
    """What a pong says of the log has been sent before it, however long a frame could wait."""
    hub = Hub()
    subscriber = joined(hub, full=True)
    hub.publish(ROOM, starts())
    hub.publish(ROOM, said(0, "x" * 80_000))
    read(subscriber, now=10.0)
    hub.publish(ROOM, said(1, "y"))
    subscriber.answer(event_frame(Event(type="pong", payload={})))
    assert kinds(read(subscriber, now=10.01)) == ["ai_message_chunk", "pong"]


def alternating(entries: int) -> Batch:
    """Return a reply that thinks before every word."""
    kinds_of = ("reasoning", "text")
    return Batch("g", 0, [Entry(kinds_of[n % 2], "word ") for n in range(entries)])


def test_a_snapshot_of_alternating_kinds_has_the_text_once() -> None:
    """With full_content the cost of a snapshot is that of the reply, not its square."""
    hub = Hub()
    hub.publish(ROOM, starts())
    hub.publish(ROOM, alternating(10_000))
    _, reasoning, text = read(joined(hub, full=True))
    assert (reasoning["prev"], text["prev"], text["seq"]) == (0, reasoning["seq"], 10_000)
    assert reasoning["content"] == text["content"] == text["full_content"] == "word " * 5000


def test_a_large_snapshot_comes_in_pieces() -> None:
    """No more than so many frames are given out at once, and none is lost or twice."""
    hub = Hub()
    hub.publish(ROOM, starts())
    hub.publish(ROOM, alternating(1001))
    subscriber = joined(hub)
    events, pieces = read(subscriber), 1
    hub.publish(ROOM, told(9))
    while subscriber.has_more:
        piece = read(subscriber)
        assert 0 < len(piece) <= 2 * FRAMES_AT_ONCE
        events, pieces = events + piece, pieces + 1
    assert pieces > 2
    chunks = events[1:-1]
    assert [chunk["prev"] for chunk in chunks] == list(range(1001))
    assert kinds(events[-1:]) == ["message_updated"]
