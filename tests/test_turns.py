"""Turns from outside: what a client sees over each face, however often it asks."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from harness import API, Chat, Script, chatting

import chatd

pytestmark = pytest.mark.usefixtures("each_store")


async def test_a_turn_over_websocket(tmp_path: Path) -> None:
    """A turn is user_message, ai_typing, chunks, and one terminal event, in this order."""
    async with chatting(tmp_path, Script(["Hel", "lo"])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("send_message", message="hi")
            events = await socket.until("ai_message_complete")
    kinds = [event["type"] for event in events]
    assert kinds[:2] == ["user_message", "ai_typing"]
    assert set(kinds[2:-1]) == {"ai_message_chunk"}
    assert "".join(event["content"] for event in events[2:-1]) == "Hello"
    assert events[-2]["full_content"] == "Hello"
    assert events[-1]["message"]["content"] == "Hello"
    assert events[-1]["message"]["status"] == "complete"


async def test_a_turn_over_rest(tmp_path: Path) -> None:
    """A plain send waits for the answer and returns both messages; both are stored."""
    async with chatting(tmp_path, Script(["Hel", "lo"])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        answer = await alice.send(session_id, "hi")
        stored = await alice.messages(session_id)
    assert answer["user_message"]["content"] == "hi"
    assert answer["ai_message"]["content"] == "Hello"
    assert stored == [answer["user_message"], answer["ai_message"]]


async def test_the_session_counts_its_turns(tmp_path: Path) -> None:
    """After a turn the session is free, knows its head and has two messages more."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        answer = await alice.send(session_id)
        session = await alice.call("GET", f"/sessions/{session_id}/")
        await alice.send(session_id)
    assert session["head_id"] == answer["ai_message"]["id"]
    assert session["message_count"] == 2
    assert session["last_message_at"] is not None
    assert session["version"] == 1


async def test_history_goes_into_the_prompt(tmp_path: Path) -> None:
    """The model is given the system prompt and the messages of the session, oldest first."""
    script = Script(["first answer"], ["second answer"])
    async with chatting(tmp_path, script) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session(
            system_prompt="Be brief.", settings={"temperature": 0.1, "options": {"top_p": 0.5}}
        )
        await alice.send(session_id, "one")
        await alice.send(session_id, "two")
    asked = script.prompts[1]
    assert [(m.role, m.content) for m in asked.messages] == [
        ("system", "Be brief."),
        ("user", "one"),
        ("assistant", "first answer"),
        ("user", "two"),
    ]
    assert asked.model == "model"
    assert asked.settings == {"temperature": 0.1, "max_tokens": 2000, "options": {"top_p": 0.5}}


async def test_the_prompt_is_bounded(tmp_path: Path) -> None:
    """Only the newest whole messages within the limit are sent, the last one always."""
    script = Script(["a" * 10], ["b" * 10], ["c" * 10])
    async with chatting(tmp_path, script, CHATD_LIMITS_PROMPT_CHARS="45") as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session(system_prompt="s" * 10)
        for text in ("x" * 10, "y" * 10, "z" * 10):
            await alice.send(session_id, text)
        await alice.send(session_id, "q" * 100)
    assert [m.content[0] for m in script.prompts[2].messages] == ["s", "y", "b", "z"]
    assert [m.content[0] for m in script.prompts[3].messages] == ["s", "q"]


