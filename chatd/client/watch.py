"""The caller's list of sessions, live."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from chatd.client.errors import error_of
from chatd.client.events import (
    Connected,
    Event,
    GenerationEnded,
    GenerationStarted,
    Refused,
    SessionCreated,
    SessionDeleted,
    SessionsLoaded,
    SessionUpdated,
)
from chatd.client.link import Link, Receiver, Timing
from chatd.client.live import Live
from chatd.client.log import Frame
from chatd.types import Session

KINDS: dict[str, type[Event]] = {
    "session_created": SessionCreated,
    "session_updated": SessionUpdated,
    "session_deleted": SessionDeleted,
    "generation_started": GenerationStarted,
    "generation_ended": GenerationEnded,
}


class SessionList(Live):
    """The sessions that the server has told, and what happens to them.

    Every connection begins with the newest page, as SessionsLoaded: what was missed is in it.
    `running` are the sessions in which a generation was seen to start and not yet to end.
    """

    def __init__(self, make_link: Callable[[Receiver], Link], timing: Timing) -> None:
        super().__init__(make_link, timing)
        self._sessions: dict[str, Session] = {}
        self.running: dict[str, str] = {}

    @property
    def sessions(self) -> list[Session]:
        """The sessions, the most recent activity first."""
        return sorted(self._sessions.values(), key=_activity, reverse=True)

    def received(self, frame: Frame) -> None:
        """Keep the list as the server tells it."""
        kind = frame.get("type", "")
        if kind == "connection_established":
            self._load(frame)
        elif kind == "error":
            self._tell(Refused(error=error_of(frame), client_id=frame.get("client_id")))
        elif kind in KINDS:
            event = msgspec.convert(frame, KINDS[kind])
            self._apply(event)
            self._tell(event)

    def _load(self, frame: Frame) -> None:
        found = msgspec.convert(frame.get("sessions", []), list[Session])
        self._sessions = {session.id: session for session in found}
        self.running.clear()
        self.is_connected = True
        self._tell(Connected(server=frame.get("server", "")))
        self._tell(SessionsLoaded(sessions=found))
        self._greeted.set()

    def _apply(self, event: Event) -> None:
        if isinstance(event, (SessionCreated, SessionUpdated)):
            self._sessions[event.session.id] = event.session
        elif isinstance(event, SessionDeleted) and event.session is not None:
            self._sessions.pop(event.session.id, None)
        elif isinstance(event, GenerationStarted):
            self.running[event.session_id] = event.generation_id
        elif isinstance(event, GenerationEnded):
            self.running.pop(event.session_id, None)


def _activity(session: Session) -> str:
    return f"{(session.last_message_at or session.created_at).isoformat()} {session.id}"
