"""Sessions over REST: their shape, their changes, and the list of them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from harness import API, Client, Script, chatting
from routes import check_problem

import chatd
from chatd.store.transfer import Conversation, StoredMessage, StoredSession

pytestmark = pytest.mark.usefixtures("each_store")

SESSION = {
    *("id", "title", "model", "system_prompt", "settings", "preset_id", "is_active"),
    *("message_count", "last_message_at", "head_id", "version", "metadata"),
    *("created_at", "updated_at"),
}


async def call(client: Client, method: str, path: str, **kwargs: Any) -> Any:
    """Call a path below the API; return the whole response."""
    return await client.http.request(method, API + path, **kwargs)


async def test_create_with_nothing(tmp_path: Path) -> None:
    """A session needs nothing: its answer is 201 with where it is, its version and all fields."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        answer = await call(alice, "POST", "/sessions/", json={})
        session = answer.json()
        assert answer.status_code == 201
        assert answer.headers["Location"] == f"{API}/sessions/{session['id']}/"
        assert answer.headers["ETag"] == '"1"'
        assert answer.headers["Content-Type"].startswith("application/json")
        created = session.pop("created_at")
        assert created.endswith("Z") and session.pop("updated_at") == created
        assert session.keys() | {"created_at", "updated_at"} == SESSION
        empty = {"settings": {}, "metadata": {}, "title": "", "system_prompt": "", "version": 1}
        nulls = dict.fromkeys(("model", "preset_id", "head_id", "last_message_at"))
        rest = {"is_active": True, "message_count": 0, "id": session["id"]}
        assert session == empty | nulls | rest
        assert (await call(alice, "GET", f"/sessions/{session['id']}/")).json()["id"] == session[
            "id"
        ]


async def test_create_with_everything(tmp_path: Path) -> None:
    """What is given is kept as it is; a null is as if it were not given."""
    given = {
        "title": "  é 😀 ",
        "model": "not known yet",
        "system_prompt": "be\nkind",
        "settings": {"temperature": 0, "max_tokens": 1, "enable_tools": False},
        "metadata": {"a.b": {"$c": [1, 2.5, None, True, "é"]}, "": {}},
    }
    given["settings"]["options"] = {"stop": ["x"], "seed": -1}
    nulls: dict[str, Any] = {"temperature": None, "options": {"seed": None, "top_k": 1}}
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        path = f"/sessions/{await alice.new_session(**given)}/"
        stored = await alice.call("GET", path)
        assert {name: stored[name] for name in given} == given
        body = {"model": None, "preset_id": None, "settings": nulls}
        session = await alice.call("POST", "/sessions/", 201, json=body)
        assert session["model"] is None
        assert session["settings"] == {"options": {"top_k": 1}}


async def test_patch_merges(tmp_path: Path) -> None:
    """A change touches the fields given; settings and options merge key by key, null removes."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        settings = {"temperature": 1, "max_tokens": 5, "options": {"seed": 1, "top_p": 0.5}}
        metadata = {"a": 1, "b": {"c": 1}}
        session_id = await alice.new_session(title="t", settings=settings, metadata=metadata)
        path = f"/sessions/{session_id}/"
        first = await alice.call("GET", path)
        changes = {"settings": {"temperature": 2, "max_tokens": None, "options": {"seed": None}}}
        answer = await call(alice, "PATCH", path, json=changes)
        second = answer.json()
        assert answer.headers["ETag"] == f'"{second["version"]}"' == '"2"'
        assert second["settings"] == {"temperature": 2, "options": {"top_p": 0.5}}
        assert second["updated_at"] > first["updated_at"]
        changed = {"settings", "version", "updated_at"}
        assert {k for k in first if first[k] != second[k]} == changed
        third = await alice.call("PATCH", path, json={"metadata": {"b": 2}, "model": None})
        assert third["metadata"] == {"b": 2}, "metadata is the client's own: it is replaced"
        assert third["model"] is None
        fourth = await alice.call("PATCH", path, json={"settings": {"options": None}})
        assert fourth["settings"] == {"temperature": 2}
        assert await alice.call("GET", path) == fourth


async def test_a_turn_changes_no_version(tmp_path: Path) -> None:
    """Turns change the counters, the head and the time of the last message, not the version."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        turn = await alice.send(session_id)
        answer = await call(alice, "GET", f"/sessions/{session_id}/")
        session = answer.json()
        assert (session["version"], answer.headers["ETag"]) == (1, '"1"')
        assert session["message_count"] == 2
        assert session["head_id"] == turn["ai_message"]["id"]
        assert session["last_message_at"] is not None
        headers = {"If-None-Match": '"1"'}
        again = await call(alice, "GET", f"/sessions/{session_id}/", headers=headers)
        assert again.json()["message_count"] == 2, "counters change, so there is no 304"


GOOD_TAGS = ['"1"', "*", '"7", "1"', '"1","2"', '"x", "1"', "1"]
BAD_TAGS = ['"2"', '"0"', 'W/"1"', '"7", "8"', '"x"', "x", '""', '"01"', '"' + "1" * 5000 + '"']


