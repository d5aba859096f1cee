"""The subscribers of this process: rooms, the running log of each, and where everybody stands.

A room is named by a session's id, or `user:<id>`. A subscriber does not hold copies of chunks: it
stands at a cursor in the log that its room keeps of the running generation, and has a bounded queue
of durable events. Publishing never waits and never raises; whoever is slow gets fewer and larger
frames, and past the bounds of its queue is told to go.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from chatd.events import Batch, Event
from chatd.log import FRAMES_AT_ONCE, Frame, Log, event_frame

logger = logging.getLogger(__name__)

QUEUE_EVENTS = 256
QUEUE_BYTES = 2 * 1024 * 1024

# full_content repeats the text in every frame: a frame waits until the text grew by this part of
# itself, or for the time that the text takes at this rate, whichever comes first.
FULL_GROWTH = 8
FULL_BYTES_PER_SECOND = 128 * 1024
FULL_LONGEST_WAIT = 0.25

_PRIVATE = Event(type="", payload={})


class Waiting:
    """A durable event in a subscriber's queue, with the log it belongs behind."""

    __slots__ = ("event", "frame", "log", "position")

    def __init__(self, event: Event, frame: Frame, log: Log | None = None) -> None:
        self.event, self.frame, self.log = event, frame, log
        self.position = len(log.entries) if log else 0


class Subscriber:
    """Somebody who reads a room.

    `notify` is called, without waiting, whenever there may be something to take; it must not
    raise. Until `settle` nothing is given out.
    """

    __slots__ = ("_bytes", "_log", "_queue", "_replayed", "_revision", "_sent_at", "_sent_text",
                 "cursor", "full", "is_lagging", "is_settled", "name", "notify")  # fmt: skip

    def __init__(self, notify: Callable[[], None], *, full: bool, name: str = "") -> None:
        self.notify = notify
        self.name = name
        self.full = full
        self.is_lagging = False
        self.cursor = 0
        self._queue: deque[Waiting] | None = None  # made when needed: most sockets are idle
        self._bytes = 0
        self._log: Log | None = None
        self.is_settled = False
        self._revision = 0  # with `_replayed`: what the caller has sent otherwise
        self._replayed: frozenset[str] = frozenset()
        self._sent_text = 0
        self._sent_at = 0.0

    def offer(self, waiting: Waiting) -> None:
        """Queue a durable event; past the bounds everything is dropped and `is_lagging` is set."""
        if self.is_lagging or (self.is_settled and self._knows(waiting.event)):
            return
        if self._queue is None:
            self._queue = deque()
        if waiting.event.generation == "ends" and waiting.log is not self._log:
            waiting = self._without_chunks(waiting)
        self._queue.append(waiting)
        self._bytes += len(waiting.frame.data)
        held = self._log.size if self._log and self._log.is_ended else 0
        if len(self._queue) > QUEUE_EVENTS or self._bytes + held > QUEUE_BYTES:
            self.is_lagging = True
            self._queue, self._log = None, None

    def _knows(self, event: Event) -> bool:
        """Whether the caller has sent otherwise what an event says."""
        if event.generation:
            return event.generation_id in self._replayed
        return 0 < event.revision <= self._revision

    def _without_chunks(self, end: Waiting) -> Waiting:
        """Let go of a log that ends before its start was taken: the queue would keep it alive."""
        for waiting in self._queue or ():
            if waiting.log is end.log:
                waiting.log = None
        return Waiting(end.event, end.frame, None)

    def settle(self, revision: int, replayed: Sequence[str] = ()) -> None:
        """Begin: what was published since the join and the caller has sent otherwise is dropped.

        `revision` is the head that the caller reported, `replayed` are the generations whose end it
        has replayed, in this order. One that runs, or whose end was not replayed, is given from its
        start. What is stored may be published later than this: it is dropped when it comes.
        """
        self._revision, self._replayed = revision, frozenset(replayed)
        kept = [waiting for waiting in self._queue or () if not self._knows(waiting.event)]
        # A generation ends behind the one before it: of all others every event has been published.
        self._replayed = frozenset(replayed[-2:])
        self._queue = deque(kept) if kept else None
        self._bytes = sum(len(waiting.frame.data) for waiting in kept)
        self.is_settled = True
        self.notify()

    def take(self, now: float) -> tuple[list[Frame], float]:
        """Return the frames to be sent now, and in how many seconds to ask again if there are none.

        0.0 seconds means: not before the next `notify`. `now` is in seconds of any steady clock.
        What is left because it was too much for one write is told by `has_more`.
        """
        if not self.is_settled:
            return [], 0.0
        frames: list[Frame] = []
        while self._queue and len(frames) < FRAMES_AT_ONCE:
            waiting = self._queue[0]
            if not self._has_read_up_to(waiting, frames):
                break
            self._queue.popleft()
            self._bytes -= len(waiting.frame.data)
            self._pass(waiting, frames)
        log = self._log
        if self._queue or log is None or self.cursor == len(log.entries):
            return frames, 0.0
        if self.full and not frames:
            delay = self._full_delay(log, now)
            if delay > 0:
                return frames, delay
        self._read(log, len(log.entries), frames)
        self._sent_at = now
        return frames, 0.0

    @property
    def generation_id(self) -> str | None:
        """The generation in whose log this subscriber stands."""
        return self._log.generation_id if self._log is not None else None

    @property
    def has_more(self) -> bool:
        """Whether the last `take` left something that need not wait."""
        behind = self._log is not None and self.cursor < len(self._log.entries) and not self.full
        return self.is_settled and (bool(self._queue) or behind)

    def _has_read_up_to(self, waiting: Waiting, frames: list[Frame]) -> bool:
        """Read the log up to where a durable event was published; False if there is more."""
        if self._log is None or waiting.log is not self._log:
            return True
        self._read(self._log, waiting.position, frames)
        return self.cursor >= waiting.position

    def _pass(self, waiting: Waiting, frames: list[Frame]) -> None:
        """Take one durable event."""
        event = waiting.event
        frames.append(waiting.frame)
        if event.generation == "starts":
            self._log, self.cursor, self._sent_text = waiting.log, 0, 0
        elif event.generation == "ends" and event.generation_id == self.generation_id:
            self._log = None

    def _read(self, log: Log, position: int, frames: list[Frame]) -> None:
        if position > self.cursor:
            new, self.cursor = log.frames(self.cursor, position, full=self.full)
            frames += new
            self._sent_text = log.text_length

    def answer(self, frame: Frame) -> None:
        """Queue what is for this subscriber alone, behind the log as it is now."""
        self.offer(Waiting(_PRIVATE, frame, self._log))

    def _full_delay(self, log: Log, now: float) -> float:
        """Return how long a frame with full_content still has to wait."""
        grown, length = log.text_length - self._sent_text, log.text_length
        if not self._sent_text or not grown or grown * FULL_GROWTH >= length:
            return 0.0
        wait = min(length / FULL_BYTES_PER_SECOND, FULL_LONGEST_WAIT)
        return self._sent_at + wait - now

    def rewind(self, generation_id: str, after: int) -> bool:
        """Stand again after entry `after` of the running log; False if that does not run here."""
        log = self._log
        if log is None or log.generation_id != generation_id:
            return False
        if after != self.cursor:
            self.cursor = after if 0 <= after <= len(log.entries) else 0
            self._sent_text = 0
        self.notify()
        return True


