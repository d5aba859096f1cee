"""What a running chatd does, in numbers that no noise changes.

Time says how busy a machine is; how often something is done says what the code does. What is
counted: calls of the server's thread, by Python's own profiler; statements, by SQLite's own trace;
commands, by MongoDB's own monitoring; frames and bytes, by the client that gets them.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sqlite3
import sys
import threading
from asyncio import base_events, events
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from types import FrameType
from typing import Any

import msgspec
from pymongo import monitoring

Counts = Counter[str]

_ENCODE = msgspec.json.Encoder.encode.__name__
_WAKEUP = events.Handle._run.__code__
_TASK = base_events.BaseEventLoop.create_task.__code__
_WRITES = {"send", "sendall", "sendmsg"}


class Probe:
    """Counts what one thread does.

    `calls` of Python functions, `wakeups` of the event loop (callbacks that it ran), `tasks` that
    were made, `encodes` of JSON, `writes` to sockets.
    """

    def __init__(self) -> None:
        self.counts: Counts = Counter()

    def _see(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            self.counts["calls"] += 1
            if frame.f_code is _WAKEUP:
                self.counts["wakeups"] += 1
            elif frame.f_code is _TASK:
                self.counts["tasks"] += 1
        elif event == "c_call":
            name = argument.__name__
            if name in _WRITES and isinstance(argument.__self__, socket.socket):
                self.counts["writes"] += 1
            elif name == _ENCODE and isinstance(argument.__self__, msgspec.json.Encoder):
                self.counts["encodes"] += 1

    @contextlib.contextmanager
    def watching(self) -> Iterator[Counts]:
        """Count what this thread does meanwhile."""
        before = sys.getprofile()
        sys.setprofile(self._see)
        try:
            yield self.counts
        finally:
            sys.setprofile(before)


class PluginCalls(Probe):
    """Counts `calls` of functions of chatd's own plugins, and of what calls and watches hooks."""

    FILES = ("/plugins/", "/chatd/calling.py", "/chatd/plugins.py", "/chatd/observations.py")

    def _see(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and any(file in frame.f_code.co_filename for file in self.FILES):
            self.counts["calls"] += 1


class Statements:
    """Counts the statements and commits of an open SQLite store."""

    BOOKKEEPING = ("BEGIN", "SAVEPOINT", "RELEASE", "PRAGMA")

    def __init__(self) -> None:
        self.counts: Counts = Counter()

    def _see(self, statement: str) -> None:
        word = statement.split(None, 1)[0].upper()
        if word == "COMMIT":
            self.counts["commits"] += 1
        elif word not in self.BOOKKEEPING and not statement.startswith("--"):
            self.counts["statements"] += 1

    async def watch(self, database: Any) -> None:
        """Count from now on, on all connections of a database."""
        together = threading.Barrier(2)  # each reader takes one call

        def trace(connection: sqlite3.Connection) -> None:
            connection.set_trace_callback(self._see)

        def trace_reader(connection: sqlite3.Connection) -> None:
            together.wait(30)
            trace(connection)

        await asyncio.gather(*[database.read(trace_reader) for _ in range(2)])
        await database.write(trace)
        await database.look(trace)


class Commands(monitoring.CommandListener):
    """Counts the commands of the MongoDB clients that are made after it was registered."""

    AROUND = frozenset({"hello", "ping", "endSessions", "isMaster"})

    def __init__(self) -> None:
        self.counts: Counts = Counter()

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Count a command."""
        if event.command_name not in self.AROUND:
            self.counts["commands"] += 1

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Nothing: it has been counted."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Nothing: it has been counted."""


async def least(counts: Counts, act: Callable[[], Awaitable[object]], times: int = 5) -> Counts:
    """Return the fewest counts of several times: what a timer does in between only adds to one."""
    found: list[Counts] = []
    for _ in range(times):
        before = counts.copy()
        await act()
        found.append(Counter({name: counts[name] - before[name] for name in counts}))
    names = {name for one in found for name in one}
    return Counter({name: min(one[name] for one in found) for name in names})
