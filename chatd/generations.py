"""The life of a generation: start, stream, checkpoint, stop, end, recover.

A generation belongs to the App, not to a socket. It is the only writer of its message. What is
stored changes in four steps (DESIGN section 2): (1) the slot is taken, (2) the turn's messages are
inserted, (3) the message goes from streaming to its end, (4) the slot is freed. A crash between two
of them leaves a state that `recovery` knows; the slot's generation id fences everything else out.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any

from chatd.announcements import end_event
from chatd.broker import Broker
from chatd.ends import Ends
from chatd.errors import ChatdError, GenerationInterrupted, ProviderError, StoreUnavailable
from chatd.events import Event
from chatd.failpoints import failpoint
from chatd.observer import Observer
from chatd.pausing import Pausing
from chatd.provider import Prompt, Provider
from chatd.recovery import Recovery
from chatd.run import Run
from chatd.store import Store
from chatd.tracing import request_id
from chatd.types import Message, Session

logger = logging.getLogger(__name__)

LEASE = 15.0
RENEW_EVERY = 5.0
CHECKPOINT_EVERY = 0.7  # promise 5 is 1 s; the rest is for the write itself
SWEEP_EVERY = 2.0
SETTLE_EVERY = 0.25
GIVE_UP_AFTER = 5.0
YIELD_AFTER = 64  # chunks without a pause, so that one provider never starves the others

MakePrompt = Callable[[Run], Awaitable[tuple[Provider, Prompt]]]


class Generations:
    """The generations that run in this process, and the watch over those that do no longer."""

    def __init__(
        self,
        store: Store,
        broker: Broker,
        *,
        node: str,
        boot: str,
        reply_bytes: int,
        observer: Observer | None = None,
    ) -> None:
        self._store = store
        self._broker = broker
        self._reply_bytes = reply_bytes
        self._observer = observer or Observer()
        self._runs: dict[str, Run] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._watch: list[asyncio.Task[None]] = []
        self.ends = Ends()
        self._give_up_at = math.inf
        self._recovery = Recovery(
            store,
            node=node,
            boot=boot,
            is_running=self._runs.__contains__,
            announce=self._announce_end,
            ends=self.ends,
        )

    async def open(self) -> None:
        """End what earlier boots of this node left, then look after leases and checkpoints."""
        await self._recovery.recover()
        self._watch = [
            asyncio.create_task(self._every(seconds, act), name=act.__name__)
            for seconds, act in (
                (CHECKPOINT_EVERY, self.checkpoint),
                (RENEW_EVERY, self._renew),
                (SWEEP_EVERY, self._recovery.recover),
                (SETTLE_EVERY, self._recovery.settle),
            )
        ]

    async def aclose(self, grace: float = 0.0) -> None:
        """Give running generations `grace` seconds, interrupt the rest, and wait for their end."""
        if self._runs:
            await asyncio.wait([run.ended for run in self._runs.values()], timeout=grace)
        self._give_up_at = time.monotonic() + GIVE_UP_AFTER
        for run in list(self._runs.values()):
            run.interrupt(GenerationInterrupted("The server was shut down."))
        while self._runs:
            await asyncio.wait([run.ended for run in self._runs.values()])
        if self._tasks:
            await asyncio.wait(self._tasks)
        for task in self._watch:
            task.cancel()
        await asyncio.gather(*self._watch, return_exceptions=True)

    def get(self, generation_id: str) -> Run | None:
        """Return a generation that runs in this process."""
        return self._runs.get(generation_id)

    def running(self, user_id: str = "") -> int:
        """Return how many generations run here, of one user or of all."""
        if not user_id:
            return len(self._runs)
        return sum(run.user_id == user_id for run in self._runs.values())

    def reserve(self, run: Run) -> None:
        """Count a generation as running here: from before its slot is taken."""
        self._runs[run.id] = run
        self._observer.reserved(run)

    def release(self, run: Run) -> None:
        """Forget a generation that did not come to be, or that ended."""
        self._runs.pop(run.id, None)
        self._observer.released(run)
        run.begun.set()
        run.ended.cancel()

    def give_up(self, run: Run, exc: BaseException) -> None:
        """Forget a generation that could not begin because of an exception.

        After some of them the turn may be stored all the same; then that is ended soon.
        """
        self.release(run)
        if isinstance(exc, StoreUnavailable | asyncio.CancelledError):
            self._recovery.doubt(run)

    async def stop(
        self, generation_id: str, seen_seq: int | None = None, *, may_wait: bool = True
    ) -> bool:
        """Stop a generation, cut after an entry if given, and wait for its end if we may.

        Returns False when it does not run here.
        """
        run = self._runs.get(generation_id)
        if run is None:
            return False
        run.stop(seen_seq)
        if may_wait:
            await asyncio.wait({run.ended})
        return True

    def start(self, run: Run, make_prompt: MakePrompt) -> None:
        """Run a reserved generation whose messages are stored."""
        self.ends.expect(run.session_id, run.ended)
        task = asyncio.create_task(self._run(run, make_prompt), name=f"generation {run.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, run: Run, make_prompt: MakePrompt) -> None:
        """Produce, and end exactly once; the task that produces is the only one ever cancelled."""
        self._observer.started(run)
        producer = asyncio.create_task(self._produce(run, make_prompt))
        run.attach(producer)
        try:
            await asyncio.wait({producer, run.given_up}, return_when=asyncio.FIRST_COMPLETED)
            run.flush()
            failpoint("before_end")
            await self._end(run, run.final(_outcome(run, producer)))
        except Exception as exc:
            logger.exception("generation %s could not be ended", run.id)
            run.ended.set_exception(exc)
            run.ended.exception()  # it has been reported here; waiters are optional
        finally:
            self.release(run)

    async def _produce(self, run: Run, make_prompt: MakePrompt) -> None:
        provider, prompt = await make_prompt(run)
        since_pause = 0
        with self._observer.calling(provider.name, prompt.model):
            async with contextlib.aclosing(provider.stream(prompt)) as chunks:
                async for chunk in Pausing(chunks, run.flush):
                    if run.add(chunk) > self._reply_bytes:
                        run.cut(self._reply_bytes)
                        self._observer.cut()
                        return
                    since_pause += 1
                    if since_pause >= YIELD_AFTER:
                        since_pause = 0
                        run.flush()
                        await asyncio.sleep(0)

    async def _end(self, run: Run, message: Message) -> None:
        """Steps 3 to 5, in this order, each repeated until the store has taken it."""
        new = run.new_messages
        ended = await self._insist(lambda: self._store.end_turn(message, new))
        if ended is None:
            # Ended by an earlier try whose answer was lost, or by a node that gave us up for dead.
            stored = await self._insist(
                lambda: self._store.get_message(run.user_id, run.session_id, message.id)
            )
            if stored.updated_at != message.updated_at:
                logger.warning("generation %s was ended by another node", run.id)
                run.ended.set_result(stored)
                return
            new = [*new, stored]
            session = await self._insist(lambda: self._store.free_slot(run.session_id, run.id, new))
        else:
            stored, session = ended
        failpoint("after_free")
        logger.info(
            "%s: turn %s in session %s ended %s after %.1f s, %d entries",
            request_id.get(),
            run.id,
            run.session_id,
            stored.status,
            time.monotonic() - run.started_at,
            run.seq,
        )
        self._announce_end(run.user_id, stored, session, run.client_id)
        run.ended.set_result(stored)

    async def _insist(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """Repeat a call until the store can be reached: an end must not get lost.

        Only a server that stops gives up, after a while: its next start will find the slot.
        """
        delay = 0.1
        while True:
            try:
                return await call()
            except StoreUnavailable:
                if time.monotonic() > self._give_up_at:
                    raise
                logger.warning("store away while ending a generation; trying again")
                await asyncio.sleep(delay)
                delay = min(delay * 2, 5.0)

    def _announce_end(
        self, user_id: str, message: Message, session: Session | None, client_id: str | None
    ) -> None:
        self._observer.ended(user_id, message, session)
        self._broker.publish(message.session_id, end_event(message, client_id))
        ended = {
            "session_id": message.session_id,
            "generation_id": message.generation_id,
            "status": message.status,
        }
        events = [Event(type="generation_ended", payload=ended)]
        if session is not None:
            events.append(Event(type="session_updated", payload={"session": session}))
        self._broker.publish(f"user:{user_id}", *events)

    async def _every(self, seconds: float, act: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await act()
            except StoreUnavailable as exc:
                logger.warning("%s failed: %s", getattr(act, "__name__", act), exc)
            except Exception:
                logger.exception("%s failed", getattr(act, "__name__", act))

    async def checkpoint(self) -> None:
        """Store the text of all generations that have new text, in one write."""
        runs = [run for run in self._runs.values() if run.is_dirty]
        if not runs:
            return
        points = [run.checkpoint() for run in runs]
        for run in runs:
            run.is_dirty = False
        try:
            self._fence(await self._store.checkpoint(points))
        except StoreUnavailable:
            for run in runs:
                run.is_dirty = True
            raise
        failpoint("after_checkpoint")

    async def _renew(self) -> None:
        sessions = {run.id: run.session_id for run in self._runs.values() if run.is_started}
        if sessions:
            self._fence(await self._store.renew_leases(sessions, lease=LEASE))

    def _fence(self, lost: set[str]) -> None:
        """Stop what another node has ended; a generation that is just ending is not lost."""
        for generation_id in lost:
            run = self._runs.get(generation_id)
            if run is not None:
                run.interrupt(GenerationInterrupted())


def _outcome(run: Run, producer: asyncio.Task[None]) -> ChatdError | None:
    """Return why a generation failed, None if it is complete or was stopped."""
    if not producer.done() or producer.cancelled():
        return run.interruption
    exc = producer.exception()
    if exc is None or isinstance(exc, ChatdError):
        return exc
    logger.error("the provider of generation %s has a bug", run.id, exc_info=exc)
    return ProviderError()
