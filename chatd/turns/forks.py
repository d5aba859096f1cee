"""Where a turn leaves what was said before: edited and regenerated messages begin a branch."""

from __future__ import annotations

from typing import NamedTuple

from chatd.errors import GenerationRunning, InvalidInput, NotFound, SessionDeleted
from chatd.store import Store
from chatd.turns.asks import Ask
from chatd.types import Message, Role, User


class ForkMoved(Exception):
    """Another turn has come in between: what was the last answer is not any more."""


class Fork(NamedTuple):
    """The new branch continues after `parent`; None is the very start of the session.

    `head_id` is the head that made it so: if the session has another by the time its slot is taken,
    this is void. None holds whatever the head.
    """

    parent: Message | None
    head_id: str | None = None

    def check(self, head_id: str | None) -> None:
        """Raise ForkMoved if this does not hold for a session with this head."""
        if self.head_id not in (None, head_id):
            raise ForkMoved

    @property
    def after(self) -> int:
        """The seq after which the new branch begins."""
        return self.parent.seq if self.parent else 0

    @property
    def parent_id(self) -> str | None:
        """The id of the message that it continues."""
        return self.parent.id if self.parent else None


class Forks:
    """Finds the places of new branches."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def target(
        self, user: User, session_id: str, message_id: str | None, role: Role
    ) -> Message | None:
        """Return the message that an ask names. Raises NotFound, and InvalidInput for its role."""
        if message_id is None:
            return None
        message = await self._store.get_message(user.id, session_id, message_id)
        if message.role != role:
            errors = {"message_id": [f"The role of this message is not {role}."]}
            raise InvalidInput("Something is wrong with: message_id.", errors=errors)
        return message

    async def find(self, user: User, ask: Ask) -> Fork | None:
        """Return where the branch of an ask begins; None for a send, which goes on.

        Raises NotFound when there is nothing to be answered anew.
        """
        if ask.kind == "send":
            return None
        if ask.target is not None:
            return await self._beside(user, ask.target)
        last = await self._last(user, ask.session_id)
        if last.role == "user":  # it has no answer yet beside which another could stand
            return Fork(last, last.id)
        return (await self._beside(user, last))._replace(head_id=last.id)

    async def _beside(self, user: User, message: Message) -> Fork:
        if message.parent_id is None:
            return Fork(None)
        return Fork(await self._store.get_message(user.id, message.session_id, message.parent_id))

    async def _last(self, user: User, session_id: str) -> Message:
        """Return the last message of the shown branch."""
        head = await self._store.get_head(user.id, session_id)
        if head.session.head_id is not None:
            return await self._store.get_message(user.id, session_id, head.session.head_id)
        if not head.session.is_active:
            raise SessionDeleted
        if head.slot is not None:
            raise GenerationRunning
        raise NotFound("There is no answer yet that could be given anew.")
