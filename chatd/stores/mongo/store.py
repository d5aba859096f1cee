"""The store for many processes and machines: a MongoDB database."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

from chatd.store import Store
from chatd.store.upkeep import Report, Step
from chatd.stores.mongo import (
    accounts,
    catalog,
    data,
    generations,
    messages,
    migrations,
    schema,
    search,
    sessions,
    slots,
    transfer,
)
from chatd.stores.mongo.database import Database

P = ParamSpec("P")
T = TypeVar("T")
Function = Callable[Concatenate[Database, P], Coroutine[Any, Any, T]]
Method = Callable[Concatenate["MongoStore", P], Coroutine[Any, Any, T]]


def calls(function: Function[P, T]) -> Method[P, T]:
    """Return the method that calls a function with the store's database."""

    @functools.wraps(function)
    async def method(self: MongoStore, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.database.call(function, *args, **kwargs)

    return method


class MongoStore(Store):
    """A store in a MongoDB database, by PyMongo or by Motor."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.database = Database(url)

    async def open(self) -> None:
        self.epoch = await self.database.open(schema.prepare)

    async def aclose(self) -> None:
        await self.database.aclose()

    async def pending(self) -> Sequence[Step]:
        database = Database(self._url)
        found = await database.open(migrations.pending)
        await database.aclose()
        return [migration.step for migration in found]

    async def migrate(self, report: Report) -> Sequence[Step]:
        database = Database(self._url)
        if not await database.open(migrations.pending):
            await database.aclose()
            return []
        stopped = asyncio.Event()
        try:
            return await database.call(migrations.migrate, report, stopped)
        finally:
            stopped.set()  # when we are cancelled, what was begun ends after its batch
            await database.aclose()

    async def tend(self) -> None:
        await self.database.call(sessions.finish_purges)
        while await self.database.call(search.catch_up):
            pass

    ping = calls(schema.touch)

    add_user = calls(accounts.add_user)
    get_account = calls(accounts.get_account)
    list_accounts = calls(accounts.list_accounts)
    update_account = calls(accounts.update_account)
    add_token = calls(accounts.add_token)
    find_token = calls(accounts.find_token)
    take_ticket = calls(accounts.take_ticket)
    list_tokens = calls(accounts.list_tokens)
    revoke_token = calls(accounts.revoke_token)

    add_session = calls(sessions.add_session)
    get_session = calls(sessions.get_session)
    get_head = calls(sessions.get_head)
    get_tip = calls(sessions.get_tip)
    list_sessions = calls(sessions.list_sessions)
    update_session = calls(sessions.update_session)
    purge_session = calls(sessions.purge_session)
    get_stats = calls(sessions.get_stats)

    list_messages = calls(messages.list_messages)
    get_message = calls(messages.get_message)
    history = calls(messages.history)
    find_turn = calls(messages.find_turn)
    search = calls(search.search)

    select_message = calls(slots.select_message)
    take_slot = calls(slots.take_slot)
    renew_leases = calls(slots.renew_leases)
    free_slot = calls(slots.free_slot)
    abandoned = calls(slots.abandoned)

    add_messages = calls(generations.add_messages)
    checkpoint = calls(generations.checkpoint)
    end_message = calls(generations.end_message)

    add_preset = calls(catalog.add_preset)
    list_presets = calls(catalog.list_presets)
    get_preset = calls(catalog.get_preset)
    update_preset = calls(catalog.update_preset)
    delete_preset = calls(catalog.delete_preset)
    list_models = calls(catalog.list_models)
    save_models = calls(catalog.save_models)
    update_model = calls(catalog.update_model)

    get_datum = calls(data.get_datum)
    list_data = calls(data.list_data)
    put_datum = calls(data.put_datum)
    delete_datum = calls(data.delete_datum)
    add_to_count = calls(data.add_to_count)

    read_records = calls(transfer.read_records)
    put_records = calls(transfer.put_records)
    count_records = calls(transfer.count_records)
    read_sessions = calls(transfer.read_sessions)
    read_messages = calls(transfer.read_messages)
    find_owners = calls(transfer.find_owners)
    add_conversations = calls(transfer.add_conversations)
    is_generating = calls(transfer.is_generating)
    get_copy_mark = calls(transfer.get_copy_mark)
    set_copy_mark = calls(transfer.set_copy_mark)
    end_copy = calls(transfer.end_copy)
