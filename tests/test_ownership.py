"""Another user's things are as if they did not exist, on every route and for every event."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from harness import API, Chat, Client, Script, Socket, chatting
from routes import WITH_BODY, Route, administrator, api_routes, below_api, check_problem

import chatd
from chatd import accounts
from chatd.handlers.session_socket import SessionSocket

BODIES = {
    "/sessions/{}/send_message": {"message": "mine now"},
    "/sessions/{}/messages/{}": {"content": "mine now"},
}
KINDS = {"sessions": "session", "presets": "preset", "models": "model"}
QUERIES = {"DELETE": ("", "?purge=true"), "GET": ("", "?since=0", "?branch=all")}


class Property:
    """A user with one of everything, and what must not change of it."""

    def __init__(self, client: Client, ids: dict[str, str]) -> None:
        self.client, self.ids = client, ids

    async def everything(self) -> list[Any]:
        """Return all that the user has."""
        session = f"/sessions/{self.ids['session']}"
        paths = ("/sessions/?is_active=all", "/presets/", "/me/", "/health/stats/", f"{session}/")
        paths += ("/search/?q=secret&is_active=all",)
        found = [await self.client.call("GET", path) for path in paths]
        return [*found, await self.client.messages(self.ids["session"], branch="all")]


async def property_of(chat: Chat, name: str) -> Property:
    """Make a user with a session, two messages and a preset."""
    client = await chat.client(name)
    session_id = await client.new_session(title=f"{name}'s")
    turn = await client.send(session_id, f"{name}'s secret", client_id="first")
    preset = await client.call("POST", "/presets/", 201, json={"name": f"{name}'s"})
    answer = turn["ai_message"]
    ids = {"session": session_id, "preset": preset["id"], "message": turn["user_message"]["id"]}
    return Property(client, ids | {"answer": answer["id"], "generation": answer["generation_id"]})


def comparable(response: Any, *ids: str) -> tuple[Any, ...]:
    """Return an answer without what differs from one request to the next."""
    text = response.text.replace(response.headers["X-Request-Id"], "@")
    for id in ids:
        text = text.replace(id, "@")
    kept = {k: v for k, v in response.headers.items() if k not in ("x-request-id", "date")}
    return response.status_code, kept, text


async def test_every_route_with_another_users_id(tmp_path: Path) -> None:
    """Every route answers another user's id just as one that does not exist, and does nothing."""
    async with chatting(tmp_path, Script()) as chat:
        alice, bob = await property_of(chat, "alice"), await chat.client("bob")
        before = await alice.everything()
        tried = 0
        for route in api_routes(chat):
            kind = KINDS.get(route.path.removeprefix(f"{API}/").partition("/")[0])
            if "{}" not in route.path or kind not in alice.ids:
                continue
            for method in sorted(route.methods):
                for query in QUERIES.get(method, ("",)):
                    for headers in ({}, {"If-Match": '"1"'}, {"Accept": "text/event-stream"}):
                        await compare(bob, method, route, query, headers, alice.ids[kind])
                        tried += 1
        assert tried > 30
        assert await alice.everything() == before


async def compare(
    client: Client, method: str, route: Route, query: str, headers: dict[str, str], id: str
) -> None:
    """Check that an id is answered as a random one is."""
    body = BODIES.get(below_api(route.path), {}) if method in WITH_BODY else None
    random = chatd.new_id()
    theirs, nobodys = [
        await client.http.request(method, route.at(one) + query, json=body, headers=headers)
        for one in (id, random)
    ]
    check_problem(theirs, 404, "not_found")
    assert comparable(theirs, id) == comparable(nobodys, random)


async def test_bodies_with_another_users_preset(tmp_path: Path) -> None:
    """A session cannot be made from another user's preset by naming it."""
    async with chatting(tmp_path, Script()) as chat:
        alice, bob = await property_of(chat, "alice"), await property_of(chat, "bob")
        own = f"/ai-chat/api/sessions/{bob.ids['session']}/"
        for method, path in (("POST", f"{API}/sessions/"), ("PATCH", own)):
            answers = [
                await bob.client.http.request(method, path, json={"preset_id": id})
                for id in (alice.ids["preset"], chatd.new_id())
            ]
            assert "preset_id" in check_problem(answers[0], 400, "invalid_input")["errors"]
            assert comparable(answers[0]) == comparable(answers[1])


async def test_last_event_id_of_another_user(tmp_path: Path) -> None:
    """A stream of one's own session does not give out another user's generation."""
    async with chatting(tmp_path, Script()) as chat:
        alice, bob = await property_of(chat, "alice"), await property_of(chat, "bob")
        path = f"{API}/sessions/{bob.ids['session']}/stream/"
        answers = [
            await bob.client.http.get(path, headers={"Last-Event-ID": f"{id}:1"})
            for id in (alice.ids["generation"], chatd.new_id())
        ]
        check_problem(answers[0], 404, "not_found")
        assert comparable(answers[0]) == comparable(answers[1])