async def test_what_changes_nothing_keeps_the_version(tmp_path: Path) -> None:
    """A change without effect, deleting what is deleted and restoring what is not: no version."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        path = f"/sessions/{await alice.new_session(title='t')}/"
        before = await alice.call("GET", path)
        assert await alice.call("PATCH", path, json={"title": "t", "metadata": {}}) == before
        assert await alice.call("POST", f"{path}restore/") == before
        await alice.call("DELETE", path, 204)
        deleted = await alice.call("GET", path)
        assert deleted["version"] == 2
        await alice.call("DELETE", path, 204)
        assert await alice.call("GET", path) == deleted


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_if_match(tmp_path: Path, method: str) -> None:
    """A change or delete with If-Match is done for the present version only, else it is 412."""
    body = {"title": "changed"} if method == "PATCH" else None
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        path = f"/sessions/{await alice.new_session(title='first')}/"
        before = await alice.call("GET", path)
        for query in ("", "?purge=true") if method == "DELETE" else ("",):
            for tag in BAD_TAGS:
                headers = {"If-Match": tag}
                answer = await call(alice, method, path + query, json=body, headers=headers)
                check_problem(answer, 412, "precondition_failed")
        assert await alice.call("GET", path) == before
        for tag in GOOD_TAGS:
            path = f"/sessions/{await alice.new_session(title='first')}/"
            answer = await call(alice, method, path, json=body, headers={"If-Match": tag})
            assert answer.is_success, tag
        for tag in ('"1"', "*"):
            path = f"/sessions/{chatd.new_id()}/"
            answer = await call(alice, method, path, json=body, headers={"If-Match": tag})
            check_problem(answer, 404, "not_found")


async def test_only_one_of_many_wins(tmp_path: Path) -> None:
    """Of changes at the same time that ask for the same version just one is done."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        path = f"/sessions/{await alice.new_session()}/"
        changes = [
            call(alice, "PATCH", path, json={"title": str(n)}, headers={"If-Match": '"1"'})
            for n in range(10)
        ]
        statuses = [answer.status_code for answer in await asyncio.gather(*changes)]
        assert sorted(statuses) == [200] + [412] * 9
        assert (await alice.call("GET", path))["version"] == 2


async def test_delete_and_restore(tmp_path: Path) -> None:
    """A delete hides a session and keeps everything; it can be undone, and both be repeated."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session(title="kept")
        await alice.send(session_id)
        path = f"/sessions/{session_id}/"
        for _ in range(2):
            assert await alice.call("DELETE", path, 204) is None
            assert (await alice.call("GET", path))["is_active"] is False
            assert len(await alice.messages(session_id)) == 2
        assert (await alice.call("GET", "/sessions/"))["results"] == []
        answer = await call(alice, "POST", f"{path}send_message/", json={"message": "hi"})
        check_problem(answer, 409, "session_deleted")
        async with alice.socket(f"session/{session_id}", greet=False) as socket:
            assert await socket.close_code() == 4504
        for _ in range(2):
            answer = await call(alice, "POST", f"{path}restore/")
            assert (answer.status_code, answer.json()["is_active"]) == (200, True)
            assert answer.headers["ETag"] == f'"{answer.json()["version"]}"'
        await alice.send(session_id, "again")
        assert len(await alice.messages(session_id)) == 4
        assert (await alice.call("PATCH", path, json={"is_active": False}))["is_active"] is False


async def test_purge(tmp_path: Path) -> None:
    """A purge erases a session, hidden or not, with its messages: nothing can be done with it."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        for is_hidden in (True, False):
            session_id = await alice.new_session()
            await alice.send(session_id)
            path = f"/sessions/{session_id}/"
            if is_hidden:
                await alice.call("DELETE", path, 204)
            assert await alice.call("DELETE", f"{path}?purge=true", 204) is None
            for method, rest in (("GET", ""), ("GET", "messages/"), ("POST", "restore/"),
                                 ("DELETE", ""), ("DELETE", "?purge=true")):  # fmt: skip
                check_problem(await call(alice, method, path + rest), 404, "not_found")
        assert (await alice.call("GET", "/sessions/?is_active=all"))["results"] == []
        assert (await alice.call("GET", "/health/stats/"))["messages"]["total"] == 0


async def test_what_was_purged_is_in_no_prompt(tmp_path: Path) -> None:
    """An erased session that is imported again, edited, is told to the model as it is now."""
    script = Script(["one"], ["two"])
    async with chatting(tmp_path, script) as chat:
        alice, store = await chat.client("alice"), chat.app.store
        session_id = await alice.new_session()
        await alice.send(session_id, "erased")
        session = await store.get_session(alice.user.id, session_id)
        found = (await store.list_messages(alice.user.id, session_id)).results
        await alice.call("DELETE", f"/sessions/{session_id}/?purge=true", 204)
        edited = [found[0].replace(content="edited"), found[1]]
        records = [StoredMessage(user_id=alice.user.id, branch=0, message=m) for m in edited]
        record = StoredSession(user_id=alice.user.id, session=session, seq=2, revision=3)
        await store.add_conversations([Conversation(record, records)])
        await alice.send(session_id, "next")
    assert [message.content for message in script.prompts[-1].messages] == ["edited", "one", "next"]


@pytest.mark.parametrize("query", ["", "?purge=true"])
async def test_delete_stops_a_generation(tmp_path: Path, query: str) -> None:
    """A delete stops the running generation first; a stale If-Match stops nothing."""
    script = Script(["some ", asyncio.Event()])
    async with chatting(tmp_path, script) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("send_message", message="go")
            await socket.until("ai_message_chunk")
            path = f"/sessions/{session_id}/{query}"
            stale = await call(alice, "DELETE", path, headers={"If-Match": '"9"'})
            check_problem(stale, 412)
            await socket.send("ping")
            assert (await socket.receive())["generation"] is not None
            await alice.call("DELETE", path, 204)
            events = await socket.until("session_deleted")
            assert events[-2]["message"]["status"] == "stopped"
            assert await socket.close_code() == 4504
        assert script.closed == 1
