"""What becomes of a turn whose process died: ended once, visibly, never started again.

A crash can fall between any two of a turn's four writes. Which one it was shows in what is stored:

* the slot alone: the turn never was; the branch shown before is shown again;
* the user's message too: its answer is inserted as interrupted;
* a streaming answer: it is marked interrupted, with the text of its last checkpoint;
* an ended answer: only the slot is left to be freed.

The same is left by a turn whose process lives, when the store went away under one of its first two
writes: nobody is told whether that was carried out, or still will be.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

from chatd.ends import Ends
from chatd.errors import ChatdError, Conflict, GenerationInterrupted, NotFound, StoreUnavailable
from chatd.failpoints import failpoint
from chatd.run import Run, error_value
from chatd.store import Store
from chatd.types import Abandoned, Message, Session, Slot, now

logger = logging.getLogger(__name__)

Announce = Callable[[str, Message, Session | None, str | None], None]

LOOK_AFTER = 0.25  # seconds from a begin of unknown outcome to the first look, then twice as long
LONGEST_WAIT = 16.0  # seconds before the last look: leases see to what comes later
MOST_IN_DOUBT = 10_000  # turns; those beyond are left to their leases


class Recovery:
    """Ends turns that nobody carries on: exactly once, visibly, never started again."""

    def __init__(
        self,
        store: Store,
        *,
        node: str,
        boot: str,
        is_running: Callable[[str], bool],
        announce: Announce,
        ends: Ends,
    ) -> None:
        self._store = store
        self._node, self._boot = node, boot
        self._is_running = is_running
        self._announce = announce
        self._ends = ends
        self._in_doubt: dict[str, Doubt] = {}

    async def recover(self) -> None:
        """End the turns whose process is gone, or has lost its lease."""
        for abandoned in await self._store.abandoned(self._node, self._boot):
            slot = abandoned.head.slot
            if slot is not None and not self._is_running(slot.generation_id):
                await self._end(abandoned, slot)

    def doubt(self, run: Run) -> None:
        """Remember a turn of which nobody knows what its begin has stored."""
        if len(self._in_doubt) < MOST_IN_DOUBT:
            self._in_doubt[run.id] = Doubt(run)

    async def settle(self) -> None:
        """End the turns in doubt that hold their slots: no lease has to pass for them.

        A slot that is not held yet may still be taken by what lies in a socket, so each is looked
        at several times. Raises StoreUnavailable, and forgets nothing by that.
        """
        for generation_id, doubt in list(self._in_doubt.items()):
            if time.monotonic() < doubt.due:
                continue
            abandoned = await self._held(doubt)
            if abandoned is not None:
                await self._end(abandoned, doubt.slot)
            if abandoned is not None or not doubt.postpone():
                del self._in_doubt[generation_id]

    async def _held(self, doubt: Doubt) -> Abandoned | None:
        """Return what there is of a turn that holds its session's slot."""
        slot, where = doubt.slot, (doubt.user_id, doubt.session_id)
        with contextlib.suppress(NotFound):  # the session may be purged
            head = await self._store.get_head(*where)
            if head.slot is not None and head.slot.generation_id == slot.generation_id:
                messages = []
                for message_id in (slot.user_message_id, slot.assistant_message_id):
                    with contextlib.suppress(NotFound):
                        messages.append(await self._store.get_message(*where, message_id))
                return Abandoned(user_id=doubt.user_id, head=head, messages=messages)
        return None

    async def _end(self, abandoned: Abandoned, slot: Slot) -> None:
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ends.expect(abandoned.head.session.id, told)
        try:
            ended = await try_to_end(self._store, abandoned)
            if ended is not None:
                logger.info("generation %s was left; ended as interrupted", slot.generation_id)
                self._announce(abandoned.user_id, *ended, slot.client_id)
        finally:
            told.set_result(None)


class Doubt:
    """A turn of which nobody knows what its begin has stored, and when to look next."""

    def __init__(self, run: Run) -> None:
        self.user_id, self.session_id, self.slot = run.user_id, run.session_id, run.slot
        self._wait = LOOK_AFTER
        self.due = time.monotonic() + LOOK_AFTER

    def postpone(self) -> bool:
        """Make the next look due, after twice the time; return False when that was the last."""
        self._wait *= 2
        self.due = time.monotonic() + self._wait
        return self._wait <= LONGEST_WAIT


async def try_to_end(store: Store, abandoned: Abandoned) -> tuple[Message, Session] | None:
    """Do `end_abandoned`; of a turn that cannot be ended only write so in the log.

    It must not keep the others from their ends, nor the server from starting.
    """
    try:
        return await end_abandoned(store, abandoned)
    except StoreUnavailable:
        raise
    except Exception:
        logger.exception("the turn in session %s cannot be ended", abandoned.head.session.id)
        return None


async def end_abandoned(store: Store, abandoned: Abandoned) -> tuple[Message, Session] | None:
    """End a turn and free its session; return its answer and the session.

    Returns None when there is no answer, or when somebody else was faster.
    """
    slot, session = abandoned.head.slot, abandoned.head.session
    assert slot is not None
    new = [m for m in abandoned.messages if m.generation_id == slot.generation_id]
    answer = next((m for m in new if m.role == "assistant"), None)
    if answer is None and new:
        answer = _unborn(new[0], slot.assistant_message_id)
        try:
            new += await store.add_messages(slot.generation_id, [answer])
        except (Conflict, GenerationInterrupted):
            return None  # another node mends the same turn
        answer = new[-1]
    elif answer is not None and answer.status == "streaming":
        ended = await store.end_message(interrupted(answer))
        if ended is None:
            return None
        new[-1] = answer = ended
    failpoint("recovery_before_free")
    freed = await store.free_slot(session.id, slot.generation_id, new)
    return None if freed is None or answer is None else (answer, freed)


def interrupted(message: Message, error: ChatdError | None = None) -> Message:
    """Return a message as it is after its generation was cut off."""
    value = error_value(error or GenerationInterrupted())
    return message.replace(status="interrupted", error=value, updated_at=now(), usage=None)


def _unborn(user_message: Message, message_id: str) -> Message:
    """Return the answer that a crash kept from being stored."""
    answer = user_message.replace(
        id=message_id,
        role="assistant",
        content="",
        parent_id=user_message.id,
        client_id=None,
        seq=0,
        revision=0,
        created_at=now(),
    )
    return interrupted(answer)
