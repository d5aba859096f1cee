"""The writer of one socket: from its subscriber's queue and log to the network."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from tornado.websocket import WebSocketClosedError

from chatd.events import Event
from chatd.handlers.wire import bytes_taken, write_frames
from chatd.log import Frame, event_frame
from chatd.subscriber import Subscriber

if TYPE_CHECKING:
    from chatd.handlers.sockets import Socket

logger = logging.getLogger(__name__)


class Writer:
    """Sends what there is, and waits for the network by being called again.

    Invariants: only the writer writes events; while the network has not taken what it was given
    nothing more is given to it; `pump` neither waits nor raises. So a slow socket costs nobody
    anything, and an idle one has no task.
    """

    __slots__ = ("_drained", "_progress_at", "_sent", "_socket", "_timer", "subscriber")

    def __init__(self, socket: Socket, name: str) -> None:
        self._socket = socket
        self.subscriber = Subscriber(self.pump, full=True, name=name)
        self._drained: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._sent = 0
        self._progress_at = 0.0

    def send(self, event: Event) -> None:
        """Send an event to this socket alone, behind what it has to get before.

        Until the subscriber is settled that is nothing: the greeting and the replay, which is
        bounded, go straight to the network, before anything that is queued.
        """
        if self.subscriber.is_settled:
            self.subscriber.answer(event_frame(event))
            self.pump()
        else:
            self._write([event_frame(event)])

    def pump(self) -> None:
        """Send what there is, unless the network still has enough. Never raises."""
        try:
            self._pump()
        except WebSocketClosedError:
            self.subscriber.is_lagging = True
        except Exception:
            logger.exception("%s could not be written to", self.subscriber.name)
            self._socket.close(1011, "internal")

    def _pump(self) -> None:
        if self._drained is None:
            frames, delay = self.subscriber.take(asyncio.get_running_loop().time())
            if frames:
                self._write(frames)
                self._socket.sent(frames)
                if self.subscriber.has_more and self._drained is None:
                    asyncio.get_running_loop().call_soon(self.pump)
            elif delay and self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(delay, self._on_timer)
        self.subscriber.check_bytes()
        if self.subscriber.is_lagging:
            self._socket.close(4008, "too slow")

    def _write(self, frames: list[Frame]) -> None:
        future = write_frames(self._socket, frames)
        if future is not None:
            self._drained = future
            self._progress_at = asyncio.get_running_loop().time()
            self._sent = bytes_taken(self._socket)
            future.add_done_callback(self._on_drained)

    def _on_drained(self, future: asyncio.Future[None]) -> None:
        if future is not self._drained:
            return  # more has been written since
        self._drained = None
        if not future.cancelled() and future.exception() is None:
            self.pump()

    def _on_timer(self) -> None:
        self._timer = None
        self.pump()

    def is_stalled(self, now: float, seconds: float) -> bool:
        """Return whether the client has taken nothing for so long, though there is something."""
        if self._drained is None:
            return False
        sent = bytes_taken(self._socket)
        if sent != self._sent:
            self._sent, self._progress_at = sent, now
        return now - self._progress_at > seconds

    def close(self) -> None:
        """Send nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