async def test_messages_of_another_user(tmp_path: Path) -> None:
    """In one's own session another user's message is as one that does not exist."""
    async with chatting(tmp_path, Script()) as chat:
        alice, bob = await property_of(chat, "alice"), await property_of(chat, "bob")
        before = await alice.everything()
        own = f"{API}/sessions/{bob.ids['session']}"
        for theirs in (alice.ids["message"], alice.ids["answer"]):
            for method, path, body in (
                ("PATCH", "/messages/{}/", {"content": "mine now"}),
                ("POST", "/messages/{}/select/", None),
                ("POST", "/regenerate/", {"message_id": "{}"}),
            ):
                answers = [
                    await bob.client.http.request(
                        method,
                        own + path.format(id),
                        json=body and {k: v.format(id) for k, v in body.items()},
                    )
                    for id in (theirs, chatd.new_id())
                ]
                check_problem(answers[0], 404, "not_found")
                assert comparable(answers[0]) == comparable(answers[1])
        assert await alice.everything() == before


async def test_another_users_session_over_a_socket(tmp_path: Path) -> None:
    """A socket of another user's session closes just as one that does not exist: 4504."""
    async with chatting(tmp_path, Script()) as chat:
        alice, bob = await property_of(chat, "alice"), await chat.client("bob")
        seen = []
        for id in (alice.ids["session"], chatd.new_id(), "%00", "%ff", "x" * 5000):
            async with bob.socket(f"session/{id}", greet=False) as socket:
                event = await socket.receive()
                seen.append((event, await socket.close_code(), socket.connection.close_reason))
        assert seen[0][0]["code"] == "not_found"
        assert seen[0][1] == 4504
        assert all(one == seen[0] for one in seen)


def events(ids: dict[str, str]) -> dict[str, list[dict[str, Any]]]:
    """Return every event that a socket takes, with ids in every place that has one."""
    return {
        "send_message": [],  # has no id, but for the caller's own
        "regenerate": [{"message_id": ids["answer"]}, {"message_id": ids["message"]}],
        "edit_message": [
            {"message_id": ids[name], "message": "mine now"} for name in ("message", "answer")
        ],
        "typing": [],
        "stop_typing": [],
        "ping": [],
        "stop_generation": [{"generation_id": ids["generation"]}, {"generation_id": ids["answer"]}],
        "resume": [
            {"generation_id": ids[name], "after_seq": 0}
            for name in ("generation", "answer", "message", "session")
        ],
    }


async def test_every_event_with_another_users_id(tmp_path: Path) -> None:
    """Every event answers another user's id just as one that does not exist, and does nothing."""
    async with chatting(tmp_path, Script()) as chat:
        alice, bob = await property_of(chat, "alice"), await property_of(chat, "bob")
        before = await alice.everything()
        nobody = {name: chatd.new_id() for name in alice.ids}
        theirs, nobodys = events(alice.ids), events(nobody)
        assert theirs.keys() == SessionSocket.commands.keys()
        async with bob.client.socket(f"session/{bob.ids['session']}") as socket:
            for kind in theirs:
                for one, other in zip(theirs[kind], nobodys[kind], strict=True):
                    assert await answers(socket, kind, one) == await answers(socket, kind, other)
        assert await alice.everything() == before


