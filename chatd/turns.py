"""What users do with turns: send, stop, and be answered once however often they ask.

The order of checks is authentication (before this), ownership, duplicate, rate limit, running
(PROTOCOL section 4.3, promise 2).
"""

from __future__ import annotations

import asyncio
import logging

from chatd.announcements import typing_event, user_message_event
from chatd.broker import Broker
from chatd.catalog import Models
from chatd.errors import (
    ChatdError,
    Conflict,
    GenerationRunning,
    ModelUnavailable,
    ShuttingDown,
    StoreUnavailable,
)
from chatd.events import Event
from chatd.failpoints import failpoint
from chatd.generations import LEASE, Generations
from chatd.limits import TurnLimits
from chatd.prompts import Prompts
from chatd.run import Run
from chatd.store import Store
from chatd.types import Head, Message, Model, Slot, Turn, User, Value, new_id, now

logger = logging.getLogger(__name__)

OTHER_NODE_POLL = 0.05  # seconds between looks at a slot that another process holds


class Sent(Value, frozen=True, kw_only=True):
    """What a send led to: its stored message, and the generation that runs or its ended answer."""

    user_message: Message
    generation_id: str
    is_duplicate: bool = False
    run: Run | None = None
    answer: Message | None = None

    @property
    def key(self) -> tuple[str, str]:
        """The session's id and the client_id of the send."""
        return self.user_message.session_id, self.user_message.client_id or ""


