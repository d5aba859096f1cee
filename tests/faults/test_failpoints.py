"""Death between any two writes of a turn, at the very place: what is found, and what goes on."""

from __future__ import annotations

import asyncio
import re
import signal
import time
from pathlib import Path
from random import Random

import pytest
from judge import judge
from load import FACES, IS_LONG, Clients, History
from process import Process
from scene import NewStore, Scene
from story import Story

import chatd
from scripts.llm import LlmServer

# No windows of a turn; tests/stores/test_copy.py and test_migrations.py die there.
ELSEWHERE = {"copy_page", "after_migration_batch", "before_backup"}
MENDING = "recovery_before_free"
SHORT, LONG = (20, 0), (90, 20)  # words of a reply, and milliseconds between them

# Where a server dies, and with which statuses it leaves the messages of the turn.
WINDOWS: dict[str, list[str]] = {
    "after_slot": [],
    "after_messages": ["complete", "interrupted"],
    "after_checkpoint": ["complete", "interrupted"],
    "before_end": ["complete", "interrupted"],
    "before_free": ["complete", "complete"],
    "after_free": ["complete", "complete"],
}
# SQLite takes the slot and stores the messages in one write, and ends and frees in one.
NOWHERE = {"sqlite": ("after_slot", "before_free"), "mongo": ()}
PLACES = [(kind, window) for kind in NOWHERE for window in WINDOWS if window not in NOWHERE[kind]]
SILENT = ("after_slot", "after_messages")  # nobody has been told of the turn
WITH_TEXT = ("after_checkpoint", "before_free", "after_free")


@pytest.mark.parametrize(("kind", "window"), PLACES)
async def test_death_in_a_window(
    tmp_path: Path, new_store: NewStore, kind: str, window: str
) -> None:
    """The server dies exactly there, and the next one ends the turn as what is stored says.

    So it is for all faces, which are tried at the same time on a server each: two of them in each
    window, and all in the long profile.
    """
    first = PLACES.index((kind, window))
    faces = FACES if IS_LONG else [FACES[(first + n) % len(FACES)] for n in range(2)]
    async with LlmServer() as llm, asyncio.TaskGroup() as group:
        for face in faces:
            scene = Scene(tmp_path / face, llm, f"window-{face}", store=new_store())
            group.create_task(try_a_face(scene, window, face))


async def try_a_face(scene: Scene, window: str, face: str) -> None:
    """Die in a window, with a turn that was sent over this face."""
    story = await die_and_settle(scene, window, face)
    (found,) = story.found.values()
    assert [message["status"] for message in found] == WINDOWS[window]
    is_acknowledged = any(seen.event["type"] == "user_message" for seen in story.seen)
    assert is_acknowledged is (window not in SILENT and face != "wait")
    if found and window != "before_end":  # until then a checkpoint may have come, or not
        assert (found[1]["content"] != "") is (window in WITH_TEXT)


@pytest.mark.parametrize(
    ("kind", "window"),
    [("mongo", "after_slot"), ("sqlite", "after_messages"), ("mongo", "before_free")],
)
async def test_death_in_a_later_turn(tmp_path: Path, new_store: NewStore, window: str) -> None:
    """What earlier turns of the session have stored is not touched by the death of a later one."""
    async with LlmServer() as llm:
        scene = Scene(tmp_path / "data", llm, "later", store=new_store())
        story = await die_and_settle(scene, f"{window}:3")
    (found,) = story.found.values()
    assert [message["status"] for message in found] == ["complete"] * 4 + WINDOWS[window]


@pytest.mark.gen_test(timeout=100)
@pytest.mark.parametrize(("kind", "window"), [("sqlite", "after_slot"), ("sqlite", "before_end")])
async def test_death_where_a_plugin_may_refuse(
    tmp_path: Path, new_store: NewStore, window: str
) -> None:
    """With such a plugin the slot is taken before anything is stored, on every store."""
    async with LlmServer() as llm:
        scene = Scene(tmp_path / "data", llm, "asked", store=new_store())
        scene.plugins += ",quota"
        story = await die_and_settle(scene, window)
    (found,) = story.found.values()
    assert [message["status"] for message in found] == WINDOWS[window]


