"""What a user may have in a day."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path

import pytest
from faces import configured
from harness import API, PATIENCE, Client, Script, chatting

import chatd
from plugins.quota import Day, tokens

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
        assert await used_by(alice) == 12
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("send_message", message="more")
            error = await socket.receive()
    assert (error["type"], error["code"]) == ("error", "rate_limited")
    assert error["retry_after"] > 0


async def used_by(alice: Client, what: str = "tokens") -> int:
    """Return what the store has of a user's, when there is something."""
    store, key = alice.chat.app.store, Day().key(alice.user.id, what)
    async with asyncio.timeout(PATIENCE):
        while (found := await store.get_datum("quota", key)) is None:
            await alice.call("GET", "/me/")
    return int(found.value)


async def test_tokens_of_a_stopped_turn(tmp_path: Path) -> None:
    """Who stops an answer and keeps nothing of it has had what was asked and said, thought too."""
    environ = configured(tmp_path, f"{TABLE}tokens_per_day = 20\n")
    reply = [chatd.Reasoning(text="y" * 30), "x" * 30, asyncio.Event()]
    async with chatting(tmp_path, Script(reply), **environ) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("send_message", message="z" * 300)
            await socket.until("ai_message_chunk")
            await socket.send("stop_generation", seen_seq=0)
            ended = (await socket.until("ai_message_complete"))[-1]
        assert ended["message"]["content"] == ""
        assert await used_by(alice) == 100 + 20


async def test_tokens_of_a_title(tmp_path: Path) -> None:
    """What `title` asks a model beside the turn is counted too, and a call that fails is not."""
    text = '[plugins]\nenabled = ["auth_token", "quota", "title"]\n[plugins.title]\nby = "model"\n'
    environ = configured(tmp_path, f"{text}[plugins.quota]\ntokens_per_day = 1000\n")
    counted = chatd.Usage(prompt_tokens=30, completion_tokens=10, total_tokens=40)
    title = ["Title", chatd.Usage(prompt_tokens=5, completion_tokens=2)]
    script = Script(["Hello.", counted], title, [chatd.ProviderBusy()])
    async with chatting(tmp_path, script, **environ) as chat:
        alice, bob = await chat.client("alice"), await chat.client("bob")
        session_id = await alice.new_session()
        async with alice.socket("sessions") as socket:
            await alice.send(session_id)
            while not (event := await socket.receive()).get("session", {}).get("title"):
                pass
        assert event["session"]["title"] == "Title"
        bobs = await bob.new_session(title="named")
        await bob.call("POST", f"/sessions/{bobs}/send_message/", 502, json={"message": "x" * 99})
    async with chatting(tmp_path, Script(), **environ) as chat:
        alice, bob = await chat.client("alice"), await chat.client("bob")
        assert await used_by(alice) == 47
        assert await chat.app.store.get_datum("quota", Day().key(bob.user.id, "tokens")) is None


async def test_a_title_that_no_model_begins_costs_nothing(tmp_path: Path) -> None:
    """A question beside a turn which fails before the model says anything is not counted."""
    text = '[plugins]\nenabled = ["auth_token", "quota", "title"]\n[plugins.title]\nby = "model"\n'
    environ = configured(tmp_path, f"{text}[plugins.quota]\ntokens_per_day = 1000\n")
    counted = chatd.Usage(prompt_tokens=30, completion_tokens=10, total_tokens=40)
    script = Script(["Hello.", counted], [chatd.ProviderBusy()])
    async with chatting(tmp_path, script, **environ) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket("sessions") as socket:
            await alice.send(session_id)
            while not (await socket.receive()).get("session", {}).get("title"):
                pass
    async with chatting(tmp_path, Script(), **environ) as chat:
        assert await used_by(await chat.client("alice")) == 40


def test_what_is_not_counted_is_estimated() -> None:
    """What a server says goes before what its bytes say, each for the prompt and the answer."""
    assert tokens(None, 30, 60) == 30
    assert tokens(chatd.Usage(prompt_tokens=7), 30, 60) == 27
    assert tokens(chatd.Usage(completion_tokens=7), 30, 60) == 17
    assert tokens(chatd.Usage(total_tokens=5, prompt_tokens=9), 30, 60) == 5


def test_a_day_ends_at_midnight() -> None:
    """A day is that of UTC; what was used in it is forgotten a day after its end."""
    day = Day(dt.datetime(2026, 12, 31, 23, 59, 30, tzinfo=dt.UTC))
    assert day.key("u", "turns") == "2026-12-31/u/turns"
    assert day.used_up("1 turns").retry_after == 30
    assert day.forgotten == dt.datetime(2027, 1, 2, tzinfo=dt.UTC)
