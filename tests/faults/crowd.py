"""Clients that go on whatever happens: they come back, ask again, and note all that they see."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from random import Random
from typing import Any

import httpx
from contract import checking, documents
from load import FACES, GONE, HEADERS, PREFIX, History, ask, events, request_of, tell
from place import Place
from said import HANGING, MODE_NAMES
from story import Event, Send, is_end, message_of
from websockets.asyncio.client import ClientConnection, connect

# With these codes a turn is not stored, whatever else goes wrong.
REFUSALS = {"generation_running", "shutting_down", "rate_limited", "model_unavailable", "not_found"}
LENGTHS = [(5, 0), (20, 0), (60, 2), (20, 10), (40, 30), (150, 5)]  # words, and ms between them
ANSWERED_WITHIN = 3.0  # seconds; then a client connects anew
KINDS = ["send", "send", "send", "send", "regenerate", "edit"]


class Away(Exception):
    """The server is not there, or is of no use now."""


class Crowd:
    """All clients of one server, and what they know."""

    def __init__(self, place: Place, name: str, random: Random, owners: dict[str, str]) -> None:
        self.place, self.name, self.random, self.owners = place, name, random, owners
        self.history = History()
        self.asked: Counter[str] = Counter()  # by client_id, as all below
        self.denied: Counter[str] = Counter()
        self.stored: set[str] = set()
        self.answers: dict[str, str] = {}  # the code of the last refusal
        self.ended: set[str] = set()  # generations
        self.wandered: set[str] = set()
        self.numbers = itertools.count(1)

    @property
    def url(self) -> str:
        """Where the server is. Raises Away."""
        server = self.place.server
        if server is None:
            raise Away
        return server.url

    @property
    def life(self) -> int:
        """How many servers there were before this one."""
        return len(self.place.ends)

    @property
    def refused(self) -> set[str]:
        """The client_ids of turns that were refused, and nothing else."""
        return {name for name, count in self.denied.items() if count >= self.asked[name]}

    def token(self, session_id: str) -> str:
        """What lets in the owner of a session."""
        return f"guest-{self.owners[session_id]}"

    def note(self, by: str, session_id: str, event: Event, life: int) -> None:
        """Note an event, and what it means for those who wait."""
        message = event.get("ai_message") or message_of(event) or {}
        for each in (message, event.get("message")):
            if isinstance(each, dict) and each.get("client_id"):
                self.stored.add(each["client_id"])
        if event["type"] == "error" and event.get("client_id") and not is_end(event):
            self.answers[event["client_id"]] = event["code"]
            self.denied[event["client_id"]] += event["code"] in REFUSALS
        if is_end(event):
            self.ended.add(event["generation_id"])
        self.history.note(by, session_id, event, user=self.owners[session_id], life=life)

    def has_told(self, send: Send) -> bool:
        """Whether the server has said what becomes of a turn."""
        return send.client_id in self.stored or send.client_id in self.answers

    def new_send(self, session_id: str) -> Send:
        """Return a turn that nobody has asked for before."""
        random, name = self.random, f"{self.name}-{next(self.numbers)}"
        words, pace = random.choice(LENGTHS)
        text = f"{name} [words:{words}] [pace:{pace}]"
        if random.random() < 0.3:
            mode = random.choice([*MODE_NAMES, random.choice(sorted(HANGING))])
            text = f"{name} [mode:{mode}] [{'echo' if mode == 'slow' else 'words:30'}]"
        if random.random() < 0.1:
            text += " [reasoning]"
        send = Send(session_id=session_id, client_id=name, text=text)
        kind = random.choice(KINDS)
        known = self.history.known[session_id, "user" if kind == "edit" else "assistant"]
        if kind != "send" and known:
            text = "" if kind == "regenerate" else text
            send = replace(send, kind=kind, text=text, message_id=random.choice(known))
        self.history.sends.append(send)
        return send

    async def pause(self, least: float, most: float) -> None:
        """Do nothing for a while."""
        await asyncio.sleep(self.random.uniform(least, most))


class Tab:
    """A page that shows a session: one socket after another, and one turn after another."""

    def __init__(self, crowd: Crowd, session_id: str) -> None:
        self._crowd, self._session_id = crowd, session_id
        self._chunks = crowd.random.choice(["full", "delta"])
        self._since = 0
        self._by = ""
        self._pending: Send | None = None

    async def run(self) -> None:
        """Talk until it is over."""
        crowd = self._crowd
        while not crowd.history.is_over:
            with contextlib.suppress(*GONE, Away):
                query, life = {"chunks": self._chunks, "since": self._since}, crowd.life
                async with greeted(crowd, self._session_id, **query) as socket:
                    self._by = f"socket {next(crowd.numbers)}"
                    reading = asyncio.create_task(self._read(socket, life))
                    try:
                        await self._talk(socket, reading)
                    finally:
                        reading.cancel()
                        with contextlib.suppress(asyncio.CancelledError, *GONE):
                            await reading
            await crowd.pause(0.01, 0.1)

    async def _read(self, socket: ClientConnection, life: int) -> None:
        try:
            async for frame in socket:
                event: Event = json.loads(frame)
                documents(PREFIX).check_event("session", event)
                self._crowd.note(self._by, self._session_id, event, life)
                if message := message_of(event):
                    self._since = max(self._since, message["revision"])
        finally:
            self._crowd.history.wake()

    async def _talk(self, socket: ClientConnection, reading: asyncio.Task[None]) -> None:
        """Ask for one turn after another, for each until it is stored or given up."""
        crowd = self._crowd
        while not crowd.history.is_over:
            send = self._pending = self._pending or crowd.new_send(self._session_id)
            crowd.answers.pop(send.client_id, None)
            crowd.asked[send.client_id] += 1
            await ask(socket, send)
            is_told = functools.partial(crowd.has_told, send)
            await crowd.history.until(
                lambda told=is_told: reading.done() or told(), ANSWERED_WITHIN
            )
            if send.client_id in crowd.stored:
                self._pending = None
                await self._go_along(socket, reading)
            elif crowd.answers.get(send.client_id) in REFUSALS:
                self._pending = None if crowd.random.random() < 0.3 else send
                await crowd.pause(0.01, 0.15)
            else:
                raise Away
            if reading.done():
                raise Away

    async def _go_along(self, socket: ClientConnection, reading: asyncio.Task[None]) -> None:
        """Watch a reply, stop it, or leave in its middle."""
        crowd = self._crowd
        ends = crowd.history.ends[self._session_id]
        after = crowd.random.random()
        is_over = lambda: reading.done() or crowd.history.ends[self._session_id] > ends  # noqa: E731
        await crowd.history.until(is_over, 0.05 if after < 0.4 else 2.5)
        if after < 0.2:
            await tell(socket, "stop_generation")
        elif after < 0.3:
            socket.transport.abort()
            raise Away


async def call(crowd: Crowd, session_id: str) -> None:
    """Send over REST until it is over, some in two shapes at the same time."""
    faces = [face for face in FACES if face != "socket"]
    async with calling(crowd, session_id) as http:
        while not crowd.history.is_over:
            send = crowd.new_send(session_id)
            for _ in range(crowd.random.randint(1, 4)):
                shapes = {*crowd.random.choices(faces, k=crowd.random.choice([1, 1, 2]))}
                tries = (send_once(crowd, http, send, face) for face in shapes)
                if any(await asyncio.gather(*tries)) or crowd.history.is_over:
                    break
                await crowd.pause(0.02, 0.2)


async def send_once(crowd: Crowd, http: httpx.AsyncClient, send: Send, face: str) -> bool:
    """Send in one shape and note the answer; return whether the turn is stored."""
    method, path, body = request_of(send)
    by, session_id, life = f"{face} {next(crowd.numbers)}", send.session_id, crowd.life
    with contextlib.suppress(*GONE, Away):
        url = f"{crowd.url}{path}"
        crowd.asked[send.client_id] += 1
        async with http.stream(method, url, json=body, headers=HEADERS.get(face)) as response:
            if response.headers["content-type"] == "text/event-stream":
                async for event in events(response):
                    crowd.note(by, session_id, event, life)
            else:
                answer = json.loads(await response.aread())
                user = crowd.owners[session_id]
                crowd.history.note_answer(by, session_id, answer, user=user, life=life)
                if "user_message" not in answer:
                    event = {"type": "error", "code": answer["code"], "client_id": send.client_id}
                    crowd.note(by, session_id, event, life)
                    return False
            return True
    return False


@contextlib.asynccontextmanager
async def calling(crowd: Crowd, session_id: str) -> AsyncIterator[httpx.AsyncClient]:
    """Open a client of REST for the owner of a session; its paths are whole URLs."""
    async with client_of(crowd.token(session_id), seconds=20) as http:
        yield http


def client_of(token: str, *, seconds: float) -> httpx.AsyncClient:
    """Return a client of REST, whose answers are held against the contract."""
    return httpx.AsyncClient(
        headers={"Authorization": f"Token {token}"},
        timeout=seconds,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
        trust_env=False,
        event_hooks={"response": [checking(PREFIX)]},
        verify=False,  # there is no TLS here
    )


def socket_url(crowd: Crowd, session_id: str, **query: Any) -> str:
    """Return the URL of a session's socket. Raises Away."""
    params = httpx.QueryParams({"token": crowd.token(session_id)} | query)
    return f"{crowd.url.replace('http', 'ws')}/ws/ai-chat/session/{session_id}/?{params}"


@contextlib.asynccontextmanager
async def greeted(crowd: Crowd, session_id: str, **query: Any) -> AsyncIterator[ClientConnection]:
    """Open a socket whose greeting has been read. Raises Away when there is none."""
    url = socket_url(crowd, session_id, **query)
    async with connect(url, max_size=None, proxy=None, open_timeout=10, close_timeout=1) as socket:
        greeting = json.loads(await asyncio.wait_for(socket.recv(), 20))
        documents(PREFIX).check_event("session", greeting)
        if greeting["type"] != "connection_established":
            crowd.note(f"greeting {next(crowd.numbers)}", session_id, greeting, crowd.life)
            raise Away
        yield socket


async def watch(crowd: Crowd) -> None:
    """Note how late tasks run here, and how much memory the server has."""
    watching = asyncio.create_task(crowd.history.watch_the_machine())
    while not crowd.history.is_over:
        crowd.place.look()
        await asyncio.sleep(0.1)
    await watching
