"""Messages, as they are read."""

from __future__ import annotations

import abc

from chatd.provider import PromptMessage
from chatd.types import Message, MessagePage, Turn, Value


class Found(Value, frozen=True, kw_only=True):
    """A message that a search has found, the title of its session, and how well it fits."""

    message: Message
    title: str
    rank: float


class FoundPage(Value, frozen=True, kw_only=True):
    """A page of what a search has found; `next` and `previous` are cursors."""

    results: list[Found]
    next: str | None = None
    previous: str | None = None


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

    @abc.abstractmethod
    async def search(
        self,
        user_id: str,
        query: str,
        *,
        is_active: bool | None = True,
        limit: int = 50,
        cursor: str = "",
    ) -> FoundPage:
        """Return the user's ended messages in which all of a query occurs, the best match first.

        All that had ended at the call, of all branches. What occurs is what `chatd.words` says of
        the query; a query without words finds nothing. `is_active` is of the session, None means
        all. A higher rank is a better match, and means nothing else. Raises BadRequest for a cursor
        that this method did not return.
        """
