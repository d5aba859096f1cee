"""`kill -9` of a chatd under load, at moments that a seed chooses: what was promised is kept."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import time
from pathlib import Path
from random import Random

import pytest
from judge import judge
from load import IS_LONG, Clients, History
from process import Process
from scene import NewStore, Scene
from story import all_of

from scripts.llm import LlmServer

SEED = os.environ.get("CHATD_TEST_SEED") or secrets.token_hex(4)
CHAINS = {"sqlite": 4, "mongo": 2} if IS_LONG else {"sqlite": 2, "mongo": 1}
SCENES = 3  # in each chain, side by side
KILLS = 6  # in each scene
SESSIONS = 3
QUICK = [(5, 0), (20, 0), (60, 2), (20, 10)]  # words of a reply, and milliseconds between them
SLOW = [(60, 30), (80, 20), (200, 5)]


@pytest.mark.parametrize(("kind", "chain"), [(k, n) for k in CHAINS for n in range(CHAINS[k])])
async def test_kills_under_load(tmp_path: Path, new_store: NewStore, chain: int) -> None:
    """Killed at any moment and started again, a server has lost, doubled and forgotten nothing.

    Some servers at a time: one starts while the clients of another are at work.
    """
    async with LlmServer() as llm, asyncio.TaskGroup() as group:
        for number in range(SCENES):
            name = f"{SEED}-{chain}-{number}"
            scene = Scene(tmp_path / str(number), llm, name, store=new_store())
            group.create_task(lives(scene, Random(name)))


async def lives(scene: Scene, random: Random) -> None:
    """Start and kill servers on one directory; judge each life by what the next one finds."""
    history, killed_at, turns = History(), 0.0, 0
    for life in range(KILLS + 1):
        if life and random.random() < 0.2:
            await die_while_starting(scene, random.uniform(0.2, 1))
        async with scene.live() as server:
            story = await scene.settle(server, history, killed_at)
            wrong = judge(story)
            assert not wrong, explain(scene, wrong)
            turns += len(all_of(story.found, "user")) - len(all_of(story.before, "user"))
            if life == KILLS:
                break
            if life % 5 == 0:
                await scene.begin_sessions(server, SESSIONS)
            history, killed_at = await work_and_die(scene, server, random)
    assert turns > KILLS, "the clients were hardly at work"


async def work_and_die(scene: Scene, server: Process, random: Random) -> tuple[History, float]:
    """Have clients at work, and kill the server after so many events, or after so long."""
    kind = random.choices(["events", "soon", "late"], [5, 3, 2])[0]
    events = random.randint(1, 60) if kind == "events" else 2**31
    seconds = {"events": 1.0, "soon": random.uniform(0, 0.6), "late": random.uniform(1.2, 2)}[kind]
    paces = SLOW if kind == "late" else QUICK
    clients = Clients(server, scene.sessions, scene.life, random=random, paces=paces, again=0.3)
    work = asyncio.create_task(clients.run())
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await clients.history.until(lambda: len(clients.history.seen) >= events)
    killed_at = time.monotonic()
    server.kill()
    clients.history.close()
    await work
    return clients.history, killed_at


async def die_while_starting(scene: Scene, seconds: float) -> None:
    """Kill a server that may be about to mend what the one before it has left."""
    server = Process(scene.data_dir, **scene.settings())
    await asyncio.sleep(seconds)
    server.kill()


def explain(scene: Scene, wrong: list[str]) -> str:
    """Return what is wrong and how to see it again."""
    return "\n".join([f"CHATD_TEST_SEED={SEED} repeats this; life {scene.life}:", *wrong[:20]])
