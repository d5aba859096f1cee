"""The turns of one session that are not over: each is sent until it is known to have ended.

A turn is repeated with its client_id, which the server does once, however often it is asked: after
a lost connection, and after a refusal that passes by itself. One turn runs at a time; the others
wait behind it, up to a bound.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from chatd.client.errors import OutboxFull, Withdrawn
from chatd.client.events import Ended, Event, LogEvent, Refused, Started, Text, UserMessage
from chatd.client.log import Running
from chatd.client.turn import Turn

# Refusals that pass: another turn runs here, or the server goes and another comes.
PASSING = ("generation_running", "shutting_down")


class Outbox:
    """`tell` sends a frame if there is a connection; `running` returns the generation that runs."""

    def __init__(
        self,
        tell: Callable[..., bool],
        running: Callable[[], Running | None],
        *,
        most: int,
    ) -> None:
        self._tell, self._running, self._most = tell, running, most
        self._turns: deque[Turn] = deque()
        self._followed: list[Turn] = []

    def add(self, turn: Turn) -> None:
        """Queue a turn and send it if it is the next. Raises OutboxFull."""
        if len(self._turns) >= self._most:
            raise OutboxFull(f"{self._most} messages wait already.")
        self._turns.append(turn)
        self.pump()

    def follow(self, turn: Turn) -> None:
        """Pass on what happens to a generation that somebody else has started."""
        self._followed.append(turn)
        self._catch_up(turn)

    @property
    def is_waiting(self) -> bool:
        """Whether the next turn is still to be sent."""
        return bool(self._turns) and self._turns[0].state == "queued"

    @property
    def head(self) -> Turn | None:
        """The turn that runs or is the next."""
        return self._turns[0] if self._turns else None

    def pump(self) -> None:
        """Send the next turn if none of ours runs."""
        if self.is_waiting and self._tell(**self._turns[0].command):
            self._turns[0].state = "sent"

    def connected(self) -> None:
        """Send again what was not acknowledged; ask where the session stands if one was."""
        head = self.head
        if head is not None and head.state == "sent":
            head.state = "queued"
        self.pump()
        for turn in self._live():
            if turn.must_stop:
                self._send_stop(turn)
        if any(self._live()):
            self._tell("ping", t=None)  # its pong comes behind what was missed

    def ponged(self, generation_id: str | None) -> None:
        """Look after turns that should run and do not: their end was missed, for good perhaps."""
        for turn in self._live():
            if turn.generation_id == generation_id:
                continue
            if turn is self.head:
                self._tell(**turn.command)
            else:
                self._tell("resume", generation_id=turn.generation_id, after_seq=0)

    def stop(self, turn: Turn) -> None:
        """Stop a turn, at whatever stage it is; a lost connection does not let it get away."""
        if turn.state == "queued":
            if turn in self._turns:
                self._turns.remove(turn)
            turn.fail(Withdrawn())
            self.pump()
        elif not turn.is_ended:
            turn.must_stop = True
            if turn.state == "accepted":
                self._send_stop(turn)

    def _send_stop(self, turn: Turn) -> None:
        running, fields = self._running(), {"generation_id": turn.generation_id}
        if running is not None and running.generation_id == turn.generation_id:
            self._tell("stop_generation", **fields, seen_seq=running.have)
        else:
            self._tell("stop_generation", **fields)

    def take(self, event: Event) -> bool:
        """Pass on an event to whom it concerns; True asks for another try after a pause."""
        if isinstance(event, Refused):
            return self._refused(event)
        self._accept(event)
        if isinstance(event, (LogEvent, UserMessage, Started, Ended)):
            for turn in self._live():
                if _is_about(event, turn):
                    turn.take(event)
        if isinstance(event, Ended):
            self._drop_ended()
            self.pump()
        return False

    def tell_all(self, event: Event) -> None:
        """Pass on what concerns the connection to whoever waits."""
        for turn in {id(turn): turn for turn in [*self._turns, *self._followed]}.values():
            turn.take(event)

    def fail_sent(self, error: BaseException) -> None:
        """End with an error the turn whose frame has ended the connection: it would do so again."""
        if self.head is not None and self.head.state == "sent":
            self.head.fail(error)
            self._drop_ended()

    def fail(self, error: BaseException) -> None:
        """End all turns with an error."""
        turns = [*self._turns, *self._followed]
        self._turns.clear()
        self._followed.clear()
        for turn in turns:
            turn.fail(error)

    def _accept(self, event: Event) -> None:
        head = self.head
        if head is None or head.state == "accepted":
            return
        if isinstance(event, (UserMessage, Started, Ended)):
            message = event.message
            if message.client_id == head.client_id and message.generation_id:
                head.state, head.generation_id = "accepted", message.generation_id
                self._catch_up(head)
                if head.must_stop and not isinstance(event, Ended):
                    self._send_stop(head)

    def _catch_up(self, turn: Turn) -> None:
        running = self._running()
        if running is not None and running.generation_id == turn.generation_id and running.text:
            about = {"generation_id": running.generation_id, "message_id": running.message_id}
            turn.take(Text(content=running.text, **about))

    def _refused(self, event: Refused) -> bool:
        head = self.head
        if head is None or event.client_id != head.client_id:
            if event.error.code == "not_found" and event.client_id is None:
                for turn in self._followed:
                    turn.fail(event.error)
                self._drop_ended()
            return False
        if event.error.code in PASSING and head.must_stop:
            head.state = "queued"
            self.stop(head)
        elif event.error.code in PASSING:
            head.state = "queued"
            return True
        else:
            head.fail(event.error)
            self._drop_ended()
            self.pump()
        return False

    def _live(self) -> list[Turn]:
        turns = [*list(self._turns)[:1], *self._followed]
        return [turn for turn in turns if turn.state == "accepted"]

    def _drop_ended(self) -> None:
        while self._turns and self._turns[0].is_ended:
            self._turns.popleft()
        self._followed = [turn for turn in self._followed if not turn.is_ended]


def _is_about(event: Event, turn: Turn) -> bool:
    if isinstance(event, UserMessage):
        return event.message.generation_id == turn.generation_id
    return getattr(event, "generation_id", None) == turn.generation_id
