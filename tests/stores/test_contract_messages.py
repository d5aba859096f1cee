"""The contract of a store: reading messages, along the branch that is shown."""

from __future__ import annotations

import asyncio
import contextlib
import random

import pytest
from stored import ALICE, BOB, a_question, a_slot, a_turn, add, an_answer, begin, finish

from chatd.errors import GenerationRunning, NotFound, SessionDeleted
from chatd.store import Store
from chatd.types import Message, Session, Usage, new_id


async def contents(store: Store, session: Session, **bounds: int | bool) -> list[str]:
    """Return what is shown, as text."""
    page = await store.list_messages(ALICE.id, session.id, limit=200, **bounds)  # type: ignore[arg-type]
    return [message.content for message in page.results]


async def prompt(store: Store, session: Session, max_chars: int = 1000) -> list[str]:
    """Return the history, as text."""
    history = await store.history(ALICE.id, session.id, max_chars=max_chars)
    return [message.content for message in history]


async def test_a_message_comes_back_as_it_was_put_in(store: Store) -> None:
    """Every field survives, parts and error included."""
    session = await add(store)
    slot, messages = await begin(store, session, 'Ünï "q" \\ \n\u2028 \U0001f600', client_id="c/1")
    question, answer = await finish(
        store,
        slot,
        messages,
        "text",
        status="error",
        parts=[{"type": "tool_call", "arguments": {"a": [1.5, None]}}],
        usage=Usage(prompt_tokens=1, completion_tokens=2, total_tokens=3),
        finish_reason="length",
        error={"code": "provider_error", "message": "x", "retryable": True},
    )

    assert await store.get_message(ALICE.id, session.id, question.id) == question
    assert await store.get_message(ALICE.id, session.id, answer.id) == answer
    assert (await store.list_messages(ALICE.id, session.id)).results == [question, answer]
    assert question.content == 'Ünï "q" \\ \n\u2028 \U0001f600'
    assert answer.usage is not None


async def test_a_message_belongs_to_one_session(store: Store) -> None:
    """A message is not found under another session, nor by another id."""
    session, other = await add(store), await add(store)
    question, _ = await a_turn(store, session)

    with pytest.raises(NotFound):
        await store.get_message(ALICE.id, other.id, question.id)
    with pytest.raises(NotFound):
        await store.get_message("bob", session.id, question.id)
    with pytest.raises(NotFound):
        await store.get_message(ALICE.id, session.id, new_id())


async def test_a_streaming_message_is_shown_to_those_who_ask_for_all(store: Store) -> None:
    """It is left out but for `since` and all branches."""
    session = await add(store)
    await begin(store, session, "q")

    assert await contents(store, session) == ["q"]
    assert await contents(store, session, after=0) == ["q"]
    assert await contents(store, session, since=0) == ["q", ""]
    assert await contents(store, session, all_branches=True) == ["q", ""]


async def test_a_prompt_has_what_was_said(store: Store) -> None:
    """Users' messages, and answers with text that ended in any way; none streaming or empty."""
    session = await add(store)
    for status in ("complete", "stopped", "interrupted", "error"):
        slot, messages = await begin(store, session, f"q {status}")
        await finish(store, slot, messages, f"a {status}", status=status)
    slot, messages = await begin(store, session, "q empty")
    await finish(store, slot, messages, "", status="error")
    await begin(store, session, "q last")

    assert await prompt(store, session) == [
        "q complete",
        "a complete",
        "q stopped",
        "a stopped",
        "q interrupted",
        "a interrupted",
        "q error",
        "a error",
        "q empty",
        "q last",
    ]


async def test_a_prompt_has_whole_messages_up_to_its_length(store: Store) -> None:
    """The newest that fit are taken, none is cut, and one at least whatever its length."""
    session = await add(store)
    assert await prompt(store, session) == []
    for number in range(60):
        await a_turn(store, session, f"{number:04}", f"{number:06}")
    everything = [text for n in range(60) for text in (f"{n:04}", f"{n:06}")]

    assert await prompt(store, session, 600) == everything
    assert await prompt(store, session, 599) == everything[1:]
    assert await prompt(store, session, 20) == everything[-4:]
    assert await prompt(store, session, 19) == everything[-3:]
    assert await prompt(store, session, 0) == everything[-1:]


