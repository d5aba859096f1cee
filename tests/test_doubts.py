"""What becomes of a turn when MongoDB leaves open whether it has taken the turn's first writes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mongod
import pytest
from harness import API, Client, Script, chatting

from chatd.generations import LEASE

TEST_BUILD = ("--setParameter", "enableTestCommands=1")
TURNS = 6


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mongod.ReplicaSet]:
    """Run a server that can be told to fail."""
    if mongod.find_mongod() is None:
        pytest.skip(mongod.NONE)
    directory = tmp_path_factory.mktemp("doubts")
    with mongod.replica_set(directory / "set", 1, *TEST_BUILD) as servers:
        yield servers


@pytest.fixture(autouse=True)
def _store(
    servers: mongod.ReplicaSet, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHATD_TEST_STORE", mongod.named(servers.url, request.node.name[:60]))


@contextlib.contextmanager
def doubtful(servers: mongod.ReplicaSet, *commands: str) -> Iterator[None]:
    """Have commands carried out and answered as by a primary that has just stepped down."""
    failure = {
        "failCommands": [*commands],
        "writeConcernError": {"code": 64, "errmsg": "waiting for replication timed out"},
    }
    with servers.members[0].client() as client:
        client.admin.command(
            {"configureFailPoint": "failCommand", "mode": "alwaysOn", "data": failure}
        )
        yield
        client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})


async def post(alice: Client, session_id: str, action: str, **body: Any) -> tuple[int, Any]:
    """Return the status and the body of what is answered."""
    answer = await alice.http.post(f"{API}/sessions/{session_id}/{action}", json=body)
    return answer.status_code, answer.json()


async def test_slots_of_unknown_outcome_are_free_long_before_their_leases(
    tmp_path: Path, servers: mongod.ReplicaSet
) -> None:
    """Many turns are refused whose slots were taken; each repeat is the first, and soon."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        session_ids = [await alice.new_session() for _ in range(TURNS)]

        async def send(session_id: str) -> tuple[int, Any]:
            return await post(alice, session_id, "send_message/", message="hi", client_id="c")

        with doubtful(servers, "findAndModify", "update"):
            begun = time.monotonic()
            refused = await asyncio.gather(*map(send, session_ids))
        answers = await asyncio.gather(*map(send, session_ids))
        assert time.monotonic() - begun < LEASE
        assert [(status, body["code"]) for status, body in refused] == [
            (503, "store_unavailable")
        ] * TURNS
        assert [(status, "duplicate" in body) for status, body in answers] == [(200, False)] * TURNS
        for session_id in session_ids:
            assert [m["content"] for m in await alice.messages(session_id)] == ["hi", "hello world"]


async def test_an_edit_of_unknown_outcome_leaves_what_was_shown(
    tmp_path: Path, servers: mongod.ReplicaSet
) -> None:
    """The branch of a turn that never was is shown no longer than the turn is in doubt."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        sent = await alice.send(session_id, "hi")
        message_id = sent["user_message"]["id"]
        with doubtful(servers, "findAndModify"):
            begun = time.monotonic()
            edited = await alice.http.patch(
                f"{API}/sessions/{session_id}/messages/{message_id}/",
                json={"content": "ho", "client_id": "c"},
            )
        assert (edited.status_code, edited.json()["code"]) == (503, "store_unavailable")
        # What has the client_id of the turn in doubt is not refused, but waits for the slot.
        status, _ = await post(alice, session_id, "send_message/", message="on", client_id="c")
        assert time.monotonic() - begun < LEASE
        assert status == 200
        stored = await alice.messages(session_id)
    assert [message["content"] for message in stored] == ["hi", "hello world", "on", "hello world"]


async def test_messages_of_unknown_outcome_are_ended_long_before_their_lease(
    tmp_path: Path, servers: mongod.ReplicaSet
) -> None:
    """A turn that was refused though its messages are stored ends as interrupted, once."""
    script = Script()
    async with chatting(tmp_path, script) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        body = {"message": "hi", "client_id": "c"}
        with doubtful(servers, "insert"):
            begun = time.monotonic()
            refused, _ = await post(alice, session_id, "send_message/", **body)
        status, answer = await post(alice, session_id, "send_message/", **body)
        assert time.monotonic() - begun < LEASE
        stored = await alice.messages(session_id)
    assert (refused, status, answer["duplicate"]) == (503, 200, True)
    assert [(message["role"], message["status"]) for message in stored] == [
        ("user", "complete"),
        ("assistant", "interrupted"),
    ]
    assert script.prompts == []
