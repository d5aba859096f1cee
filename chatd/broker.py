"""What carries events between the processes of one chatd, and the broker for a single one."""

from __future__ import annotations

import abc

from chatd.events import Batch, Event
from chatd.hub import Hub


class Broker(abc.ABC):
    """Carries everything that is published to the hubs of all processes, this one's included.

    A broker may lose what it carries but must not reorder what one process publishes to one room:
    subscribers find holes by `seq` and `revision`.
    """

    @abc.abstractmethod
    def publish(self, room: str, *items: Event | Batch) -> None:
        """Send items to a room everywhere, together; never waits, never raises."""

    async def ping(self) -> None:  # noqa: B027 - what is in this process is always reachable
        """Return when the broker can be reached; raise BrokerUnavailable when it cannot."""

    async def aclose(self) -> None:  # noqa: B027 - nothing to free is the usual case
        """Free what the broker holds."""


class MemoryBroker(Broker):
    """The broker of a chatd that is one process."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def publish(self, room: str, *items: Event | Batch) -> None:
        """Hand items to this process's hub."""
        self._hub.publish(room, *items)