async def test_a_turn_is_found_by_its_client_id(store: Store) -> None:
    """A user's message comes with its answer as it is now; other sessions have their own ids."""
    session, other = await add(store), await add(store)
    slot, messages = await begin(store, session, client_id="c")
    assert slot.client_id == "c"
    await a_turn(store, other)

    turn = await store.find_turn(ALICE.id, session.id, "c")
    assert turn is not None
    assert (turn.message, turn.answer) == (messages[0], messages[1])
    ended = await finish(store, slot, messages)
    await a_turn(store, session)
    turn = await store.find_turn(ALICE.id, session.id, "c")
    assert turn is not None
    assert (turn.message, turn.answer) == (ended[0], ended[1])
    assert await store.find_turn(ALICE.id, session.id, "d") is None
    assert await store.find_turn(ALICE.id, other.id, "c") is None


async def test_an_answer_may_carry_the_client_id(store: Store) -> None:
    """A regenerated answer is the turn itself; a question without an answer has none."""
    session = await add(store)
    question, _ = await a_turn(store, session)
    slot = a_slot(kind="regenerate", client_id="again")
    await store.take_slot(ALICE.id, session.id, slot, lease=15, fork_after=question.seq)
    answer = an_answer(session, slot, parent_id=question.id, client_id="again")
    [answer] = await store.add_messages(slot.generation_id, [answer])

    turn = await store.find_turn(ALICE.id, session.id, "again")
    assert turn is not None
    assert (turn.kind, turn.message, turn.answer) == ("regenerate", answer, None)

    other, slot = await add(store), a_slot(client_id="alone")
    await store.take_slot(ALICE.id, other.id, slot, lease=15)
    [alone] = await store.add_messages(slot.generation_id, [a_question(other, slot)])
    turn = await store.find_turn(ALICE.id, other.id, "alone")
    assert turn is not None
    assert (turn.message, turn.answer) == (alone, None)


async def test_a_turn_knows_its_kind(store: Store) -> None:
    """A user's message that begins a branch is an edit, any other was sent."""
    session = await add(store)
    first = await a_turn(store, session, client_id="send 1")
    await a_turn(store, session, client_id="send 2")
    await a_turn(store, session, client_id="edit 1", fork_after=first[1].seq, kind="edit")
    await a_turn(store, session, client_id="send 3")
    await a_turn(store, session, client_id="edit 2", fork_after=0, kind="edit")
    await a_turn(store, session, client_id="send 4")

    for client_id in ("send 1", "send 2", "send 3", "send 4", "edit 1", "edit 2"):
        turn = await store.find_turn(ALICE.id, session.id, client_id)
        assert turn is not None
        assert turn.kind == client_id[:4]
        assert turn.answer is not None


async def test_a_fork_shows_what_stands_before_it(store: Store) -> None:
    """A new branch continues after the message it leaves; all branches stay readable."""
    session = await add(store)
    first = await a_turn(store, session, "q1", "a1")
    await a_turn(store, session, "q2", "a2")
    await a_turn(store, session, "q2'", "a2'", fork_after=first[-1].seq, kind="edit")

    shown = ["q1", "a1", "q2'", "a2'"]
    assert await contents(store, session) == shown
    assert await contents(store, session, after=0) == shown
    assert await prompt(store, session) == shown
    everything = ["q1", "a1", "q2", "a2", "q2'", "a2'"]
    assert await contents(store, session, all_branches=True) == everything
    assert await contents(store, session, all_branches=True, after=0) == everything
    page = await store.list_messages(ALICE.id, session.id, limit=1, before=5)
    assert [m.content for m in page.results] == ["a1"]
    assert (page.more_before, page.more_after) == (True, True)

    await a_turn(store, session, "q1'", "a1'", fork_after=0, kind="edit")
    assert await contents(store, session) == ["q1'", "a1'"]


async def test_a_fork_needs_a_message_to_leave(store: Store) -> None:
    """A seq that no message has is not found, and the slot stays free."""
    session = await add(store)
    await a_turn(store, session)

    with pytest.raises(NotFound):
        await store.take_slot(ALICE.id, session.id, a_slot(), lease=15, fork_after=3)
    assert (await store.get_head(ALICE.id, session.id)).slot is None


