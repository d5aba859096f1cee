"""What the tests of a store put into one, and how each of them gets one."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

from chatd.store import Store
from chatd.types import Message, Session, Slot, User, new_id, now

ALICE = User(id="01997000-0000-7000-8000-00000000000a", name="alice")
BOB = User(id="01997000-0000-7000-8000-00000000000b", name="bob")


def a_session(**fields: Any) -> Session:
    """Return a session that is not yet stored."""
    values: dict[str, Any] = {"id": new_id(), "created_at": now(), "updated_at": now()}
    return Session(**values | fields)


def a_slot(**fields: Any) -> Slot:
    """Return a slot with new ids."""
    names = ("generation_id", "user_message_id", "assistant_message_id")
    return Slot(**{name: new_id() for name in names} | {"node": "n", "boot": "b"} | fields)


def a_question(session: Session, slot: Slot, text: str = "question", **fields: Any) -> Message:
    """Return the user's message of a turn."""
    values: dict[str, Any] = {
        "id": slot.user_message_id,
        "session_id": session.id,
        "role": "user",
        "content": text,
        "generation_id": slot.generation_id,
        "client_id": slot.client_id,
        "created_at": now(),
        "updated_at": now(),
    }
    return Message(**values | fields)


def an_answer(session: Session, slot: Slot, **fields: Any) -> Message:
    """Return the assistant's message of a turn, which streams."""
    values: dict[str, Any] = {
        "id": slot.assistant_message_id,
        "session_id": session.id,
        "parent_id": slot.user_message_id,
        "role": "assistant",
        "status": "streaming",
        "model": "echo/echo",
        "generation_id": slot.generation_id,
        "created_at": now(),
        "updated_at": now(),
    }
    return Message(**values | fields)


async def add(store: Store, **fields: Any) -> Session:
    """Store a new session of Alice."""
    session = a_session(**fields)
    await store.add_session(ALICE.id, session)
    return session


async def begin(
    store: Store, session: Session, text: str = "question", **fields: Any
) -> tuple[Slot, list[Message]]:
    """Take the slot and store a question and an answer that streams."""
    fork_after = fields.pop("fork_after", None)
    slot = a_slot(**fields)
    await store.take_slot(ALICE.id, session.id, slot, lease=15, fork_after=fork_after)
    messages = [a_question(session, slot, text), an_answer(session, slot)]
    return slot, await store.add_messages(slot.generation_id, messages)


async def finish(
    store: Store, slot: Slot, messages: list[Message], content: str = "answer", **fields: Any
) -> list[Message]:
    """End the answer of a turn and free the slot."""
    values: dict[str, Any] = {
        "status": "complete",
        "content": content,
        "updated_at": now(),
    } | fields
    ended = await store.end_message(messages[-1].replace(**values))
    assert ended is not None
    messages = [*messages[:-1], ended]
    assert await store.free_slot(ended.session_id, slot.generation_id, messages) is not None
    return messages


async def a_turn(
    store: Store, session: Session, text: str = "question", content: str = "answer", **fields: Any
) -> list[Message]:
    """Store a whole turn: a question and its answer."""
    slot, messages = await begin(store, session, text, **fields)
    return await finish(store, slot, messages, content)


Check = Callable[[Any, Store], Awaitable[None]]

WITHIN = 60.0  # seconds for one test


def with_store(check: Check) -> Callable[[Any], None]:
    """Make a plain test of a method that takes an open store: what `self.store` returns."""

    @functools.wraps(check)
    def test(self: Any) -> None:
        async def work() -> None:
            store: Store = self.store()
            await store.open()
            try:
                for user in (ALICE, BOB):
                    await store.add_user(user)
                async with asyncio.timeout(WITHIN):
                    await check(self, store)
            finally:
                await store.aclose()

        asyncio.run(work())

    del test.__wrapped__  # pytest would give it a fixture `store`
    return test