async def answers(socket: Socket, kind: str, fields: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what comes back for an event."""
    await socket.send(kind, **fields)
    await socket.send("ping")
    text = json.dumps(await socket.until("pong"))
    for value in fields.values():
        text = text.replace(f'"{value}"', '"@"')
    found: list[dict[str, Any]] = json.loads(text)
    return found


async def test_a_running_generation_of_another_user(tmp_path: Path) -> None:
    """Nobody but its owner can stop, watch or read a generation that runs."""
    go_on = asyncio.Event()
    async with chatting(tmp_path, Script(["secret ", go_on, "text"])) as chat:
        alice, bob = await chat.client("alice"), await chat.client("bob")
        session_id = await alice.new_session()
        own = await bob.new_session()
        async with alice.socket(f"session/{session_id}") as theirs:
            await theirs.send("send_message", message="go")
            chunk = (await theirs.until("ai_message_chunk"))[-1]
            path = f"{API}/sessions/{session_id}"
            check_problem(await bob.http.post(f"{path}/stop/", json={}), 404)
            check_problem(await bob.http.get(f"{path}/stream/"), 404)
            async with bob.socket(f"session/{own}") as socket:
                generation = chunk["generation_id"]
                await socket.send("stop_generation", generation_id=generation)
                await socket.send("resume", generation_id=generation, after_seq=0)
                assert (await socket.receive())["code"] == "not_found"
            stop = {"generation_id": generation}
            answer = await bob.call("POST", f"/sessions/{own}/stop/", json=stop)
            assert answer == {"stopped": False}
            go_on.set()
            end = (await theirs.until("ai_message_complete"))[-1]
            assert end["message"]["content"] == "secret text"


async def test_the_same_client_id_of_two_users(tmp_path: Path) -> None:
    """A client_id belongs to its session: another user's repeat is a message of its own."""
    async with chatting(tmp_path, Script()) as chat:
        alice, bob = await property_of(chat, "alice"), await chat.client("bob")
        turn = await bob.send(await bob.new_session(), "alice's secret", client_id="first")
        assert "duplicate" not in turn
        assert turn["user_message"]["id"] != alice.ids["message"]


async def test_lists_never_mix(tmp_path: Path) -> None:
    """Lists, title search, numbers and presets of two users hold nothing of the other's."""
    async with chatting(tmp_path, Script()) as chat:
        users = [await property_of(chat, name) for name in ("alice", "bob")]
        for user in users:
            for query in ("", "?is_active=all", "?q='s", "?limit=200"):
                page = await user.client.call("GET", f"/sessions/{query}")
                assert [one["id"] for one in page["results"]] == [user.ids["session"]]
            page = await user.client.call("GET", "/presets/")
            assert [one["id"] for one in page["results"]] == [user.ids["preset"]]
            stats = await user.client.call("GET", "/health/stats/")
            assert stats["sessions"]["total"] == 1
            assert stats["messages"]["total"] == 2
        alices, bobs = users
        assert (await bobs.client.call("GET", "/sessions/?q=alice"))["results"] == []
        assert (await alices.client.call("GET", "/me/"))["name"] == "alice"


async def test_list_sockets_never_mix(tmp_path: Path) -> None:
    """The socket of one user's list says nothing of what another user does."""
    async with chatting(tmp_path, Script()) as chat:
        alice, bob = await property_of(chat, "alice"), await property_of(chat, "bob")
        async with bob.client.socket("sessions", greet=False) as socket:
            greeting = await socket.receive()
            assert [one["id"] for one in greeting["sessions"]] == [bob.ids["session"]]
            path = f"/sessions/{alice.ids['session']}/"
            await alice.client.new_session()
            await alice.client.send(alice.ids["session"], "hi")
            await alice.client.call("PATCH", path, json={"title": "changed"})
            await alice.client.call("DELETE", path, 204)
            await socket.send("ping", t=1)
            assert (await socket.receive())["type"] == "pong"


async def test_a_revoked_token(tmp_path: Path) -> None:
    """A revoked token is 401 at once; its open sockets close with 4501 at their next event."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await property_of(chat, "alice")
        session_id, client = alice.ids["session"], alice.client
        other = await chat.client("alice")
        ticket = (await client.call("POST", "/ws_ticket/"))["ticket"]
        async with (
            client.socket(f"session/{session_id}") as session,
            client.socket("sessions") as sessions,
            client.socket(f"session/{session_id}", token="", ticket=ticket) as by_ticket,
            other.socket(f"session/{session_id}") as others,
        ):
            await client.call("POST", "/sign_out/", 204)
            check_problem(await client.http.get(f"{API}/me/"), 401, "unauthorized")
            await session.send("send_message", message="not any more")
            await by_ticket.send("send_message", message="not any more")
            await sessions.send("ping")
            for socket in (session, sessions, by_ticket):
                assert (await socket.receive())["code"] == "unauthorized"
                assert await socket.close_code() == 4501
            await others.send("ping", t=1)
            assert (await others.receive())["type"] == "pong"
        assert len(await other.messages(session_id)) == 2


async def test_a_disabled_account(tmp_path: Path) -> None:
    """A disabled account is shut out like one whose token was revoked."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        ticket = (await alice.call("POST", "/ws_ticket/"))["ticket"]
        async with alice.socket("sessions") as socket:
            await chat.app.store.update_account(alice.user.id, is_active=False)
            check_problem(await alice.http.get(f"{API}/me/"), 401, "unauthorized")
            await socket.send("ping")
            assert await socket.close_code() == 4501
        async with alice.socket("sessions", greet=False, token="", ticket=ticket) as socket:
            assert await socket.close_code() == 4501


async def test_not_an_administrator(tmp_path: Path) -> None:
    """A model is changed by administrators only; whether it exists makes no difference."""
    async with chatting(tmp_path, Script()) as chat:
        admin, alice = await administrator(chat), await chat.client("alice")
        await admin.call("POST", "/models/sync_models/")
        answers_ = [
            await alice.http.patch(f"{API}/models/{id}/", json={"is_active": False})
            for id in ("script%2Fmodel", "script%2Fnothing")
        ]
        check_problem(answers_[0], 403, "forbidden")
        assert comparable(answers_[0]) == comparable(answers_[1])
        assert (await alice.call("GET", "/models/"))["results"][0]["is_active"]
        assert (await accounts.get_account(chat.app.store, "alice")).user.roles == ()
