"""Turns: taken, begun, stopped."""

from __future__ import annotations

import contextlib
import logging
from functools import partial

from chatd.announcements import typing_event, user_message_event
from chatd.broker import Broker
from chatd.catalog import Models
from chatd.errors import (
    ChatdError,
    Conflict,
    GenerationRunning,
    ModelUnavailable,
    ShuttingDown,
)
from chatd.events import Event
from chatd.failpoints import failpoint
from chatd.generations import LEASE, Generations
from chatd.limits import TurnLimits
from chatd.observations import Observations
from chatd.prompts import Prompts
from chatd.provider import Provider
from chatd.run import Run
from chatd.store import Store
from chatd.turns.admission import Admission, Refused
from chatd.turns.asks import Ask, Sent
from chatd.turns.forks import Fork, ForkMoved, Forks
from chatd.turns.repeats import Repeats
from chatd.types import Head, Message, Model, Slot, User, new_id

logger = logging.getLogger(__name__)


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
        admission: Admission,
        observations: Observations,
        node: str,
        boot: str,
    ) -> None:
        self._store = store
        self._broker = broker
        self._generations = generations
        self._models = models
        self._limits = limits
        self._prompts = prompts
        self._admission = admission
        self._observations = observations
        self._repeats = Repeats(store, generations)
        self._forks = Forks(store)
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
        return await self._turn(user, Ask(session_id=session_id, text=text, client_id=client_id))

    async def regenerate(
        self,
        user: User,
        session_id: str,
        message_id: str | None = None,
        client_id: str | None = None,
    ) -> Sent:
        """Start a generation whose answer stands beside an old one, by default the last shown.

        Returns when it is on disk, on a branch of its own, which is shown from then on. Raises what
        `send` does, NotFound also for the message, and InvalidInput when that is no answer.
        """
        target = await self._forks.target(user, session_id, message_id, "assistant")
        ask = Ask(session_id=session_id, kind="regenerate", target=target, client_id=client_id)
        return await self._turn(user, ask)

    async def edit(
        self, user: User, session_id: str, message_id: str, text: str, client_id: str | None = None
    ) -> Sent:
        """Store a user message beside an old one, and start the generation that answers it.

        Otherwise as `regenerate`.
        """
        target = await self._forks.target(user, session_id, message_id, "user")
        return await self._turn(
            user,
            Ask(session_id=session_id, kind="edit", text=text, target=target, client_id=client_id),
        )

    async def _turn(self, user: User, ask: Ask) -> Sent:
        """Carry out what is asked, unless it has been or just is."""
        with contextlib.ExitStack() as stack:
            first = await self._repeats.find_or_enter(user, ask, stack)
            try:
                return first or await self._first(user, ask)
            except Refused as exc:
                raise exc.error from exc.__cause__

    async def _first(self, user: User, ask: Ask) -> Sent:
        """Carry out what nobody here is just asking."""
        await self._check_limits(user, ask.session_id)
        try:
            return await self._try(user, ask)
        except ModelUnavailable:
            # The session is free while the providers are asked: that may take seconds.
            if not await self._models.learn():
                raise
        if self._is_closing:
            raise ShuttingDown
        return await self._try(user, ask)

    async def _try(self, user: User, ask: Ask) -> Sent:
        """Take the slot and begin, or return the first that was asked with this client_id."""
        while True:
            fork = await self._forks.find(user, ask)
            try:
                return await self._begin(user, ask, fork)
            except GenerationRunning:
                first = await self._repeats.racing(user, ask)
                if first is not None:
                    return first
            except ForkMoved:
                continue
            except Conflict:
                # The whole turn of a repeat may have passed since we looked for one.
                first = await self._repeats.find(user, ask)
                if first is None:
                    raise
                return first

    async def _begin(self, user: User, ask: Ask, fork: Fork | None) -> Sent:
        """Take the slot, store the turn and start its generation."""
        await self._models.list()
        run = self._new_run(user, ask, fork)
        question = fork.parent if fork and ask.kind == "regenerate" else None
        picked: list[tuple[Provider, Model]] = []

        def make(head: Head) -> list[Message]:
            if fork is not None:
                fork.check(head.session.head_id)
            picked[:] = [self._models.pick(user, head.session.model)]
            model = picked[0][1]
            parent_id = fork.parent_id if fork else head.session.head_id
            return ask.new_messages(run.slot, parent_id, model)

        try:
            head, stored = await self._admission.begin(
                user,
                ask.session_id,
                run.slot,
                make,
                text=question.content if question else ask.text,
                lease=LEASE,
                fork_after=fork.after if fork else None,
            )
            # The turn before is over, or this one had no slot; its task may not know that yet.
            await self._generations.ends.told(ask.session_id)
        except BaseException as exc:
            self._generations.give_up(run, exc)
            raise
        failpoint("after_messages")
        run.begin(list(stored[:-1]), stored[-1])
        run.begun.set()
        self._announce(user, run)
        self._generations.start(run, lambda run: self._prompts.make(run, user, head, *picked[0]))
        return Sent(
            kind=ask.kind, user_message=question or stored[0], generation_id=run.id, run=run
        )

    def _announce(self, user: User, run: Run) -> None:
        messages = map(user_message_event, run.new_messages)
        self._broker.publish(run.session_id, *messages, typing_event(run.message))
        started = {"session_id": run.session_id, "generation_id": run.id, "status": "running"}
        self._broker.publish(f"user:{user.id}", Event(type="generation_started", payload=started))
        tell = partial(self._observations.tell, user_id=user.id, session_id=run.session_id)
        for message in run.new_messages:
            tell("message_stored", message=message)
        tell("turn_started", message=run.message, detail={"kind": run.slot.kind})

    async def _check_limits(self, user: User, session_id: str) -> None:
        try:
            if self._is_closing:
                raise ShuttingDown
            self._limits.check(user.id, running=self._generations.running(user.id))
        except ChatdError:
            await self._store.get_session(user.id, session_id)  # ownership is said first
            raise

    def _new_run(self, user: User, ask: Ask, fork: Fork | None) -> Run:
        # The answer has its generation's id: whoever knows the one finds the other.
        generation_id = new_id()
        question_id = fork.parent_id if fork and ask.kind == "regenerate" else None
        slot = Slot(
            generation_id=generation_id,
            user_message_id=question_id or new_id(),
            assistant_message_id=generation_id,
            client_id=ask.client_id,
            kind=ask.kind,
            node=self._node,
            boot=self._boot,
        )
        publish = self._broker.publish
        run = Run(user_id=user.id, session_id=ask.session_id, slot=slot, publish=publish)
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
        """Return the answer to a turn when its generation has ended."""
        return await self._repeats.answer(user, sent)
