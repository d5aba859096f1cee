"""Clients that ask for no turns: they read along, look at lists, choose branches, and pry."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import httpx
from crowd import Away, Crowd, calling, client_of
from load import API, GONE, events
from story import Event, Listed, Trespass
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

LIST_WITHIN = 10.0
OUT = (429, 503)  # answers of a server that cannot tell now


class Bystanders:
    """Those who ask for no turns, and what they were told that is of no session."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self.listed: list[Listed] = []
        self.trespasses: list[Trespass] = []

    async def follow(self, session_id: str) -> None:
        """Read a session's replies over SSE, as an EventSource does: from where it was cut off."""
        crowd, by, last = self._crowd, f"stream of {session_id}", ""
        async with calling(crowd, session_id) as http:
            while not crowd.history.is_over:
                with contextlib.suppress(*GONE, Away):
                    path, life = f"{crowd.url}{API}/sessions/{session_id}/stream/", crowd.life
                    headers = {"Last-Event-ID": last} if last else {}
                    async with http.stream("GET", path, headers=headers) as response:
                        async for event in _attentive(crowd, response):
                            crowd.note(by, session_id, event, life)
                            last = _place_of(event, last)
                await crowd.pause(0.02, 0.1)

    async def choose(self, session_id: str) -> None:
        """Show other branches now and then."""
        crowd = self._crowd
        async with calling(crowd, session_id) as http:
            while not crowd.history.is_over:
                await crowd.pause(0.1, 0.4)
                if known := crowd.history.known[session_id, "assistant"]:
                    crowd.wandered.add(session_id)
                    place = f"{session_id}/messages/{crowd.random.choice(known)}/select/"
                    with contextlib.suppress(*GONE, Away):
                        await http.post(f"{crowd.url}{API}/sessions/{place}")

    async def list(self, session_id: str) -> None:
        """Read the list of a user, and its socket."""
        crowd, user = self._crowd, self._crowd.owners[session_id]
        async with calling(crowd, session_id) as http:
            while not crowd.history.is_over:
                with contextlib.suppress(*GONE, Away):
                    page = await http.get(f"{crowd.url}{API}/sessions/")
                    if page.status_code == 200:
                        self._note(user, *(each["id"] for each in page.json()["results"]))
                    await self._read_list(user, crowd.token(session_id))
                await crowd.pause(0.02, 0.1)

    async def _read_list(self, user: str, token: str) -> None:
        url = f"{self._crowd.url.replace('http', 'ws')}/ws/ai-chat/sessions/?token={token}"
        async with connect(url, max_size=None, proxy=None, close_timeout=1) as socket:
            while not self._crowd.history.is_over:
                with contextlib.suppress(TimeoutError):
                    event: Event = json.loads(await asyncio.wait_for(socket.recv(), 0.2))
                    told = [*event.get("sessions", [])]
                    told += [event["session"]] if "session" in event else []
                    ids = [event["session_id"]] if "session_id" in event else []
                    self._note(user, *ids, *(each["id"] for each in told))

    def _note(self, user: str, *session_ids: str) -> None:
        self.listed.append(Listed(user=user, session_ids=session_ids))

    async def pry(self, user: str, session_id: str) -> None:
        """Try all that can be done with a session, as another user."""
        crowd = self._crowd
        token = f"guest-{user}"
        session = f"{API}/sessions/{session_id}/"
        asks = [("GET", session), ("GET", f"{session}messages/"), ("GET", f"{session}stream/")]
        asks += [("POST", f"{session}stop/"), ("POST", f"{session}restore/"), ("DELETE", session)]
        message = {"message": "mine"}
        async with client_of(token, seconds=20) as http:
            while not crowd.history.is_over:
                method, path = crowd.random.choice([*asks, ("POST", f"{session}send_message/")])
                body = message if path.endswith("send_message/") else None
                with contextlib.suppress(*GONE, Away):
                    answer = await http.request(method, f"{crowd.url}{path}", json=body)
                    self._tried(user, f"{method} {path}", answer.status_code)
                    await self._knock(user, token, session_id)
                await crowd.pause(0.05, 0.2)

    async def _knock(self, user: str, token: str, session_id: str) -> None:
        url = f"{self._crowd.url.replace('http', 'ws')}/ws/ai-chat/session/{session_id}/"
        async with connect(f"{url}?token={token}", proxy=None, close_timeout=1) as socket:
            try:
                while json.loads(await socket.recv())["type"] == "error":
                    pass
                self._tried(user, "a socket", 101)
            except ConnectionClosed as exc:
                code = exc.rcvd.code if exc.rcvd else 0
                if code >= 4000:
                    self._tried(user, "a socket", code)

    def _tried(self, user: str, tried: str, answer: int) -> None:
        if answer not in OUT:
            self.trespasses.append(Trespass(user=user, tried=tried, answer=answer))


async def _attentive(crowd: Crowd, response: httpx.Response) -> AsyncIterator[Event]:
    """Yield the events of a stream until it is over."""
    if response.status_code == 200:
        async for event in events(response):
            yield event
            if crowd.history.is_over:
                return


def _place_of(event: Event, last: str) -> str:
    """Return the Last-Event-ID after an event, from which on a stream is to go on.

    Behind an end there is none: what runs next is read from its start.
    """
    if "seq" in event:
        return f"{event['generation_id']}:{event['seq']}"
    if event["type"] in ("ai_message_complete", "error") and event.get("generation_id"):
        return ""
    return last
