"""Branches: answers given anew, messages edited, and which of them is shown."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from harness import API, Client, Script, chatting
from routes import check_problem
from test_joining import Gate
from test_stream import SSE, events_of

import chatd
from chatd.types import Message, Slot, now

pytestmark = pytest.mark.usefixtures("each_store")

ASYNC = {"Prefer": "respond-async"}


async def regenerate(client: Client, session_id: str, **fields: Any) -> Any:
    """Have an answer given anew over REST; return what comes when it is complete."""
    return await client.call("POST", f"/sessions/{session_id}/regenerate/", json=fields)


async def edit(client: Client, session_id: str, message_id: str, content: str, **more: Any) -> Any:
    """Edit a message over REST; return what comes when its answer is complete."""
    path = f"/sessions/{session_id}/messages/{message_id}/"
    return await client.call("PATCH", path, json={"content": content, **more})


async def select(client: Client, session_id: str, message_id: str, status: int = 200) -> Any:
    """Show the branch of a message."""
    path = f"/sessions/{session_id}/messages/{message_id}/select/"
    return await client.call("POST", path, status)


async def shown(client: Client, session_id: str) -> list[str]:
    """Return the texts of the shown branch; its last message is the session's head."""
    messages = await client.messages(session_id)
    session = await client.call("GET", f"/sessions/{session_id}/")
    assert session["head_id"] == messages[-1]["id"]
    return [message["content"] for message in messages]


def asked(script: Script) -> list[list[str]]:
    """Return the texts of the messages that the model was given, call by call."""
    return [[message.content for message in prompt.messages] for prompt in script.prompts]


async def test_regenerate_puts_an_answer_beside_the_old_one(tmp_path: Path) -> None:
    """The new answer has the same question, is shown in place of the old one, and both are kept."""
    script = Script(["one"], ["two"], ["three"])
    async with chatting(tmp_path, script) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        first = await alice.send(session_id, "q1")
        second = await alice.send(session_id, "q2")
        before = await alice.call("GET", f"/sessions/{session_id}/")
        again = await regenerate(alice, session_id)
        after = await alice.call("GET", f"/sessions/{session_id}/")
        everything = await alice.messages(session_id, branch="all")
        assert await shown(alice, session_id) == ["q1", "one", "q2", "three"]
    assert again["user_message"] == second["user_message"]
    answer = again["ai_message"]
    assert (answer["content"], answer["status"], answer["role"]) == (
        *("three", "complete"),
        "assistant",
    )
    assert answer["parent_id"] == second["ai_message"]["parent_id"] == second["user_message"]["id"]
    assert answer["generation_id"] == answer["id"]
    assert everything == [*first.values(), *second.values(), answer]
    assert asked(script) == [["q1"], ["q1", "one", "q2"], ["q1", "one", "q2"]]
    assert (after["message_count"], after["version"]) == (5, before["version"])
    assert after["last_message_at"] == answer["created_at"]


async def test_regenerate_an_earlier_answer(tmp_path: Path) -> None:
    """An answer in the middle is given anew with what was said before it, and nothing after it."""
    script = Script(["one"], ["two"], ["one'"], ["three"])
    async with chatting(tmp_path, script) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        first = await alice.send(session_id, "q1")
        await alice.send(session_id, "q2")
        again = await regenerate(alice, session_id, message_id=first["ai_message"]["id"])
        assert await shown(alice, session_id) == ["q1", "one'"]
        on = await alice.send(session_id, "q3")
        assert await shown(alice, session_id) == ["q1", "one'", "q3", "three"]
    assert on["user_message"]["parent_id"] == again["ai_message"]["id"]
    assert asked(script)[2:] == [["q1"], ["q1", "one'", "q3"]]


