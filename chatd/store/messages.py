"""Messages, as they are read."""

from __future__ import annotations

import abc

from chatd.provider import PromptMessage
from chatd.types import Message, MessagePage, Turn


class MessageStore(abc.ABC):
    """Messages, as they are read."""

    @abc.abstractmethod
    async def list_messages(
        self,
        user_id: str,
        session_id: str,
        *,
        before: int | None = None,
        after: int | None = None,
        since: int | None = None,
        all_branches: bool = False,
        limit: int = 50,
    ) -> MessagePage:
        """Return messages of the shown branch, or of all, in ascending order.

        Without bounds the newest `limit`; `before` and `after` are seqs, not included. With `since`
        the messages of all branches whose revision is greater, by revision. A streaming message is
        left out except with `since` and `all_branches`. Raises NotFound.
        """

    @abc.abstractmethod
    async def get_message(self, user_id: str, session_id: str, message_id: str) -> Message:
        """Return one message. Raises NotFound."""

    @abc.abstractmethod
    async def history(
        self, user_id: str, session_id: str, *, max_chars: int
    ) -> list[PromptMessage]:
        """Return the newest ended messages with a text of the shown branch, oldest first.

        As many as max_chars holds uncut, but at least one. The cost does not grow with the session.
        """

    @abc.abstractmethod
    async def find_turn(self, user_id: str, session_id: str, client_id: str) -> Turn | None:
        """Return the turn stored with this client_id, if any. Raises NotFound for the session."""
