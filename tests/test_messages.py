"""The messages of a session over REST."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from harness import API, Client, Script, chatting

import chatd

MESSAGE = {
    *("id", "session_id", "seq", "revision", "parent_id", "role", "content", "parts", "status"),
    *("model", "generation_id", "client_id", "usage", "finish_reason", "error"),
    *("created_at", "updated_at"),
}


async def seqs(client: Client, path: str) -> list[int]:
    """Return the seqs of one page."""
    return [message["seq"] for message in (await client.call("GET", path))["results"]]


async def with_turns(client: Client, turns: int) -> str:
    """Make a session with some turns; return the path of its messages."""
    session_id = await client.new_session()
    for n in range(turns):
        await client.send(session_id, str(n))
    return f"/sessions/{session_id}/messages/"


async def test_the_shape(tmp_path: Path) -> None:
    """Messages have all fields, in the order in which they were said."""
    usage = chatd.Usage(prompt_tokens=1, completion_tokens=2, total_tokens=3)
    async with chatting(
        tmp_path, Script(["Hel", "lo", usage, chatd.Finish(reason="stop")])
    ) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        turn = await alice.send(session_id, " é😀\n", client_id="mine")
        page = await alice.call("GET", f"/sessions/{session_id}/messages/")
        assert page == {
            "results": [turn["user_message"], turn["ai_message"]], "next": None, "previous": None
        }  # fmt: skip
        user, answer = page["results"]
        assert user.keys() == answer.keys() == MESSAGE
        assert {one["session_id"] for one in (user, answer)} == {session_id}
        assert (user["role"], user["content"], user["status"]) == ("user", " é😀\n", "complete")
        assert (user["seq"], user["parent_id"], user["client_id"]) == (1, None, "mine")
        assert (answer["role"], answer["content"]) == ("assistant", "Hello")
        assert (answer["seq"], answer["parent_id"], answer["client_id"]) == (2, user["id"], None)
        assert (answer["status"], answer["finish_reason"]) == ("complete", "stop")
        assert (answer["error"], answer["parts"], answer["model"]) == (None, [], "script/model")
        assert answer["usage"] == {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
        assert answer["generation_id"] == user["generation_id"] is not None
        assert user["created_at"].endswith("Z")
        assert answer["revision"] > user["revision"]


async def test_an_empty_session(tmp_path: Path) -> None:
    """A session without messages has an empty list, whatever is asked for."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        path = await with_turns(alice, 0)
        for query in ("", "?before=5", "?after=0", "?since=0", "?branch=all"):
            page = await alice.call("GET", path + query)
            assert page == {"results": [], "next": None, "previous": None}


async def test_the_newest_come_first(tmp_path: Path) -> None:
    """Without bounds the newest come, ascending; seqs bound a page, and are not in it."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        path = await with_turns(alice, 4)
        for query, found in (
            ("", [1, 2, 3, 4, 5, 6, 7, 8]),
            ("?limit=3", [6, 7, 8]),
            ("?limit=3&before=6", [3, 4, 5]),
            ("?before=3", [1, 2]),
            ("?before=1", []),
            ("?before=0", []),
            ("?before=100&limit=1", [8]),
            ("?after=0&limit=3", [1, 2, 3]),
            ("?after=6", [7, 8]),
            ("?after=8", []),
            ("?after=2&before=6", [3, 4, 5]),
            ("?after=2&before=6&limit=2", [3, 4]),
            ("?branch=all&limit=2", [7, 8]),
        ):
            assert await seqs(alice, path + query) == found, query


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
async def test_pages_both_ways(tmp_path: Path, limit: int) -> None:
    """Following `previous` leads to the first message, following `next` back to the last."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        path = await with_turns(alice, 4)
        for query, back, forth in (("", "previous", "next"), ("&branch=all", "previous", "next")):
            pages = [await alice.call("GET", f"{path}?limit={limit}{query}")]
            assert pages[0]["next"] is None
            while link := pages[-1][back]:
                assert f"limit={limit}" in link and ("branch=all" in link) is bool(query)
                pages.append(await alice.call("GET", link.removeprefix(API)))
            assert joined(pages[::-1]) == [1, 2, 3, 4, 5, 6, 7, 8]
            pages = pages[-1:]
            while link := pages[-1][forth]:
                pages.append(await alice.call("GET", link.removeprefix(API)))
            assert joined(pages) == [1, 2, 3, 4, 5, 6, 7, 8]


def joined(pages: list[dict[str, Any]]) -> list[int]:
    """Return the seqs of pages."""
    return [message["seq"] for page in pages for message in page["results"]]


async def test_since_a_revision(tmp_path: Path) -> None:
    """`since` brings every change after a revision, in the order of changes, page by page."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        path = await with_turns(alice, 3)
        pages = [await alice.call("GET", f"{path}?since=0&limit=4")]
        assert pages[0]["previous"] is None
        while link := pages[-1]["next"]:
            pages.append(await alice.call("GET", link.removeprefix(API)))
        revisions = [message["revision"] for page in pages for message in page["results"]]
        assert revisions == sorted(set(revisions))
        assert sorted(joined(pages)) == [1, 2, 3, 4, 5, 6]
        assert await seqs(alice, f"{path}?since={revisions[-1]}") == []
        assert await seqs(alice, f"{path}?since={revisions[3]}") == joined(pages)[4:]
        assert await seqs(alice, f"{path}?since={2**53}") == []


async def test_a_message_that_streams(tmp_path: Path) -> None:
    """A message that is still streaming is left out, except with `since` and `branch=all`."""
    go_on = asyncio.Event()
    async with chatting(tmp_path, Script(["some ", go_on, "text"])) as chat:
        alice = await chat.client("alice")
        path = await with_turns(alice, 0)
        send = path.replace("messages", "send_message")
        headers = {"Prefer": "respond-async"}
        await alice.call("POST", send, 202, json={"message": "go"}, headers=headers)
        assert await seqs(alice, path) == [1]
        for query in ("?since=0", "?branch=all"):
            assert await seqs(alice, path + query) == [1, 2]
            page = await alice.call("GET", path + query)
            assert page["results"][-1]["status"] == "streaming"
        go_on.set()
        stream = await alice.http.get(API + path.replace("messages", "stream"))
        assert stream.status_code in (200, 204)
        assert await seqs(alice, path) == [1, 2]


async def test_a_message_that_failed(tmp_path: Path) -> None:
    """A failed answer is kept with what had come and why it ended."""
    failed = chatd.ProviderRefused("Not this.")
    async with chatting(tmp_path, Script(["some ", failed], ["fine"])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        path = f"/sessions/{session_id}/send_message/"
        problem = await alice.call("POST", path, 502, json={"message": "hi"})
        assert (problem["code"], problem["status"]) == ("provider_refused", 502)
        assert await alice.messages(session_id) == [problem["user_message"], problem["ai_message"]]
        error = {"code": "provider_refused", "message": "Not this.", "retryable": False}
        assert (problem["ai_message"]["status"], problem["ai_message"]["error"]) == ("error", error)
        assert problem["ai_message"]["content"] == "some "
        assert (await alice.send(session_id, "again"))["ai_message"]["seq"] == 4
