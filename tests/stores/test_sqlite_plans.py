"""How SQLite carries out the statements of the store: no route scans a table."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import re
import sqlite3
import threading
from pathlib import Path

from stored import ALICE, BOB, a_session, a_slot, a_turn, add, begin, finish

from chatd.provider import ModelInfo
from chatd.stores.sqlite.database import READERS
from chatd.stores.sqlite.store import SqliteStore
from chatd.types import Checkpoint, Preset, Token, new_id, now

# What may be read from end to end: the lists of all accounts and models, the index that has the
# public presets alone, the rows of a page that become one, and the numbers in one row.
ALLOWED = re.compile(
    r"SCAN users USING INDEX sqlite_autoindex_users_2"
    r"|SCAN presets USING INDEX presets_public"
    r"|SCAN models( USING INDEX models_by_provider)?"
    r"|SCAN (\(subquery-\d+\)|model VIRTUAL TABLE INDEX 1:)"
)
SORTED = re.compile(
    r"FROM tokens JOIN users .* ORDER BY|GROUP BY model.key|IN \('.*'\) AND session = \d+ ORDER BY"
)


async def trace(store: SqliteStore, statements: set[str]) -> None:
    """Have the statements of all threads collected."""
    together = threading.Barrier(READERS)  # each reader takes one call

    def watch(connection: sqlite3.Connection) -> None:
        together.wait(10)
        connection.set_trace_callback(statements.add)

    await asyncio.gather(*[store.database.read(watch) for _ in range(READERS)])
    await store.database.write(lambda connection: connection.set_trace_callback(statements.add))


async def use_everything(store: SqliteStore) -> None:
    """Call every method of the store, on every path that has a statement of its own."""
    await use_accounts(store)
    await use_catalog(store)
    session = await add(store, title="A title")
    for number in range(3):
        first, _ = await a_turn(store, session, client_id=str(number))
    await a_turn(store, session, fork_after=first.seq, kind="edit")
    slot = a_slot()
    await store.take_slot(ALICE.id, session.id, slot, lease=0, fork_after=0)
    await store.free_slot(session.id, slot.generation_id, [])
    await store.get_head(ALICE.id, session.id)
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
    await store.get_stats(ALICE.id)
    await store.update_session(ALICE.id, session.id, {"title": "x"})
    await store.purge_session(ALICE.id, session.id)


async def use_generation(store: SqliteStore) -> None:
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


async def use_accounts(store: SqliteStore) -> None:
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


async def use_catalog(store: SqliteStore) -> None:
    """Call what is about presets and models."""
    preset = Preset(id=new_id(), name="p", is_public=True, created_at=now(), updated_at=now())
    await store.add_preset(ALICE.id, preset)
    await store.list_presets(BOB.id)
    await store.update_preset(ALICE.id, preset.id, {"name": "q"})
    await store.delete_preset(ALICE.id, preset.id)
    await store.save_models("p", [ModelInfo(name="a"), ModelInfo(name="b")])
    await store.save_models("p", [ModelInfo(name="a")])
    await store.update_model("p/a", is_default=True)
    await store.update_model("p/b", is_default=True, is_active=False)
    await store.list_models()


def wrong(connection: sqlite3.Connection, statement: str) -> list[str]:
    """Return the steps of a statement that read or sort more than they must."""
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
    scans = [step for step in plan if step.startswith("SCAN") and not ALLOWED.fullmatch(step)]
    sorts = [step for step in plan if "TEMP B-TREE" in step]
    return scans + ([] if SORTED.search(" ".join(statement.split())) else sorts)


async def test_no_statement_scans_a_table(tmp_path: Path) -> None:
    """Every statement the store makes finds its rows by an index, also when ANALYZE has run."""
    path, statements = tmp_path / "chat.db", set[str]()
    store = SqliteStore(path)
    await store.open()
    await trace(store, statements)
    await use_everything(store)
    for _ in range(50):
        await store.add_session(ALICE.id, a_session())
    await store.aclose()

    told = [s for s in statements if re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE)", s)]
    assert len(told) > 60
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert [(s, wrong(connection, s)) for s in told if wrong(connection, s)] == []
        connection.execute("ANALYZE")
        connection.commit()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert [(s, wrong(connection, s)) for s in told if wrong(connection, s)] == []


async def test_a_page_of_a_branch_is_one_range(tmp_path: Path) -> None:
    """The shown branch is read by the index that has it in order, newest first or oldest."""
    path, statements = tmp_path / "chat.db", set[str]()
    store = SqliteStore(path)
    await store.open()
    session = await add(store)
    await a_turn(store, session)
    await trace(store, statements)
    await store.list_messages(ALICE.id, session.id)
    await store.list_messages(ALICE.id, session.id, after=0)
    await store.aclose()

    pages = [s for s in statements if "branch = " in s]
    assert len(pages) == 2
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for page in pages:
            plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {page}")]
            assert any("messages_by_branch (session=? AND branch=? AND seq>" in s for s in plan)
