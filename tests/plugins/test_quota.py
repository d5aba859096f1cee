"""What a user may have in a day."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path

import pytest
from faces import configured
from harness import API, Script, chatting

import chatd
from plugins.quota import Day

TABLE = '[plugins]\nenabled = ["auth_token", "quota"]\n[plugins.quota]\n'


@pytest.mark.usefixtures("each_store")
async def test_turns_of_a_day(tmp_path: Path) -> None:
    """Of many sends at once as many pass as the quota has; it outlives a restart, for each user."""
    environ = configured(tmp_path, f'{TABLE}turns_per_day = 3\nexempt_roles = ["staff"]\n')
    async with chatting(tmp_path, Script(), **environ) as chat:
        alice, bob = await chat.client("alice"), await chat.client("bob")
        sessions = [await alice.new_session() for _ in range(6)]
        answers = await asyncio.gather(
            *[
                alice.http.post(f"{API}/sessions/{one}/send_message/", json={"message": "hi"})
                for one in sessions
            ]
        )
        assert sorted(a.status_code for a in answers) == [200] * 3 + [429] * 3
        await bob.send(await bob.new_session())
    async with chatting(tmp_path, Script(), **environ) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        path = f"{API}/sessions/{session_id}/send_message/"
        refused = await alice.http.post(path, json={"message": "hi"})
        assert refused.status_code == 429
        assert refused.json()["code"] == "rate_limited"
        assert 0 < int(refused.headers["Retry-After"]) <= 86400
        assert "3 turns" in refused.json()["detail"]
        assert await alice.messages(session_id) == []
        await chat.app.store.update_account(alice.user.id, roles=("staff",))
        await alice.send(session_id)


@pytest.mark.parametrize("usage", [chatd.Usage(prompt_tokens=8, completion_tokens=4), None])
async def test_tokens_of_a_day(tmp_path: Path, usage: chatd.Usage | None) -> None:
    """A turn is refused when the tokens are used up; where no server counts, bytes are counted."""
    environ = configured(tmp_path, f"{TABLE}tokens_per_day = 12\n")
    reply = ["x" * 36, *([usage] if usage else [])]
    async with chatting(tmp_path, Script(reply), **environ) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        await alice.send(session_id)
        key = Day().key(alice.user.id, "tokens")
        async with asyncio.timeout(20):
            while await chat.app.store.get_datum("quota", key) is None:
                await alice.messages(session_id)
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("send_message", message="more")
            error = await socket.receive()
    assert (error["type"], error["code"]) == ("error", "rate_limited")
    assert error["retry_after"] > 0


async def test_tokens_of_a_stopped_turn(tmp_path: Path) -> None:
    """Who stops an answer and keeps nothing of it has had what was said, reasoning too."""
    environ = configured(tmp_path, f"{TABLE}tokens_per_day = 20\n")
    reply = [chatd.Reasoning(text="y" * 30), "x" * 30, asyncio.Event()]
    async with chatting(tmp_path, Script(reply), **environ) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("send_message", message="hi")
            await socket.until("ai_message_chunk")
            await socket.send("stop_generation", seen_seq=0)
            ended = (await socket.until("ai_message_complete"))[-1]
        assert ended["message"]["content"] == ""
        key = Day().key(alice.user.id, "tokens")
        async with asyncio.timeout(20):
            while (used := await chat.app.store.get_datum("quota", key)) is None:
                await alice.messages(session_id)
        assert used.value == 20


def test_a_day_ends_at_midnight() -> None:
    """A day is that of UTC; what was used in it is forgotten a day after its end."""
    day = Day(dt.datetime(2026, 12, 31, 23, 59, 30, tzinfo=dt.UTC))
    assert day.key("u", "turns") == "2026-12-31/u/turns"
    assert day.used_up("1 turns").retry_after == 30
    assert day.forgotten == dt.datetime(2027, 1, 2, tzinfo=dt.UTC)