async def test_a_model_nobody_offers(tmp_path: Path) -> None:
    """A turn whose model cannot be resolved fails, stores nothing, and leaves the session free."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session(model="nowhere/model")
        body = {"message": "hi"}
        problem = await alice.call("POST", f"/sessions/{session_id}/send_message/", 503, json=body)
        stored = await alice.messages(session_id)
        await alice.call("PATCH", f"/sessions/{session_id}/", json={"model": "model"})
        answer = await alice.send(session_id)
    assert problem["code"] == "model_unavailable"
    assert stored == []
    assert answer["ai_message"]["model"] == "script/model"


async def test_sends_while_a_generation_runs(tmp_path: Path) -> None:
    """A second send is refused on every face with generation_running; nothing of it is stored."""
    go = asyncio.Event()
    async with chatting(tmp_path, Script(["a", go, "b"])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("send_message", message="one")
            await socket.until("ai_message_chunk")
            await socket.send("send_message", message="two", client_id="c2")
            (refusal,) = await socket.until("error")
            body = {"message": "three"}
            path = f"/sessions/{session_id}/send_message/"
            problem = await alice.call("POST", path, 409, json=body)
            go.set()
            await socket.until("ai_message_complete")
        stored = await alice.messages(session_id)
    assert (refusal["code"], refusal["client_id"]) == ("generation_running", "c2")
    assert problem["code"] == "generation_running"
    assert [message["content"] for message in stored] == ["one", "ab"]


async def test_a_repeated_send_is_one_message(tmp_path: Path) -> None:
    """The same client_id again returns the first message and answer, on every face."""
    script = Script()
    async with chatting(tmp_path, script) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        first = await alice.send(session_id, "hi", client_id="c1")
        again = await alice.send(session_id, "hi", client_id="c1")
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("send_message", message="hi", client_id="c1")
            events = await socket.until("ai_message_complete")
        stored = await alice.messages(session_id)
    assert again == first | {"duplicate": True}
    assert events[0]["duplicate"] is True
    assert events[0]["message"] == first["user_message"]
    assert events[-1]["message"] == first["ai_message"]
    assert len(stored) == 2
    assert len(script.prompts) == 1


async def test_a_client_id_with_another_text(tmp_path: Path) -> None:
    """A client_id that was used for another text is a conflict."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        await alice.send(session_id, "hi", client_id="c1")
        body = {"message": "other", "client_id": "c1"}
        problem = await alice.call("POST", f"/sessions/{session_id}/send_message/", 409, json=body)
    assert problem["code"] == "conflict"


async def test_a_hundred_parallel_sends_of_one_client_id(tmp_path: Path) -> None:
    """However many repeats race, there is one message, one generation and one upstream call."""
    script = Script(["a", "b"])
    async with chatting(tmp_path, script) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        sends = [alice.send(session_id, "hi", client_id="c1") for _ in range(100)]
        answers = await asyncio.gather(*sends)
        stored = await alice.messages(session_id)
    assert {answer["user_message"]["id"] for answer in answers} == {stored[0]["id"]}
    assert {answer["ai_message"]["content"] for answer in answers} == {"ab"}
    assert sum(not answer.get("duplicate") for answer in answers) == 1
    assert len(stored) == 2
    assert len(script.prompts) == 1


async def test_a_repeat_whose_first_send_passes_it(tmp_path: Path) -> None:
    """A repeat that looked before the first was stored, and comes when it has ended, finds it."""
    script = Script(["a"])
    async with chatting(tmp_path, script) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        store = chat.app.store
        look, looked, go_on = store.find_turn, asyncio.Event(), asyncio.Event()

        async def look_and_pause(*arguments: str) -> object:
            found = await look(*arguments)
            store.find_turn = look  # type: ignore[method-assign]
            looked.set()
            await go_on.wait()
            return found

        store.find_turn = look_and_pause  # type: ignore[method-assign, assignment]
        late = asyncio.create_task(alice.send(session_id, "hi", client_id="c1"))
        await looked.wait()
        first = await alice.send(session_id, "hi", client_id="c1")
        go_on.set()
        assert await late == first | {"duplicate": True}
        again = await alice.send(session_id, "again")
    assert again["user_message"]["parent_id"] == first["ai_message"]["id"]
    assert len(script.prompts) == 2


