"""Rooms, logs and cursors: what each subscriber is given, however the events interleave."""

from __future__ import annotations

import gc
import json
import sys
from types import FrameType
from typing import Any

import pytest

from chatd.events import Batch, Entry, Event
from chatd.hub import Hub
from chatd.log import FRAMES_AT_ONCE, Log, event_frame
from chatd.subscriber import BYTES_AT_ONCE, QUEUE_BYTES, QUEUE_EVENTS, Subscriber, Waiting

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
    ((frame,), end) = log.frames(0, 2, full=False)
    assert (json.loads(frame.data)["content"], end) == ("ab", 2)


@pytest.mark.parametrize("full", [True, False])
def test_any_text_is_encoded_as_it_is(full: bool) -> None:
    """Quotes, control characters and all scripts come as they were said, wherever a frame ends."""
    texts = ['"', "\\", "\n\0\x7f", "\u00e9\u4e2d", "\U0001f600", "\u2028", "</script>"]
    log = Log("g", "m")
    log.extend(said(0, *texts))
    for prev in range(len(texts)):
        for seq in range(prev + 1, len(texts) + 1):
            (frame,), _ = log.frames(prev, seq, full=full)
            event = json.loads(frame.data)
            assert event["content"] == "".join(texts[prev:seq])
            assert event.get("full_content", "".join(texts[:seq])) == "".join(texts[:seq])
            assert (event["prev"], event["seq"], frame.mark) == (prev, seq, str(seq))


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
    for is_too_much in (False, True):
        hub.publish(ROOM, half)
        subscriber.check_bytes()
        assert subscriber.is_lagging == is_too_much
    assert read(subscriber) == []


