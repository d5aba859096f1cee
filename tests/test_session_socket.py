"""The socket of a session: greeting, resuming, typing, pings, closing."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from harness import Client, Script, Socket, chatting

pytestmark = pytest.mark.usefixtures("each_store")


async def test_the_greeting(tmp_path: Path) -> None:
    """A newcomer is told where the session stands."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        answer = await alice.send(session_id)
        async with alice.socket(f"session/{session_id}", greet=False) as socket:
            greeting = await socket.receive()
    assert greeting["type"] == "connection_established"
    assert greeting["session_id"] == session_id
    assert greeting["revision"] == answer["ai_message"]["revision"]
    assert greeting["head_id"] == answer["ai_message"]["id"]
    assert greeting["epoch"] == chat.app.store.epoch
    assert greeting["generation"] is None
    assert greeting["protocol"] == 1
    assert greeting["server"].startswith("chatd/")
    assert isinstance(greeting["message"], str)
    assert "reload" not in greeting


async def test_all_sockets_of_a_session_see_the_same(tmp_path: Path) -> None:
    """Two tabs get the same events in the same order."""
    async with chatting(tmp_path, Script(["a", "b", "c"])) as chat:
        alice = await chat.client("alice")
        path = f"session/{await alice.new_session()}"
        async with alice.socket(path) as one, alice.socket(path) as two:
            await one.send("send_message", message="hi")
            events = await one.until("ai_message_complete")
            assert await two.until("ai_message_complete") == events


async def test_a_late_joiner_gets_a_snapshot(tmp_path: Path) -> None:
    """Who joins in mid-stream is told of the generation and gets its text whole, from prev 0."""
    go = asyncio.Event()
    async with chatting(tmp_path, Script(["one", " two", go, " three"])) as chat:
        alice = await chat.client("alice")
        path = f"session/{await alice.new_session()}"
        async with alice.socket(path) as first:
            await first.send("send_message", message="hi")
            await first.until("ai_message_chunk")
            async with alice.socket(path, greet=False) as late:
                greeting, typing, snapshot = [await late.receive() for _ in range(3)]
                go.set()
                rest = await late.until("ai_message_complete")
    assert greeting["generation"]["generation_id"] == typing["generation_id"]
    assert typing["type"] == "ai_typing"
    assert (snapshot["prev"], snapshot["content"]) == (0, "one two")
    assert rest[0]["prev"] == snapshot["seq"]
    assert rest[0]["full_content"] == "one two three"