async def test_a_repeat_after_a_refusal_is_a_first_send(tmp_path: Path) -> None:
    """A send that stored nothing may be repeated with its client_id."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session(model="nowhere/model")
        path, body = f"/sessions/{session_id}/send_message/", {"message": "hi", "client_id": "c1"}
        await alice.call("POST", path, 503, json=body)
        await alice.call("PATCH", f"/sessions/{session_id}/", json={"model": "script/model"})
        answer = await alice.call("POST", path, json=body)
    assert "duplicate" not in answer


async def test_rate_limit(tmp_path: Path) -> None:
    """Above the burst a send is refused with the seconds to wait; a duplicate is not counted."""
    # One in a minute: on a machine that is ever so busy none comes back while the burst is sent.
    limits = {"CHATD_LIMITS_SENDS_PER_MINUTE": "1", "CHATD_LIMITS_SENDS_BURST": "3"}
    async with chatting(tmp_path, Script(), **limits) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        for number in range(3):
            await alice.send(session_id, client_id=f"c{number}")
        path = f"{API}/sessions/{session_id}/send_message/"
        refused = await alice.http.post(path, json={"message": "hi"})
        await alice.send(session_id, client_id="c0")
        unknown = await alice.http.post(f"{API}/sessions/x/send_message/", json={"message": "hi"})
    assert refused.status_code == 429
    assert refused.json()["code"] == "rate_limited"
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert unknown.status_code == 404


async def test_generations_per_user(tmp_path: Path) -> None:
    """A user may have so many generations at a time, in different sessions; others are not hit."""
    go = asyncio.Event()
    script = Script([go], [go])
    async with chatting(tmp_path, script, CHATD_LIMITS_GENERATIONS_PER_USER="2") as chat:
        alice, bob = await chat.client("alice"), await chat.client("bob")
        for _ in range(2):
            await _begin(chat, alice, await alice.new_session())
        path = f"/sessions/{await alice.new_session()}/send_message/"
        problem = await alice.call("POST", path, 429, json={"message": "hi"})
        await bob.send(await bob.new_session())
        go.set()
    assert problem["code"] == "too_many_generations"


async def _begin(chat: Chat, client: object, session_id: str) -> None:
    user = client.user  # type: ignore[attr-defined]
    await chat.app.turns.send(user, session_id, "hi")


async def test_a_send_to_a_deleted_session(tmp_path: Path) -> None:
    """A turn on a deleted session is refused, and works again after a restore."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        await alice.call("DELETE", f"/sessions/{session_id}/", 204)
        path = f"/sessions/{session_id}/send_message/"
        problem = await alice.call("POST", path, 409, json={"message": "hi"})
        await alice.call("POST", f"/sessions/{session_id}/restore/")
        await alice.send(session_id)
    assert problem["code"] == "session_deleted"


async def test_a_failed_generation_over_rest(tmp_path: Path) -> None:
    """A failure is 502 with both objects; the text that had come is kept; a repeat is 200."""
    script = Script(["so far", chatd.ProviderTimeout("llm took too long")])
    async with chatting(tmp_path, script) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        path, body = f"/sessions/{session_id}/send_message/", {"message": "hi", "client_id": "c"}
        problem = await alice.call("POST", path, 502, json=body)
        again = await alice.call("POST", path, json=body)
    assert problem["code"] == "provider_timeout"
    assert problem["detail"] == "llm took too long"
    assert problem["user_message"]["content"] == "hi"
    assert problem["ai_message"]["status"] == "error"
    assert problem["ai_message"]["content"] == "so far"
    assert again["ai_message"] == problem["ai_message"]
    assert again["duplicate"] is True


async def test_a_bug_in_a_provider_shows_nothing(tmp_path: Path) -> None:
    """An unexpected exception ends the turn as the provider's error, without its text."""
    async with chatting(tmp_path, Script([RuntimeError("secret detail")])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("send_message", message="hi")
            error = (await socket.until("error"))[-1]
    assert error["code"] == "provider_error"
    assert "secret" not in str(error)
    assert error["ai_message"]["status"] == "error"
    assert error["generation_id"] == error["ai_message"]["generation_id"]


class Silent(Script):
    """A provider that does not say what models it has."""

    async def models(self) -> list[chatd.ModelInfo]:
        """Never return."""
        await asyncio.Event().wait()
        raise AssertionError


async def test_asking_for_a_model_holds_nothing_up(tmp_path: Path) -> None:
    """While a provider is asked for a model that nobody knows, its session and socket are free."""
    async with chatting(tmp_path, Silent(["hi"])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session(model="unknown")
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("send_message", message="hi", client_id="c1")
            await socket.send("ping", t=1)
            assert (await socket.receive())["type"] == "pong"
            assert await alice.call("POST", f"/sessions/{session_id}/stop/") == {"stopped": False}
            await alice.call("PATCH", f"/sessions/{session_id}/", json={"model": "script/model"})
            events = await socket.until("ai_message_complete")
    kinds = [event["type"] for event in events]
    assert kinds[:3] == ["session_updated", "user_message", "ai_typing"]