BESIDE = {"regenerate": "socket", "edit": "sse"}  # kinds of turns, and the faces they are tried on


@pytest.mark.parametrize(
    ("kind", "window"),
    [("sqlite", "after_messages"), *(("mongo", w) for w in ("after_slot", "before_free"))],
)
async def test_death_in_a_turn_beside_another(
    tmp_path: Path, new_store: NewStore, window: str
) -> None:
    """A turn beside another of which nothing is stored leaves the old branch shown, else its own.

    That the branch shown is that of the last turn is what the judge knows of every story.
    """
    async with LlmServer() as llm, asyncio.TaskGroup() as group:
        for turn, face in BESIDE.items():
            scene = Scene(tmp_path / turn, llm, f"beside-{turn}", store=new_store())
            group.create_task(try_a_turn(scene, window, face, turn))


async def try_a_turn(scene: Scene, window: str, face: str, turn: str) -> None:
    """Die in a window of a turn of this kind, which is the second one."""
    story = await die_and_settle(scene, f"{window}:2", face, turn)
    (found,) = story.found.values()
    new = WINDOWS[window] if turn == "edit" else WINDOWS[window][1:]
    assert [message["status"] for message in found] == ["complete", "complete", *new]
    assert [send.kind for send in story.sends] == ["send", turn]


@pytest.mark.parametrize("window", ["after_messages", "after_checkpoint"])
async def test_death_while_mending(tmp_path: Path, new_store: NewStore, window: str) -> None:
    """A server that dies while it ends what another left is no worse: the third one does it."""
    async with LlmServer() as llm:
        scene = Scene(tmp_path / "data", llm, "mending", store=new_store())
        history, killed_at = await die(scene, window)
        mending = Process(scene.data_dir, **scene.settings(**failing(MENDING)))
        try:
            assert await mending.ended() == -signal.SIGKILL
        finally:
            mending.kill()
        async with scene.live() as server:
            story = await scene.settle(server, history, killed_at)
    assert judge(story) == []
    (found,) = story.found.values()
    assert [message["status"] for message in found] == WINDOWS[window]


def test_every_window_is_tried() -> None:
    """There is no place to die that these tests do not try."""
    sources = (path.read_text() for path in Path(chatd.__file__).parent.rglob("*.py"))
    named = {name for text in sources for name in re.findall(r'failpoint\("(\w+)"\)', text)}
    assert named - ELSEWHERE == {*WINDOWS, MENDING}


async def test_nothing_happens_without_the_second_variable(tmp_path: Path) -> None:
    """In a server that is no test build the name of a window means nothing."""
    async with LlmServer() as llm:
        scene = Scene(tmp_path / "data", llm, "build")
        async with scene.live(CHATD_FAILPOINT="after_slot") as server:
            await scene.begin_sessions(server, 1)
            story = await scene.settle(server, History(), 0)
    assert judge(story) == []


def failing(window: str) -> dict[str, str]:
    """Return the environment of a server that dies in a window."""
    return {"CHATD_TEST_BUILD": "1", "CHATD_FAILPOINT": window}


async def die_and_settle(scene: Scene, window: str, face: str = "socket", turn: str = "") -> Story:
    """Die in a window, start again, and judge."""
    history, killed_at = await die(scene, window, face, turn)
    async with scene.live() as server:
        story = await scene.settle(server, history, killed_at)
    assert judge(story) == []
    return story


async def die(
    scene: Scene, window: str, face: str = "socket", turn: str = ""
) -> tuple[History, float]:
    """Send over one face until the server dies; from the second turn on ask for this kind."""
    async with scene.live(**failing(window)) as server:
        await scene.begin_sessions(server, 1)
        paces = [LONG if window == "after_checkpoint" else SHORT]
        clients = Clients(
            *(server, scene.sessions, scene.life),
            **{"random": Random(0), "paces": paces, "faces": (face,), "stops": 0},
            **{"again": 1, "kinds": (turn,)} if turn else {},
        )
        work = asyncio.create_task(clients.run())
        assert await server.ended() == -signal.SIGKILL
        killed_at = time.monotonic()
        clients.history.close()
        await work
    return clients.history, killed_at