class Room:
    """The subscribers of one name, and the log of the generation that runs there."""

    __slots__ = ("log", "started", "subscribers")

    def __init__(self) -> None:
        self.subscribers: set[Subscriber] = set()
        self.log: Log | None = None
        self.started: Waiting | None = None


class Hub:
    """All rooms of this process. A room exists while it has a subscriber or a running log."""

    def __init__(self) -> None:
        self._rooms: dict[str, Room] = {}

    def join(self, name: str, subscriber: Subscriber) -> str | None:
        """Add a subscriber at the start of the running log; return that generation's id, if any.

        From here on the subscriber misses nothing.
        """
        room = self._rooms.setdefault(name, Room())
        room.subscribers.add(subscriber)
        if room.log is None or room.started is None:
            return None
        subscriber.offer(Waiting(room.started.event, room.started.frame, room.log))
        return room.log.generation_id

    def leave(self, name: str, subscriber: Subscriber) -> None:
        """Remove a subscriber; one that is not there is fine."""
        room = self._rooms.get(name)
        if room is not None:
            room.subscribers.discard(subscriber)
            self._drop_if_empty(name, room)

    def publish(self, name: str, *items: Event | Batch) -> None:
        """Hand durable events, or entries of the running log, to everybody in a room.

        What is published in one call goes out in one write.
        """
        room = self._rooms.get(name)
        if room is None:
            if not any(isinstance(i, Event) and i.generation == "starts" for i in items):
                return
            room = self._rooms[name] = Room()
        for item in items:
            if isinstance(item, Batch):
                _extend(room, item)
            else:
                _announce(room, item)
        # A copy: whoever is notified may leave the room.
        for subscriber in tuple(room.subscribers):
            subscriber.notify()
        self._drop_if_empty(name, room)

    def running(self, name: str) -> Log | None:
        """Return the log of the generation that runs in a room."""
        room = self._rooms.get(name)
        return room.log if room else None

    def _drop_if_empty(self, name: str, room: Room) -> None:
        if not room.subscribers and room.log is None:
            self._rooms.pop(name, None)

    def rooms(self) -> Iterator[tuple[str, int]]:
        """Return the names of all rooms with the number of subscribers of each."""
        return ((name, len(room.subscribers)) for name, room in self._rooms.items())


def _extend(room: Room, batch: Batch) -> None:
    if room.log is not None and room.log.generation_id == batch.generation_id:
        room.log.extend(batch)


def _announce(room: Room, event: Event) -> None:
    frame = event_frame(event)
    if event.generation == "starts" and event.generation_id:
        room.log = Log(event.generation_id, event.payload["message_id"])
    waiting = Waiting(event, frame, room.log)
    if event.generation == "starts":
        room.started = waiting
    elif event.generation == "ends" and room.log is not None:
        room.log.is_ended = True
        room.log, room.started = None, None
    for subscriber in room.subscribers:
        if event.origin is None or subscriber.name != event.origin:
            subscriber.offer(Waiting(event, frame, waiting.log))
