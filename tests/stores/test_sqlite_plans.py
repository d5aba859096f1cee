"""How SQLite carries out the statements of the store: no route scans a table."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sqlite3
import threading
from pathlib import Path

import everything
from everything import use_everything
from stored import ALICE, a_session, a_turn, add

from chatd.store import Store
from chatd.stores.sqlite.database import READERS
from chatd.stores.sqlite.store import SqliteStore
from chatd.testing import storing

# What may be read from end to end: the lists of all accounts and models, the index that has the
# public presets alone, the rows of a page that become one, and the numbers in one row; for searches
# what an index of words tells of a query, and the few rows that it is behind.
ALLOWED = re.compile(
    r"SCAN users USING INDEX sqlite_autoindex_users_2"
    r"|SCAN presets USING INDEX presets_public"
    r"|SCAN models( USING INDEX models_by_provider)?"
    r"|SCAN (\(subquery-\d+\)|(model|wanted) VIRTUAL TABLE INDEX 1:)"
    r"|SCAN (search VIRTUAL TABLE INDEX 0:=?M2|(main\.)?search_\w+|CONSTANT ROW)"
)
SORTED = re.compile(
    r"FROM tokens JOIN users .* ORDER BY|GROUP BY model.key|IN \('.*'\) AND session = \d+ ORDER BY"
    r"|FROM search WHERE .* ORDER BY rank"
)


async def trace(store: SqliteStore, statements: set[str]) -> None:
    """Have the statements of all threads and of the event loop collected."""
    together = threading.Barrier(READERS)  # each reader takes one call

    def watch(connection: sqlite3.Connection) -> None:
        together.wait(10)
        connection.set_trace_callback(statements.add)

    await asyncio.gather(*[store.database.read(watch) for _ in range(READERS)])
    await store.database.write(lambda connection: connection.set_trace_callback(statements.add))
    await store.database.look(lambda connection: connection.set_trace_callback(statements.add))


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


# What reads a store as a whole, once, or changes it before a server runs.
NO_ROUTES = {
    *("read_records", "put_records", "count_records", "add_conversations"),
    *("get_copy_mark", "set_copy_mark", "end_copy", "migrate", "pending"),
}


def test_no_method_is_left_out() -> None:
    """Every method of the contract that a request can lead to is among those that are explained."""
    text = Path(everything.__file__).read_text() + Path(storing.__file__).read_text()
    left_out = {name for name in Store.__abstractmethods__ if f"store.{name}(" not in text}
    assert left_out <= NO_ROUTES | {"open", "aclose"}
