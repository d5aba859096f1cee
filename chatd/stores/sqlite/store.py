"""The store that needs no service: everything in one SQLite file."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from pathlib import Path
from sqlite3 import Connection
from typing import Any, Concatenate, ParamSpec, TypeVar

from chatd.store import Store
from chatd.stores.sqlite import accounts, catalog, generations, messages, schema, sessions
from chatd.stores.sqlite.database import Database

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


def writes(function: Function[P, T]) -> Method[P, T]:
    """Return the method that has a function called by the thread that writes."""

    @functools.wraps(function)
    async def method(self: SqliteStore, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.database.write(function, *args, **kwargs)

    return method


class SqliteStore(Store):
    """A store in one file; other processes of the same machine may open it too."""

    def __init__(self, path: Path) -> None:
        self.database = Database(path)

    async def open(self) -> None:
        self.epoch = await self.database.open(schema.prepare)

    async def aclose(self) -> None:
        await self.database.aclose()

    ping = writes(schema.touch)

    add_user = writes(accounts.add_user)
    get_account = reads(accounts.get_account)
    list_accounts = reads(accounts.list_accounts)
    update_account = writes(accounts.update_account)
    add_token = writes(accounts.add_token)
    find_token = reads(accounts.find_token)
    take_ticket = writes(accounts.take_ticket)
    list_tokens = reads(accounts.list_tokens)
    revoke_token = writes(accounts.revoke_token)

    add_session = writes(sessions.add_session)
    get_session = reads(sessions.get_session)
    get_head = reads(sessions.get_head)
    list_sessions = reads(sessions.list_sessions)
    update_session = writes(sessions.update_session)
    purge_session = writes(sessions.purge_session)
    get_stats = reads(sessions.get_stats)

    list_messages = reads(messages.list_messages)
    get_message = reads(messages.get_message)
    history = reads(messages.history)
    find_turn = reads(messages.find_turn)

    take_slot = writes(generations.take_slot)
    add_messages = writes(generations.add_messages)
    checkpoint = writes(generations.checkpoint)
    renew_leases = writes(generations.renew_leases)
    end_message = writes(generations.end_message)
    free_slot = writes(generations.free_slot)
    abandoned = reads(generations.abandoned)

    add_preset = writes(catalog.add_preset)
    list_presets = reads(catalog.list_presets)
    get_preset = reads(catalog.get_preset)
    update_preset = writes(catalog.update_preset)
    delete_preset = writes(catalog.delete_preset)
    list_models = reads(catalog.list_models)
    save_models = writes(catalog.save_models)
    update_model = writes(catalog.update_model)
