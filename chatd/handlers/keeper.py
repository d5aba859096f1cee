"""The open sockets of this process: how many there may be, and which of them still live.

One timer for all of them: Tornado's own ping costs a timer and 1.7 KiB a socket, and closes a dead
peer with 1000, which tells it to stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from chatd.types import User

if TYPE_CHECKING:
    from chatd.handlers.sockets import Socket

logger = logging.getLogger(__name__)

SWEEP_EVERY = 2.5
PING_EVERY = 25.0
PONG_WITHIN = 20.0
CHECK_RIGHTS_EVERY = 30.0
STALLED_AFTER = 20.0
CLOSE_WITHIN = 5.0


class Keeper:
    """All open sockets."""

    def __init__(self, *, most: int, most_per_user: int) -> None:
        self._most, self._most_per_user = most, most_per_user
        self._sockets: set[Socket] = set()
        self._of_user: dict[str, int] = {}
        self._sweeper: asyncio.Task[None] | None = None
        self._is_empty: asyncio.Event | None = None

    def open(self) -> None:
        """Begin to look after sockets."""
        self._sweeper = asyncio.create_task(self._sweep_forever(), name="socket sweeper")

    async def aclose(self, code: int, reason: str) -> None:
        """Close all sockets and wait for them, for a few seconds at most."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for socket in tuple(self._sockets):
            socket.close(code, reason)
        if self._sockets:
            self._is_empty = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_WITHIN):
                    await self._is_empty.wait()

    def admits(self, user: User) -> bool:
        """Return whether one more socket of a user may open."""
        if self._most and len(self._sockets) >= self._most:
            return False
        return not self._most_per_user or self._of_user.get(user.id, 0) < self._most_per_user

    def add(self, socket: Socket) -> None:
        """Look after a socket from now on."""
        self._sockets.add(socket)
        self._of_user[socket.user.id] = self._of_user.get(socket.user.id, 0) + 1

    def discard(self, socket: Socket) -> None:
        """Look no longer after a socket; one that is not there is fine."""
        if socket in self._sockets:
            self._sockets.remove(socket)
            left = self._of_user[socket.user.id] - 1
            if left:
                self._of_user[socket.user.id] = left
            else:
                del self._of_user[socket.user.id]
            if not self._sockets and self._is_empty is not None:
                self._is_empty.set()

    async def _sweep_forever(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_EVERY)
            now = asyncio.get_running_loop().time()
            for socket in tuple(self._sockets):
                try:
                    await self._look_at(socket, now)
                except Exception:
                    logger.exception("socket %s could not be swept", socket.request_id)

    async def _look_at(self, socket: Socket, now: float) -> None:
        if now - socket.heard_at > PING_EVERY + PONG_WITHIN:
            socket.abort()  # a close handshake would wait for the dead
        elif socket.writer.is_stalled(now, STALLED_AFTER):
            socket.close(4008, "too slow")
        elif now - socket.pinged_at >= PING_EVERY:
            socket.pinged_at = now
            socket.send_ping()
        if now - socket.checked_at >= CHECK_RIGHTS_EVERY:
            socket.checked_at = now
            await socket.check_rights()
