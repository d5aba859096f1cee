"""Histories remembered from turn to turn: always what the store would read."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from stored import ALICE, a_question, a_slot, a_turn, add, an_answer, begin, finish
from test_pages import another

from chatd.errors import GenerationInterrupted, StoreUnavailable
from chatd.histories import Histories
from chatd.plugins import Plugins
from chatd.prompts import Prompts
from chatd.run import Run
from chatd.settings import LlmSettings
from chatd.store import Store
from chatd.store.transfer import StoredMessage, StoredSession
from chatd.testing import ScriptedProvider
from chatd.types import Message, Model, Session


class Talk:
    """A session in which turns run, each with a history that is compared with the store's."""

    def __init__(self, store: Store, histories: Histories, session: Session) -> None:
        self.store, self.histories, self.session = store, histories, session

    async def turn(
        self,
        text: str = "question",
        answer: str = "answer",
        *,
        max_chars: int = 1000,
        beside: Message | None = None,
    ) -> Message:
        """Run a turn at the end of the session, or beside an old question; return its question."""
        store, slot, fork_after = self.store, a_slot(), None
        if beside is not None:
            fork_after = await self.seq_of(beside.parent_id)
        head = await store.take_slot(
            ALICE.id, self.session.id, slot, lease=15, fork_after=fork_after
        )
        parent_id = beside.parent_id if beside else head.session.head_id
        question = a_question(self.session, slot, text, parent_id=parent_id)
        stored = await store.add_messages(
            slot.generation_id, [question, an_answer(self.session, slot)]
        )
        history = await self.histories.of_turn(
            *(ALICE.id, self.session.id, stored[:1], parent_id),
            max_chars=max_chars,
            made=head.made,
        )
        told = await store.history(ALICE.id, self.session.id, max_chars=max_chars)
        assert list(history.messages) == told
        messages = await finish(store, slot, stored, answer)
        self.histories.remember(history, ended(messages[-1]))
        return messages[0]

    async def seq_of(self, message_id: str | None) -> int:
        """Return the number of a message, 0 of none."""
        if message_id is None:
            return 0
        return (await self.store.get_message(ALICE.id, self.session.id, message_id)).seq


def ended(message: Message) -> asyncio.Future[Message]:
    """Return the end of a generation."""
    future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
    future.set_result(message)
    return future


async def test_a_remembered_history_is_the_stores(store: Store) -> None:
    """Whatever turns, edits and limits follow each other, each prompt has what the store has."""
    random = Random(1)
    histories = Histories(store, most_chars=400, most_sessions=2)
    talks = [Talk(store, histories, await add(store)) for _ in range(3)]
    questions: dict[Talk, list[Message]] = {talk: [] for talk in talks}
    for number in range(60):
        talk = random.choice(talks)
        old = questions[talk]
        beside = random.choice(old) if old and random.random() < 0.25 else None
        answer = random.choice(["", "answer", "a long answer " * 5])
        most = random.choice([10, 100, 1000])
        old.append(await talk.turn(f"question {number}", answer, max_chars=most, beside=beside))


async def test_a_turn_of_another_process_is_not_missed(store: Store) -> None:
    """What is remembered counts only while the session's head is still its last message."""
    talk = Talk(store, Histories(store), await add(store))
    await talk.turn("one")
    await a_turn(store, talk.session, "two")
    await talk.turn("three")


async def test_the_next_turn_reads_nothing(store: Store) -> None:
    """The store is not asked again for a history that goes on where it ended."""
    histories, session = Histories(store), await add(store)
    slot = a_slot()
    question, answer = a_question(session, slot), an_answer(session, slot, content="x")
    await Talk(store, histories, session).turn("one", "two")
    head = await store.get_head(ALICE.id, session.id)
    await store.aclose()

    where = (ALICE.id, session.id, [question], head.session.head_id)
    history = await histories.of_turn(*where, max_chars=1000, made=head.made)
    assert [message.content for message in history.messages] == ["one", "two", "question"]
    histories.remember(history, ended(answer))
    with pytest.raises(StoreUnavailable):
        await histories.of_turn(ALICE.id, session.id, [question], "other", max_chars=1000)


async def test_an_erased_session_that_comes_back_is_another(store: Store, url: str) -> None:
    """A file that was edited and imported again has the ids it had; its own text is in a prompt."""
    talk = Talk(store, Histories(store), await add(store))
    await talk.turn("erased")
    messages = (await store.list_messages(ALICE.id, talk.session.id)).results
    stored = await store.get_session(ALICE.id, talk.session.id)
    async with another(url) as elsewhere:
        await elsewhere.purge_session(ALICE.id, talk.session.id)
        if url.startswith("sqlite"):  # there no other process does that
            talk.histories.forget(talk.session.id)
        edited = [messages[0].replace(content="edited"), messages[1]]
        records = [StoredMessage(user_id=ALICE.id, branch=0, message=m) for m in edited]
        record = StoredSession(user_id=ALICE.id, session=stored, seq=2, revision=3)
        await elsewhere.add_conversations([(record, records)])
    await talk.turn("next")


async def test_a_failed_turn_is_forgotten(store: Store) -> None:
    """A generation that could not be ended leaves nothing behind, and the next turn reads."""
    histories, session = Histories(store), await add(store)
    await Talk(store, histories, session).turn()
    tip = (await store.get_session(ALICE.id, session.id)).head_id
    history = await histories.of_turn(ALICE.id, session.id, [], tip, max_chars=1000)
    failed: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
    failed.cancel()
    histories.remember(history, failed)
    await store.aclose()

    with pytest.raises(StoreUnavailable):
        await histories.of_turn(ALICE.id, session.id, [], tip, max_chars=1000)


async def test_a_prompt_while_the_store_is_away(store: Store) -> None:
    """A turn whose history cannot be read was interrupted by the server, and may be asked again."""
    session = await add(store)
    slot, messages = await begin(store, session)
    head = await store.get_head(ALICE.id, session.id)
    run = Run(user_id=ALICE.id, session_id=session.id, slot=slot, publish=lambda *items: None)
    run.begin(messages[:1], messages[1])
    prompts = Prompts(store, LlmSettings(), most_chars=1000, plugins=Plugins(), app=None)
    script = ScriptedProvider()
    model = Model(id="script/model", name="model", provider="script")
    await store.aclose()

    with pytest.raises(GenerationInterrupted):
        await prompts.make(run, ALICE, head, script, model)
