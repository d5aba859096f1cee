"""What does the harm: each fault as a function, and a plan of several that a seed draws."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import disks
from load import History
from mongod import Mongod, ReplicaSet
from place import Place
from pymongo.errors import PyMongoError
from story import MODEL_SERVER, Fault

from scripts.llm import LlmServer

EVENTS = 400  # that clients see before the last fault at the latest, or so many seconds pass
AT_THE_LATEST = 4.0
FULL = "disk full"


@dataclass
class Nemesis:
    """Who can hurt whom; `faults` are what was done."""

    place: Place
    llm: LlmServer
    random: Random
    slowness: Path  # of the disk: see slow.c
    servers: ReplicaSet | None = None
    faults: list[Fault] = field(default_factory=list)
    _locks: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    async def strike(self, names: list[str], history: History) -> None:
        """Do all of this, each after so many events, and return when all is mended."""
        times = [self.random.randint(1, EVENTS) for _ in names]
        strikes = zip(names, times, strict=True)
        await asyncio.gather(*(self._strike_at(name, n, history) for name, n in strikes))

    async def _strike_at(self, name: str, events: int, history: History) -> None:
        await history.until(lambda: len(history.seen) >= events, AT_THE_LATEST)
        # One at a time of those that hurt the same thing; chatd itself takes any.
        async with self._locks[name.split()[0]]:
            began = time.monotonic()
            await FAULTS[name](self)
        self.faults.append(Fault(name=name, began=began, ended=time.monotonic()))

    def mend(self) -> None:
        """Leave no disk slow or full."""
        self.slowness.unlink(missing_ok=True)
        disks.free(self.place.data_dir)

    async def for_a_while(self, least: float, most: float) -> None:
        """Let a fault last."""
        await asyncio.sleep(self.random.uniform(least, most))


Strike = Callable[[Nemesis], Coroutine[Any, Any, None]]


async def kill(nemesis: Nemesis) -> None:
    """Kill chatd; it is started again at once."""
    await nemesis.place.kill()


async def terminate(nemesis: Nemesis) -> None:
    """Ask chatd to end, and start it again when it has."""
    await nemesis.place.restart()


async def slow_disk(nemesis: Nemesis) -> None:
    """Let every fsync take long."""
    nemesis.slowness.write_text(str(nemesis.random.choice([10, 40, 150])))
    await nemesis.for_a_while(0.2, 1)
    nemesis.slowness.unlink()


async def full_disk(nemesis: Nemesis) -> None:
    """Leave no room on the disk of chatd's data, or almost none."""
    left = nemesis.random.choice([0, 0, 4096, 65536, 200_000])
    await asyncio.to_thread(disks.fill, nemesis.place.data_dir, left)
    await nemesis.for_a_while(0.2, 1)
    disks.free(nemesis.place.data_dir)


async def model_server_away(nemesis: Nemesis) -> None:
    """Cut every connection to the model server, and refuse new ones for a while."""
    await nemesis.llm.aclose()
    await nemesis.for_a_while(0.05, 0.5)
    await nemesis.llm.start()


async def _primary(nemesis: Nemesis) -> Mongod:
    assert nemesis.servers is not None
    if len(nemesis.servers.members) == 1:
        return nemesis.servers.members[0]
    return await asyncio.to_thread(nemesis.servers.primary)


async def kill_mongod(nemesis: Nemesis) -> None:
    """Kill the primary, and start it again."""
    primary = await _primary(nemesis)
    await asyncio.to_thread(primary.kill)
    await nemesis.for_a_while(0, 0.5)
    await asyncio.to_thread(primary.start)


async def freeze_mongod(nemesis: Nemesis) -> None:
    """Stop the primary with requests in its sockets, and let it go on."""
    primary = await _primary(nemesis)
    primary.signal(signal.SIGSTOP)
    try:
        await nemesis.for_a_while(0.1, 1.5)
    finally:
        primary.signal(signal.SIGCONT)


async def step_down(nemesis: Nemesis) -> None:
    """Have the primary hand over to another."""
    primary = await _primary(nemesis)

    def hand_over() -> None:
        with primary.client() as client, contextlib.suppress(PyMongoError):
            client.admin.command("replSetStepDown", 2, secondaryCatchUpPeriodSecs=1, force=True)

    await asyncio.to_thread(hand_over)


FAULTS: dict[str, Strike] = {
    "kill": kill,
    "terminate": terminate,
    MODEL_SERVER: model_server_away,
    "disk slow": slow_disk,
    FULL: full_disk,
    "mongod kill": kill_mongod,
    "mongod freeze": freeze_mongod,
    "mongod slow disk": slow_disk,
    "mongod step down": step_down,
}
ANYWHERE = ["kill", "kill", "terminate", MODEL_SERVER]
BY_STORE = {
    "sqlite": ["disk slow", FULL],
    "mongo": ["mongod kill", "mongod freeze", "mongod slow disk"],
    "mongo of three": ["mongod kill", "mongod freeze", "mongod step down", "mongod step down"],
}


def plan(random: Random, kind: str) -> list[str]:
    """Return the names of some faults: two or three, one of them often of the store."""
    own = [name for name in BY_STORE[kind] if _is_possible(name)]
    names = [random.choice(ANYWHERE)]
    names += [random.choice(own)] if own and random.random() < 0.7 else []
    names += [random.choice(ANYWHERE)] if random.random() < 0.6 or len(names) < 2 else []
    return names


def _is_possible(name: str) -> bool:
    if name == FULL:
        return disks.can_mount()
    return "slow" not in name or disks.shim() is not None
