"""The store that needs no service: everything in one SQLite file."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from sqlite3 import Connection
from typing import Any, Concatenate, ParamSpec, TypeVar

from chatd.store import Store
from chatd.store.messages import FoundPage
from chatd.store.upkeep import Report, Step
from chatd.stores.sqlite import (
    accounts,
    catalog,
    data,
    generations,
    messages,
    migrations,
    schema,
    search,
    sessions,
    transfer,
)
from chatd.stores.sqlite.database import Database
from chatd.types import SessionPage

P = ParamSpec("P")
T = TypeVar("T")
Function = Callable[Concatenate[Connection, P], T]
Method = Callable[Concatenate["SqliteStore", P], Coroutine[Any, Any, T]]


def reads(function: Function[P, T]) -> Method[P, T]:
    """Return the method that has a function called by a thread that reads."""

    @functools.wraps(function)
    async def method(self: SqliteStore, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.database.read(function, *args, **kwargs)

    return method


def looks(function: Function[P, T]) -> Method[P, T]:
    """Return the method that has a function called at once: it finds a few rows by a key."""

    @functools.wraps(function)
    async def method(self: SqliteStore, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.database.look(function, *args, **kwargs)

    return method


def writes(function: Function[P, T]) -> Method[P, T]:
    """Return the method that has a function called by the thread that writes."""

    @functools.wraps(function)
    async def method(self: SqliteStore, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.database.write(function, *args, **kwargs)

    return method


class SqliteStore(Store):
    """A store in one file; other processes of the same machine may open it too."""

    def __init__(self, path: Path, *, busy_timeout: float = 5.0) -> None:
        self._path = path.expanduser().absolute()
        self._busy_timeout = busy_timeout  # seconds to wait for another process's transaction
        self.database = Database(self._path, busy_timeout=busy_timeout)

    async def open(self) -> None:
        self.epoch = await self.database.open(schema.prepare)

    async def aclose(self) -> None:
        await self.database.aclose()

    async def list_sessions(self, user_id: str, *, query: str = "", **page: Any) -> SessionPage:
        # Titles are searched row by row.
        find = self.database.read if query else self.database.look
        return await find(sessions.list_sessions, user_id, query=query, **page)

    async def pending(self) -> Sequence[Step]:
        return await asyncio.to_thread(migrations.pending, self._path)

    async def migrate(self, report: Report) -> Sequence[Step]:
        stopped = threading.Event()
        try:
            return await asyncio.to_thread(
                migrations.migrate, self._path, self._busy_timeout, report, stopped
            )
        finally:
            stopped.set()  # when we are cancelled, the thread ends after its batch

    async def tend(self) -> None:
        self.database.keep_up(search.catch_up)

    ping = writes(schema.touch)

    add_user = writes(accounts.add_user)
    get_account = looks(accounts.get_account)
    list_accounts = reads(accounts.list_accounts)
    update_account = writes(accounts.update_account)
    add_token = writes(accounts.add_token)
    find_token = looks(accounts.find_token)
    take_ticket = writes(accounts.take_ticket)
    list_tokens = reads(accounts.list_tokens)
    revoke_token = writes(accounts.revoke_token)

    add_session = writes(sessions.add_session)
    get_session = looks(sessions.get_session)
    get_head = looks(sessions.get_head)
    get_tip = looks(sessions.get_tip)
    update_session = writes(sessions.update_session)
    select_message = writes(sessions.select_message)
    purge_session = writes(sessions.purge_session)
    get_stats = reads(sessions.get_stats)

    list_messages = looks(messages.list_messages)
    get_message = looks(messages.get_message)
    history = looks(messages.history)
    find_turn = looks(messages.find_turn)

    async def search(self, user_id: str, query: str, **how: Any) -> FoundPage:
        # Mostly there is nothing to do: then a search writes nothing. What turns store after the
        # last batch is not waited for: beside many there would always be more.
        if await self.database.look(search.is_behind):
            while await self.database.write(search.catch_up):
                pass
        return await self.database.read(search.find, user_id, query, **how)

    begin_turn = writes(generations.begin_turn)
    take_slot = writes(generations.take_slot)
    add_messages = writes(generations.add_messages)
    checkpoint = writes(generations.checkpoint)
    renew_leases = writes(generations.renew_leases)
    end_message = writes(generations.end_message)
    end_turn = writes(generations.end_turn)
    free_slot = writes(generations.free_slot)
    abandoned = reads(generations.abandoned)

    add_preset = writes(catalog.add_preset)
    list_presets = reads(catalog.list_presets)
    get_preset = looks(catalog.get_preset)
    update_preset = writes(catalog.update_preset)
    delete_preset = writes(catalog.delete_preset)
    list_models = reads(catalog.list_models)
    save_models = writes(catalog.save_models)
    update_model = writes(catalog.update_model)

    get_datum = looks(data.get_datum)
    list_data = reads(data.list_data)
    put_datum = writes(data.put_datum)
    delete_datum = writes(data.delete_datum)
    add_to_count = writes(data.add_to_count)

    read_records = reads(transfer.read_records)
    put_records = writes(transfer.put_records)
    count_records = reads(transfer.count_records)
    read_sessions = reads(transfer.read_sessions)
    read_messages = reads(transfer.read_messages)
    find_owners = reads(transfer.find_owners)
    add_conversations = writes(transfer.add_conversations)
    is_generating = reads(transfer.is_generating)
    get_copy_mark = reads(transfer.get_copy_mark)
    set_copy_mark = writes(transfer.set_copy_mark)
    end_copy = writes(transfer.end_copy)
