"""SIGTERM: no new turns, time for those that run, and an end that needs no mending."""

from __future__ import annotations

import asyncio
import json
import math
import signal
import subprocess
import time
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from judge import judge
from load import API, FACES, Clients, History, open_http, open_socket, tell
from process import Process, command, environment
from scene import Scene
from story import Event, Story, is_end
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from scripts.llm import LlmServer, reply_to

SOME_SECONDS = "a long one [words:70] [pace:30]"
AT_ONCE = 15.0  # seconds; it takes a fifth of one, and with a grace to wait for 20


async def read(socket: ClientConnection, *types: str) -> Event:
    """Return the next event of one of these types."""
    while True:
        event: Event = json.loads(await socket.recv())
        if event["type"] in types:
            return event


async def close_code(socket: ClientConnection) -> int | None:
    """Return the code with which the server closes."""
    try:
        while True:
            await socket.recv()
    except ConnectionClosed:
        return socket.close_code


async def send(http: httpx.AsyncClient, session_id: str, text: str, **headers: str) -> Any:
    """Send over REST; return the answer."""
    path = f"{API}/sessions/{session_id}/send_message/"
    return await http.post(path, json={"message": text, "client_id": text}, headers=headers)


async def refusal(http: httpx.AsyncClient, session_id: str) -> httpx.Response:
    """Send until the answer is not that a generation runs."""
    async with asyncio.timeout(30):
        while (response := await send(http, session_id, "one more")).status_code == 409:
            pass
    return response


async def test_new_turns_are_refused_and_running_ones_end(tmp_path: Path) -> None:
    """From SIGTERM on a turn is refused, a repeated one is not; what runs gets to its end.

    Until then everything can be read, also by who comes only now, and /readyz says what goes on.
    """
    async with LlmServer() as llm:
        scene = Scene(tmp_path / "data", llm, "refused")
        async with scene.live() as server, open_http(server) as http:
            await scene.begin_sessions(server, 2)
            busy, idle = scene.sessions
            async with open_socket(server, busy) as one, open_socket(server, idle) as two:
                await tell(one, "send_message", message=SOME_SECONDS, client_id=SOME_SECONDS)
                await read(one, "ai_message_chunk")
                server.terminate()
                refused = await refusal(http, busy)
                await tell(two, "send_message", message="and another", client_id="c")
                error = await read(two, "user_message", "error")
                again = await send(http, busy, SOME_SECONDS, Prefer="respond-async")
                async with open_http(server) as late:
                    readiness = await late.get("/readyz")
                    messages = await late.get(f"{API}/sessions/{busy}/messages/")
                end = await read(one, "ai_message_complete", "error")
                codes = [await close_code(one), await close_code(two)]
            assert await server.ended() == 0
    assert (refused.status_code, refused.json()["code"]) == (503, "shutting_down")
    assert (error["code"], error["client_id"]) == ("shutting_down", "c")
    assert (again.status_code, again.json()["duplicate"]) == (202, True)
    assert (readiness.status_code, readiness.json()["code"]) == (503, "shutting_down")
    assert [message["content"] for message in messages.json()["results"]] == [SOME_SECONDS]
    assert end["message"]["content"] == reply_to([{"role": "user", "content": SOME_SECONDS}])
    assert codes == [1012, 1012]


@pytest.mark.parametrize(("words", "grace"), [(40, "20"), (90, "0.3")])
async def test_everybody_is_told_the_end(tmp_path: Path, words: int, grace: str) -> None:
    """Socket, stream and waiting request get the end; past the grace it is an interruption.

    All text that anybody was shown is stored, and the next start has nothing to mend.
    """
    async with LlmServer() as llm:
        scene = Scene(tmp_path / "data", llm, "told")
        async with scene.live(CHATD_SERVER_SHUTDOWN_GRACE=grace) as server:
            await scene.begin_sessions(server, len(FACES))
            clients = [
                Clients(server, [session_id], f"{scene.life}-{face}", random=Random(0),
                        paces=[(words, 30)], faces=(face,), stops=0)
                for session_id, face in zip(scene.sessions, FACES, strict=True)
            ]  # fmt: skip
            work = asyncio.gather(*(client.run() for client in clients))
            await llm.wait_for(
                lambda calls: len(calls) == len(FACES) and all(c.tokens > 5 for c in calls)
            )
            server.terminate()
            history = await stopped(server, clients, work)
        story = await start_again(scene, history)
    assert judge(story) == []
    status = "complete" if words == 40 else "interrupted"
    stored = [story.found[session_id][1] for session_id in scene.sessions]
    assert [message["status"] for message in stored] == [status] * len(FACES)
    assert all(message["content"] for message in stored)
    told = [[each.event for each in c.history.seen if is_end(each.event)] for c in clients]
    assert [len(ends) for ends in told] == [face != "async" for face in FACES]
    assert [call.end for call in llm.calls[: len(FACES)]] == [
        "finished" if status == "complete" else "dropped"
    ] * len(FACES)


