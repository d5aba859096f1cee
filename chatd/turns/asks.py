"""What a client asks for with a turn, and what it led to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from chatd.run import Run
from chatd.types import Kind, Message, Model, Slot, Turn, Value, now


class Ask(Value, frozen=True, kw_only=True):
    """A turn as a client asks for it.

    `text` is the user's, of a send or an edit. `target` is the message that is edited, or the
    answer to be given anew; None for the last one.
    """

    session_id: str
    kind: Kind = "send"
    text: str = ""
    target: Message | None = None
    client_id: str | None = None

    def led_to(self, turn: Turn) -> bool:
        """Return whether a turn that is stored with this client_id was asked for like this.

        What is stored tells the kind, the text, and beside which messages it was put. Which of
        several siblings was named makes no difference to the turn, so long as it was there before.
        """
        first, target = turn.message, self.target
        if turn.kind != self.kind or (self.kind != "regenerate" and first.content != self.text):
            return False
        return target is None or (target.parent_id == first.parent_id and target.seq < first.seq)

    def new_messages(self, slot: Slot, parent_id: str | None, model: Model) -> list[Message]:
        """Return the messages of this turn; one that is regenerated has its question already."""
        time = now()
        answer = Message(
            id=slot.assistant_message_id,
            session_id=self.session_id,
            parent_id=slot.user_message_id,
            role="assistant",
            status="streaming",
            model=model.id,
            generation_id=slot.generation_id,
            created_at=time,
            updated_at=time,
        )
        if self.kind == "regenerate":
            return [answer.replace(client_id=slot.client_id)]
        question = Message(
            id=slot.user_message_id,
            session_id=self.session_id,
            parent_id=parent_id,
            role="user",
            content=self.text,
            generation_id=slot.generation_id,
            client_id=slot.client_id,
            created_at=time,
            updated_at=time,
        )
        return [question, answer]


class Sent(Value, frozen=True, kw_only=True):
    """What an ask led to: the user's message, and the generation that runs or its ended answer."""

    kind: Kind
    user_message: Message
    generation_id: str
    is_duplicate: bool = False
    run: Run | None = None
    answer: Message | None = None

    @property
    def is_running(self) -> bool:
        """Whether the end of its generation has not yet been published here."""
        return self.run is not None and not self.run.ended.done()


Begin = Callable[[], Awaitable[Sent]]  # what begins a turn when it is called