@pytest.mark.parametrize("seed", range(8))
async def test_any_tree_of_branches_reads_as_it_grew(store: Store, seed: int) -> None:
    """After any turns, edits and regenerations a page is a slice of the path to the newest."""
    chance = random.Random(seed)
    session = await add(store)
    paths: dict[int, list[Message]] = {0: []}  # by the seq of the last message
    path: list[Message] = []
    for number in range(25):
        fork_after = chance.choice([None, None, *paths])
        if fork_after is not None:
            path = paths[fork_after]
        turn = await a_turn(store, session, f"q{number}", f"a{number}", fork_after=fork_after)
        path = [*path, *turn]
        paths |= {turn[0].seq: path[:-1], turn[1].seq: path}
        page = await store.list_messages(ALICE.id, session.id, limit=200)
        assert page.results == path
        assert not page.more_before
        bound, limit = chance.randrange(1, 60), chance.randrange(1, 12)
        before = [m for m in path if m.seq < bound]
        after = [m for m in path if m.seq > bound]
        page = await store.list_messages(ALICE.id, session.id, before=bound, limit=limit)
        assert page.results == before[-limit:]
        assert page.more_before == (len(before) > limit)
        assert page.more_after == (len(before) < len(path))
        page = await store.list_messages(ALICE.id, session.id, after=bound, limit=limit)
        assert page.results == after[:limit]
        assert page.more_after == (len(after) > limit)
        assert page.more_before == (len(after) < len(path))
        history = await store.history(ALICE.id, session.id, max_chars=9999)
        assert [(m.role, m.content) for m in history] == [(m.role, m.content) for m in path]


@pytest.mark.parametrize("seed", range(4))
async def test_selecting_shows_the_latest_continuation(store: Store, seed: int) -> None:
    """Whatever message is selected, the newest of all that continue it is the head from then on."""
    chance = random.Random(seed)
    session = await add(store)
    paths: dict[int, list[Message]] = {0: []}  # by the seq of the last message
    path: list[Message] = []
    for number in range(15):
        fork_after = chance.choice([None, *paths])
        if fork_after is not None:
            path = paths[fork_after]
        turn = await a_turn(store, session, f"q{number}", f"a{number}", fork_after=fork_after)
        path = [*path, *turn]
        paths |= {turn[0].seq: path[:-1], turn[1].seq: path}
        if not chance.randrange(3):
            wanted = chance.choice([path for path in paths.values() if path])[-1]
            path = max((p for p in paths.values() if wanted in p), key=lambda p: p[-1].seq)
            before = await store.get_session(ALICE.id, session.id)
            selected = await store.select_message(ALICE.id, session.id, wanted.id)
            assert selected == before.replace(head_id=path[-1].id)
            assert await store.get_session(ALICE.id, session.id) == selected
            page = await store.list_messages(ALICE.id, session.id, limit=200)
            assert page.results == path


async def test_what_cannot_be_selected(store: Store) -> None:
    """Nobody else's, nothing unknown, not while the slot is held, not in a deleted session."""
    session, other = await add(store), await add(store)
    question, answer = await a_turn(store, session)
    unchanged = await store.get_session(ALICE.id, session.id)

    for user_id, session_id, message_id in (
        (BOB.id, session.id, question.id),
        (ALICE.id, other.id, question.id),
        (ALICE.id, session.id, new_id()),
        (ALICE.id, new_id(), question.id),
    ):
        with pytest.raises(NotFound):
            await store.select_message(user_id, session_id, message_id)
    slot = a_slot()
    await store.take_slot(ALICE.id, session.id, slot, lease=15, fork_after=question.seq)
    with pytest.raises(GenerationRunning):
        await store.select_message(ALICE.id, session.id, answer.id)
    assert await store.free_slot(session.id, slot.generation_id, []) == unchanged
    deleted = await store.update_session(ALICE.id, session.id, {"is_active": False})
    with pytest.raises(SessionDeleted):
        await store.select_message(ALICE.id, session.id, answer.id)
    assert await store.get_session(ALICE.id, session.id) == deleted


async def test_selecting_beside_turns(store: Store) -> None:
    """However selects and turns interleave, what is shown ends with the head, and all is kept."""
    session = await add(store)
    first = await a_turn(store, session, "q")
    known = [*first]

    async def talk() -> None:
        for number in range(12):
            with contextlib.suppress(GenerationRunning):
                fork_after = first[0].seq if number % 2 else None
                known.extend(await a_turn(store, session, str(number), fork_after=fork_after))

    async def look_around() -> None:
        for number in range(24):
            with contextlib.suppress(GenerationRunning):
                await store.select_message(ALICE.id, session.id, known[number % len(known)].id)

    await asyncio.gather(talk(), look_around(), look_around())
    shown = await store.list_messages(ALICE.id, session.id, limit=200)
    everything = await store.list_messages(ALICE.id, session.id, all_branches=True, limit=200)
    head = (await store.get_session(ALICE.id, session.id)).head_id
    assert shown.results[-1].id == head
    own = {message.id: message for message in everything.results}
    assert sorted(own) == sorted(message.id for message in known)
