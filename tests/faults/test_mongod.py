"""Faults of MongoDB under running generations: nothing acknowledged is lost or doubled."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import mongod
import pytest
from judge import judge
from load import API, History, open_http
from mongod import ReplicaSet, replica_set
from scene import Scene
from story import Send, all_of

from scripts.llm import LlmServer

SESSIONS = 32
REPLY = "[words:60] [pace:25]"
AGAIN_AFTER = 0.2  # seconds a client waits that was told to try again

Http = httpx.AsyncClient
Fault = Callable[[ReplicaSet, Http], Awaitable[None]]


async def kill(servers: ReplicaSet, http: Http) -> None:
    """Kill the only mongod and start it again when chatd has noticed."""
    [server] = servers.members
    server.kill()
    await readiness(http, 503)
    await asyncio.to_thread(server.start)


async def freeze(servers: ReplicaSet, http: Http) -> None:
    """Stop the only mongod, requests in its sockets, and let it go on when chatd has noticed."""
    [server] = servers.members
    server.signal(signal.SIGSTOP)
    try:
        await readiness(http, 503)
    finally:
        server.signal(signal.SIGCONT)


async def step_down(servers: ReplicaSet, http: Http) -> None:
    """Have the primary of three hand over, and after five seconds stand for election again."""
    primary = await asyncio.to_thread(servers.primary)

    def hand_over() -> None:
        with primary.client() as client:
            client.admin.command("replSetStepDown", 5, secondaryCatchUpPeriodSecs=2, force=True)

    await asyncio.to_thread(hand_over)


async def kill_primary(servers: ReplicaSet, http: Http) -> None:
    """Kill the primary of three; the other two go on."""
    primary = await asyncio.to_thread(servers.primary)
    primary.kill()


FAULTS: dict[str, tuple[int, Fault]] = {
    "kill": (1, kill),
    "freeze": (1, freeze),
    "step down": (3, step_down),
    "kill the primary": (3, kill_primary),
}


async def readiness(http: Http, status: int) -> None:
    """Return when /readyz answers with this status."""

    async def is_so() -> bool:
        return (await http.get("/readyz")).status_code == status

    await until(is_so)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Return when a condition holds; ask again now and then, as a client does."""
    while True:
        if await condition():
            return
        await asyncio.sleep(AGAIN_AFTER)


async def talk(http: Http, history: History, session_id: str, name: str) -> None:
    """Send one message after another, each until it is stored, as a client does."""
    number = 0
    while not history.is_over:
        number += 1
        client_id = f"{name}-{session_id}-{number}"
        send = Send(session_id=session_id, client_id=client_id, text=f"{client_id} {REPLY}")
        history.sends.append(send)
        await until(lambda send=send: is_stored(http, history, send))


async def is_stored(http: Http, history: History, send: Send) -> bool:
    """Send, note what came, and return whether it was an answer; else it may be tried again."""
    path = f"{API}/sessions/{send.session_id}/send_message/"
    body = {"message": send.text, "client_id": send.client_id}
    response = await http.post(path, json=body)
    answer: dict[str, Any] = response.json()
    history.note_answer(f"try {len(history.seen)}", send.session_id, answer)
    if "ai_message" in answer:
        return True
    assert answer["code"] in ("store_unavailable", "generation_running"), answer
    return False


async def running(llm: LlmServer) -> bool:
    """Whether a generation of each session has begun; a later one of some, perhaps."""
    return len(llm.calls) >= SESSIONS


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_under_running_generations(tmp_path: Path, name: str) -> None:
    """Each generation ends once, as the model said, and every send is stored once."""
    if mongod.find_mongod() is None:
        pytest.skip(mongod.NONE)
    size, fault = FAULTS[name]
    history = History()
    with replica_set(tmp_path / "mongodb", size) as servers:
        async with LlmServer() as llm:
            scene = Scene(tmp_path / "data", llm, name.replace(" ", "-"))
            async with scene.live(CHATD_STORE=servers.url) as server, open_http(server) as http:
                await scene.begin_sessions(server, SESSIONS)
                talks = [
                    asyncio.ensure_future(talk(http, history, session_id, scene.life))
                    for session_id in scene.sessions
                ]
                await until(lambda: running(llm))
                await fault(servers, http)
                await readiness(http, 200)
                history.close()
                await asyncio.gather(*talks)
                story = await scene.settle(server, history, 0)
    assert judge(story) == []
    statuses = {message["status"] for message in all_of(story.found, "assistant")}
    assert statuses <= {"complete", "interrupted"}
    assert len(all_of(story.found, "assistant")) >= SESSIONS
