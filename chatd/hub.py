"""The subscribers of this process: rooms, and the running log of each.

A room is named by a session's id, or `user:<id>`. Publishing never waits and never raises; whoever
is slow gets fewer and larger frames, and past the bounds of its queue is told to go.
"""

from __future__ import annotations

from collections.abc import Iterator

from chatd.events import Batch, Event
from chatd.log import Log, event_frame
from chatd.subscriber import Subscriber, Waiting


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
                if room.log is not None and room.log.generation_id == item.generation_id:
                    room.log.extend(item)
            else:
                _announce(room, item)
        # A copy: whoever is notified may leave the room.
        for subscriber in tuple(room.subscribers):
            subscriber.notify()
        if not room.subscribers:
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
