"""What chatd relies on in a store: subclass it, and name the class Test...

chatd's own stores pass it too; what else is tried of them is in `tests/stores` of the source.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from chatd.errors import Conflict, PreconditionFailed
from chatd.store import Store
from chatd.testing.store_sessions import SessionPromises
from chatd.testing.store_turns import TurnPromises
from chatd.testing.storing import ALICE, a_question, a_slot, add, an_answer, with_store
from chatd.types import Head, Message, Slot


class StoreContract(SessionPromises, TurnPromises):
    """What a store keeps: whose it is, in its order, once."""

    def store(self) -> Store:
        """Return a new store that is empty and not open."""
        raise NotImplementedError

    @with_store
    async def test_a_turn_begins_and_ends(self, store: Store) -> None:
        """`begin_turn` and `end_turn` do a whole turn; a repeat by its client_id leaves nothing."""
        session = await add(store)

        def made(slot: Slot) -> Callable[[Head], list[Message]]:
            return lambda head: [
                a_question(session, slot, parent_id=head.session.head_id),
                an_answer(session, slot),
            ]

        slot = a_slot(client_id="c")
        _, stored = await store.begin_turn(ALICE.id, session.id, slot, made(slot), lease=60)
        end = stored[1].replace(status="complete", content="answer")
        assert await store.end_turn(end, stored[:1]) is not None
        assert await store.end_turn(end, stored[:1]) is None
        again = a_slot(client_id="c")
        with pytest.raises(Conflict):
            await store.begin_turn(ALICE.id, session.id, again, made(again), lease=60)

        head = await store.get_head(ALICE.id, session.id)
        assert (head.slot, head.session.head_id) == (None, stored[1].id)
        found = (await store.list_messages(ALICE.id, session.id)).results
        assert [(m.seq, m.content) for m in found] == [(1, "question"), (2, "answer")]
        turn = await store.find_turn(ALICE.id, session.id, "c")
        assert turn is not None
        assert (turn.message, turn.answer) == (found[0], found[1])

    @with_store
    async def test_what_plugins_keep(self, store: Store) -> None:
        """Counts are right for many at once, up to a bound; values change by their version."""
        added = await asyncio.gather(*[store.add_to_count("p", "n", most=5) for _ in range(10)])
        assert sorted(n for n in added if n is not None) == [1, 2, 3, 4, 5]
        kept = await store.put_datum("p", "k", {"a": [1, None]}, version=0)
        with pytest.raises(PreconditionFailed):
            await store.put_datum("p", "k", 2, version=0)
        assert await store.get_datum("p", "k") == kept
        assert await store.get_datum("q", "k") is None
