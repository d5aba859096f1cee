"""The promises of PROTOCOL section 4.3, each in its own words and by its own number."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import mongod
import pytest
from harness import API, Client, Script, chatting
from process import Process, serving
from websockets.asyncio.client import ClientConnection, connect

from chatd.generations import LEASE, SWEEP_EVERY
from chatd.store import Store
from chatd.types import Message, Slot, new_id, now
from scripts.llm import LlmServer, reply_to

DOCS = Path(__file__).parent.parent / "docs"
SLOW = "tell me [words:300] [pace:20]"
STREAMED_FOR = 2.2  # seconds from the first text to the kill
TICK = 0.02


@dataclass
class Crash:
    """What clients were told by a server that was then killed, and what was there afterwards."""

    acknowledged: list[dict[str, Any]] = field(default_factory=list)  # user messages
    shown: list[tuple[float, str]] = field(default_factory=list)  # when, and the text until then
    killed_at: float = 0.0
    late_by: float = 0.0  # how long the machine has kept somebody waiting who wanted to run
    found: dict[str, dict[str, Any]] = field(default_factory=dict)  # messages by id
    told: list[dict[str, Any]] = field(default_factory=list)  # to who came back
    again: list[dict[str, Any]] = field(default_factory=list)  # answers to repeats
    calls: list[str] = field(default_factory=list)  # what the model was asked


@pytest.fixture(scope="module", params=["sqlite", "mongo"])
def crash(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Crash:
    """Have a server killed in the middle of two replies, and start it again."""
    settings = {"CHATD_PLUGINS_ENABLED": "auth_token,provider_openai"}
    if request.param == "mongo":
        url = request.getfixturevalue("mongodb")
        settings["CHATD_STORE"] = mongod.named(url, f"chatd_{uuid.uuid4().hex}")
    return asyncio.run(crashed(tmp_path_factory.mktemp("crash") / "data", settings))


async def crashed(data_dir: Path, settings: dict[str, str]) -> Crash:
    """Return what was seen."""
    found = Crash()
    async with LlmServer() as llm:
        settings |= {"LLM_SERVER_URL": llm.url}
        async with serving(data_dir, **settings) as server, calling(server) as http:
            sessions = [await a_session(http) for _ in range(3)]
            await talk(http, server, sessions, found)
        async with serving(data_dir, **settings) as server, calling(server) as http:
            found.told = await come_back(server, sessions[0], since=2)
            for session_id in sessions:
                page = await http.get(f"{API}/sessions/{session_id}/messages/")
                found.found |= {message["id"]: message for message in page.json()["results"]}
            for message in found.acknowledged:
                found.again.append(await repeat(http, message))
        found.calls = [call.body["messages"][-1]["content"] for call in llm.calls]
    return found


async def talk(http: httpx.AsyncClient, server: Process, sessions: list[str], found: Crash) -> None:
    """Send over each face; kill the server when one reply has been shown for long enough."""
    socket_session, *others = sessions
    for session_id, text, headers in (
        (others[0], "hi", {}),
        (others[1], SLOW, {"Prefer": "respond-async"}),
    ):
        body = {"message": text, "client_id": session_id}
        path = f"{API}/sessions/{session_id}/send_message/"
        answer = await http.post(path, json=body, headers=headers)
        assert answer.status_code in (200, 202)
        found.acknowledged.append(answer.json()["user_message"])
    async with reading(server, socket_session) as socket:
        send = {"type": "send_message", "message": SLOW, "client_id": socket_session}
        await socket.send(json.dumps(send))
        while not found.shown or time.monotonic() < found.shown[0][0] + STREAMED_FOR:
            waits = time.monotonic()
            event = json.loads(await socket.recv())
            if event["type"] == "user_message":
                found.acknowledged.append(event["message"])
            elif event["type"] == "ai_message_chunk":
                found.shown.append((time.monotonic(), event["full_content"]))
                # A word comes every 20 ms: what it took more, somebody was kept waiting.
                found.late_by = max(found.late_by, time.monotonic() - waits - TICK)
        found.killed_at = time.monotonic()
        server.kill()


async def come_back(server: Process, session_id: str, *, since: int) -> list[dict[str, Any]]:
    """Return what a client is told that comes back and has seen this revision."""
    async with reading(server, session_id, since=since) as socket:
        await socket.send(json.dumps({"type": "ping"}))
        events = [json.loads(await socket.recv())]
        while events[-1]["type"] != "pong":
            events.append(json.loads(await socket.recv()))
    return events[:-1]


async def repeat(http: httpx.AsyncClient, message: dict[str, Any]) -> dict[str, Any]:
    """Send a message once more."""
    body = {"message": message["content"], "client_id": message["client_id"]}
    path = f"{API}/sessions/{message['session_id']}/send_message/"
    answer: dict[str, Any] = (await http.post(path, json=body)).json()
    return answer


async def a_session(http: httpx.AsyncClient) -> str:
    """Make a session."""
    answer = await http.post(f"{API}/sessions/", json={"model": "llm/qwen3:8b"})
    return str(answer.json()["id"])


def calling(server: Process) -> httpx.AsyncClient:
    """Return a client of REST."""
    headers = {"Authorization": f"Token {server.token}"}
    return httpx.AsyncClient(base_url=server.url, headers=headers, timeout=30, trust_env=False)


@contextlib.asynccontextmanager
async def reading(
    server: Process, session_id: str, **query: Any
) -> AsyncIterator[ClientConnection]:
    """Open a socket; its greeting has been read."""
    params = httpx.QueryParams({"token": server.token} | query)
    url = f"{server.url.replace('http', 'ws')}/ws/ai-chat/session/{session_id}/?{params}"
    async with connect(url, max_size=None, proxy=None) as socket:
        assert json.loads(await socket.recv())["type"] == "connection_established"
        yield socket


def test_promise_1_what_is_acknowledged_is_on_disk(crash: Crash) -> None:
    """After `user_message` or a 2xx the user's message is on disk and survives a crash of chatd or of a minority of a replica set.

    The crash of a minority is in tests/faults/test_mongod.py: the primary of three is killed.
    """  # noqa: E501 - its own words
    assert len(crash.acknowledged) == 3
    for message in crash.acknowledged:
        assert crash.found[message["id"]] == message


@pytest.mark.usefixtures("each_store")
async def test_promise_2_a_send_may_be_repeated_for_ever(tmp_path: Path) -> None:
    """With a `client_id` a send may be repeated for ever: one message, one generation. The order of checks is authentication, ownership, duplicate, rate limit, running.

    A hundred times at once over two sockets and REST, and then each check before the ones behind
    it: whoever fails several is told of the first.
    """  # noqa: E501 - its own words
    go = asyncio.Event()
    script = Script(["one ", go, "two"])
    limits = {"CHATD_LIMITS_SENDS_PER_MINUTE": "1", "CHATD_LIMITS_SENDS_BURST": "3"}
    async with chatting(tmp_path, script, **limits) as chat:
        alice, bob = await chat.client("alice"), await chat.client("bob")
        session_id = await alice.new_session()
        path = f"session/{session_id}"
        async with alice.socket(path) as one, alice.socket(path) as two:
            sends = [post(alice, session_id, "c", wait=False) for _ in range(34)]
            sends += [s.send("send_message", message="hi", client_id="c") for s in (one, two) * 33]
            statuses = {answer for answer in await asyncio.gather(*sends) if answer}
            conflict = await post(alice, session_id, "c", "other", wait=False)
            go.set()
            for socket in (one, two):
                events = await socket.until("ai_message_complete")
                await socket.send("ping")
                events += await socket.until("pong")
                told = [event for event in events if event["type"] == "user_message"]
                assert len({event["message"]["id"] for event in told}) == 1
                assert sum("duplicate" not in event for event in told) == 1
                assert len(told) >= 33
        assert (statuses, conflict) == ({202}, 409)
        assert len(await alice.messages(session_id, branch="all")) == 2
        assert len(script.prompts) == 1
        script.replies = [["runs", asyncio.Event()]]
        assert await post(alice, session_id, "running", wait=False) == 202
        askers = (chat.anonymous(), "c"), (bob, "c"), (alice, "c"), (alice, "n"), (alice, "n")
        found = [await post(who, session_id, client_id) for who, client_id in askers]
        # The third of three that may be sent finds one running; the next one is not even told so.
        assert found == [401, 404, 200, 409, 429]
        await alice.call("POST", f"/sessions/{session_id}/stop/")


async def post(
    client: Client, session_id: str, client_id: str, text: str = "hi", *, wait: bool = True
) -> int:
    """Send over REST; return the status."""
    path = f"{API}/sessions/{session_id}/send_message/"
    headers = {} if wait else {"Prefer": "respond-async"}
    body = {"message": text, "client_id": client_id}
    return (await client.http.post(path, json=body, headers=headers)).status_code


def test_promise_2_also_after_a_crash(crash: Crash) -> None:
    """What was sent before a crash is a duplicate after it, and the model is not asked again."""
    stored = [crash.found[message["id"]] for message in crash.acknowledged]
    assert [answer["user_message"] for answer in crash.again] == stored
    assert all(answer["duplicate"] for answer in crash.again)
    assert sorted(crash.calls) == sorted(["hi", SLOW, SLOW])


def test_promise_3_a_generation_ends_once(crash: Crash) -> None:
    """A generation ends exactly once, visibly, also when its node dies: at once when that node starts again, within 20 s on other nodes. It is never started again by itself."""  # noqa: E501
    (end,) = [event for event in crash.told if event["type"] != "user_message"]
    answer = crash.found[end["generation_id"]]
    assert (end["type"], end["code"]) == ("error", "generation_interrupted")
    assert end["ai_message"] == answer
    answers = [message for message in crash.found.values() if message["role"] == "assistant"]
    statuses = sorted(message["status"] for message in answers)
    assert statuses == ["complete", "interrupted", "interrupted"]
    assert crash.calls.count(SLOW) == 2  # of two sends


@pytest.mark.usefixtures("each_store")
async def test_promise_3_on_other_nodes(tmp_path: Path) -> None:
    """When the lease of a dead node has passed, another one ends its generation and tells of it."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket(f"session/{session_id}") as socket:
            await begin_elsewhere(chat.app.store, alice.user.id, session_id, lease=0.3)
            end = (await socket.until("error"))[-1]
        stored = await alice.messages(session_id)
        await alice.send(session_id, "and on")
    assert (end["code"], end["ai_message"]) == ("generation_interrupted", stored[-1])
    assert (stored[-1]["status"], stored[-1]["content"]) == ("interrupted", "half")
    assert LEASE + SWEEP_EVERY < 20


