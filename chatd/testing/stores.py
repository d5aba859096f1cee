"""What chatd relies on in a store, in short: subclass it, and name the class Test...

A store of chatd's own passes some hundred tests more, in `tests/stores` of its source.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from chatd.errors import Conflict, GenerationRunning, NotFound, PreconditionFailed
from chatd.store import Store
from chatd.types import Head, Message, Session, Slot, User, new_id, now

WITHIN = 60.0  # seconds for one test
ALICE = User(id="01997000-0000-7000-8000-00000000000a", name="alice")
BOB = User(id="01997000-0000-7000-8000-00000000000b", name="bob")


class StoreContract:
    """What a store keeps: whose it is, in its order, once."""

    def store(self) -> Store:
        """Return a new store that is empty and not open."""
        raise NotImplementedError

    def test_a_session_is_its_users(self) -> None:
        """A session comes back as it was put in, to its user alone."""

        async def check(store: Store) -> None:
            session = await _session(store)
            assert await store.get_session(ALICE.id, session.id) == session
            await _raises(NotFound, store.get_session(BOB.id, session.id))
            assert (await store.list_sessions(BOB.id)).results == []

        self._check(check)

    def test_a_version_is_compared(self) -> None:
        """A change with an old version is refused, and changes nothing."""

        async def check(store: Store) -> None:
            session = await _session(store)
            changed = await store.update_session(ALICE.id, session.id, {"title": "b"}, version=1)
            late = store.update_session(ALICE.id, session.id, {"title": "c"}, version=1)
            await _raises(PreconditionFailed, late)
            assert await store.get_session(ALICE.id, session.id) == changed

        self._check(check)

    def test_turns_come_back_in_order(self) -> None:
        """Messages have the numbers of their order; a session has one turn at a time."""

        async def check(store: Store) -> None:
            session = await _session(store)
            slot, messages = await _begun(store, session, "one")
            await _raises(GenerationRunning, _begun(store, session, "two"))
            await _ended(store, slot, messages)
            slot, messages = await _begun(store, session, "two")
            await _ended(store, slot, messages)
            found = (await store.list_messages(ALICE.id, session.id)).results
            assert [m.content for m in found] == ["one", "answer", "two", "answer"]
            assert [m.seq for m in found] == [1, 2, 3, 4]
            head = await store.get_head(ALICE.id, session.id)
            assert head.slot is None
            assert head.session.head_id == found[-1].id

        self._check(check)

    def test_a_client_id_is_used_once(self) -> None:
        """A second turn with the client_id of the first is refused, and nothing of it is stored."""

        async def check(store: Store) -> None:
            session = await _session(store)
            slot, messages = await _begun(store, session, "one", client_id="c")
            await _ended(store, slot, messages)
            await _raises(Conflict, _begun(store, session, "two", client_id="c"))
            assert (await store.get_head(ALICE.id, session.id)).slot is None
            turn = await store.find_turn(ALICE.id, session.id, "c")
            assert turn is not None
            assert turn.message.content == "one"

        self._check(check)

    def test_a_dead_process_is_found(self) -> None:
        """A turn of another boot of the same node is abandoned, with the messages it has stored."""

        async def check(store: Store) -> None:
            slot, messages = await _begun(store, await _session(store), "one")
            assert await store.abandoned("n", "b") == []
            [abandoned] = await store.abandoned("n", "later")
            assert abandoned.user_id == ALICE.id
            assert abandoned.messages == messages
            assert abandoned.head.slot is not None
            assert abandoned.head.slot.generation_id == slot.generation_id

        self._check(check)

    def test_many_add_to_a_count(self) -> None:
        """What plugins count is right for many at once, up to a bound."""

        async def check(store: Store) -> None:
            added = await asyncio.gather(*[store.add_to_count("p", "n", most=5) for _ in range(10)])
            assert sorted(n for n in added if n is not None) == [1, 2, 3, 4, 5]

        self._check(check)

    def _check(self, check: Callable[[Store], Awaitable[None]]) -> None:
        async def work() -> None:
            store = self.store()
            await store.open()
            try:
                for user in (ALICE, BOB):
                    await store.add_user(user)
                async with asyncio.timeout(WITHIN):
                    await check(store)
            finally:
                await store.aclose()

        asyncio.run(work())


async def _raises(kind: type[Exception], call: Awaitable[object]) -> None:
    try:
        await call
    except kind:
        return
    raise AssertionError(f"did not raise {kind.__name__}")


async def _session(store: Store) -> Session:
    session = Session(id=new_id(), title="a", created_at=now(), updated_at=now())
    await store.add_session(ALICE.id, session)
    return session


async def _begun(
    store: Store, session: Session, text: str, client_id: str | None = None
) -> tuple[Slot, list[Message]]:
    slot = Slot(
        generation_id=(answer_id := new_id()),
        user_message_id=new_id(),
        assistant_message_id=answer_id,
        client_id=client_id,
        node="n",
        boot="b",
    )

    def make(head: Head) -> list[Message]:
        question = Message(
            id=slot.user_message_id,
            session_id=session.id,
            parent_id=head.session.head_id,
            role="user",
            content=text,
            generation_id=answer_id,
            client_id=client_id,
            created_at=now(),
            updated_at=now(),
        )
        answer = question.replace(
            id=answer_id,
            parent_id=question.id,
            role="assistant",
            content="",
            status="streaming",
            client_id=None,
        )
        return [question, answer]

    _, messages = await store.begin_turn(ALICE.id, session.id, slot, make, lease=60)
    return slot, list(messages)


async def _ended(store: Store, slot: Slot, messages: list[Message]) -> None:
    answer = messages[1].replace(status="complete", content="answer", updated_at=now())
    assert await store.end_turn(answer, messages[:1]) is not None
