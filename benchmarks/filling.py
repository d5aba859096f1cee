"""Filling a store in bulk, with rows like those that the store itself has written.

A store writes one session with one turn. What it wrote is read back as it lies in the table or
collection, and copied with other ids, numbers and texts. So the copies have every column, field
and index that the store's own rows have.
"""

from __future__ import annotations

import abc
import contextlib
import datetime as dt
import json
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pymongo import MongoClient

from chatd import accounts
from chatd.store import Store
from chatd.stores import open_store
from chatd.stores.sqlite import search
from chatd.types import User, new_id
from chatd.words import searchable
from tests.stores.stored import ALICE, a_turn, add

Row = dict[str, Any]

QUESTION, ANSWER = 200, 1000  # characters: of a turn, as people write and models answer
TURNS_OF_A_SESSION = 50
VERSIONS = 500  # different texts, so that what compresses does not find one text a million times
BATCH = 50  # sessions


class Session(NamedTuple):
    """What to fill a session with; with branches, each leaves the one before it."""

    user_id: str
    messages: int = 2 * TURNS_OF_A_SESSION
    branches: int = 1


async def owner_of(url: str, token: str) -> User:
    """Return the user who holds a token in a store, as `chatd serve` with CHATD_TOKEN makes it."""
    store = open_store(url)
    await store.open()
    try:
        return await accounts.ensure_owner(store, token)
    finally:
        await store.aclose()


def texts() -> tuple[list[str], list[str]]:
    chance = random.Random(1)
    words = ["".join(chance.choices("aeinorstlmdu", k=chance.randint(2, 9))) for _ in range(3000)]
    text = " ".join(chance.choices(words, k=200_000))
    starts = [chance.randrange(len(text) - ANSWER) for _ in range(VERSIONS)]
    return [text[i : i + QUESTION] for i in starts], [text[i : i + ANSWER] for i in starts]


