"""The first of what is asked more than once: a repeat is answered with it, at any time."""

from __future__ import annotations

import asyncio
import contextlib
from weakref import WeakValueDictionary

from chatd.errors import Conflict, GenerationRunning, NotFound
from chatd.generations import Generations
from chatd.store import Store
from chatd.turns.asks import Ask, Sent
from chatd.types import Message, Turn, User

OTHER_NODE_POLL = 0.05  # seconds between looks at what another process does


class Asked:
    """What is being asked with one client_id: by whom first, and how many firsts have passed."""

    def __init__(self) -> None:
        self.holder: asyncio.Event | None = None
        self.passed = 0

    def leave(self) -> None:
        """Let the others look for what became of the first."""
        self.passed += 1
        if self.holder is not None:
            self.holder.set()
            self.holder = None


class Repeats:
    """Knows what has been asked already."""

    def __init__(self, store: Store, generations: Generations) -> None:
        self._store = store
        self._generations = generations
        # By session and client_id, while somebody asks.
        self._asking: WeakValueDictionary[tuple[str, str], Asked] = WeakValueDictionary()

    async def find_or_enter(self, user: User, ask: Ask, stack: contextlib.ExitStack) -> Sent | None:
        """Return the first of this client_id as `find` does, also when it is just being asked here.

        None makes this ask the first, until the stack is closed. So only one of many at the same
        time is counted by the rate limit, and the others are repeats of it.
        """
        if ask.client_id is None:
            return None
        key = ask.session_id, ask.client_id
        asked = self._asking.setdefault(key, Asked())
        while True:
            passed = asked.passed
            first = await self.find(user, ask)
            if first is not None:
                return first
            if asked.holder is not None:
                await asked.holder.wait()
            elif asked.passed == passed:  # nobody came and went while we looked
                asked.holder = asyncio.Event()
                stack.callback(asked.leave)
                return None

    async def find(self, user: User, ask: Ask) -> Sent | None:
        """Return the turn of this client_id, if any. Raises Conflict if it was not asked for so."""
        if ask.client_id is None:
            return None
        turn = await self._store.find_turn(user.id, ask.session_id, ask.client_id)
        if turn is None:
            return None
        if not ask.led_to(turn):
            raise Conflict("This client_id has been used for something else.")
        return await self._first(user, turn)

    async def _first(self, user: User, turn: Turn) -> Sent:
        message, answer = turn.message, turn.answer
        if turn.kind == "regenerate":
            answer = message
            question_id = message.parent_id or ""
            message = await self._store.get_message(user.id, message.session_id, question_id)
        generation_id = turn.message.generation_id or ""
        return Sent(
            kind=turn.kind,
            user_message=message,
            generation_id=generation_id,
            is_duplicate=True,
            run=self._generations.get(generation_id),
            answer=answer,
        )

    async def racing(self, user: User, ask: Ask) -> Sent | None:
        """Say what an ask is that found the slot taken: a repeat of its holder, or too early.

        A repeat waits until the first is stored. Returns None when the first came to nothing: then
        this one may try. Raises GenerationRunning when the slot is held for another turn.
        """
        while True:
            first = await self.find(user, ask)
            if first is not None:
                return first
            slot = (await self._store.get_head(user.id, ask.session_id)).slot
            if slot is None and ask.client_id is not None:
                return None
            if slot is None or ask.client_id is None or slot.client_id != ask.client_id:
                raise GenerationRunning
            run = self._generations.get(slot.generation_id)
            await (run.begun.wait() if run else asyncio.sleep(OTHER_NODE_POLL))

    async def answer(self, user: User, sent: Sent) -> Message:
        """Return the answer of a turn when its generation has ended."""
        if sent.run is not None:
            return await asyncio.shield(sent.run.ended)
        answer = sent.answer
        while answer is None or answer.status == "streaming":
            # Of a process that died, or of another node: it ends with its lease at the latest.
            await asyncio.sleep(OTHER_NODE_POLL)
            answer = await self._stored_answer(user, sent)
        return answer

    async def _stored_answer(self, user: User, sent: Sent) -> Message | None:
        """Return the answer as it is now. Raises NotFound when its session is gone."""
        session_id = sent.user_message.session_id
        try:
            return await self._store.get_message(user.id, session_id, sent.generation_id)
        except NotFound:
            await self._store.get_session(user.id, session_id)
            return None
