"""The open sockets and streams of this process: how many there may be, and which still live.

One timer for all of them: Tornado's own ping costs a timer and 1.7 KiB a socket, and closes a dead
peer with 1000, which tells it to stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from typing import TYPE_CHECKING

from chatd.errors import ChatdError
from chatd.metrics import Metrics
from chatd.observations import Observations
from chatd.types import User

if TYPE_CHECKING:
    from chatd.handlers.sockets import Socket
    from chatd.handlers.stream import EventStream

logger = logging.getLogger(__name__)

SWEEP_EVERY = 2.5
PING_EVERY = 25.0
PONG_WITHIN = 20.0
CHECK_RIGHTS_EVERY = 30.0
CHECK_RIGHTS_WITHIN = 10.0
CHECKS_AT_ONCE = 16
STALLED_AFTER = 20.0
CLOSE_WITHIN = 5.0


class Keeper:
    """All open sockets and streams."""

    def __init__(
        self,
        *,
        most: int,
        most_per_user: int,
        metrics: Metrics | None = None,
        observations: Observations | None = None,
    ) -> None:
        self._most, self._most_per_user = most, most_per_user
        self._metrics = metrics
        self._observations = observations
        self._sockets: set[Socket] = set()
        self._streams: set[EventStream] = set()
        self._of_user: Counter[str] = Counter()
        # Whose rights are to be checked, in this order: each once, however slow the checks are.
        self._due: dict[Socket | EventStream, None] = {}
        self._checkers: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.Task[None] | None = None
        self._is_empty: asyncio.Event | None = None
        self._farewell: tuple[int, str] | None = None  # how all are closed, also who comes late

    def open(self) -> None:
        """Begin to look after sockets and streams."""
        if self._metrics is not None:
            self._metrics.open_sockets.read = self.count
        self._sweeper = asyncio.create_task(self._sweep_forever(), name="socket sweeper")

    async def aclose(self, code: int, reason: str) -> None:
        """End all streams; close all sockets and wait for them, for a few seconds at most."""
        self._farewell = code, reason
        for task in (self._sweeper, *self._checkers):
            if task is not None:
                task.cancel()
        for stream in tuple(self._streams):
            stream.leave()
        for socket in tuple(self._sockets):
            socket.close(code, reason)
        if self._sockets:
            self._is_empty = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_WITHIN):
                    await self._is_empty.wait()

    def admits(self, user: User) -> bool:
        """Return whether one more socket or stream of a user may open."""
        if self._most and len(self._sockets) + len(self._streams) >= self._most:
            return self._refuse("sockets")
        if self._most_per_user and self._of_user[user.id] >= self._most_per_user:
            return self._refuse("sockets_per_user")
        return True

    def farewell_to(self, user: User) -> tuple[int, str] | None:
        """Return how to close a socket that may not open, None if it may."""
        if self._farewell is None and not self.admits(user):
            return 1013, "too many connections"
        return self._farewell

    def _refuse(self, limit: str) -> bool:
        if self._metrics is not None:
            self._metrics.refused.add(limit)
        return False

    def count(self) -> dict[tuple[str, ...], float]:
        """Return how many are open, by kind."""
        sockets = Counter(socket.kind for socket in self._sockets)
        return {
            ("session",): sockets["session"],
            ("list",): sockets["list"],
            ("sse",): len(self._streams),
        }

    def add(self, socket: Socket) -> None:
        """Look after a socket from now on."""
        self._sockets.add(socket)
        self._of_user[socket.user.id] += 1
        if self._metrics is not None:
            self._metrics.opened.add(socket.kind)

    def joined(self, socket: Socket) -> None:
        """Tell plugins of a socket that was let in and has joined its room."""
        socket.has_joined = True
        self._observe("connection_opened", socket, socket.kind)

    def closed(self, socket: Socket) -> None:
        """Count a socket that is closed, also one that was never let in."""
        code = socket.closed_with or socket.close_code
        if self._metrics is not None:
            self._metrics.socket_closed(socket.kind, code)
        if socket.has_joined:
            self._observe("connection_closed", socket, socket.kind, code=code or 1006)

    def _observe(self, type: str, connection: Socket | EventStream, kind: str, **how: int) -> None:
        if self._observations is not None:
            detail = {"id": connection.request_id, "kind": kind, **how}
            self._observations.tell(
                type, connection.user.id, session_id=connection.session_id or None, detail=detail
            )

    def discard(self, socket: Socket) -> None:
        """Look no longer after a socket; one that is not there is fine."""
        self._due.pop(socket, None)
        if socket in self._sockets:
            self._sockets.remove(socket)
            self._forget(socket.user)
            if not self._sockets and self._is_empty is not None:
                self._is_empty.set()

    def add_stream(self, stream: EventStream) -> None:
        """Look after a stream from now on."""
        self._streams.add(stream)
        self._of_user[stream.user.id] += 1
        if self._metrics is not None:
            self._metrics.opened.add("sse")
        self._observe("connection_opened", stream, "sse")

    def discard_stream(self, stream: EventStream) -> None:
        """Look no longer after a stream."""
        if stream.is_too_slow and self._metrics is not None:
            self._metrics.slow.add("sse")
        self._due.pop(stream, None)
        self._streams.discard(stream)
        self._forget(stream.user)
        self._observe("connection_closed", stream, "sse")

    def _forget(self, user: User) -> None:
        self._of_user[user.id] -= 1
        if not self._of_user[user.id]:
            del self._of_user[user.id]

    async def _sweep_forever(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_EVERY)
            self.sweep(asyncio.get_running_loop().time())

    def sweep(self, now: float) -> None:
        """Look at everybody: end what is dead or stalled, ping, and begin to check rights.

        Waits for nothing: one who cannot be checked keeps nobody else from a ping.
        """
        for socket in tuple(self._sockets):
            try:
                self._look_at(socket, now)
            except Exception:
                logger.exception("socket %s could not be swept", socket.request_id)
        for stream in tuple(self._streams):
            if stream.is_stalled(now, STALLED_AFTER):
                stream.is_too_slow = True
                stream.abort()
            self._check_in_time(stream, now)
        for _ in range(min(len(self._due), CHECKS_AT_ONCE - len(self._checkers))):
            task = asyncio.create_task(self._check_due(), name="rights of sockets")
            self._checkers.add(task)
            task.add_done_callback(self._checkers.discard)

    def _look_at(self, socket: Socket, now: float) -> None:
        if now - socket.heard_at > PING_EVERY + PONG_WITHIN:
            socket.abort()  # a close handshake would wait for the dead
        elif socket.writer.is_stalled(now, STALLED_AFTER):
            socket.close(4008, "too slow")
        elif now - socket.pinged_at >= PING_EVERY:
            socket.pinged_at = now
            socket.send_ping()
        self._check_in_time(socket, now)

    def _check_in_time(self, connection: Socket | EventStream, now: float) -> None:
        if now - connection.checked_at >= CHECK_RIGHTS_EVERY:
            connection.checked_at = now
            self._due[connection] = None

    async def _check_due(self) -> None:
        while self._due:
            connection = next(iter(self._due))
            del self._due[connection]
            await self._check(connection)

    async def _check(self, connection: Socket | EventStream) -> None:
        try:
            async with asyncio.timeout(CHECK_RIGHTS_WITHIN):
                await connection.check_rights()
        except TimeoutError:
            logger.warning("%s: rights not checked: took too long", connection.request_id)
        except ChatdError as exc:
            logger.warning("%s: rights not checked: %s", connection.request_id, exc)
        except Exception:
            logger.exception("%s: rights not checked", connection.request_id)
