"""The threads of a database file: one that writes to it in groups, a few that read beside it.

Both take calls from a queue: a plain function, which gets the thread's connection. A read that
begins after a write has returned sees it, because a write returns when its commit has.

What is read in a fraction of a millisecond is read by the event loop itself, on a connection of its
own: the way to a thread and back costs more than such a read. Readers do not wait for the writer in
WAL mode, so only a slow disk could hold up the loop: after one slow look, reads go to the threads
for a while.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from sqlite3 import Connection
from typing import Any, Concatenate, ParamSpec, TypeVar

from chatd.errors import ConfigError, StoreUnavailable
from chatd.stores.sqlite.connection import connect, create_file, translate

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger(__name__)

# More readers only fight for the interpreter's lock; a second one lets a quick read pass a slow.
READERS = 2
GROUP = 256  # writes in one commit at most
UPKEEP_EVERY = 1.0  # seconds; what it does is also done before it is needed

SLOW_LOOK = 0.02  # seconds that a look may keep the event loop
LOOKS_IN_A_ROW = 32  # then the event loop has its turn: a look by itself never waits
LOOK_AGAIN_AFTER = 2.0  # seconds in which nothing is looked at after a slow one


class Call:
    """A function that waits for a thread, and then what came of it."""

    __slots__ = ("args", "error", "function", "future", "kwargs", "result")

    def __init__(
        self, future: asyncio.Future[Any], function: Callable[..., Any], args: Any, kwargs: Any
    ) -> None:
        self.future = future
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self.result: Any = None
        self.error: Exception | None = None

    def run(self, connection: Connection) -> None:
        """Call the function; what it raises is for the caller, not for the thread."""
        try:
            self.result = self.function(connection, *self.args, **self.kwargs)
        except Exception as exc:
            self.error = exc

    def resolve(self) -> None:
        """Tell the caller, if it still waits; in the thread of its loop."""
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(translate(self.error))


Queue = SimpleQueue[Call | None]  # None is the end


class Database:
    """The connections to one file and their threads."""

    def __init__(self, path: Path, *, busy_timeout: float = 5.0) -> None:
        self._path = path.expanduser().absolute()
        self._busy_timeout = busy_timeout
        self._writes: Queue = SimpleQueue()
        self._reads: Queue = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._is_open = False
        self._done: deque[Call] = deque()
        self._is_waking = False
        self._looks = 0
        self._look_from = 0.0  # the time of the loop from which on looks are allowed
        self._upkeep: Call | None = None

    async def open(self, prepare: Callable[[Connection], T]) -> T:
        """Connect, and return what `prepare` does in a transaction before all others.

        Raises StoreUnavailable, and ConfigError for a file that cannot be used.
        """
        self._loop = asyncio.get_running_loop()
        try:
            prepared, connections = await asyncio.to_thread(self._connect, prepare)
        except sqlite3.OperationalError as exc:
            raise StoreUnavailable(f"{self._path}: {exc}.") from exc
        except sqlite3.DatabaseError as exc:
            raise ConfigError(f"{self._path}: {exc}.") from exc
        except OSError as exc:
            raise StoreUnavailable(f"{self._path}: {exc.strerror}.") from exc
        self._start("sqlite writer", self._write_groups, connections[0])
        self._own = connections[1]
        self._own.execute("PRAGMA busy_timeout = 0")
        for reader in connections[2:]:
            self._start("sqlite reader", self._read, reader)
        self._is_open = True
        return prepared

    async def aclose(self) -> None:
        """Finish what is queued and close the file."""
        if not self._is_open:
            return
        self._is_open = False
        self._writes.put(None)
        for _ in range(READERS):
            self._reads.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        self._own.close()
        self._resolve_done()

    async def look(
        self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Return what a function reads, called here and now if reads are quick at the moment.

        For what is found by a key, a page at most. Raises StoreUnavailable when closed.
        """
        self._looks += 1
        if self._looks % LOOKS_IN_A_ROW == 0:
            await asyncio.sleep(0)
        begun = self._loop.time()
        if not self._is_open or begun < self._look_from:
            return await self.read(function, *args, **kwargs)
        try:
            return function(self._own, *args, **kwargs)
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise translate(exc) from exc
        except sqlite3.Error as exc:
            raise translate(exc) from exc
        finally:
            ended = self._loop.time()
            if ended - begun > SLOW_LOOK:
                self._look_from = ended + LOOK_AGAIN_AFTER
        return await self.read(function, *args, **kwargs)  # threads wait for a lock

    def keep_up(self, upkeep: Callable[[Connection], bool]) -> None:
        """Have the thread that writes call a function now and then, also when nothing is written.

        Soon again if it returns True: then it has more to do.
        """
        self._upkeep, first = [Call(self._loop.create_future(), upkeep, (), {}) for _ in range(2)]
        first.future.cancel()  # nobody waits for what comes of it
        self._writes.put(first)

    def read(
        self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> asyncio.Future[T]:
        """Have a function called by a thread that reads. Raises StoreUnavailable when closed."""
        return self._queue(self._reads, function, args, kwargs)

    def write(
        self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> asyncio.Future[T]:
        """Have a function called by the thread that writes; the future is resolved after COMMIT.

        What the function has changed is undone when it raises. It is called also when its caller
        has been cancelled meanwhile. Raises StoreUnavailable when closed.
        """
        return self._queue(self._writes, function, args, kwargs)

    def _queue(
        self, queue: Queue, function: Callable[..., T], args: Any, kwargs: Any
    ) -> asyncio.Future[T]:
        if not self._is_open:
            raise StoreUnavailable("The store is closed.")
        future: asyncio.Future[T] = self._loop.create_future()
        queue.put(Call(future, function, args, kwargs))
        return future

    def _connect(self, prepare: Callable[[Connection], T]) -> tuple[T, list[Connection]]:
        """Return what `prepare` did, the writer's connection, the loop's, and the readers'."""
        is_new = create_file(self._path)
        connections: list[Connection] = []
        with contextlib.ExitStack() as stack:
            for _ in range(2 + READERS):
                connections.append(connect(self._path, self._busy_timeout))
                stack.callback(connections[-1].close)
            connections[0].execute("BEGIN IMMEDIATE")
            prepared = prepare(connections[0])
            connections[0].execute("COMMIT")
            if is_new:  # from now on the file alone is a database, without its WAL
                connections[0].execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            for reader in connections[1:]:
                reader.execute("PRAGMA query_only = ON")
            stack.pop_all()
        return prepared, connections

    def _start(self, name: str, run: Callable[[Connection], None], connection: Connection) -> None:
        # Daemons: a process that ends without aclose must not hang, and loses nothing committed.
        thread = threading.Thread(target=run, args=(connection,), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _read(self, connection: Connection) -> None:
        while (call := self._reads.get()) is not None:
            if not call.future.cancelled():
                call.run(connection)
                self._deliver([call])
        connection.close()

    def _write_groups(self, connection: Connection) -> None:
        is_last = False
        due = math.inf  # when upkeep is: a while after something was written
        while not is_last:
            group = self._next_group(due)
            is_last = group[-1:] == [None]
            calls = [call for call in group if call is not None]
            upkeep = self._upkeep if time.monotonic() >= due else None
            if calls or upkeep:
                write_group(connection, [*calls, upkeep] if upkeep else calls)
                self._deliver(calls)
            if upkeep:
                due = time.monotonic() if _has_more(upkeep) else math.inf
            elif calls and self._upkeep:
                due = min(due, time.monotonic() + UPKEEP_EVERY)
        with contextlib.suppress(sqlite3.Error):
            connection.execute("PRAGMA optimize")
        connection.close()

    def _next_group(self, due: float) -> list[Call | None]:
        """Return what is to be written: nothing, when upkeep is due before anything comes."""
        try:
            timeout = None if due == math.inf else max(due - time.monotonic(), 0)
            group = [self._writes.get(timeout=timeout)]
        except Empty:
            return []
        return group + [self._writes.get() for _ in range(min(self._writes.qsize(), GROUP - 1))]

    def _deliver(self, calls: list[Call]) -> None:
        """Have calls resolved by the loop, which is woken once for all that come meanwhile."""
        self._done.extend(calls)
        if not self._is_waking:
            self._is_waking = True
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._resolve_done)

    def _resolve_done(self) -> None:
        self._is_waking = False  # before the look: what is added after it wakes the loop again
        while self._done:
            self._done.popleft().resolve()


def _has_more(upkeep: Call) -> bool:
    """Return whether upkeep has more to do, and forget what came of it."""
    result, error = upkeep.result, upkeep.error
    upkeep.result = upkeep.error = None
    if error is not None:
        logger.warning("upkeep of the store failed: %s", error)
    return bool(result) and error is None


def write_group(connection: Connection, calls: list[Call]) -> None:
    """Run calls in one transaction and set what came of them; none succeeds unless it commits."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        for call in calls:
            _write(connection, call)
        connection.execute("COMMIT")
    except sqlite3.Error as exc:
        logger.warning("commit of %d writes failed: %s", len(calls), exc)
        with contextlib.suppress(sqlite3.Error):
            connection.rollback()
        for call in calls:
            call.error = exc


def _write(connection: Connection, call: Call) -> None:
    """Run a call in a savepoint of its own."""
    connection.execute("SAVEPOINT one")
    call.run(connection)
    if call.error is not None:
        if not connection.in_transaction:  # some errors undo the whole transaction
            raise sqlite3.OperationalError(str(call.error)) from call.error
        connection.execute("ROLLBACK TO one")
    connection.execute("RELEASE one")
