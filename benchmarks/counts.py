"""How much a store reads to do its work: a count, which no noise of the machine changes.

For SQLite the steps of its virtual machine; for MongoDB the keys of indexes and the documents that
the plans of the commands examine.
"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from pymongo import MongoClient, monitoring

from chatd.store import Store
from chatd.stores import open_store
from chatd.stores.sqlite.database import READERS
from chatd.stores.sqlite.store import SqliteStore
from chatd.types import User, new_id
from tests.stores.stored import a_question, a_slot, an_answer

PROMPT_CHARS = 32_000
EXPLAINED = ("find", "aggregate", "update", "findAndModify", "delete")
SENDING = {"lsid", "txnNumber", "writeConcern", "readConcern", "maxTimeMS"}


async def counts(url: str, user: User, session_id: str) -> dict[str, int]:
    """Return what each operation of `growth` reads, by its name."""
    async with _counting(url) as (store, count):
        work = {
            "open a session": _opening(store, user, session_id),
            "list sessions": store.list_sessions(user.id),
            "last 50 messages": store.get_tip(user.id, session_id),
            "last 50, not remembered": store.list_messages(user.id, session_id),
            "send": _sending(store, user, session_id),
        }
        return {name: await count(call) for name, call in work.items()}


async def _opening(store: Store, user: User, session_id: str) -> None:
    await store.find_token(new_id())
    head = await store.get_head(user.id, session_id)
    await store.list_messages(user.id, session_id, since=head.revision - 3, limit=200)


async def _sending(store: Store, user: User, session_id: str) -> None:
    slot = a_slot(client_id=new_id())
    await store.find_turn(user.id, session_id, str(slot.client_id))
    head = await store.take_slot(user.id, session_id, slot, lease=15)
    messages = [a_question(head.session, slot), an_answer(head.session, slot)]
    messages = await store.add_messages(slot.generation_id, messages)
    await store.history(user.id, session_id, max_chars=PROMPT_CHARS)
    ended = await store.end_message(messages[1].replace(status="complete", content="answer"))
    assert ended is not None
    await store.free_slot(session_id, slot.generation_id, [messages[0], ended])


@asynccontextmanager
async def _counting(url: str) -> AsyncIterator[Any]:
    listener = _Listener()
    if not url.startswith("sqlite"):
        monitoring.register(listener)
    store = open_store(url)
    await store.open()
    try:
        if isinstance(store, SqliteStore):
            yield store, await _steps(store)
        else:
            yield store, lambda call: _examined(url, listener, call)
    finally:
        await store.aclose()


async def _steps(store: SqliteStore) -> Any:
    """Return what counts the steps of a call."""
    steps = itertools.count()
    together = threading.Barrier(READERS)  # each reader takes one call

    def watch(connection: sqlite3.Connection) -> None:
        together.wait(10)
        connection.set_progress_handler(lambda: next(steps) < 0, 1)

    def watch_alone(connection: sqlite3.Connection) -> None:
        connection.set_progress_handler(lambda: next(steps) < 0, 1)

    await asyncio.gather(*[store.database.read(watch) for _ in range(READERS)])
    await store.database.write(watch_alone)
    await store.database.look(watch_alone)

    async def count(call: Any) -> int:
        before = next(steps)
        await call
        return next(steps) - before - 1

    return count


class _Listener(monitoring.CommandListener):
    """Keeps the commands of the clients made after it was registered."""

    def __init__(self) -> None:
        self.commands: list[dict[str, Any]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name in EXPLAINED:
            self.commands.append(dict(event.command))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


async def _examined(url: str, listener: _Listener, call: Any) -> int:
    """Return the keys and documents that the plans of a call's commands examine."""
    listener.commands.clear()
    await call
    commands = list(listener.commands)
    with MongoClient[dict[str, Any]](url) as client:
        database = client.get_default_database()
        return sum(
            _sum(database.command("explain", command, verbosity="executionStats"))
            for command in _single(commands)
        )


def _single(commands: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield commands as `explain` takes them: one update or delete at a time."""
    for command in commands:
        asked = {k: v for k, v in command.items() if k not in SENDING and k[0] != "$"}
        for name in ("updates", "deletes"):
            if name in asked:
                yield from ({**asked, name: [one]} for one in asked[name])
                break
        else:
            yield asked | ({"cursor": {}} if "aggregate" in asked else {})


def _sum(plan: Any) -> int:
    if isinstance(plan, dict):
        if "totalKeysExamined" in plan:
            return int(plan["totalKeysExamined"]) + int(plan["totalDocsExamined"])
        return sum(_sum(value) for value in plan.values())
    if isinstance(plan, list):
        return sum(_sum(value) for value in plan)
    return 0
