"""A call of every method of a store, on every path that has a query of its own."""

from __future__ import annotations

import datetime as dt

from stored import ALICE, BOB, a_slot, a_turn, add, begin, finish

from chatd.provider import ModelInfo
from chatd.store import Store
from chatd.types import Checkpoint, Preset, Token, new_id, now


async def use_everything(store: Store) -> None:
    """Call every method of the store, on every path that has a statement of its own."""
    await use_accounts(store)
    await use_catalog(store)
    await use_data(store)
    session = await add(store, title="A title")
    for number in range(3):
        first, _ = await a_turn(store, session, client_id=str(number))
    await a_turn(store, session, fork_after=first.seq, kind="edit")
    slot = a_slot()
    await store.take_slot(ALICE.id, session.id, slot, lease=0, fork_after=0)
    await store.free_slot(session.id, slot.generation_id, [])
    await store.get_head(ALICE.id, session.id)
    await store.get_session(ALICE.id, session.id)
    await store.get_tip(ALICE.id, session.id)
    await store.select_message(ALICE.id, session.id, first.id)
    for bounds in ({}, {"before": 3}, {"after": 1}, {"since": 1}):
        await store.list_messages(ALICE.id, session.id, **bounds)
        await store.list_messages(ALICE.id, session.id, all_branches=True, **bounds)
    await store.get_message(ALICE.id, session.id, first.id)
    await store.history(ALICE.id, session.id, max_chars=1000)
    await store.find_turn(ALICE.id, session.id, "1")
    await use_generation(store)
    cursor = None
    for is_active in (True, False, None):
        page = await store.list_sessions(ALICE.id, is_active=is_active, limit=1, query="a")
        cursor = page.next or cursor
    assert cursor is not None
    page = await store.list_sessions(ALICE.id, is_active=None, cursor=cursor)
    assert page.previous is not None
    await store.list_sessions(ALICE.id, is_active=None, cursor=page.previous)
    await use_search(store)
    await store.get_stats(ALICE.id)
    await store.read_sessions(ALICE.id)
    await store.read_messages(session.id)
    await store.find_owners([session.id])
    await store.is_generating()
    await store.update_session(ALICE.id, session.id, {"title": "x"})
    await store.purge_session(ALICE.id, session.id)


async def use_search(store: Store) -> None:
    """Search for one page and the next, and back."""
    await store.tend()
    for is_active in (True, None):
        page = await store.search(ALICE.id, "question", is_active=is_active, limit=2)
    assert page.next is not None
    page = await store.search(ALICE.id, "question", is_active=None, cursor=page.next)
    assert page.previous is not None
    await store.search(ALICE.id, "question", is_active=None, cursor=page.previous)


async def use_generation(store: Store) -> None:
    """Take a generation through checkpoint and renewal, found by the sweep meanwhile."""
    session = await add(store, title="A title")
    slot, messages = await begin(store, session)
    point = Checkpoint(
        session_id=session.id,
        message_id=messages[1].id,
        generation_id=slot.generation_id,
        content="text",
        parts=[],
        seq=1,
    )
    await store.checkpoint([point])
    await store.renew_leases({slot.generation_id: session.id}, lease=0)
    assert len(await store.abandoned("n", "c")) == 1
    await finish(store, slot, messages)


async def use_accounts(store: Store) -> None:
    """Call what is about users and tokens."""
    await store.ping()
    for user in (ALICE, BOB):
        await store.add_user(user)
        token = Token(id=new_id(), user_id=user.id, digest=new_id(), created_at=now())
        await store.add_token(token)
        await store.find_token(token.digest)
        ticket = token.replace(
            id=new_id(),
            digest=new_id(),
            kind="ws_ticket",
            expires_at=now() + dt.timedelta(minutes=1),
        )
        await store.add_token(ticket)
        await store.take_ticket(ticket.digest, "ws_ticket")
        await store.list_tokens()
        await store.revoke_token(token.id)
        await store.get_account(name=user.name)
        await store.update_account(user.id, preferences={"a": 1})
    await store.list_accounts()


async def use_data(store: Store) -> None:
    """Call what is about what plugins keep."""
    await store.put_datum("p", "a", {"b": 1})
    await store.put_datum("p", "a", 1, version=1)
    await store.add_to_count("p", "n", most=5)
    await store.get_datum("p", "a")
    await store.list_data("p", prefix="a", after="")
    await store.delete_datum("p", "a")


async def use_catalog(store: Store) -> None:
    """Call what is about presets and models."""
    preset = Preset(id=new_id(), name="p", is_public=True, created_at=now(), updated_at=now())
    await store.add_preset(ALICE.id, preset)
    await store.list_presets(BOB.id)
    await store.get_preset(ALICE.id, preset.id)
    await store.update_preset(ALICE.id, preset.id, {"name": "q"})
    await store.delete_preset(ALICE.id, preset.id)
    await store.save_models("p", [ModelInfo(name="a"), ModelInfo(name="b")])
    await store.save_models("p", [ModelInfo(name="a")])
    await store.update_model("p/a", is_default=True)
    await store.update_model("p/b", is_default=True, is_active=False)
    await store.list_models()
