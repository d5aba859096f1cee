"""SSE: the events of a generation over HTTP, and coming back to them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness import API, Client, Script, chatting

import chatd

pytestmark = pytest.mark.usefixtures("each_store")

SSE = {"Accept": "text/event-stream"}


async def events_of(response: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    """Yield the events of a response, their id among them."""
    event: dict[str, Any] = {}
    async for line in response.aiter_lines():
        name, _, value = line.partition(": ")
        if name == "data":
            event |= json.loads(value)
        elif name == "id":
            event["_id"] = value
        elif name == "event":
            event["_event"] = value
        elif not line and event:
            yield event
            event = {}


async def _send(alice: Client, session_id: str, **fields: Any) -> list[dict[str, Any]]:
    path = f"{API}/sessions/{session_id}/send_message/"
    body = {"message": "hi", **fields}
    async with alice.http.stream("POST", path, json=body, headers=SSE) as response:
        assert response.status_code == 200
        assert response.headers["Content-Type"] == "text/event-stream"
        return [event async for event in events_of(response)]


async def test_a_turn_over_sse(tmp_path: Path) -> None:
    """The answer to a send is the turn's events, each with its type and its place as id."""
    async with chatting(tmp_path, Script(["one", " two"])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        events = await _send(alice, session_id)
        stored = await alice.messages(session_id)
    assert [event["type"] for event in events] == [
        "user_message",
        "ai_typing",
        "ai_message_chunk",
        "ai_message_complete",
    ]
    assert all(event["_event"] == event["type"] for event in events)
    generation_id = events[1]["generation_id"]
    assert [event["_id"] for event in events[-2:]] == [f"{generation_id}:1", f"{generation_id}:end"]
    assert [events[0]["message"], events[-1]["message"]] == stored


async def test_errors_before_the_stream_are_problems(tmp_path: Path) -> None:
    """What fails before anything is stored is an ordinary answer, also to an SSE client."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        path = f"{API}/sessions/nothing/send_message/"
        response = await alice.http.post(path, json={"message": "hi"}, headers=SSE)
    assert response.status_code == 404
    assert response.json()["code"] == "not_found"


async def test_a_failure_ends_the_stream(tmp_path: Path) -> None:
    """A generation that fails ends its stream with the error event."""
    async with chatting(tmp_path, Script(["so far", chatd.ProviderError("no more")])) as chat:
        alice = await chat.client("alice")
        events = await _send(alice, await alice.new_session())
    assert events[-1]["type"] == "error"
    assert events[-1]["code"] == "provider_error"
    assert events[-1]["_id"].endswith(":end")


async def test_a_repeated_send_over_sse(tmp_path: Path) -> None:
    """A duplicate of an ended send is its message and its end; of a running one, the rest too."""
    go = asyncio.Event()
    async with chatting(tmp_path, Script(["one", go, " two"])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("send_message", message="hi", client_id="c")
            await socket.until("ai_message_chunk")
            running = asyncio.create_task(_send(alice, session_id, client_id="c"))
            await _until_joined(chat.app.hub, session_id, 2)
            go.set()
            followed = await running
        ended = await _send(alice, session_id, client_id="c")
    assert followed[0]["duplicate"] is True
    chunks = [event["content"] for event in followed if event["type"] == "ai_message_chunk"]
    assert "".join(chunks) == "one two"
    assert [event["type"] for event in ended] == ["user_message", "ai_message_complete"]


async def _until_joined(hub: Any, session_id: str, readers: int) -> None:
    async with asyncio.timeout(60):
        # A room has no event for who reads it.
        while dict(hub.rooms()).get(session_id) != readers:  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_a_reader_that_goes_away_does_not_stop(tmp_path: Path) -> None:
    """Dropping the SSE answer leaves the generation running to its end."""
    go = asyncio.Event()
    async with chatting(tmp_path, Script(["one", go, " two"])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket(f"session/{session_id}") as socket:
            path = f"{API}/sessions/{session_id}/send_message/"
            body = {"message": "hi"}
            async with alice.http.stream("POST", path, json=body, headers=SSE) as response:
                await anext(events_of(response))
            await _until_joined(chat.app.hub, session_id, 1)
            go.set()
            end = (await socket.until("ai_message_complete"))[-1]
    assert end["message"]["content"] == "one two"


async def test_respond_async(tmp_path: Path) -> None:
    """With Prefer: respond-async the answer comes at once and says where to look."""
    go = asyncio.Event()
    async with chatting(tmp_path, Script(["one", go, " two"])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        path = f"{API}/sessions/{session_id}/send_message/"
        headers = {"Prefer": "respond-async"}
        accepted = await alice.http.post(path, json={"message": "hi"}, headers=headers)
        location = accepted.headers["Location"]
        async with alice.http.stream("GET", location) as response:
            go.set()
            events = [event async for event in events_of(response)]
    assert accepted.status_code == 202
    assert set(accepted.json()) == {"user_message", "generation_id"}
    assert events[-1]["generation_id"] == accepted.json()["generation_id"]
    assert events[-1]["message"]["content"] == "one two"


async def test_coming_back_to_a_stream(tmp_path: Path) -> None:
    """Last-Event-ID goes on behind that entry while the generation runs, and to its end after."""
    first, second = asyncio.Event(), asyncio.Event()
    async with chatting(tmp_path, Script(["one", first, " two", second])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        path = f"{API}/sessions/{session_id}/stream/"
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("send_message", message="hi")
            generation_id = (await socket.until("ai_message_chunk"))[-1]["generation_id"]
            first.set()
            await socket.until("ai_message_chunk")
            headers = {"Last-Event-ID": f"{generation_id}:1"}
            async with alice.http.stream("GET", path, headers=headers) as response:
                stream = events_of(response)
                chunk = await anext(stream)
                second.set()
                end = await anext(stream)
        after = await alice.http.get(path, headers={"Last-Event-ID": f"{generation_id}:2"})
        done = await alice.http.get(path, headers={"Last-Event-ID": f"{generation_id}:end"})
        idle = await alice.http.get(path)
        strange = await alice.http.get(path, headers={"Last-Event-ID": "nothing:1"})
    assert (chunk["prev"], chunk["content"]) == (1, " two")
    assert end["type"] == "ai_message_complete"
    assert "event: ai_message_complete" in after.text
    assert (done.status_code, idle.status_code) == (204, 204)
    assert strange.status_code == 404


async def test_coming_back_between_frames_of_one_write(tmp_path: Path) -> None:
    """With full_content, who was cut off between reasoning and text is told no reasoning twice.

    The text of one write comes behind its reasoning, so the numbers in between are of no entry.
    """
    end = asyncio.Event()
    reply = [chatd.Reasoning(text="a"), "b", chatd.Reasoning(text="c"), "d", end]
    async with chatting(tmp_path, Script(reply)) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        path = f"{API}/sessions/{session_id}/"
        begin = {"json": {"message": "hi"}, "headers": SSE}
        async with alice.http.stream("POST", f"{path}send_message/", **begin) as response:
            async for event in events_of(response):
                if event["type"] == "ai_reasoning_chunk":
                    break
        again = {"Last-Event-ID": event["_id"]}
        async with alice.http.stream("GET", f"{path}stream/", headers=again) as response:
            events = events_of(response)
            reasoning, texts = event["content"], ""
            while not texts.endswith("d"):
                event = await anext(events)
                if event["prev"] == 0:
                    reasoning = texts = ""
                if event["type"] == "ai_reasoning_chunk":
                    reasoning += event["content"]
                else:
                    texts += event["content"]
            end.set()
            assert [event["type"] async for event in events][-1] == "ai_message_complete"
    assert (reasoning, texts) == ("ac", "bd")
