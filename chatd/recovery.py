"""What becomes of a turn whose process died: ended once, visibly, never started again.

A crash can fall between any two of a turn's four writes. Which one it was shows in what is stored:

* the slot alone: the turn never was; the branch shown before is shown again;
* the user's message too: its answer is inserted as interrupted;
* a streaming answer: it is marked interrupted, with the text of its last checkpoint;
* an ended answer: only the slot is left to be freed.
"""

from __future__ import annotations

import logging

from chatd.errors import ChatdError, Conflict, GenerationInterrupted, StoreUnavailable
from chatd.failpoints import failpoint
from chatd.run import error_value
from chatd.store import Store
from chatd.types import Abandoned, Message, Session, now

logger = logging.getLogger(__name__)


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