async def test_edit_puts_a_message_beside_the_old_one(tmp_path: Path) -> None:
    """The new message has the parent of the old one, and is answered without knowing of it."""
    script = Script(["one"], ["two"], ["two'"], ["one'"])
    async with chatting(tmp_path, script) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        first = await alice.send(session_id, "q1")
        second = await alice.send(session_id, "q2")
        last = await edit(alice, session_id, second["user_message"]["id"], "q2'")
        assert await shown(alice, session_id) == ["q1", "one", "q2'", "two'"]
        start = await edit(alice, session_id, first["user_message"]["id"], "q1'")
        assert await shown(alice, session_id) == ["q1'", "one'"]
        everything = await alice.messages(session_id, branch="all")
    assert last["user_message"]["parent_id"] == first["ai_message"]["id"]
    assert last["ai_message"]["parent_id"] == last["user_message"]["id"]
    assert start["user_message"]["parent_id"] is None
    texts = ["q1", "one", "q2", "two", "q2'", "two'", "q1'", "one'"]
    assert [message["content"] for message in everything] == texts
    assert [message["seq"] for message in everything] == list(range(1, 9))
    assert asked(script)[2:] == [["q1", "one", "q2'"], ["q1'"]]


async def test_select_shows_another_branch(tmp_path: Path) -> None:
    """Selecting a message shows its branch down to its latest continuation; sends go on there."""
    replies = [["one"], ["two"], ["one'"], ["three"], ["two''"], ["four"]]
    script = Script(*replies)
    async with chatting(tmp_path, script) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session(title="same")
        first = await alice.send(session_id, "q1")
        second = await alice.send(session_id, "q2")
        again = await regenerate(alice, session_id, message_id=first["ai_message"]["id"])
        before = await alice.call("GET", f"/sessions/{session_id}/")
        session = await select(alice, session_id, first["ai_message"]["id"])
        assert session == before | {"head_id": second["ai_message"]["id"]}
        assert await alice.call("GET", f"/sessions/{session_id}/") == session
        assert await shown(alice, session_id) == ["q1", "one", "q2", "two"]
        on = await alice.send(session_id, "q3")
        assert on["user_message"]["parent_id"] == second["ai_message"]["id"]
        await select(alice, session_id, again["ai_message"]["id"])
        assert await shown(alice, session_id) == ["q1", "one'"]
        # The common question is of both: what was said last after it is shown.
        await select(alice, session_id, first["user_message"]["id"])
        assert await shown(alice, session_id) == ["q1", "one", "q2", "two", "q3", "three"]
        await regenerate(alice, session_id, message_id=second["ai_message"]["id"])
        await select(alice, session_id, on["user_message"]["id"])
        assert await shown(alice, session_id) == ["q1", "one", "q2", "two", "q3", "three"]
        await select(alice, session_id, second["user_message"]["id"])
        assert await shown(alice, session_id) == ["q1", "one", "q2", "two''"]
        await alice.send(session_id, "q4")
    assert asked(script)[-1] == ["q1", "one", "q2", "two''", "q4"]


async def test_select_is_told_to_everybody(tmp_path: Path) -> None:
    """All sockets of the session and the list learn of the new head; the ETag stays."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        first = await alice.send(session_id)
        await regenerate(alice, session_id)
        path = f"session/{session_id}"
        async with (
            alice.socket(path) as one,
            alice.socket(path) as two,
            alice.socket("sessions") as overview,
        ):
            session = await select(alice, session_id, first["ai_message"]["id"])
            events = [await socket.receive() for socket in (one, two, overview)]
        path, tag = f"{API}/sessions/{session_id}/", {"If-Match": f'"{session["version"]}"'}
        renamed = await alice.http.patch(path, json={"title": "new"}, headers=tag)
    assert events == [{"type": "session_updated", "session": session}] * 3
    assert session["head_id"] == first["ai_message"]["id"]
    assert renamed.status_code == 200


async def test_the_last_select_is_told_last(tmp_path: Path) -> None:
    """Of two at the same time the one that is shown in the end is the one that is told of last."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        first = await alice.send(session_id)
        again = await regenerate(alice, session_id)
        gate = Gate(chat.app.store, "select_message", after=True)
        async with alice.socket(f"session/{session_id}") as socket:
            slow = asyncio.create_task(select(alice, session_id, first["ai_message"]["id"]))
            await gate.reached.wait()
            quick = asyncio.create_task(select(alice, session_id, again["ai_message"]["id"]))
            locks = chat.app.sessions._selecting
            # A lock has no event for who waits for it.
            while not quick.done() and not getattr(locks.get(session_id), "_waiters", None):  # noqa: ASYNC110
                await asyncio.sleep(0)
            gate.opened.set()
            await asyncio.gather(slow, quick)
            told = [(await socket.receive())["session"]["head_id"] for _ in range(2)]
        session = await alice.call("GET", f"/sessions/{session_id}/")
    assert told[-1] == session["head_id"] == again["ai_message"]["id"]


