"""Several devices of one user: the socket of the session list (PROTOCOL section 5)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness import API, Client, Script, Socket, chatting


async def everything(alice: Client, socket: Socket) -> None:
    """Do to sessions all that can be done, over REST, a socket and the App's own calls."""
    session_id = socket.connection.request.path.split("/")[-2] if socket.connection.request else ""
    other = await alice.new_session(title="other")
    preset = await alice.call("POST", "/presets/", 201, json={"name": "a preset"})
    path = f"/presets/{preset['id']}/create_session_from_preset/"
    third = (await alice.call("POST", path, 201))["id"]
    await socket.send("send_message", message="over a socket")
    *_, first = await socket.until("ai_message_complete")
    await alice.send(other, "over REST")
    await socket.send("regenerate")
    await socket.until("ai_message_complete")
    answer = first["message"]["id"]
    await alice.call("POST", f"/sessions/{session_id}/messages/{answer}/select/")
    await alice.call("PATCH", f"/sessions/{other}/", json={"title": "renamed"})
    await alice.call("PATCH", f"/sessions/{other}/", json={"title": "renamed"})
    await alice.chat.app.sessions.update(alice.user, third, {"title": "by a plugin"})
    await alice.call("DELETE", f"/sessions/{other}/", 204)
    await alice.call("POST", f"/sessions/{other}/restore/")
    await alice.call("DELETE", f"/sessions/{third}/?purge=true", 204)


def shown(greeting: dict[str, Any], events: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what a device shows that has followed the events."""
    found = {session["id"]: session for session in greeting["sessions"]}
    for event in events:
        if event["type"] == "session_deleted":
            found.pop(event["session"]["id"])
        elif event["type"] in ("session_created", "session_updated"):
            found[event["session"]["id"]] = event["session"]
    return found


async def test_three_devices_are_told_the_same(tmp_path: Path) -> None:
    """Whatever changes a session and by which way, all devices get the same events in order.

    What they show is what REST has; another user is told nothing; after a restart the first page
    brings it all again; a device whose token is revoked is closed.
    """
    async with chatting(tmp_path, Script()) as chat:
        alice, bob = await chat.client("alice"), await chat.client("bob")
        devices = [await chat.client("alice") for _ in range(3)]
        session_id = await alice.new_session(title="first")
        async with (
            devices[0].socket("sessions", greet=False) as one,
            devices[1].socket("sessions", greet=False) as two,
            devices[2].socket("sessions", greet=False) as three,
            bob.socket("sessions") as foreign,
            alice.socket(f"session/{session_id}") as session,
        ):
            greetings = [await socket.receive() for socket in (one, two, three)]
            await everything(alice, session)
            told = []
            for socket in (one, two, three):
                await socket.send("ping", t="the end")
                told.append((await socket.until("pong"))[:-1])
            await foreign.send("ping", t="the end")
            assert (await foreign.receive())["type"] == "pong"
            await devices[1].http.post(f"{API}/sign_out/")
            await two.send("ping")
            assert await two.close_code() == 4501
        listed = (await alice.call("GET", "/sessions/"))["results"]
    assert greetings[0] == greetings[1] == greetings[2]
    assert told[0] == told[1] == told[2]
    turn = ["generation_started", "generation_ended", "session_updated"]
    assert [event["type"] for event in told[0]] == [
        *["session_created"] * 2,
        *turn * 3,
        *["session_updated"] * 3,  # a selection and two names; the same name again is no change
        *["session_deleted", "session_updated", "session_deleted"],
    ]
    assert shown(greetings[0], told[0]) == {session["id"]: session for session in listed}
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        async with alice.socket("sessions", greet=False) as socket:
            again = await socket.receive()
    assert again["sessions"] == listed
    assert again["epoch"] == greetings[0]["epoch"]
