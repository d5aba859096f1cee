"""What a turn writes, and how its crash is found."""

from __future__ import annotations

import abc
import logging
from collections.abc import Callable, Mapping, Sequence

from chatd.errors import StoreUnavailable
from chatd.failpoints import failpoint
from chatd.types import Abandoned, Checkpoint, Head, Message, Session, Slot

logger = logging.getLogger(__name__)

MakeMessages = Callable[[Head], Sequence[Message]]  # the new messages of a turn


class GenerationStore(abc.ABC):
    """What a turn writes, and how its crash is found."""

    @abc.abstractmethod
    async def take_slot(
        self,
        user_id: str,
        session_id: str,
        slot: Slot,
        *,
        lease: float,
        fork_after: int | None = None,
    ) -> Head:
        """Take the session's write lock for `lease` seconds of the store's clock.

        With `fork_after` the session shows a new branch, which continues after the message with
        that seq (0: from the start). Returns the session as it then is, with the slot as kept.
        Raises NotFound (also when no message has that seq), SessionDeleted, GenerationRunning.
        """

    async def begin_turn(
        self,
        user_id: str,
        session_id: str,
        slot: Slot,
        make: MakeMessages,
        *,
        lease: float,
        fork_after: int | None = None,
    ) -> tuple[Head, list[Message]]:
        """Do `take_slot`, and then `add_messages` with those made for the session as it then is.

        In one write where a store can; `make` may be called in another thread. Returns what both
        return. When it raises, `make`'s errors included, nothing is stored and the slot is free
        again; after StoreUnavailable that is not known.
        """
        head = await self.take_slot(user_id, session_id, slot, lease=lease, fork_after=fork_after)
        failpoint("after_slot")
        try:
            messages = make(head)
        except BaseException:
            await self.give_back(session_id, slot.generation_id)
            raise
        return head, await self.add_or_give_back(session_id, slot, messages)

    async def add_or_give_back(
        self, session_id: str, slot: Slot, messages: Sequence[Message]
    ) -> list[Message]:
        """Do `add_messages` for the generation that holds the slot.

        When it raises, nothing is stored and the slot is free again; after StoreUnavailable that is
        not known.
        """
        try:
            return await self.add_messages(slot.generation_id, messages)
        except StoreUnavailable:
            raise  # the messages may be stored: `abandoned` will tell
        except BaseException:
            await self.give_back(session_id, slot.generation_id)
            raise

    async def give_back(self, session_id: str, generation_id: str) -> None:
        """Free the slot of a turn of which nothing is stored; never fails.

        While the store is away it is left to its lease.
        """
        try:
            await self.free_slot(session_id, generation_id, [])
        except StoreUnavailable:
            logger.warning("slot of %s is left to its lease: store away", session_id)

    @abc.abstractmethod
    async def add_messages(self, generation_id: str, messages: Sequence[Message]) -> list[Message]:
        """Insert a turn's messages in order on the shown branch and return them numbered.

        Raises GenerationInterrupted when the session's slot is no longer this generation's, and
        Conflict when the session has one of the messages, or one of their client_ids, already.
        """

    @abc.abstractmethod
    async def checkpoint(self, checkpoints: Sequence[Checkpoint]) -> set[str]:
        """Set content and parts of messages that stream; return the generations whose do not."""

    @abc.abstractmethod
    async def renew_leases(self, generations: Mapping[str, str], *, lease: float) -> set[str]:
        """Renew the slots of {generation_id: session_id}; return the generations that lost it."""

    @abc.abstractmethod
    async def end_message(self, message: Message) -> Message | None:
        """Replace a message that still streams by its end; return it with its new revision.

        Returns None when it no longer streams: then somebody else has ended it.
        """

    async def end_turn(
        self, message: Message, new_messages: Sequence[Message]
    ) -> tuple[Message, Session | None] | None:
        """Do `end_message`, and then `free_slot` with the turn's new messages and the ended one.

        In one write where a store can. Returns what both return; None when the message no longer
        streams, and then the slot is left alone. When it raises StoreUnavailable, none, one or both
        have been carried out.
        """
        ended = await self.end_message(message)
        if ended is None:
            return None
        failpoint("before_free")
        messages = [*new_messages, ended]
        return ended, await self.free_slot(
            message.session_id, message.generation_id or "", messages
        )

    @abc.abstractmethod
    async def free_slot(
        self, session_id: str, generation_id: str, messages: Sequence[Message]
    ) -> Session | None:
        """Free the slot, count the turn's new ended messages, and make the last one the head.

        It was created at `last_message_at`. With no messages the branch shown before the take is
        shown again. Returns None, having changed nothing, when the slot is another generation's.
        """

    @abc.abstractmethod
    async def abandoned(self, node: str, boot: str) -> list[Abandoned]:
        """Return the sessions whose slot is of this node and another boot, or has an expired lease.

        Their `messages` are those of the slot that are stored: user's, then assistant's.
        """