class Turns:
    """The turns of all users."""

    def __init__(
        self,
        store: Store,
        broker: Broker,
        generations: Generations,
        models: Models,
        *,
        limits: TurnLimits,
        prompts: Prompts,
        node: str,
        boot: str,
    ) -> None:
        self._store = store
        self._broker = broker
        self._generations = generations
        self._models = models
        self._limits = limits
        self._prompts = prompts
        self._node, self._boot = node, boot
        self._is_closing = False

    def close(self) -> None:
        """Refuse new turns from now on."""
        self._is_closing = True

    async def send(
        self, user: User, session_id: str, text: str, client_id: str | None = None
    ) -> Sent:
        """Store a user message and start the generation that answers it.

        Returns when both messages are on disk. The same client_id again returns the first send.
        Raises NotFound, Conflict (client_id with another text), RateLimited, GenerationRunning,
        SessionDeleted, ModelUnavailable, ShuttingDown; then nothing is stored.
        """
        first = await self._find(user, session_id, text, client_id)
        if first is not None:
            return first
        await self._check_limits(user, session_id)
        try:
            return await self._try(user, session_id, text, client_id)
        except ModelUnavailable:
            # The session is free while the providers are asked: that may take seconds.
            if not await self._models.learn():
                raise
        if self._is_closing:
            raise ShuttingDown
        return await self._try(user, session_id, text, client_id)

    async def _try(self, user: User, session_id: str, text: str, client_id: str | None) -> Sent:
        """Take the slot and begin, or return the first send of this client_id."""
        while True:
            run = self._new_run(user, session_id, client_id)
            try:
                head = await self._store.take_slot(user.id, session_id, run.slot, lease=LEASE)
            except GenerationRunning:
                self._generations.release(run)
                first = await self._racing(user, session_id, text, client_id)
                if first is not None:
                    return first
            except BaseException:
                self._generations.release(run)
                raise
            else:
                return await self._begin_or_find(user, run, head, text)

    async def _begin_or_find(self, user: User, run: Run, head: Head, text: str) -> Sent:
        """Begin, unless the whole turn of a repeat has passed since we looked for one."""
        try:
            return await self._begin(user, run, head, text)
        except Conflict:
            first = await self._find(user, run.session_id, text, run.client_id)
            if first is None:
                raise
            return first

    async def _begin(self, user: User, run: Run, head: Head, text: str) -> Sent:
        """Do what follows the taking of the slot: store the turn and start its generation."""
        failpoint("after_slot")
        try:
            _, model = resolved = await self._models.resolve(user, head.session.model)
            stored = await self._store.add_messages(run.id, _new_messages(run, head, model, text))
        except StoreUnavailable:
            # Whether the messages are stored is not known: when the lease has passed, `recover`
            # looks at what is there.
            self._generations.release(run)
            raise
        except BaseException:
            await self._give_back(run)
            raise
        finally:
            run.begun.set()
        failpoint("after_messages")
        run.begin(stored[:-1], stored[-1])
        self._announce(user, run)
        self._generations.start(
            run, lambda run: self._prompts.make(run, user, head.session, *resolved)
        )
        return Sent(user_message=stored[0], generation_id=run.id, run=run)

    async def _give_back(self, run: Run) -> None:
        """Free the slot of a turn of which nothing is stored."""
        try:
            await self._store.free_slot(run.session_id, run.id, [])
        except StoreUnavailable:
            logger.warning("slot of %s is left to its lease: store away", run.session_id)
        finally:
            self._generations.release(run)

    def _announce(self, user: User, run: Run) -> None:
        messages = map(user_message_event, run.new_messages)
        self._broker.publish(run.session_id, *messages, typing_event(run.message))
        started = {"session_id": run.session_id, "generation_id": run.id, "status": "running"}
        self._broker.publish(f"user:{user.id}", Event(type="generation_started", payload=started))

    async def _find(
        self, user: User, session_id: str, text: str | None, client_id: str | None
    ) -> Sent | None:
        """Return the send that was stored with this client_id. Raises Conflict for another text."""
        if client_id is None:
            return None
        turn = await self._store.find_turn(user.id, session_id, client_id)
        return None if turn is None else self._duplicate(turn, text)

    def _duplicate(self, turn: Turn, text: str | None) -> Sent:
        message, answer = turn.message, turn.answer
        if message.content != text or message.role != "user":
            raise Conflict("This client_id has been used for something else.")
        generation_id = message.generation_id or ""
        run = self._generations.get(generation_id)
        return Sent(
            user_message=message,
            generation_id=generation_id,
            is_duplicate=True,
            run=run,
            answer=None if run else answer,
        )

    async def _racing(
        self, user: User, session_id: str, text: str, client_id: str | None
    ) -> Sent | None:
        """Say what a send is that found the slot taken: a repeat of its holder, or too early.

        A repeat waits until the first is stored. Returns None when the first came to nothing: then
        this one may try. Raises GenerationRunning when the slot is held for another turn.
        """
        while True:
            first = await self._find(user, session_id, text, client_id)
            if first is not None:
                return first
            slot = (await self._store.get_head(user.id, session_id)).slot
            if slot is None and client_id is not None:
                return None
            if slot is None or client_id is None or slot.client_id != client_id:
                raise GenerationRunning
            run = self._generations.get(slot.generation_id)
            await (run.begun.wait() if run else asyncio.sleep(OTHER_NODE_POLL))

    async def _check_limits(self, user: User, session_id: str) -> None:
        try:
            if self._is_closing:
                raise ShuttingDown
            self._limits.check(user.id, running=self._generations.running(user.id))
        except ChatdError:
            await self._store.get_session(user.id, session_id)  # ownership is said first
            raise

    def _new_run(self, user: User, session_id: str, client_id: str | None) -> Run:
        # The answer has its generation's id: whoever knows the one finds the other.
        generation_id = new_id()
        slot = Slot(
            generation_id=generation_id,
            user_message_id=new_id(),
            assistant_message_id=generation_id,
            client_id=client_id,
            node=self._node,
            boot=self._boot,
        )
        run = Run(user_id=user.id, session_id=session_id, slot=slot, publish=self._broker.publish)
        self._generations.reserve(run)
        return run

    async def stop(
        self,
        user: User,
        session_id: str,
        generation_id: str | None = None,
        seen_seq: int | None = None,
        *,
        may_wait: bool = True,
    ) -> bool:
        """Stop the session's running generation; return whether one was running.

        Raises NotFound. A generation id that is not the running one's stops nothing.
        """
        slot = (await self._store.get_head(user.id, session_id)).slot
        if slot is None or generation_id not in (None, slot.generation_id):
            return False
        return await self._generations.stop(slot.generation_id, seen_seq, may_wait=may_wait)

    async def wait(self, user: User, sent: Sent) -> Message:
        """Return the answer to a send when its generation has ended."""
        if sent.run is not None:
            return await asyncio.shield(sent.run.ended)
        answer = sent.answer
        while answer is None or answer.status == "streaming":
            # Of a process that died, or of another node: it ends with its lease at the latest.
            await asyncio.sleep(OTHER_NODE_POLL)
            turn = await self._store.find_turn(user.id, *sent.key)
            answer = turn.answer if turn else None
        return answer


def _new_messages(run: Run, head: Head, model: Model, text: str) -> list[Message]:
    time, slot = now(), run.slot
    user_message = Message(
        id=slot.user_message_id,
        session_id=run.session_id,
        parent_id=head.session.head_id,
        role="user",
        content=text,
        generation_id=run.id,
        client_id=slot.client_id,
        created_at=time,
        updated_at=time,
    )
    answer = Message(
        id=slot.assistant_message_id,
        session_id=run.session_id,
        parent_id=user_message.id,
        role="assistant",
        status="streaming",
        model=model.id,
        generation_id=run.id,
        created_at=time,
        updated_at=time,
    )
    return [user_message, answer]