async def begin_elsewhere(store: Store, user_id: str, session_id: str, *, lease: float) -> None:
    """Begin a turn as another node does, and say nothing more of it."""
    ids = {"generation_id": new_id(), "user_message_id": new_id()}
    slot = Slot(**ids, assistant_message_id=ids["generation_id"], node="another", boot="1")
    question = Message(
        id=slot.user_message_id,
        session_id=session_id,
        role="user",
        content="hi",
        generation_id=slot.generation_id,
        created_at=now(),
        updated_at=now(),
    )
    answer = question.replace(
        id=slot.generation_id,
        role="assistant",
        content="half",
        parent_id=question.id,
        status="streaming",
    )
    await store.take_slot(user_id, session_id, slot, lease=lease)
    await store.add_messages(slot.generation_id, [question, answer])


@pytest.mark.usefixtures("each_store")
@pytest.mark.parametrize("seen", [None, 1])
async def test_promise_4_text_shown_is_a_prefix(tmp_path: Path, seen: int | None) -> None:
    """While a generation runs, text shown is a prefix of what the model produced; the terminal event's text replaces it, and may be shorter when stopped or interrupted."""  # noqa: E501
    words = [f"{word} " for word in ("the", "quick", "brown", "fox", "jumps", "over", "it")]
    steps: list[Any] = [step for word in words for step in (word, asyncio.Event())]
    async with chatting(tmp_path, Script(steps)) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("send_message", message="hi")
            shown = [(await socket.until("ai_message_chunk"))[-1]["full_content"]]
            for step in steps[1:9:2]:
                step.set()
                shown.append((await socket.until("ai_message_chunk"))[-1]["full_content"])
            await socket.send("stop_generation", seen_seq=seen)
            end = (await socket.until("ai_message_complete"))[-1]["message"]
        assert (await alice.messages(session_id))[-1] == end
    assert shown == ["".join(words[: count + 1]) for count in range(5)]
    assert end["content"] == (words[0] if seen else shown[-1])