class Filler(abc.ABC):
    """One store that is filled; no server runs on it meanwhile."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._texts = texts()
        self._words = tuple([searchable(text) for text in texts] for texts in self._texts)
        self._time = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
        self.messages = 0

    async def sample(self) -> None:
        """Have the store write what is copied from then on."""
        store: Store = open_store(self.url)
        await store.open()
        session = await add(store, model="echo/echo", title="A session like many others")
        turn = await a_turn(store, session)
        await store.aclose()
        self._session = self.read("sessions", session.id)
        self._turn = [self.read("messages", message.id) for message in turn]
        assert ALICE.id in self._session.values()

    @abc.abstractmethod
    def read(self, table: str, id: str) -> Row:
        """Return a row or document as it is stored."""

    @abc.abstractmethod
    def insert(self, sessions: list[Row], messages: list[Row]) -> None:
        """Insert rows."""

    @abc.abstractmethod
    def identify(self, session: Row) -> Row:
        """Return how a message names its session."""

    def fill(self, wanted: list[Session]) -> list[str]:
        """Insert sessions; return their ids."""
        ids = []
        for start in range(0, len(wanted), BATCH):
            sessions: list[Row] = []
            messages: list[Row] = []
            for one in wanted[start : start + BATCH]:
                sessions.append(self._a_session(one))
                ids.append(str(sessions[-1].get("_id") or sessions[-1]["id"]))
                messages += self._messages(one, ids[-1], sessions[-1])
            self.insert(sessions, messages)
            self.messages += len(messages)
        self.index()
        return ids

    @abc.abstractmethod
    def index(self) -> None:
        """Bring up what a store does behind its writes."""

    def _a_session(self, wanted: Session) -> Row:
        self._time += dt.timedelta(seconds=1)
        at, id, turns = round(self._time.timestamp() * 1000), new_id(), wanted.messages // 2
        step = wanted.messages // wanted.branches
        branches = {str(n): [n - 1, n * step] for n in range(1, wanted.branches)}
        times = dict.fromkeys(("created_at", "updated_at", "last_message_at"), _iso(self._time))
        named = {"id": id, "head_id": new_id() if wanted.messages else None}
        document = _changed(
            self._session["document"], **named, message_count=wanted.messages, **times
        )
        fields = {
            **{**named, "_id": id, "user_id": wanted.user_id, "document": document},
            **dict.fromkeys(("created_at", "last_message_at", "activity_at"), at),
            **{"seq": wanted.messages, "revision": 3 * turns, "branch": wanted.branches - 1},
            **{"message_count": wanted.messages, "user_messages": turns},
            "assistant_messages": turns,
        }
        row = _over(self._session, fields)
        if branches:
            row["branches"] = branches if "_id" in row else json.dumps(branches)
        return row

    def _messages(self, wanted: Session, session_id: str, session: Row) -> Iterator[Row]:
        step, parent = wanted.messages // wanted.branches, None
        named = self.identify(session) | {"user_id": wanted.user_id}
        head_id = json.loads(session["document"])["head_id"]
        for seq in range(1, wanted.messages + 1):
            turn, is_answer = divmod(seq - 1, 2)
            id = head_id if seq == wanted.messages else new_id()
            generation_id = id if is_answer else new_id()
            text = self._texts[is_answer][turn % VERSIONS]
            numbers = {"seq": seq, "revision": 3 * turn + (3 if is_answer else 1)}
            document = _changed(
                self._turn[is_answer]["document"],
                **{"id": id, "session_id": session_id, "parent_id": parent, "content": text},
                **{"generation_id": generation_id, **numbers},
            )
            fields = {"id": id, "_id": id, "branch": (seq - 1) // step, "document": document}
            fields |= {"words": self._words[is_answer][turn % VERSIONS]}
            fields |= {"generation_id": generation_id, "search_text": text, **numbers, **named}
            yield _over(self._turn[is_answer], fields)
            parent = id


def _iso(time: dt.datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def _changed(document: str, **fields: Any) -> str:
    values: Row = json.loads(document) | fields
    return json.dumps(values, separators=(",", ":"))


def _over(row: Row, fields: Row) -> Row:
    """Return a row with other values in those of the fields that it has."""
    return {name: fields.get(name, value) for name, value in row.items()}


class SqliteFiller(Filler):
    """Fills a SQLite file."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._path = Path(url.removeprefix("sqlite:///"))
        self._key = 0

    def read(self, table: str, id: str) -> Row:
        with contextlib.closing(sqlite3.connect(self._path)) as connection:
            names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            query = f"SELECT {', '.join(names)} FROM {table} WHERE id = ?"
            row = dict(zip(names, connection.execute(query, (id,)).fetchone(), strict=True))
            (self._key,) = connection.execute("SELECT max(key) FROM sessions").fetchone()
        if table == "messages":
            del row["key"]
        return row

    def identify(self, session: Row) -> Row:
        self._key += 1
        session["key"] = self._key
        return {"session": self._key}

    def insert(self, sessions: list[Row], messages: list[Row]) -> None:
        with contextlib.closing(sqlite3.connect(self._path)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            with connection:
                for table, rows in (("sessions", sessions), ("messages", messages)):
                    names = ", ".join(rows[0])
                    places = ", ".join("?" * len(rows[0]))
                    query = f"INSERT INTO {table} ({names}) VALUES ({places})"
                    connection.executemany(query, [tuple(row.values()) for row in rows])

    def index(self) -> None:
        with contextlib.closing(sqlite3.connect(self._path)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            done, total = 0, 1
            while done < total:
                with connection:
                    done, total = search.build(connection)

    def size(self) -> dict[str, float]:
        """Return the bytes of the file."""
        with contextlib.closing(sqlite3.connect(self._path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return {"file": self._path.stat().st_size}


class MongoFiller(Filler):
    """Fills a MongoDB database."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._client: MongoClient[Row] = MongoClient(url, w=1)
        self._database = self._client.get_default_database()

    def read(self, table: str, id: str) -> Row:
        found = self._database[table].find_one({"_id": id})
        assert found is not None
        return found

    def identify(self, session: Row) -> Row:
        return {"session_id": session["_id"]}

    def insert(self, sessions: list[Row], messages: list[Row]) -> None:
        self._database["sessions"].insert_many(sessions, ordered=False)
        self._database["messages"].insert_many(messages, ordered=False)

    def index(self) -> None:
        pass  # the words are in the index with their message

    def size(self) -> dict[str, float]:
        """Return the bytes of documents and indexes on disk."""
        self._client.admin.command("fsync")
        stats = self._database.command("dbStats")
        return {name: stats[name] for name in ("dataSize", "storageSize", "indexSize")}
