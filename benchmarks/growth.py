"""What stored data costs: the same work on an empty and on a full store, `... growth`.

Two servers run side by side, one on a store with little in it and one on a store that is filled
further and further. They do the same work in turns, so that whatever else the machine does meets
both. Compared is their CPU time, with that of mongod, and what their stores read.

"Empty" is a store with sixty sessions and 6,000 messages: a full page of each.
"""

from __future__ import annotations

import contextlib
import json
import statistics
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import psutil
from websockets.asyncio.client import connect

from benchmarks.clients import Getter
from benchmarks.counts import counts
from benchmarks.filling import Filler, MongoFiller, Session, SqliteFiller, owner_of
from benchmarks.processes import NO_LIMITS, TOKEN, process
from chatd.types import User, new_id
from tests.mongod import ReplicaSet, named, replica_set

OWN_SESSIONS = 60  # of the user who asks: more than a page
SIZES = (1_000, 100_000, 1_000_000)
TARGET = 1.1
WORD = "x" * 500  # a message that the echo model repeats at once
TIMES = {"open a session": 10, "list sessions": 20, "last 50 messages": 20}
TIMES |= {"last 50, not remembered": 20, "send": 6}


class Row(NamedTuple):
    """One operation, on a store so full: microseconds of CPU, and what the store read."""

    store: str
    full: str
    operation: str
    empty_us: float
    us: float
    ratio: float
    empty_reads: int
    reads: int

    @property
    def is_good(self) -> bool:
        """Whether it costs little more than on the empty store."""
        return self.ratio <= TARGET


class Side(NamedTuple):
    """A running server, the processes whose time counts, and a session of the user who asks."""

    url: str
    pids: tuple[int, ...]
    session_id: str


def cpu_seconds(pids: tuple[int, ...]) -> float:
    """Return the CPU time of processes, to the nanosecond where the system tells it."""
    return sum(_cpu_seconds(pid) for pid in pids)


def _cpu_seconds(pid: int) -> float:
    tasks = Path(f"/proc/{pid}/task")
    if not tasks.is_dir():
        return float(sum(psutil.Process(pid).cpu_times()[:2]))
    total = 0
    for task in tasks.iterdir():
        with contextlib.suppress(OSError):  # a thread that has just ended
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


@contextlib.asynccontextmanager
async def running(url: str, directory: Path) -> AsyncIterator[tuple[str, int]]:
    """Run a chatd on a store; yield its address and process id."""
    arguments = ("-m", "chatd", "serve", "--port", "0", "--data-dir", str(directory))
    settings = {
        "CHATD_TOKEN": TOKEN,
        "CHATD_STORE": url,
        "CHATD_PLUGINS_ENABLED": "auth_token,provider_echo,presets_store",
        "CHATD_MODELS_SYNC_INTERVAL": "0",
        "CHATD_SERVER_ACCESS_LOG": "false",
    }
    async with process(*arguments, **settings, **NO_LIMITS) as (pid, line):
        yield line.partition("/?")[0], pid


class Work:
    """The four operations, on one side."""

    def __init__(self, side: Side) -> None:
        self._side = side
        path = f"/ws/ai-chat/session/{side.session_id}/?token={TOKEN}"
        self._socket_url = side.url.replace("http", "ws") + path
        self.operations: dict[str, Callable[[], Awaitable[None]]] = {
            "open a session": self.open_session,
            "list sessions": self.list_sessions,
            "last 50 messages": self.last_messages,
            "last 50, not remembered": self.messages_before,
            "send": self.send,
        }

    async def begin(self) -> None:
        """Connect."""
        self._getter = Getter(self._side.url)
        await self._getter.open()
        self._socket = await connect(self._socket_url, max_size=None)
        self._revision = json.loads(await self._socket.recv())["revision"]

    async def end(self) -> None:
        """Disconnect."""
        await self._getter.aclose()
        await self._socket.close()

    async def open_session(self) -> None:
        """Connect a socket and take what was missed: the last turn."""
        url = f"{self._socket_url}&since={self._revision - 3}"
        async with connect(url, max_size=None) as socket:
            for _ in range(3):
                await socket.recv()

    async def list_sessions(self) -> None:
        """Get the first page."""
        await self._getter.get("/ai-chat/api/sessions/")

    async def last_messages(self) -> None:
        """Get the newest page."""
        await self._getter.get(f"/ai-chat/api/sessions/{self._side.session_id}/messages/")

    async def messages_before(self) -> None:
        """Get the same page as one that is always read: pages in the middle are."""
        path = f"/ai-chat/api/sessions/{self._side.session_id}/messages/?before={2**53}"
        await self._getter.get(path)

    async def send(self) -> None:
        """Send a message and read its answer to the end."""
        event = {"type": "send_message", "message": WORD, "client_id": new_id()}
        await self._socket.send(json.dumps(event))
        while True:
            event = json.loads(await self._socket.recv())
            if event["type"] == "ai_message_complete":
                self._revision = event["message"]["revision"]
                return
            if event["type"] == "error":
                raise RuntimeError(event)

    async def cost(self, operation: str) -> float:
        """Return the CPU seconds of one operation."""
        times, call = TIMES[operation], self.operations[operation]
        before = cpu_seconds(self._side.pids)
        for _ in range(times):
            await call()
        return (cpu_seconds(self._side.pids) - before) / times


