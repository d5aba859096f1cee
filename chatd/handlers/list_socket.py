"""The socket of a user's list of sessions."""

from __future__ import annotations

from typing import Any, ClassVar

from chatd.events import Event
from chatd.handlers.sockets import GREETING, Socket


class SessionListSocket(Socket):
    """What happens to all sessions of the caller."""

    kind = "list"
    commands: ClassVar[dict[str, str]] = {"ping": "answer_ping"}

    async def join(self, *args: str) -> None:
        """Join, then send the first page; what happens meanwhile follows it."""
        self.room = f"user:{self.user.id}"
        self.app.hub.join(self.room, self.subscriber)
        page = await self.app.sessions.list(self.user)
        payload: dict[str, Any] = {
            "message": "Connected to the session list.",
            "sessions": page.results,
            "next": page.next,
            "epoch": self.app.store.epoch,
            **GREETING,
        }
        self.send_now(Event(type="connection_established", payload=payload))
        self.subscriber.settle(0)

    def answer_ping(self, t: Any = None) -> None:
        """Answer with what was sent."""
        self.send_now(Event(type="pong", payload={"t": t}))