async def test_a_change_beside_the_end_of_a_turn_tells_the_head_of_then(tmp_path: Path) -> None:
    """Who hears of a change after the end of a turn is told the answer that is shown by then."""
    go = asyncio.Event()
    async with chatting(tmp_path, Script(["one"], ["two", go])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        await alice.send(session_id)
        gate = Gate(chat.app.store, "update_session", after=True)
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("regenerate")
            await socket.until("ai_message_chunk")
            path = f"/sessions/{session_id}/"
            change = asyncio.create_task(alice.call("PATCH", path, json={"title": "new"}))
            await gate.reached.wait()
            go.set()
            answer = (await socket.until("ai_message_complete"))[-1]["message"]
            gate.opened.set()
            told = (await socket.until("session_updated"))[-1]["session"]
            changed = await change
    assert (told["head_id"], told["title"]) == (answer["id"], "new")
    assert changed == told


async def test_the_head_while_a_generation_runs(tmp_path: Path) -> None:
    """It is the answer that is being written: its branch is shown, whoever asks and however."""
    go = asyncio.Event()
    async with chatting(tmp_path, Script(["one"], ["two", go])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        await alice.send(session_id)
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("regenerate")
            head_id = (await socket.until("ai_message_chunk"))[0]["message_id"]
            path = f"/sessions/{session_id}/"
            listed = (await alice.call("GET", "/sessions/"))["results"]
            told = [
                await alice.call("GET", path),
                await alice.call("PATCH", path, json={"title": "new"}),
                (await socket.until("session_updated"))[-1]["session"],
                *listed,
            ]
            async with alice.socket(f"session/{session_id}", greet=False) as late:
                told.append(await late.receive())
            async with alice.socket("sessions", greet=False) as overview:
                told += (await overview.receive())["sessions"]
            go.set()
            await socket.until("ai_message_complete")
        told.append(await alice.call("GET", path))
    assert [one["head_id"] for one in told] == [head_id] * 7


async def test_events_of_a_regeneration(tmp_path: Path) -> None:
    """Followers get ai_typing, chunks and one end, and no user_message: there is no new one."""
    async with chatting(tmp_path, Script(["one"], ["two"])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        first = await alice.send(session_id)
        path = f"session/{session_id}"
        async with alice.socket(path) as own, alice.socket(path) as other:
            await own.send("regenerate", client_id="again")
            events = await own.until("ai_message_complete")
            assert await other.until("ai_message_complete") == events
    assert [event["type"] for event in events] == [
        *("ai_typing", "ai_message_chunk"),
        "ai_message_complete",
    ]
    answer = events[0]["ai_message"]
    assert (answer["client_id"], answer["status"]) == ("again", "streaming")
    assert answer["parent_id"] == first["user_message"]["id"]
    assert events[-1]["message"]["content"] == "two"
    assert events[-1]["message"]["id"] == answer["id"]


async def test_events_of_an_edit(tmp_path: Path) -> None:
    """An edit is a turn like any other; the parent of its user_message tells where it belongs."""
    async with chatting(tmp_path, Script(["one"], ["two"])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        first = (await alice.send(session_id))["user_message"]
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("edit_message", message_id=first["id"], message="x", client_id="e")
            events = await socket.until("ai_message_complete")
    assert [event["type"] for event in events] == [
        *("user_message", "ai_typing", "ai_message_chunk"),
        "ai_message_complete",
    ]
    message = events[0]["message"]
    assert (message["content"], message["client_id"], message["parent_id"]) == ("x", "e", None)


@pytest.mark.parametrize("kind", ["regenerate", "edit"])
async def test_three_shapes_of_answer(tmp_path: Path, kind: str) -> None:
    """Both are answered like a send: when complete, as events, or at once with where to look."""
    go = asyncio.Event()
    async with chatting(tmp_path, Script(["one"], ["two"], ["three"], ["four", go])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        first = await alice.send(session_id, "q")
        method, path, body = calls(first, session_id)[kind]
        waited = await alice.call(method, path, json=body)
        async with alice.http.stream(method, API + path, json=body, headers=SSE) as response:
            streamed = [event async for event in events_of(response)]
        accepted = await alice.http.request(method, API + path, json=body, headers=ASYNC)
        async with alice.http.stream("GET", accepted.headers["Location"]) as response:
            go.set()
            followed = [event async for event in events_of(response)]
    new = kind == "edit"
    assert waited["user_message"]["content"] == ("q'" if new else "q")
    assert (waited["user_message"] == first["user_message"]) is not new
    assert waited["ai_message"]["content"] == "two"
    kinds = ["user_message", "ai_typing", "ai_message_chunk", "ai_message_complete"]
    assert [event["type"] for event in streamed] == kinds[not new :]
    assert streamed[-1]["message"]["content"] == "three"
    assert accepted.status_code == 202
    assert set(accepted.json()) == {"user_message", "generation_id"}
    assert accepted.json()["user_message"]["role"] == "user"
    assert followed[-1]["generation_id"] == accepted.json()["generation_id"]
    assert followed[-1]["message"]["content"] == "four"


def calls(turn: Any, session_id: str) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Return how REST is asked for each kind of turn, beside the messages of a first one."""
    session = f"/sessions/{session_id}"
    answer = {"message_id": turn["ai_message"]["id"]}
    message = f"{session}/messages/{turn['user_message']['id']}/"
    return {
        "send": ("POST", f"{session}/send_message/", {"message": "q'"}),
        "regenerate": ("POST", f"{session}/regenerate/", answer),
        "edit": ("PATCH", message, {"content": "q'"}),
    }


@pytest.mark.parametrize("kind", ["regenerate", "edit"])
async def test_a_repeat_is_answered_with_the_first(tmp_path: Path, kind: str) -> None:
    """The same client_id again is one turn, on each face, also when the session has gone on."""
    script = Script()
    async with chatting(tmp_path, script) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        turn = await alice.send(session_id, "q")
        method, path, body = calls(turn, session_id)[kind]
        body["client_id"] = "c"
        first = await alice.call(method, path, json=body)
        again = await alice.call(method, path, json=body)
        await alice.send(session_id, "and on")
        assert await alice.call(method, path, json=body) == again
        async with alice.http.stream(method, API + path, json=body, headers=SSE) as response:
            streamed = [event async for event in events_of(response)]
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send(*as_event(kind, turn)[:1], **as_event(kind, turn)[1], client_id="c")
            told = await socket.until("ai_message_complete")
    assert again == first | {"duplicate": True}
    kinds = ["user_message", "ai_message_complete"][kind == "regenerate" :]
    for events in (streamed, told):
        assert [event["type"] for event in events] == kinds
        assert events[-1]["message"] == first["ai_message"]
    assert len(script.prompts) == 3


def as_event(kind: str, turn: Any) -> tuple[str, dict[str, Any]]:
    """Return the event of a socket that asks for what `calls` does."""
    answer, question = turn["ai_message"]["id"], turn["user_message"]["id"]
    return {
        "send": ("send_message", {"message": "q'"}),
        "regenerate": ("regenerate", {"message_id": answer}),
        "edit": ("edit_message", {"message_id": question, "message": "q'"}),
    }[kind]


async def test_a_repeat_while_it_runs(tmp_path: Path) -> None:
    """A regeneration that runs is told of again by its start; nothing else happens."""
    go = asyncio.Event()
    script = Script(["one"], ["two", go])
    async with chatting(tmp_path, script) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        await alice.send(session_id)
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("regenerate", client_id="c")
            events = await socket.until("ai_message_chunk")
            await socket.send("regenerate", client_id="c")
            again = await socket.receive()
            go.set()
            end = await socket.until("ai_message_complete")
    assert again == events[0]
    assert len(end) == 1
    assert len(script.prompts) == 2


async def test_a_client_id_of_something_else(tmp_path: Path) -> None:
    """A repeat of another kind, of another message or with another text is a conflict."""
    script = Script()
    async with chatting(tmp_path, script) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        turn, other = await alice.send(session_id, "q"), await alice.send(session_id, "q")
        ways, others = calls(turn, session_id), calls(other, session_id)
        made = {}
        for kind, (method, path, body) in ways.items():
            made[kind] = await alice.call(method, path, json=body | {"client_id": kind})
        before = await alice.messages(session_id, branch="all")
        tries = [(used, *ways[kind]) for used in ways for kind in ways if used != kind]
        tries += [(kind, *others[kind]) for kind in ("regenerate", "edit")]
        tries += [(kind, *calls(made[kind], session_id)[kind]) for kind in ("regenerate", "edit")]
        tries.append(("edit", *ways["edit"][:2], {"content": "another"}))
        for client_id, method, path, body in tries:
            body = body | {"client_id": client_id}
            problem = await alice.call(method, path, 409, json=body)
            assert problem["code"] == "conflict", (client_id, path)
        assert await alice.messages(session_id, branch="all") == before
    assert len(script.prompts) == 5


@pytest.mark.parametrize("kind", ["regenerate", "edit"])
async def test_a_hundred_parallel_repeats(tmp_path: Path, kind: str) -> None:
    """However many race, there is one turn and one call of the model; one is not a duplicate."""
    script = Script()
    async with chatting(tmp_path, script) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        method, path, body = calls(await alice.send(session_id, "q"), session_id)[kind]
        body["client_id"] = "c"
        answers = await asyncio.gather(*(alice.call(method, path, json=body) for _ in range(100)))
        everything = await alice.messages(session_id, branch="all")
    assert sum(not answer.get("duplicate") for answer in answers) == 1
    assert len({answer["ai_message"]["id"] for answer in answers}) == 1
    assert len(everything) == (3 if kind == "regenerate" else 4)
    assert len(script.prompts) == 2


async def test_two_tabs_regenerate_at_once(tmp_path: Path) -> None:
    """One of two wins; the other is told that a generation runs, and nothing of it is stored."""
    go = asyncio.Event()
    script = Script(["one"], ["two", go])
    async with chatting(tmp_path, script) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        await alice.send(session_id)
        path = f"{API}/sessions/{session_id}/regenerate/"
        answers = await asyncio.gather(
            *(alice.http.post(path, json={}, headers=ASYNC) for _ in range(2))
        )
        go.set()
        won, lost = sorted(answers, key=lambda answer: answer.status_code)
        assert (await alice.http.get(won.headers["Location"])).status_code in (200, 204)
        everything = await alice.messages(session_id, branch="all")
    assert won.status_code == 202
    check_problem(lost, 409, "generation_running")
    assert [message["role"] for message in everything] == ["user", "assistant", "assistant"]


async def test_while_a_generation_runs(tmp_path: Path) -> None:
    """Regenerate, edit and select are refused on both faces while one runs; nothing is stored."""
    go = asyncio.Event()
    async with chatting(tmp_path, Script(["one"], ["two", go])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        turn = await alice.send(session_id)
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("send_message", message="run")
            await socket.until("ai_message_chunk")
            before = without_text(await alice.messages(session_id, branch="all"))
            for kind in ("regenerate", "edit"):
                method, path, body = calls(turn, session_id)[kind]
                check_problem(
                    await alice.http.request(method, API + path, json=body),
                    *(409, "generation_running"),
                )
                event, fields = as_event(kind, turn)
                await socket.send(event, **fields, client_id=kind)
                error = await socket.receive()
                assert (error["code"], error["client_id"]) == ("generation_running", kind)
            await socket.send("regenerate")
            assert (await socket.receive())["code"] == "generation_running"
            problem = await select(alice, session_id, turn["ai_message"]["id"], 409)
            assert problem["code"] == "generation_running"
            assert without_text(await alice.messages(session_id, branch="all")) == before
            go.set()
            await socket.until("ai_message_complete")


def without_text(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return messages without what a checkpoint may change in one that streams."""
    return [m | {"content": ""} if m["status"] == "streaming" else m for m in messages]


async def test_messages_that_cannot_be_meant(tmp_path: Path) -> None:
    """Only answers are given anew, only user messages edited; what is not there is not found."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        empty, session_id = await alice.new_session(), await alice.new_session()
        turn = await alice.send(session_id, "q")
        answer, question = turn["ai_message"]["id"], turn["user_message"]["id"]
        for message_id, status in ((question, 400), (chatd.new_id(), 404), (session_id, 404)):
            path = f"/sessions/{session_id}/regenerate/"
            problem = await alice.call("POST", path, status, json={"message_id": message_id})
            assert ("message_id" in problem.get("errors", {})) is (status == 400)
        for message_id, status in ((answer, 400), (chatd.new_id(), 404), (session_id, 404)):
            path = f"/sessions/{session_id}/messages/{message_id}/"
            problem = await alice.call("PATCH", path, status, json={"content": "x"})
            assert ("message_id" in problem.get("errors", {})) is (status == 400)
        for session, message_id in ((session_id, chatd.new_id()), (empty, answer)):
            await select(alice, session, message_id, 404)
        await alice.call("POST", f"/sessions/{empty}/regenerate/", 404, json={})
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("regenerate", message_id=question, client_id="c")
            error = await socket.receive()
            assert (error["code"], error["client_id"]) == ("invalid_input", "c")
            assert "message_id" in error["errors"]
            await socket.send("edit_message", message_id=chatd.new_id(), message="x")
            assert (await socket.receive())["code"] == "not_found"
            await socket.send("ping")
            assert (await socket.receive())["type"] == "pong"
        assert await alice.messages(session_id, branch="all") == list(turn.values())


async def test_a_deleted_session_takes_none(tmp_path: Path) -> None:
    """In a deleted session nothing is given anew, edited or selected."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        empty, session_id = await alice.new_session(), await alice.new_session()
        turn = await alice.send(session_id)
        for one in (empty, session_id):
            await alice.call("DELETE", f"/sessions/{one}/", 204)
        for kind in ("regenerate", "edit"):
            method, path, body = calls(turn, session_id)[kind]
            problem = await alice.call(method, path, 409, json=body)
            assert problem["code"] == "session_deleted"
        for one in (empty, session_id):
            problem = await alice.call("POST", f"/sessions/{one}/regenerate/", 409, json={})
            assert problem["code"] == "session_deleted"
        problem = await select(alice, session_id, turn["ai_message"]["id"], 409)
        assert problem["code"] == "session_deleted"


@pytest.mark.parametrize("purge", [False, True])
async def test_a_delete_while_it_is_given_anew(tmp_path: Path, purge: bool) -> None:
    """A delete stops the generation; a restored session shows what had come, a purged is gone."""
    script = Script(["one"], ["two", asyncio.Event()])
    async with chatting(tmp_path, script) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        await alice.send(session_id, "q")
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("regenerate")
            await socket.until("ai_message_chunk")
            query = "?purge=true" if purge else ""
            await alice.call("DELETE", f"/sessions/{session_id}/{query}", 204)
            events = await socket.until("session_deleted")
        assert events[0]["message"]["status"] == "stopped"
        if purge:
            await alice.call("GET", f"/sessions/{session_id}/", 404)
        else:
            await alice.call("POST", f"/sessions/{session_id}/restore/")
            assert await shown(alice, session_id) == ["q", "two"]


async def test_a_refused_turn_shows_the_old_branch(tmp_path: Path) -> None:
    """When no model can be asked nothing changes: the same branch is shown, and the next works."""
    async with chatting(tmp_path, Script(["one"], ["two"])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        turn = await alice.send(session_id, "q")
        session = f"/sessions/{session_id}/"
        await alice.call("PATCH", session, json={"model": "nowhere/model"})
        before = await alice.call("GET", session)
        for kind in ("regenerate", "edit"):
            method, path, body = calls(turn, session_id)[kind]
            problem = await alice.call(method, path, 503, json=body | {"client_id": kind})
            assert problem["code"] == "model_unavailable"
            assert await shown(alice, session_id) == ["q", "one"]
        assert await alice.call("GET", session) == before
        assert await alice.messages(session_id, branch="all") == list(turn.values())
        await alice.call("PATCH", session, json={"model": "script/model"})
        again = await regenerate(alice, session_id, client_id="regenerate")
    assert "duplicate" not in again
    assert again["ai_message"]["content"] == "two"


@pytest.mark.parametrize("failure", [chatd.ProviderError(), chatd.ProviderInterrupted()])
async def test_a_failed_answer_is_given_anew(tmp_path: Path, failure: Exception) -> None:
    """What failed or was cut off is regenerated like any answer; it may fail again, with a 502."""
    script = Script(["half", failure], ["ha", failure], ["whole"])
    async with chatting(tmp_path, script) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        path = f"/sessions/{session_id}"
        first = await alice.call("POST", f"{path}/send_message/", 502, json={"message": "q"})
        second = await alice.call("POST", f"{path}/regenerate/", 502, json={})
        assert await shown(alice, session_id) == ["q", "ha"]
        await regenerate(alice, session_id)
        assert await shown(alice, session_id) == ["q", "whole"]
    assert second["user_message"] == first["user_message"]
    assert second["code"] == first["code"]
    assert asked(script) == [["q"]] * 3


async def test_they_count_as_sends(tmp_path: Path) -> None:
    """The rate limit is one for all kinds of turns; repeats do not count, strangers are 404."""
    async with chatting(tmp_path, Script(), CHATD_LIMITS_SENDS_PER_MINUTE="1") as chat:
        alice, bob = await chat.client("alice"), await chat.client("bob")
        session_id = await alice.new_session()
        turn = await alice.send(session_id, "q")
        ways = calls(turn, session_id)
        for number in range(9):
            method, path, body = ways[("edit", "regenerate")[number % 2]]
            await alice.call(method, path, json=body | {"client_id": str(number)})
        for kind in ("regenerate", "edit"):
            method, path, body = ways[kind]
            problem = await alice.call(method, path, 429, json=body)
            assert problem["code"] == "rate_limited"
            await alice.call(method, path, json=body | {"client_id": str(int(kind != "edit"))})
            await bob.call(method, path, 404, json=body)


async def test_a_question_without_an_answer_is_answered(tmp_path: Path) -> None:
    """When the shown branch ends with a user's message, regenerate answers that one."""
    script = Script(["at last"])
    async with chatting(tmp_path, script) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        question = await ask_without_answer(chat.app.store, alice.user.id, session_id)
        answer = await regenerate(alice, session_id)
        assert await shown(alice, session_id) == ["q", "at last"]
    assert answer["ai_message"]["parent_id"] == question.id


async def ask_without_answer(store: Any, user_id: str, session_id: str) -> chatd.Message:
    """Store a user's message alone."""
    generation_id = chatd.new_id()
    slot = Slot(
        generation_id=generation_id,
        user_message_id=chatd.new_id(),
        assistant_message_id=generation_id,
    )
    await store.take_slot(user_id, session_id, slot, lease=15)
    question = Message(
        id=slot.user_message_id,
        session_id=session_id,
        role="user",
        content="q",
        created_at=now(),
        updated_at=now(),
    )
    stored: list[chatd.Message] = await store.add_messages(generation_id, [question])
    await store.free_slot(session_id, generation_id, stored)
    return stored[0]


async def test_the_last_answer_is_the_last_when_its_turn_comes(tmp_path: Path) -> None:
    """What is given anew is the answer that is the last one when the slot is taken."""
    script = Script(["one"], ["two"], ["two'"])
    async with chatting(tmp_path, script) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        await alice.send(session_id, "q1")
        store = chat.app.store
        take, looked, go_on = store.begin_turn, asyncio.Event(), asyncio.Event()

        async def wait_and_take(*arguments: Any, **more: Any) -> Any:
            store.begin_turn = take  # type: ignore[method-assign]
            looked.set()
            await go_on.wait()
            return await take(*arguments, **more)

        store.begin_turn = wait_and_take  # type: ignore[method-assign]
        late = asyncio.create_task(regenerate(alice, session_id))
        await looked.wait()
        await alice.send(session_id, "q2")
        go_on.set()
        await late
        assert await shown(alice, session_id) == ["q1", "one", "q2", "two'"]
    assert asked(script)[-1] == ["q1", "one", "q2"]
