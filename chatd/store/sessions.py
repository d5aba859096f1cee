"""Sessions, as their owners see them."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any

from chatd.types import Head, Session, SessionPage, Stats, Tip


class SessionStore(abc.ABC):
    """Sessions, as their owners see them."""

    @abc.abstractmethod
    async def add_session(self, user_id: str, session: Session) -> None:
        """Keep a new session."""

    @abc.abstractmethod
    async def get_session(self, user_id: str, session_id: str) -> Session:
        """Return the user's session, deleted or not. Raises NotFound."""

    @abc.abstractmethod
    async def get_head(self, user_id: str, session_id: str) -> Head:
        """Return the session with its newest revision and its slot. Raises NotFound."""

    @abc.abstractmethod
    async def get_tip(self, user_id: str, session_id: str) -> Tip | None:
        """Return what the shown branch ends with; None before the first turn, and during each.

        While it is the same, so is all that `list_messages` returns of the shown branch without
        bounds. Raises NotFound.
        """

    @abc.abstractmethod
    async def list_sessions(
        self,
        user_id: str,
        *,
        is_active: bool | None = True,
        query: str = "",
        limit: int = 50,
        cursor: str = "",
    ) -> SessionPage:
        """Return the user's sessions by their last activity, the latest first.

        Creation counts as activity. `query` is text that the title contains, in any case; is_active
        None means all. Raises BadRequest for a cursor that this method did not return.
        """

    @abc.abstractmethod
    async def update_session(
        self,
        user_id: str,
        session_id: str,
        changes: Mapping[str, Any],
        *,
        version: int | None = None,
    ) -> Session:
        """Set fields of a session, and give it the next version if that changes anything.

        `settings` in changes merge key by key, as do its `options`; a value None removes a key.
        Raises NotFound, and PreconditionFailed when `version` is given and not the present one.
        """

    @abc.abstractmethod
    async def select_message(self, user_id: str, session_id: str, message_id: str) -> Session:
        """Show the branch that holds a message and the newest of all that continue it.

        The last message there becomes the head; nothing else changes, the version neither. Raises
        NotFound, SessionDeleted, GenerationRunning.
        """

    @abc.abstractmethod
    async def purge_session(
        self, user_id: str, session_id: str, *, version: int | None = None
    ) -> None:
        """Erase a session and its messages.

        Raises NotFound, PreconditionFailed, GenerationRunning.
        """

    @abc.abstractmethod
    async def get_stats(self, user_id: str) -> Stats:
        """Return the numbers of a user's sessions, from counters kept with each of them."""
