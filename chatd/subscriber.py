"""One reader of a room: where it stands in the running log, and what waits for it.

A subscriber does not hold copies of chunks: it stands at a cursor in the log that its room keeps of
the running generation, and has a bounded queue of durable events.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from chatd.events import Event
from chatd.log import FRAMES_AT_ONCE, Frame, Log

QUEUE_EVENTS = 256
QUEUE_BYTES = 2 * 1024 * 1024
BYTES_AT_ONCE = 256 * 1024  # of events in one write; the network has not taken them yet

# full_content repeats the text in every frame: a frame waits until the text grew by this part of
# itself, or for the time that the text takes at this rate, whichever comes first.
FULL_GROWTH = 8
FULL_BYTES_PER_SECOND = 128 * 1024
FULL_LONGEST_WAIT = 0.25

_PRIVATE = Event(type="", payload={})
_NOBODY: frozenset[str] = frozenset()  # one for all: each is 216 bytes, also an empty one


class Waiting:
    """A durable event in a subscriber's queue, with the log it belongs behind."""

    __slots__ = ("event", "frame", "log", "position")

    def __init__(self, event: Event, frame: Frame, log: Log | None = None) -> None:
        self.event, self.frame, self.log = event, frame, log
        self.position = len(log.entries) if log else 0


class Subscriber:
    """Somebody who reads a room.

    `notify` is called, without waiting, whenever there may be something to take; it must not
    raise. Who cannot take anything then calls `check_bytes`. Until `settle` nothing is given out.
    """

    __slots__ = ("_bytes", "_log", "_queue", "_replayed", "_revision", "_sent_at", "_sent_text",
                 "_taken", "cursor", "full", "is_lagging", "is_settled", "name",
                 "notify")  # fmt: skip

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
        self._replayed = _NOBODY
        self._sent_text = 0
        self._sent_at = 0.0
        self._taken = 0  # bytes of the last `take`

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
        if len(self._queue) > QUEUE_EVENTS:
            self._give_up()

    def check_bytes(self) -> None:
        """Set `is_lagging` if too much waits: for one who has just had the chance to take it.

        A log that has ended is kept only for those who have not read it, and each of them is
        charged with all of it. Too much, it is let go: its end, which waits too, has the text.
        """
        ended = self._log if self._log and self._log.is_ended else None
        if self._bytes + (ended.size if ended else 0) > QUEUE_BYTES:
            if ended is not None:
                self._let_go(ended)
                self._log = None
            if self._bytes > QUEUE_BYTES:
                self._give_up()

    def _give_up(self) -> None:
        self.is_lagging = True
        self._queue, self._log, self._bytes = None, None, 0

    def _knows(self, event: Event) -> bool:
        """Whether the caller has sent otherwise what an event says."""
        if event.generation:
            return event.generation_id in self._replayed
        return 0 < event.revision <= self._revision

    def _without_chunks(self, end: Waiting) -> Waiting:
        """Return the end of a log that ends before its start was taken, and let go of that."""
        self._let_go(end.log)
        return Waiting(end.event, end.frame, None)

    def _let_go(self, log: Log | None) -> None:
        """Let go of a log in the queue, which would keep it alive."""
        for waiting in self._queue or ():
            if waiting.log is log:
                waiting.log = None

    def settle(self, revision: int, replayed: Sequence[str] = ()) -> None:
        """Begin: what was published since the join and the caller has sent otherwise is dropped.

        `revision` is the head that the caller reported, `replayed` are the generations whose end it
        has replayed, in this order. One that runs, or whose end was not replayed, is given from its
        start. What is stored may be published later than this: it is dropped when it comes.
        """
        self._revision, self._replayed = revision, frozenset(replayed)
        kept = [waiting for waiting in self._queue or () if not self._knows(waiting.event)]
        # A generation ends behind the one before it: of all others every event has been published.
        self._replayed = frozenset(replayed[-2:]) if replayed else _NOBODY
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
        self._taken = 0
        while self._queue and len(frames) < FRAMES_AT_ONCE and self._taken < BYTES_AT_ONCE:
            delay = self._read_up_to(self._queue[0], frames, now)
            if delay is None:
                break
            if delay > 0:
                return frames, delay
            waiting = self._queue.popleft()
            self._bytes -= len(waiting.frame.data)
            self._pass(waiting, frames)
        log = self._log
        if self._queue or log is None or self.cursor == len(log.entries):
            return frames, 0.0
        delay = self._full_delay(log, now) if self.full else 0.0
        if delay <= 0:
            self._read(log, len(log.entries), frames, now)
            return frames, 0.0
        return frames, delay

    @property
    def generation_id(self) -> str | None:
        """The generation in whose log this subscriber stands."""
        return self._log.generation_id if self._log is not None else None

    @property
    def has_more(self) -> bool:
        """Whether the last `take` left something that need not wait."""
        is_behind = self._log is not None and self.cursor < len(self._log.entries)
        return self.is_settled and (bool(self._queue) or is_behind)

    def _read_up_to(self, waiting: Waiting, frames: list[Frame], now: float) -> float | None:
        """Read the log up to where a durable event was published, or return how long to wait.

        None means that there is more than goes into one write. An event waits for the pace of
        `full_content` with the text before it: else whoever makes events sets the pace.
        """
        log = self._log
        if log is None or waiting.log is not log or self.cursor >= waiting.position:
            return 0.0
        delay = self._full_delay(log, now)
        if delay > 0 and len(self._queue or ()) < QUEUE_EVENTS // 2:
            return delay
        # Behind each event the whole text would come again: of many that waited, once is enough.
        self._read(log, len(log.entries) if self.full else waiting.position, frames, now)
        return 0.0 if self.cursor >= waiting.position else None

    def _pass(self, waiting: Waiting, frames: list[Frame]) -> None:
        """Take one durable event."""
        event = waiting.event
        frames.append(waiting.frame)
        self._taken += len(waiting.frame.data)
        if event.generation == "starts":
            self._log, self.cursor, self._sent_text = waiting.log, 0, 0
        elif event.generation == "ends" and event.generation_id == self.generation_id:
            self._log = None

    def _read(self, log: Log, position: int, frames: list[Frame], now: float) -> None:
        new, self.cursor = log.frames(self.cursor, position, full=self.full)
        frames += new
        for frame in new:
            self._taken += len(frame.data)
        self._sent_text, self._sent_at = log.text_bytes, now

    def answer(self, frame: Frame) -> None:
        """Queue what is for this subscriber alone, behind the log as it is now."""
        self.offer(Waiting(_PRIVATE, frame, self._log))

    def _full_delay(self, log: Log, now: float) -> float:
        """Return how long a frame with full_content still has to wait."""
        if not self.full or log.is_ended or not self._sent_text:
            return 0.0
        grown, length = log.text_bytes - self._sent_text, log.text_bytes
        if not grown or grown * FULL_GROWTH >= length:
            return 0.0
        wait = min(length / FULL_BYTES_PER_SECOND, FULL_LONGEST_WAIT)
        return self._sent_at + wait - now

    def rewind(self, generation_id: str, after: int) -> bool:
        """Stand again after entry `after` of the running log; False if that does not run here.

        With full_content the numbers between the frames of one write are of no entry: whoever is
        behind gets a log of several kinds from its start.
        """
        log = self._log
        if log is None or log.generation_id != generation_id:
            return False
        if after != self.cursor:
            is_exact = after == len(log.entries) or not (self.full and log.is_mixed)
            self.cursor = after if is_exact and 0 <= after <= len(log.entries) else 0
            self._sent_text = 0
        self.notify()
        return True
