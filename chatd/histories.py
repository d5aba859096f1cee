"""The histories of sessions, as prompts are made of them: remembered from turn to turn.

A message never changes once it has ended, and its parent neither. So what stands before a message
is the same for ever, and the history of a turn is that of the turn before it and two messages more.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from typing import Literal

from chatd.provider import PromptMessage
from chatd.store import Store
from chatd.types import Message

MOST_CHARS = 16_000_000  # of all remembered histories together
MOST_SESSIONS = 10_000


class History:
    """What stands before the message `tip_id`: the newest messages that `max_chars` holds."""

    def __init__(self, max_chars: int, made: str) -> None:
        self.made = made  # which of the sessions that had this id after each other
        self.tip_id = ""  # known when the turn has ended
        self.max_chars = max_chars
        self.messages: deque[PromptMessage] = deque()
        self.chars = 0

    def add(self, message: PromptMessage) -> None:
        """Append a message, and drop the oldest that are too much; one stays."""
        self.messages.append(message)
        self.chars += len(message.content)
        self.shorten(self.max_chars)

    def shorten(self, max_chars: int) -> None:
        """Drop the oldest messages that are too much; one stays."""
        self.max_chars = max_chars
        while self.chars > max_chars and len(self.messages) > 1:
            self.chars -= len(self.messages.popleft().content)


class Histories:
    """The histories of the sessions in which turns ran here lately."""

    def __init__(
        self, store: Store, *, most_chars: int = MOST_CHARS, most_sessions: int = MOST_SESSIONS
    ) -> None:
        self._store = store
        self._most_chars, self._most_sessions = most_chars, most_sessions
        self._chars = 0
        self._known: OrderedDict[str, History] = OrderedDict()  # by session, the latest last

    async def of_turn(
        self,
        user_id: str,
        session_id: str,
        new: list[Message],
        parent_id: str | None,
        *,
        max_chars: int,
        made: str = "",
    ) -> History:
        """Return the newest messages of the shown branch up to the `new` ones of a turn.

        `parent_id` is the message before them, `made` that of the Head. As many as max_chars holds
        uncut, but at least one.
        """
        history = self.forget(session_id)
        is_known = history is not None and (history.tip_id, history.made) == (parent_id, made)
        if history is None or not is_known or history.max_chars < max_chars:
            history = History(max_chars, made)
            for message in await self._store.history(user_id, session_id, max_chars=max_chars):
                history.add(message)
            return history
        history.shorten(max_chars)
        for stored in new:
            _add(history, stored)
        return history

    def remember(self, history: History, ended: asyncio.Future[Message]) -> None:
        """Keep the history of a turn for the next one, with the answer that has ended."""
        if ended.cancelled() or ended.exception() is not None:
            return
        answer = ended.result()
        _add(history, answer)
        history.tip_id = answer.id
        self.forget(answer.session_id)
        self._known[answer.session_id] = history
        self._chars += history.chars
        while self._chars > self._most_chars or len(self._known) > self._most_sessions:
            self.forget(next(iter(self._known)))

    def forget(self, session_id: str) -> History | None:
        """Forget a session that was erased: another may get its id, and its messages' ids."""
        history = self._known.pop(session_id, None)
        if history is not None:
            self._chars -= history.chars
        return history


def _add(history: History, message: Message) -> None:
    """Append what a prompt may hold of a message: what was said, as `Store.history` has it."""
    role: Literal["user", "assistant"] = "user" if message.role == "user" else "assistant"
    if message.role == "user" or (message.role == "assistant" and message.content):
        history.add(PromptMessage(role=role, content=message.content))
