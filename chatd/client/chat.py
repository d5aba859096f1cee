"""One session, live: turns out, events in, over a socket that comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from chatd.client.events import Connected, Ended, Event, Pong, Refused, Reload
from chatd.client.follower import Follower
from chatd.client.link import Link, Receiver, Timing
from chatd.client.live import Live
from chatd.client.log import Frame, Running
from chatd.client.outbox import PASSING, Outbox
from chatd.client.turn import Turn
from chatd.errors import TooLarge
from chatd.types import Message

FRAME_TOO_LARGE = 1009  # a close code
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0  # seconds before a refused turn is tried again


class ChatSession(Live):
    """A session with its socket. Any number of turns may be queued: they run one by one.

    A turn is sent again after a lost connection; there is one message and one generation of it all
    the same.
    """

    def __init__(
        self,
        session_id: str,
        make_link: Callable[[Receiver], Link],
        timing: Timing,
        *,
        most_queued: int,
    ) -> None:
        super().__init__(make_link, timing)
        self.session_id = session_id
        self._follower = Follower()
        self._outbox = Outbox(self._link.tell, lambda: self.running, most=most_queued)
        self._pause = FIRST_PAUSE
        self._retry: asyncio.TimerHandle | None = None

    @property
    def running(self) -> Running | None:
        """The generation that runs, whoever started it, with its text up to now."""
        return self._follower.running

    def send(self, text: str, *, client_id: str | None = None) -> Turn:
        """Send a message, now or when its turn comes. Raises OutboxFull, Closed, and
        UnicodeEncodeError for a lone surrogate.

        `client_id` is made if it is not given; the same one again leads to the same turn.
        """
        return self._add({"type": "send_message", "message": text}, client_id)

    async def ask(self, text: str, *, client_id: str | None = None) -> Message:
        """Send a message and return the answer when it is complete. Raises as a Turn does."""
        return await self.send(text, client_id=client_id).reply()

    def regenerate(self, message_id: str | None = None, *, client_id: str | None = None) -> Turn:
        """Have a message answered anew, by default the last one; the old answer is kept."""
        command = {"type": "regenerate"} | ({"message_id": message_id} if message_id else {})
        return self._add(command, client_id)

    def edit(self, message_id: str, text: str, *, client_id: str | None = None) -> Turn:
        """Put another message in the place of one's own; the old one and its answer are kept."""
        command = {"type": "edit_message", "message_id": message_id, "message": text}
        return self._add(command, client_id)

    def follow(self) -> Turn | None:
        """Return the turn that runs, if one does, from its first word, whoever started it."""
        self._check()
        running, head = self.running, self._outbox.head
        if running is None:
            return None
        if head is not None and head.generation_id == running.generation_id:
            return head
        turn = Turn({}, stop=self._outbox.stop)
        turn.state, turn.generation_id = "accepted", running.generation_id
        self._outbox.follow(turn)
        return turn

    def stop(self) -> None:
        """Stop what runs or is to run next. Does not wait, and without anything does nothing."""
        turn = self._outbox.head or self.follow()
        if turn is not None:
            turn.stop()

    def typing(self, is_typing: bool = True) -> None:
        """Tell the session's other windows; lost without a connection."""
        self._link.tell("typing" if is_typing else "stop_typing")

    def _add(self, command: dict[str, str], client_id: str | None) -> Turn:
        self._check()
        for text in (*command.values(), client_id or ""):
            text.encode()  # what no frame can hold must not be queued
        turn = Turn(command, client_id=client_id, stop=self._outbox.stop)
        self._outbox.add(turn)
        return turn

    def query(self) -> dict[str, str]:
        """Return what the follower has: what it misses comes again."""
        return self._follower.query()

    def lost(self, reason: str, code: int | None, retry_in: float) -> None:
        """Note that the connection is lost, and what the server would not take."""
        if code == FRAME_TOO_LARGE:
            self._outbox.fail_sent(TooLarge("The message is too large for one frame."))
        super().lost(reason, code, retry_in)

    def received(self, frame: Frame) -> None:
        """Have the follower read a frame, and carry out what it says."""
        step = self._follower.feed(frame)
        for answer in step.answers:
            self._link.tell(**answer)
        for event in step.events:
            self._take(event)
        if step.is_behind:
            self._link.drop()

    def _take(self, event: Event) -> None:
        if isinstance(event, Pong):
            self._outbox.ponged(event.generation_id)
            return
        if isinstance(event, Connected):
            self.is_connected = True
            self._greeted.set()
            self._cancel_retry()
            self._report(event)
            self._outbox.connected()
            return
        if isinstance(event, Reload):
            self._report(event)
            return
        if self._outbox.take(event):
            self._try_later()
        if not getattr(event, "is_repeated", False) and not _is_passing(event):
            self._tell(event)
        if isinstance(event, Ended):
            self._cancel_retry()
            self._outbox.pump()

    def _report(self, event: Event) -> None:
        self._outbox.tell_all(event)
        self._tell(event)

    def _try_later(self) -> None:
        if self._retry is None:
            self._retry = asyncio.get_running_loop().call_later(self._pause, self._try_again)
            self._pause = min(self._pause * 2, LONGEST_PAUSE)

    def _try_again(self) -> None:
        self._retry = None
        self._outbox.pump()

    def _cancel_retry(self) -> None:
        self._pause = FIRST_PAUSE
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def _ended(self, error: BaseException) -> None:
        self._cancel_retry()
        self._outbox.fail(error)


def _is_passing(event: Event) -> bool:
    """Whether it is a refusal that the outbox deals with."""
    return isinstance(event, Refused) and event.error.code in PASSING
