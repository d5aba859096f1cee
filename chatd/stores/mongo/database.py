"""The connection to one database, its collections, and the calls that are under way."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern

from chatd.errors import StoreUnavailable
from chatd.stores.mongo import driver
from chatd.stores.mongo.documents import HEAD, SHOWN, TIP, WITH_USER
from chatd.stores.mongo.driver import Document
from chatd.stores.mongo.grouped import Grouped
from chatd.stores.mongo.together import Shared, Together, take_note
from chatd.types import Session

if TYPE_CHECKING:
    from pymongo import AsyncMongoClient

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")

NAME = "chatd"  # of the database, when the URL names none


class Taken(NamedTuple):
    """What was read when a slot was taken: where the turn's messages go, and the last numbers."""

    user_id: str
    branch: int
    seq: int
    revision: int


class Database:
    """A MongoDB database. Reads are majority reads of the primary, but for the `latest_` two.

    `taken` are slots taken here of which no message has been tried to be stored.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: AsyncMongoClient[Document] | None = None
        self._calls: set[asyncio.Future[Any]] = set()
        self.taken: dict[str, Taken] = {}
        self._grouped: dict[object, Grouped[Any, Any]] = {}

    async def open(self, prepare: Callable[[Database], Awaitable[T]]) -> T:
        """Connect, and return what `prepare` does before all others.

        Raises StoreUnavailable, and ConfigError for what will not get better by itself.
        """
        client = driver.connect(self._url)
        try:
            self._use(client)
            prepared = await prepare(self)
        except PyMongoError as exc:
            await driver.close(client)
            raise driver.translate_at_start(exc) from exc
        except BaseException:
            await driver.close(client)
            raise
        self._client = client
        return prepared

    def _use(self, client: AsyncMongoClient[Document]) -> None:
        database = client.get_default_database(NAME)
        self.collection = database.get_collection
        self.meta = database.get_collection("meta")
        self.users = database.get_collection("users")
        self.tokens = database.get_collection("tokens")
        self.sessions = database.get_collection("sessions")
        self.messages = database.get_collection("messages")
        self.presets = database.get_collection("presets")
        self.models = database.get_collection("models")
        self.find_tokens = Together(self._tokens)
        self.find_sessions = Together(functools.partial(self._sessions, HEAD))
        self.find_tips = Together(functools.partial(self._sessions, TIP))
        self.pages: Shared[list[Session]] = Shared()
        self.find_shown = Together(functools.partial(self._sessions, SHOWN))
        # For what is compared and then set: what the next write will meet, acknowledged or not.
        # What is returned to a caller never comes from these two.
        latest = ReadConcern("local")
        self.latest_sessions = database.get_collection("sessions", read_concern=latest)
        self.latest_messages = database.get_collection("messages", read_concern=latest)

    async def _tokens(self, digests: list[str]) -> dict[str, Document]:
        pipeline = [{"$match": {"_id": {"$in": digests}}}, *WITH_USER]
        return {found["_id"]: found for found in await driver.aggregate(self.tokens, pipeline)}

    async def _sessions(self, fields: Document, ids: list[str]) -> dict[str, Document]:
        fields = {**fields, "user_id": 1}
        found = await self.sessions.find({"_id": {"$in": ids}}, fields).to_list(None)
        return {document["_id"]: document for document in found}

    async def together(
        self,
        work: Callable[[Database, Sequence[A]], Awaitable[Sequence[T | Exception]]],
        key: str,
        item: A,
    ) -> T:
        """Return what becomes of one thing that a function does for many at a time.

        Those with the same key are done one after the other.
        """
        if work not in self._grouped:
            self._grouped[work] = Grouped(functools.partial(work, self))
        result: T = await self._grouped[work].do(key, item)
        return result

    async def aclose(self) -> None:
        """Finish what was begun and disconnect."""
        client, self._client = self._client, None
        if client is not None:
            if self._calls:
                await asyncio.wait(self._calls)
            await driver.close(client)

    async def call(
        self,
        function: Callable[Concatenate[Database, P], Awaitable[T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Return what a function does with this database; raise only errors of chatd's.

        What was begun is carried out also when the caller is cancelled. PyMongo (4.20) swallows one
        cancellation in ten, and then a turn could not be stopped; each of the others costs it a
        connection.
        """
        if self._client is None:
            raise StoreUnavailable("The store is closed.")
        call = asyncio.ensure_future(function(self, *args, **kwargs))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        call.add_done_callback(take_note)
        try:
            return await asyncio.shield(call)
        except PyMongoError as exc:
            raise driver.translate(exc) from exc