def test_a_log_that_has_ended_is_not_kept_for_long() -> None:
    """Who stands in a log that has ended is charged with it; past the bound it is let go."""
    hub = Hub()
    slow, quick = joined(hub), joined(hub)
    hub.publish(ROOM, starts())
    assert kinds(read(slow) + read(quick)) == ["ai_typing"] * 2
    for number in range(QUEUE_BYTES // 100):
        hub.publish(ROOM, said(number, "x"))
    for subscriber in (slow, quick):
        subscriber.check_bytes()
        assert subscriber.generation_id == "g"  # it is the room's while it runs
    log = hub.running(ROOM)
    hub.publish(ROOM, ends())
    assert kinds(read(quick)) == ["ai_message_chunk", "ai_message_complete"]
    slow.check_bytes()
    assert (slow.generation_id, slow.is_lagging) == (None, False)
    assert not [found for found in gc.get_referrers(log) if isinstance(found, Waiting)]
    assert kinds(read(slow)) == ["ai_message_complete"]


def test_a_long_reply_is_no_reason_to_go() -> None:
    """Who reads gets the end of any reply, though its text alone is more than may wait."""
    hub = Hub()
    subscriber = joined(hub, full=True)
    hub.publish(ROOM, starts())
    hub.publish(ROOM, said(0, "x" * QUEUE_BYTES))
    read(subscriber)
    hub.publish(ROOM, ends())
    assert kinds(read(subscriber)) == ["ai_message_complete"]
    subscriber.check_bytes()
    assert not subscriber.is_lagging


def test_one_write_is_bounded_in_bytes() -> None:
    """Of many large events only some are given out at once; what is left waits for the network."""
    hub = Hub()
    subscriber = joined(hub)
    for _ in range(20):
        hub.publish(ROOM, Event(type="session_updated", payload={"x": "x" * 100_000}))
    sizes = [len(read(subscriber))]
    while subscriber.has_more:
        sizes.append(len(read(subscriber)))
    assert sum(sizes) == 20
    assert max(sizes) == BYTES_AT_ONCE // 100_000 + 1


def test_a_turn_that_was_never_seen_has_no_chunks() -> None:
    """A generation that began and ended while nothing was taken costs its two events."""
    hub = Hub()
    subscriber = joined(hub, full=True)
    for generation_id in ("one", "two"):
        hub.publish(ROOM, starts(generation_id))
        hub.publish(ROOM, said(0, "x" * QUEUE_BYTES, generation_id=generation_id))
        hub.publish(ROOM, ends(generation_id))
        subscriber.check_bytes()
    assert kinds(read(subscriber)) == ["ai_typing", "ai_message_complete"] * 2


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
    """What a pong says of the log has been sent before it, and at the pace of the log."""
    hub = Hub()
    subscriber = joined(hub, full=True)
    hub.publish(ROOM, starts())
    hub.publish(ROOM, said(0, "x" * 80_000))
    read(subscriber, now=10.0)
    hub.publish(ROOM, said(1, "y"))
    subscriber.answer(event_frame(Event(type="pong", payload={})))
    frames, delay = subscriber.take(10.01)
    assert (frames, round(delay, 3)) == ([], 0.24)
    assert kinds(read(subscriber, now=10.25)) == ["ai_message_chunk", "pong"]


def test_events_do_not_set_the_pace() -> None:
    """However many events come in between, full_content is at most 12 times the text."""
    hub = Hub()
    subscriber = joined(hub, full=True)
    hub.publish(ROOM, starts())
    subscriber.take(0.0)
    events = []
    for number in range(8000):
        hub.publish(ROOM, said(number, "x"), *([told(number)] if number % 10 == 0 else []))
        events += read(subscriber, now=number * 1e-5)
    hub.publish(ROOM, ends())
    while subscriber.has_more:
        events += read(subscriber, now=1.0)
    assert sum(len(event.get("full_content", "")) for event in events) <= 12 * 8000
    assert [event["n"] for event in events if "n" in event] == list(range(0, 8000, 10))


def test_events_that_waited_cost_the_text_once() -> None:
    """A reader of the whole text that was away gets it before the first event, and not again."""
    hub = Hub()
    subscriber = joined(hub, full=True)
    hub.publish(ROOM, starts())
    for number in range(100):
        hub.publish(ROOM, said(number, "x" * 1000), told(number))
    assert kinds(read(subscriber)) == ["ai_typing", "ai_message_chunk", *["message_updated"] * 100]


def test_the_pace_counts_bytes() -> None:
    """Text that takes three bytes a character waits three times as long."""
    waits = []
    for text in ("x", "\u4e2d"):
        hub = Hub()
        subscriber = joined(hub, full=True)
        hub.publish(ROOM, starts(), said(0, text * 9000))
        read(subscriber, now=10.0)
        hub.publish(ROOM, said(1, text))
        waits.append(subscriber.take(10.0)[1])
    assert round(waits[1] / waits[0], 2) == 3


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


def steps_of_joining(hub: Hub, *, full: bool) -> tuple[list[dict[str, Any]], int]:
    """Return what a newcomer is given, and how many lines of Python that took."""
    steps = 0

    def count(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal steps
        steps += event == "line"
        return count

    subscriber = Subscriber(lambda: None, full=full)
    before = sys.gettrace()
    sys.settrace(count)
    try:
        hub.join(ROOM, subscriber)
        subscriber.settle(0)
        frames, _ = subscriber.take(0.0)
    finally:
        sys.settrace(before)
    return [json.loads(frame.data) for frame in frames], steps


@pytest.mark.parametrize("full", [True, False])
def test_a_join_costs_the_same_however_many_entries_there_are(full: bool) -> None:
    """A newcomer gets one frame for each kind, by as many steps for 100,000 entries as for 200."""
    steps = []
    for length in (200, 100_000):
        hub = Hub()
        hub.publish(ROOM, starts())
        for prev in range(0, length, length // 20):
            kind = "reasoning" if prev < length // 2 else "text"
            entries = [Entry(kind, f"{n:5} ") for n in range(prev, prev + length // 20)]  # type: ignore[arg-type]
            hub.publish(ROOM, Batch("g", prev, entries))
        (_, reasoning, text), count = steps_of_joining(hub, full=full)
        steps.append(count)
        assert (reasoning["prev"], reasoning["seq"]) == (0, length // 2)
        assert (text["prev"], text["seq"]) == (length // 2, length)
        assert reasoning["content"] + text["content"] == "".join(f"{n:5} " for n in range(length))
        assert text.get("full_content", text["content"]) == text["content"]
    assert steps[0] == steps[1]


def test_a_snapshot_of_alternating_kinds_is_not_gone_through() -> None:
    """For a reader of the whole text many changes of kind make no difference."""
    steps = []
    for length in (1000, 100_000):
        hub = Hub()
        hub.publish(ROOM, starts())
        hub.publish(ROOM, alternating(length))
        events, count = steps_of_joining(hub, full=True)
        steps.append(count)
        assert kinds(events) == ["ai_typing", "ai_reasoning_chunk", "ai_message_chunk"]
    assert steps[0] == steps[1]
