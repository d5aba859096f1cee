"""The processes under measurement: chatd on each store, the peers, and a model server.

Servers run on one processor and everything else on the others, where there are others: what a
server reaches is then not a matter of what the clients leave to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import psutil

ROOT = Path(__file__).parent.parent
PEERS = Path(__file__).parent / "peers"
PROCESSORS = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
TOKEN = "benchmark"
NO_LIMITS = {
    f"CHATD_LIMITS_{name}": "0"
    for name in ("SENDS_PER_MINUTE", "GENERATIONS_PER_USER", "SOCKETS_PER_USER", "SOCKETS")
}


class Server(NamedTuple):
    """A running server: chatd or a peer."""

    name: str
    url: str
    pid: int
    long_session: str  # one with 10,000 messages
    model_server: str = ""

    @property
    def is_chatd(self) -> bool:
        """Whether it is no peer."""
        return self.name.startswith("chatd")

    def cpu(self) -> float:
        """Return the seconds of processor time that it has used."""
        try:
            # Linux's clock of a process (clock_getcpuclockid); cpu_times has hundredths alone.
            return time.clock_gettime(~self.pid << 3 | 2)
        except OSError:
            return float(sum(psutil.Process(self.pid).cpu_times()[:2]))

    def memory(self) -> int:
        """Return its resident bytes."""
        return int(psutil.Process(self.pid).memory_info().rss)


def pin(pid: int, *, server: bool) -> None:
    """Give a process its processors, each thread of it; who measures a server leaves it its own."""
    if not hasattr(os, "sched_setaffinity"):
        return
    first, *others = PROCESSORS
    os.sched_setaffinity(0, others or [first])
    for thread in psutil.Process(pid).threads():
        with contextlib.suppress(ProcessLookupError):  # it may have ended since
            os.sched_setaffinity(thread.id, [first] if server else others or [first])


@contextlib.asynccontextmanager
async def process(*arguments: str, **environment: str) -> AsyncIterator[tuple[int, str]]:
    """Run a program until the block ends; yield its process id and the first line it prints."""
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=ROOT,
        env=os.environ | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert started.stdout is not None
    try:
        line = (await started.stdout.readline()).decode().strip()
        if not line:
            raise RuntimeError(f"{' '.join(arguments)} did not start")
        yield started.pid, line
    finally:
        with contextlib.suppress(ProcessLookupError):
            started.terminate()
        await started.wait()