@pytest.mark.parametrize("round", range(4))
async def test_any_moment_is_good(tmp_path: Path, round: int) -> None:
    """Whenever SIGTERM comes under load, the end is orderly and leaves nothing to mend."""
    async with LlmServer() as llm:
        scene = Scene(tmp_path / "data", llm, f"moment-{round}")
        random = Random(scene.name)
        async with scene.live(CHATD_SERVER_SHUTDOWN_GRACE="0.1") as server:
            await scene.begin_sessions(server, 3)
            paces = [(5, 0), (20, 0), (40, 10)]
            clients = Clients(server, scene.sessions, scene.life, random=random, paces=paces)
            work = asyncio.create_task(clients.run())
            seen, events = clients.history.seen, random.randint(1, 100)
            await clients.history.until(lambda: len(seen) >= events)
            server.terminate()
            history = await stopped(server, [clients], work)
        story = await start_again(scene, history)
    assert judge(story) == []


async def test_a_second_ctrl_c_ends_the_waiting(tmp_path: Path) -> None:
    """Ctrl-C says what is waited for; again, and the reply is interrupted, its text kept."""
    async with LlmServer() as llm:
        scene = Scene(tmp_path / "data", llm, "twice")
        async with scene.live(CHATD_SERVER_SHUTDOWN_GRACE="1000") as server:
            await scene.begin_sessions(server, 1)
            session_id = scene.sessions[0]
            async with open_socket(server, session_id) as socket, open_http(server) as http:
                await tell(socket, "send_message", message="[words:9000] [pace:30]")
                await read(socket, "ai_message_chunk")
                server.terminate(signal.SIGINT)
                refused = await refusal(http, session_id)
                server.terminate(signal.SIGINT)
                end = await read(socket, "ai_message_complete", "error")
                code = await close_code(socket)
            assert await server.ended() == 0
            assert "stopping: waiting up to 1000 s for replies: 1" in server.log
    assert (refused.status_code, code) == (503, 1012)
    assert end["ai_message"]["status"] == "interrupted"
    assert end["ai_message"]["content"]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
async def test_an_idle_server_ends_at_once(tmp_path: Path, signum: signal.Signals) -> None:
    """With nothing to wait for there is no waiting; open sockets are told to come back."""
    async with LlmServer() as llm:
        scene = Scene(tmp_path / "data", llm, "idle")
        async with scene.live() as server:
            await scene.begin_sessions(server, 1)
            async with open_socket(server, scene.sessions[0]) as socket:
                begun = time.monotonic()
                server.terminate(signum)
                code = await close_code(socket)
                exit_code = await server.ended()
    assert (code, exit_code) == (1012, 0)
    assert time.monotonic() - begun < AT_ONCE


def test_two_servers_on_one_directory(server: Process) -> None:
    """The second one says so in one sentence, and the first one does not mind."""
    second = subprocess.run(
        command(server.data_dir),
        cwd=server.data_dir.parent,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 1
    assert second.stdout == ""
    assert second.stderr == (
        f"Error: Another chatd serves from {server.data_dir}. Stop it, or choose another directory"
        " with --data-dir.\n"
    )
    assert httpx.get(f"{server.url}/readyz").status_code == 200


async def stopped(server: Process, clients: list[Clients], work: asyncio.Future[Any]) -> History:
    """Wait for the server's end, which is a good one; return what all clients have noted."""
    assert await server.ended() == 0
    for each in clients:
        each.history.close()
    await work
    history = History()
    history.sends = [send for each in clients for send in each.history.sends]
    history.seen = [seen for each in clients for seen in each.history.seen]
    return history


async def start_again(scene: Scene, history: History) -> Story:
    """Return the story as the next server finds it, which has nothing to mend."""
    async with scene.live() as server:
        story = await scene.settle(server, history, math.inf)  # all text counts as old
        assert "ended as interrupted" not in server.log
    return story
