"""One turn as who started it sees it: a stream of events, and in the end a reply."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal, Self

from chatd.client.errors import TurnFailed
from chatd.client.events import Ended, Event, Failed, Started, Text, UserMessage
from chatd.client.log import Strand
from chatd.client.mailbox import Mailbox
from chatd.types import Message, new_id

State = Literal["queued", "sent", "accepted", "ended"]


class Turn:
    """What a send, regenerate or edit leads to. Iterate over it, or await `reply`.

    Iterating yields the turn's events, at last Complete; the pieces of Text before it add up to the
    reply, unless that was stopped. Both raise the ChatdError with which the
    server refused the turn (then nothing is stored), or TurnFailed when its generation failed.
    Leaving the iteration, or cancelling who awaits it, does not stop the generation: `stop` does.
    """

    def __init__(
        self,
        command: dict[str, Any],
        *,
        client_id: str | None = None,
        stop: Callable[[Turn], None] = lambda turn: None,
    ) -> None:
        self.client_id = client_id or new_id()
        self.generation_id: str | None = None
        self.state: State = "queued"
        self.command = {**command, "client_id": self.client_id}
        self._text, self._told = Strand(), 0
        self.must_stop = False
        self._mailbox = Mailbox()
        self._seen: set[type[Event]] = set()
        self._ended = asyncio.Event()
        self._message: Message | None = None
        self._error: BaseException | None = None
        self._stop = stop

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        event = await self._mailbox.get()
        if isinstance(event, Text):
            self._text.append(event.content)
        elif isinstance(event, Ended):
            self._text = Strand()
            self._text.append(event.message.content)
        return event

    @property
    def text(self) -> str:
        """The reply as far as it was iterated over."""
        return str(self._text)

    async def reply(self) -> Message:
        """Return the answer when its generation has ended: complete, or stopped."""
        await self._ended.wait()
        if self._error is not None:
            raise self._error
        assert self._message is not None
        return self._message

    def stop(self) -> None:
        """Stop the generation, or take the send back; what it has produced is kept.

        Does not wait: the turn's end says when and how it ended.
        """
        self._stop(self)

    @property
    def has_news(self) -> bool:
        """Whether there is an event to be had at once."""
        return not self._mailbox.is_empty

    @property
    def is_ended(self) -> bool:
        """Whether nothing more will come."""
        return self.state == "ended"

    def take(self, event: Event) -> None:
        """Pass on an event of this turn; the end of its generation ends it."""
        if self.is_ended:
            return
        if isinstance(event, Failed):
            self.fail(TurnFailed(event.error, event.message))
            return
        if isinstance(event, (UserMessage, Started)):
            if type(event) in self._seen:
                return
            self._seen.add(type(event))
        if isinstance(event, Text):
            self._told += len(event.content)
        elif isinstance(event, Ended) and (rest := unseen(event, self._told)):
            self._mailbox.put(rest)
        self._mailbox.put(event)
        if isinstance(event, Ended):
            self._message = event.message
            self._end(None)

    def fail(self, error: BaseException) -> None:
        """End with an error."""
        if not self.is_ended:
            self._error = error
            self._end(error)

    def _end(self, error: BaseException | None) -> None:
        self.state = "ended"
        self._mailbox.close(error)
        self._ended.set()


def unseen(end: Ended, told: int) -> Text | None:
    """Return the text of a reply of which so many characters were told, if some were missed.

    What was told is a prefix of a complete reply. One that was stopped or failed may be shorter.
    """
    if len(end.message.content) <= told:
        return None
    return Text(
        generation_id=end.generation_id,
        message_id=end.message.id,
        content=end.message.content[told:],
    )