async def compare(empty: Side, full: Side, rounds: int) -> dict[str, tuple[float, float]]:
    """Return the cost of every operation on both sides, in microseconds.

    Of all rounds the lower quartile: what else the machine does makes CPU time longer, not shorter.
    """
    works = [Work(empty), Work(full)]
    for work in works:
        await work.begin()
    costs: dict[str, tuple[float, float]] = {}
    for operation in TIMES:
        found: list[list[float]] = [[], []]
        for number in range(rounds + 1):
            for place in (0, 1) if number % 2 else (1, 0):
                cost = await works[place].cost(operation)
                if number:  # the first is to warm up
                    found[place].append(cost)
        costs[operation] = tuple(statistics.quantiles(each)[0] * 1e6 for each in found)  # type: ignore
    for work in works:
        await work.end()
    return costs


class Growth:
    """One kind of store, empty and filled."""

    def __init__(
        self, name: str, fillers: tuple[Filler, Filler], pids: tuple[int, ...], rounds: int
    ) -> None:
        self._name, self._pids, self._rounds = name, pids, rounds
        self._empty, self._full = fillers

    async def measure(self, sizes: tuple[int, ...]) -> AsyncIterator[Row]:
        """Yield all rows."""
        self._own: list[str] = []
        for filler in (self._empty, self._full):
            user = await owner_of(filler.url, TOKEN)
            await filler.sample()
            # One amid the others: at the end of an index it is cheaper to insert.
            ids = filler.fill([Session(user.id)] * OWN_SESSIONS)
            self._own.append(ids[OWN_SESSIONS // 2])
        self._user = user
        stored = 0
        for size in sizes:
            wanted = [_of_anybody(n, user) for n in range(stored // 100, size // 100)]
            self._full.fill(wanted)
            stored = size
            async for row in self._compare(f"{size:,} messages", self._own[1]):
                yield row
        for what, branches in (("10,000 in the session", 1), ("and 200 branches", 200)):
            (session_id,) = self._full.fill([Session(user.id, 10_000, branches)])
            async for row in self._compare(f"{stored:,}, {what}", session_id):
                yield row
        self.sizes = {name: n / self._full.messages for name, n in self._full.size().items()}  # type: ignore

    async def _compare(self, full: str, session_id: str) -> AsyncIterator[Row]:
        with TemporaryDirectory() as one, TemporaryDirectory() as other:
            async with (
                running(self._empty.url, Path(one)) as (empty_url, empty_pid),
                running(self._full.url, Path(other)) as (full_url, full_pid),
            ):
                costs = await compare(
                    Side(empty_url, (empty_pid, *self._pids), self._own[0]),
                    Side(full_url, (full_pid, *self._pids), session_id),
                    self._rounds,
                )
                self.memory = psutil.Process(full_pid).memory_info().rss
        empty_reads = await counts(
            self._empty.url, await owner_of(self._empty.url, TOKEN), self._own[0]
        )
        reads = await counts(self._full.url, self._user, session_id)
        for operation, (empty_us, us) in costs.items():
            ratio, name = us / empty_us, operation
            row = (empty_us, us, ratio, empty_reads[name], reads[name])
            yield Row(self._name, full, operation, *row)


def _of_anybody(number: int, user: User) -> Session:
    """Every tenth session is of the user who asks, the others of a hundred others."""
    return Session(user.id if number % 10 == 0 else f"somebody-{number % 100}")


@contextlib.contextmanager
def _stores(name: str, directory: Path) -> Iterator[tuple[tuple[Filler, Filler], Any]]:
    if name == "sqlite":
        urls = [f"sqlite:///{directory}/{which}/chatd.db" for which in ("empty", "full")]
        yield (SqliteFiller(urls[0]), SqliteFiller(urls[1])), None
    else:
        with replica_set(directory / "mongodb") as servers:
            urls = [named(servers.url, which) for which in ("empty", "full")]
            yield (MongoFiller(urls[0]), MongoFiller(urls[1])), servers


async def growth(*, quick: bool, largest: int, stores: tuple[str, ...]) -> AsyncIterator[Row]:
    """Yield the rows of both stores; print what they take on disk."""
    sizes, rounds = ((1_000, 10_000), 5) if quick else (SIZES, 40)
    sizes = tuple(size for size in sizes if size <= largest)
    for name in stores:
        with TemporaryDirectory() as directory, _stores(name, Path(directory)) as (fillers, server):
            growth = Growth(name, fillers, _pids(server), rounds)
            async for row in growth.measure(sizes):
                yield row
            parts = ", ".join(f"{part} {n:.0f}" for part, n in growth.sizes.items())
            memory = growth.memory / 2**20
            print(f"{name}: bytes a message: {parts}; chatd {memory:.0f} MiB", flush=True)
            for pid in _pids(server):
                print(f"mongod {psutil.Process(pid).memory_info().rss / 2**20:.0f} MiB", flush=True)


def _pids(server: ReplicaSet | None) -> tuple[int, ...]:
    return tuple(member.pid for member in server.members) if server else ()
