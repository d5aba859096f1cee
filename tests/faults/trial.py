"""One seed: a server, its clients and its faults, then peace, and then the judge."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import resource
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from random import Random

import nemesis as faults
from bystanders import Bystanders
from crowd import Crowd, Tab, call, client_of, watch
from disks import small_disk
from judge import judge
from load import API
from mongod import ReplicaSet
from nemesis import FULL, Nemesis
from place import Place
from rough import ROUGH
from said import REPLY_BYTES
from scene import MODEL, Scene
from sound import LIVE_WITHIN
from story import Story, all_of

from scripts.llm import LlmServer

ALICE, BOB = "alice", "bob"
PATIENCE = 400.0  # seconds for a trial
AFTERWARDS = 3  # generations that end after the faults, or seconds
LEAVE_WITHIN = 5.0  # seconds for clients that are told that it is over


@dataclass(frozen=True, kw_only=True)
class Ground:
    """Where a trial takes place: a new directory, and a store of a kind."""

    directory: Path
    kind: str
    slowness: Path
    store: str = ""  # its URL; a file in the directory if empty
    servers: ReplicaSet | None = None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a seed has come to."""

    seed: int
    kind: str
    faults: list[str]
    wrong: list[str]
    turns: int
    seconds: float
    cpu: float  # seconds of the processor

    def __str__(self) -> str:
        what = f"{self.kind} {self.seed}: {', '.join(self.faults)}; {self.turns} turns"
        return f"{what}, {self.seconds:.1f} s, {self.cpu:.1f} s of CPU" + "".join(
            f"\n    {w}" for w in self.wrong
        )


async def trial(ground: Ground, seed: int) -> Verdict:
    """Return what a seed has come to; what breaks the trial itself is a violation too."""
    begun, cpu = time.monotonic(), _cpu()
    random = Random(f"{ground.kind} {seed}")
    names = faults.plan(random, ground.kind)
    rough = random.sample(sorted(ROUGH), random.randint(0, 2))
    story, wrong = Story(), []
    try:
        async with asyncio.timeout(PATIENCE), LlmServer() as llm:
            story = await live(ground, f"seed{seed}", random, llm, names, rough)
        wrong = judge(story)
        if wrong:
            (ground.directory / "story").write_bytes(pickle.dumps(story))
    except Exception as exc:
        wrong = [f"the trial broke: {_sentence(exc)}"]
    return Verdict(
        seed=seed,
        kind=ground.kind,
        faults=[*names, *rough],
        wrong=wrong,
        turns=len(all_of(story.found, "user")),
        seconds=time.monotonic() - begun,
        cpu=_cpu() - cpu,
    )


def _cpu() -> float:
    """Return how long this process and its children that have ended have kept the processor."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(sum(resource.getrusage(kind)[:2]) for kind in kinds)


def _sentence(exc: BaseException) -> str:
    if isinstance(exc, BaseExceptionGroup):
        return "; ".join(_sentence(each) for each in exc.exceptions)
    return "".join(traceback.format_exception(exc))


async def live(
    ground: Ground, name: str, random: Random, llm: LlmServer, names: list[str], rough: list[str]
) -> Story:
    """Have a server live through faults, and return its story."""
    data_dir = ground.directory / "data"
    scene = Scene(data_dir, llm, name, store=ground.store)
    plugins = {"CHATD_PLUGINS_ENABLED": "inside,auth_token,provider_openai"}
    place = Place(
        data_dir,
        **scene.settings(
            **plugins,
            CHATD_PLUGINS_DIR=str(Path(__file__).parent / "inside"),
            CHATD_LIMITS_REPLY_BYTES=str(REPLY_BYTES),
            CHATD_SERVER_SHUTDOWN_GRACE=random.choice(["0.1", "1", "3"]),
            LLM_TIMEOUT="3",
        ),
    )
    nemesis = Nemesis(place, llm, random, ground.slowness, ground.servers)
    with small_disk(data_dir) if FULL in names else contextlib.nullcontext():
        try:
            await place.start()
            owners = await begin(place, scene)
            crowd = Crowd(place, name, random, owners)
            bystanders = Bystanders(crowd)
            await rage(crowd, bystanders, nemesis, names, rough)
            return await tell_all(scene, crowd, bystanders, nemesis)
        finally:
            nemesis.mend()
            place.close()


async def begin(place: Place, scene: Scene) -> dict[str, str]:
    """Make sessions; return who owns them."""
    assert place.server is not None
    owners = {}
    for user in (ALICE, ALICE, BOB):
        async with client_of(f"guest-{user}", seconds=60) as http:
            url = f"{place.server.url}{API}/sessions/"
            answer = await http.post(url, json={"model": MODEL})
            assert answer.status_code == 201, answer.text
            session_id = answer.json()["id"]
        owners[session_id] = user
        scene.tokens[session_id] = f"guest-{user}"
        scene.sessions.append(session_id)
    return owners


async def rage(
    crowd: Crowd, bystanders: Bystanders, nemesis: Nemesis, names: list[str], rough: list[str]
) -> None:
    """Have clients at work while all this happens to the server; return when all have left."""
    first, second, other = crowd.owners
    works = [watch(crowd), *(Tab(crowd, s).run() for s in (first, first, second, other))]
    works += [call(crowd, session_id) for session_id in (first, second)]
    works += [bystanders.follow(first), bystanders.choose(second), bystanders.list(other)]
    works += [bystanders.list(first), bystanders.pry(BOB, first)]
    works += [ROUGH[name](crowd, crowd.random.choice([first, second])) for name in rough]
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await nemesis.strike(names, crowd.history)
        # Who has lived through it goes on for a while, with what has become of it.
        ends = len(crowd.ended) + AFTERWARDS
        await crowd.history.until(lambda: len(crowd.ended) >= ends, AFTERWARDS)
        crowd.history.close()
        done, _late = await asyncio.wait(tasks, timeout=LEAVE_WITHIN)
        for task in done:
            task.result()
    finally:
        crowd.history.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def tell_all(scene: Scene, crowd: Crowd, bystanders: Bystanders, nemesis: Nemesis) -> Story:
    """Return the story, when all that can be known is."""
    place = crowd.place
    assert place.server is not None
    # First: what a client has asked for that has left may still be on its way into the store.
    vitals = await place.vitals()
    story = await scene.settle(place.server, crowd.history, 0, patience=LIVE_WITHIN)
    story.vitals.append(vitals)
    await place.stop()
    story.ends, story.logs, story.codes = place.ends, place.logs, place.codes
    story.faults, story.refused = nemesis.faults, crowd.refused
    story.wandered, story.owners = crowd.wandered, crowd.owners
    story.listed, story.trespasses = bystanders.listed, bystanders.trespasses
    return story
