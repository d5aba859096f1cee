"""Ends of turns that are stored and not told yet: the next turn of the session waits for them.

Clients keep the last revision that they were told of and ask for what is newer when they come back.
So the end of a turn has to be told before the next user's message, which has a higher one.
"""

from __future__ import annotations

import asyncio
from typing import Any


class Ends:
    """The ends that are still to be told in this process, by session."""

    def __init__(self) -> None:
        self._expected: dict[str, asyncio.Future[Any]] = {}

    def expect(self, session_id: str, told: asyncio.Future[Any]) -> None:
        """Have the next turn of a session wait until a future is done, however it is."""
        self._expected[session_id] = told
        told.add_done_callback(lambda told: self._forget(session_id, told))

    def _forget(self, session_id: str, told: asyncio.Future[Any]) -> None:
        if self._expected.get(session_id) is told:
            del self._expected[session_id]

    async def told(self, session_id: str) -> None:
        """Wait until the end of the session's last turn here, if any, has been told."""
        expected = self._expected.get(session_id)
        if expected is not None:
            await asyncio.wait({expected})