async def test_delta_chunks_have_no_full_content(tmp_path: Path) -> None:
    """A socket with chunks=delta gets the new text alone."""
    async with chatting(tmp_path, Script(["one", " two"])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket(f"session/{session_id}", chunks="delta") as socket:
            await socket.send("send_message", message="hi")
            events = await socket.until("ai_message_complete")
    assert "full_content" not in events[2]


async def test_since_replays_what_was_missed(tmp_path: Path) -> None:
    """With the last revision seen, exactly the messages after it come again, in order."""
    async with chatting(tmp_path, Script(["one"], ["two"])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        seen = (await alice.send(session_id))["ai_message"]["revision"]
        missed = await alice.send(session_id, "again")
        async with alice.socket(f"session/{session_id}", since=seen) as socket:
            events = [await socket.receive() for _ in range(2)]
            await socket.send("ping", t=1)
            pong = await socket.receive()
    assert [event["type"] for event in events] == ["user_message", "ai_message_complete"]
    assert events[0]["message"] == missed["user_message"]
    assert events[1]["message"] == missed["ai_message"]
    assert pong["type"] == "pong"


async def test_since_during_a_generation(tmp_path: Path) -> None:
    """A running generation is not replayed but followed: ai_typing, the snapshot, the rest."""
    go = asyncio.Event()
    async with chatting(tmp_path, Script(["one", go, " two"])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket(f"session/{session_id}") as first:
            await first.send("send_message", message="hi")
            await first.until("ai_message_chunk")
            async with alice.socket(f"session/{session_id}", since=0) as late:
                events = await late.until("ai_message_chunk")
                go.set()
                events += await late.until("ai_message_complete")
    kinds = [event["type"] for event in events]
    assert kinds[:3] == ["user_message", "ai_typing", "ai_message_chunk"]
    assert kinds.count("ai_message_complete") == 1


async def test_a_replay_larger_than_the_network_takes(tmp_path: Path) -> None:
    """A slow reader gets every row of a large replay, in order, before what came meanwhile."""
    go = asyncio.Event()
    replies = [["x" * 9000]] * 40
    async with chatting(tmp_path, Script(*replies, ["now", go])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        for number in range(40):
            await alice.send(session_id, f"{number} " + "y" * 9000)
        async with alice.socket(f"session/{session_id}") as first:
            await first.send("send_message", message="hi")
            await first.until("ai_message_chunk")
            path = f"session/{session_id}"
            async with alice.socket(path, receive_buffer=4096, since=0) as socket:
                events = await socket.until("ai_message_chunk")
                go.set()
    messages = [event["message"] for event in events[:-2]]
    assert [message["seq"] for message in messages] == list(range(1, 82))
    assert [event["type"] for event in events[-2:]] == ["ai_typing", "ai_message_chunk"]


async def test_a_replay_of_too_much(tmp_path: Path) -> None:
    """More text than a replay may hold means: load it again, page by page."""
    async with chatting(tmp_path, Script(*[["x" * 99_000]] * 11)) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        for _ in range(11):
            await alice.send(session_id)
        async with alice.socket(f"session/{session_id}", greet=False, since=0) as socket:
            assert (await socket.receive())["reload"] is True


async def test_an_impossible_since(tmp_path: Path) -> None:
    """A revision above the head, or another epoch, means: load everything again."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        await alice.send(session_id)
        for query in ({"since": 99}, {"since": 0, "epoch": "another"}):
            async with alice.socket(f"session/{session_id}", greet=False, **query) as socket:
                assert (await socket.receive())["reload"] is True


async def test_resume_sends_the_rest_of_the_log(tmp_path: Path) -> None:
    """A client that found a hole is sent the log again from where it was."""
    go, end = asyncio.Event(), asyncio.Event()
    async with chatting(tmp_path, Script(["one", go, " two", end])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("send_message", message="hi")
            generation_id = (await socket.until("ai_message_chunk"))[-1]["generation_id"]
            go.set()
            await socket.until("ai_message_chunk")
            await socket.send("resume", generation_id=generation_id, after_seq=1)
            second = await socket.receive()
            await socket.send("resume", generation_id=generation_id, after_seq=0)
            whole = await socket.receive()
            end.set()
            await socket.until("ai_message_complete")
            await socket.send("resume", generation_id=generation_id, after_seq=1)
            ended = await socket.receive()
    assert (second["prev"], second["content"]) == (1, " two")
    assert (whole["prev"], whole["content"]) == (0, "one two")
    assert ended["type"] == "ai_message_complete"


async def test_ping_carries_the_head(tmp_path: Path) -> None:
    """A pong returns t, the revision and the running generation with its length."""
    async with chatting(tmp_path, Script(["one", asyncio.Event()])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("ping", t={"any": ["value"]})
            idle = await socket.receive()
            await socket.send("send_message", message="hi")
            chunk = (await socket.until("ai_message_chunk"))[-1]
            await socket.send("ping")
            busy = await socket.receive()
    assert idle == {"type": "pong", "t": {"any": ["value"]}, "revision": 0, "generation": None}
    assert busy["revision"] == 2
    assert busy["generation"] == {"generation_id": chunk["generation_id"], "seq": 1}


async def test_typing_is_told_to_the_others(tmp_path: Path) -> None:
    """Other sockets of the session learn who types, the own one does not; leaving takes it back."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        path = f"session/{await alice.new_session()}"
        async with alice.socket(path) as other:
            async with alice.socket(path) as typist:
                await typist.send("typing")
                begun = await other.receive()
                await typist.send("stop_typing")
                ended = await other.receive()
                await typist.send("typing")
                await other.receive()
                await typist.send("ping")
                assert (await typist.receive())["type"] == "pong"
            left = await other.receive()
    assert begun == {
        "type": "user_typing",
        "user": {"id": alice.user.id, "name": "alice"},
        "is_typing": True,
    }
    assert (ended["is_typing"], left["is_typing"]) == (False, False)


async def test_a_deleted_session_closes_its_sockets(tmp_path: Path) -> None:
    """Its sockets get session_deleted and close with 4504; nobody gets in any more."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket(f"session/{session_id}") as socket:
            await alice.call("DELETE", f"/sessions/{session_id}/", 204)
            event = await socket.receive()
            code = await socket.close_code()
        async with alice.socket(f"session/{session_id}", greet=False) as late:
            refusal = await late.receive()
            late_code = await late.close_code()
    assert event["type"] == "session_deleted"
    assert event["session"]["is_active"] is False
    assert (code, late_code) == (4504, 4504)
    assert (refusal["type"], refusal["code"]) == ("error", "not_found")


async def test_deleting_stops_the_generation_first(tmp_path: Path) -> None:
    """A delete in mid-stream ends the generation as stopped; its text is kept and restorable."""
    script = Script(["one", asyncio.Event()])
    async with chatting(tmp_path, script) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("send_message", message="hi")
            await socket.until("ai_message_chunk")
            await alice.call("DELETE", f"/sessions/{session_id}/", 204)
            events = await socket.until("session_deleted")
        await alice.call("POST", f"/sessions/{session_id}/restore/")
        stored = await alice.messages(session_id)
    assert [event["type"] for event in events] == ["ai_message_complete", "session_deleted"]
    assert (stored[-1]["status"], stored[-1]["content"]) == ("stopped", "one")


async def test_a_change_is_told(tmp_path: Path) -> None:
    """A PATCH reaches the sockets of the session and of the list, unless it changes nothing."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with (
            alice.socket(f"session/{session_id}") as socket,
            alice.socket("sessions") as sessions,
        ):
            changed = [
                await alice.call("PATCH", f"/sessions/{session_id}/", json={"title": title})
                for title in ("new", "new", "newer")
            ]
            for reader in (socket, sessions):
                events = [await reader.receive() for _ in range(2)]
                assert [event["session"] for event in events] == [changed[0], changed[2]]
                assert {event["type"] for event in events} == {"session_updated"}


async def test_too_many_sockets(tmp_path: Path) -> None:
    """One socket more than a user may have is closed with 1013; another user's opens."""
    async with chatting(tmp_path, Script(), CHATD_LIMITS_SOCKETS_PER_USER="2") as chat:
        alice, bob = await chat.client("alice"), await chat.client("bob")
        async with alice.socket("sessions") as one, alice.socket("sessions"):
            async with alice.socket("sessions", greet=False) as third:
                assert await third.close_code() == 1013
            async with bob.socket("sessions"):
                pass
            await one.connection.close()
            async with alice.socket("sessions"):
                pass


async def test_the_session_list_is_live(tmp_path: Path) -> None:
    """The list socket brings the first page, then every change of the caller's own sessions."""
    async with chatting(tmp_path, Script()) as chat:
        alice, bob = await chat.client("alice"), await chat.client("bob")
        old = await alice.new_session(title="old")
        async with alice.socket("sessions", greet=False) as socket:
            greeting = await socket.receive()
            await bob.new_session()
            new = await alice.new_session(title="new")
            created = await socket.receive()
            await alice.send(new)
            turn = await socket.until("session_updated")
            await alice.call("DELETE", f"/sessions/{new}/", 204)
            deleted = await socket.receive()
            await socket.send("ping", t=7)
            pong = await socket.receive()
    assert [session["id"] for session in greeting["sessions"]] == [old]
    assert (created["type"], created["session"]["id"]) == ("session_created", new)
    assert [event["type"] for event in turn] == [
        "generation_started",
        "generation_ended",
        "session_updated",
    ]
    assert turn[1]["status"] == "complete"
    assert turn[1]["generation_id"] == turn[0]["generation_id"]
    assert turn[2]["session"]["message_count"] == 2
    assert (deleted["type"], deleted["session"]["id"]) == ("session_deleted", new)
    assert (pong["type"], pong["t"]) == ("pong", 7)


async def test_a_blocked_socket_holds_nobody_up(tmp_path: Path) -> None:
    """A client that reads nothing costs the others nothing, and gets the end when it reads."""
    text = "x" * 1000
    reply = [text] * 900
    async with chatting(tmp_path, Script(reply)) as chat:
        alice = await chat.client("alice")
        path = f"session/{await alice.new_session()}"
        async with alice.socket(path) as slow, alice.socket(path, chunks="delta") as quick:
            slow.connection.transport.pause_reading()
            await quick.send("send_message", message="hi")
            events = await quick.until("ai_message_complete")
            slow.connection.transport.resume_reading()
            end = (await slow.until("ai_message_complete"))[-1]
    assert "".join(e["content"] for e in events if e["type"] == "ai_message_chunk") == text * 900
    assert end == events[-1]


async def test_a_reader_that_falls_too_far_behind(tmp_path: Path) -> None:
    """Past the bound of waiting events a socket is closed with 4008, counted, and may come back."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session(metadata={"big": "x" * 16000})
        async with alice.socket(f"session/{session_id}") as slow:
            slow.connection.transport.pause_reading()
            await _rename_until_closed(alice, session_id, slow)
            slow.connection.transport.resume_reading()
            # Whose answer to the close frame takes five seconds is cut off, as on a busy machine.
            assert await slow.close_code() in (4008, 1006)
        assert chat.app.metrics is not None
        while not chat.app.metrics.slow.sample().values:
            await alice.call("GET", "/me/")
        assert chat.app.metrics.closed.sample().values == {("session", "4008"): 1}


async def _rename_until_closed(alice: Client, session_id: str, slow: Socket) -> None:
    for number in range(2000):
        body = json.dumps({"title": str(number)})
        headers = {"Content-Type": "application/json"}
        path = f"/sessions/{session_id}/"
        await alice.call("PATCH", path, content=body, headers=headers)
        if not any(name == session_id for name, _ in _rooms(alice)):
            return
    raise AssertionError("the socket was never closed")


def _rooms(alice: Client) -> list[tuple[str, int]]:
    return list(alice.chat.app.hub.rooms())