def test_promise_4_also_in_a_crash(crash: Crash) -> None:
    """What was shown before a crash, and what is left of it, is what the model says first."""
    whole = reply_to([{"role": "user", "content": SLOW}])
    answers = [m for m in crash.found.values() if m["status"] == "interrupted"]
    assert all(whole.startswith(text) for _, text in crash.shown)
    assert all(whole.startswith(message["content"]) for message in answers)


def test_promise_5_old_text_survives(crash: Crash) -> None:
    """Text older than 1 s survives `kill -9`."""
    (end,) = [event for event in crash.told if event["type"] != "user_message"]
    old = [text for at, text in crash.shown if at < crash.killed_at - 1 - crash.late_by]
    assert len(old) > 5
    assert end["ai_message"]["content"].startswith(old[-1])


def promised(page: str) -> Iterator[tuple[str, str]]:
    """Yield the number and the words of each promise on a page of the documentation."""
    text = (DOCS / page).read_text(encoding="utf-8").partition("promises\n")[2]
    for line in re.findall(r"^\d\. .*(?:\n {3}.*)*", text, re.MULTILINE):
        number, words = line.split(". ", 1)
        yield number, " ".join(words.split())


def test_every_promise_has_its_test() -> None:
    """The promises of the documentation are five, and each stands in the docstring of a test.

    docs/reconnecting.md has them too, in the same words.
    """
    tests = {name: value.__doc__ or "" for name, value in globals().items() if "promise_" in name}
    found = dict(promised("promises.md"))
    assert found == dict(promised("reconnecting.md"))
    assert sorted(found) == ["1", "2", "3", "4", "5"]
    for number, words in found.items():
        docs = [d for name, d in tests.items() if name.startswith(f"test_promise_{number}_")]
        assert any(" ".join(doc.split()).startswith(words) for doc in docs), words
