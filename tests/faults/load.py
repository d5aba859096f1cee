"""Clients that keep a chatd busy until it dies, and note what they sent and what they saw."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from random import Random
from typing import Any

import httpx
from contract import checking, documents
from process import Process
from story import TERMINAL, Event, Seen, Send, is_end, message_of
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

PREFIX = "/ai-chat"
API = f"{PREFIX}/api"
FACES = ("socket", "wait", "sse", "async")
IS_LONG = bool(os.environ.get("CHATD_TEST_LONG"))  # all combinations, and more kills
HEADERS = {"sse": {"Accept": "text/event-stream"}, "async": {"Prefer": "respond-async"}}
TICK = 0.02
GONE = (httpx.HTTPError, WebSocketException, OSError)


class History:
    """What the clients of one life of a server sent and saw, in that order."""

    def __init__(self) -> None:
        self.sends: list[Send] = []
        self.seen: list[Seen] = []
        self.late_by = 0.0
        self.is_over = False
        self.ends: Counter[str] = Counter()  # by session: how often somebody saw a generation end
        self.known: dict[tuple[str, str], list[str]] = defaultdict(list)  # by session and role: ids
        self._changed = asyncio.Event()

    def note(
        self, by: str, session_id: str, event: Event, *, user: str = "", life: int = 0
    ) -> None:
        """Note an event that somebody got just now."""
        about = {"by": by, "session_id": session_id, "user": user, "life": life}
        self.seen.append(Seen(at=time.monotonic(), event=event, **about))
        message = message_of(event)
        if message is not None:
            self.known[session_id, message["role"]].append(message["id"])
        self.ends[session_id] += is_end(event)
        self.wake()

    def note_answer(
        self, by: str, session_id: str, body: dict[str, Any], *, user: str = "", life: int = 0
    ) -> None:
        """Note an answer of REST as the events that it stands for."""
        if "user_message" in body:
            event = {"type": "user_message", "message": body["user_message"]}
            self.note(by, session_id, event, user=user, life=life)
        if "ai_message" in body:
            message = body["ai_message"]
            is_good = message["status"] in ("complete", "stopped")
            event = {"message": message} if is_good else {"ai_message": message}
            event |= {"type": TERMINAL[not is_good], "generation_id": message["generation_id"]}
            self.note(by, session_id, event, user=user, life=life)

    async def until(self, condition: Callable[[], bool], seconds: float | None = None) -> None:
        """Return when a condition on what was seen holds, or when nothing more will come.

        Or after some seconds.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not condition() and not self.is_over:
                    await self._changed.wait()

    def close(self) -> None:
        """Say that the server is gone."""
        self.is_over = True
        self.wake()

    def wake(self) -> None:
        """Let everybody who waits look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def watch_the_machine(self) -> None:
        """Note how much later than it wanted to a task has run at most."""
        while not self.is_over:
            wanted = time.monotonic() + TICK
            await asyncio.sleep(TICK)
            self.late_by = max(self.late_by, time.monotonic() - wanted)


class Clients:
    """For each session one client with a socket and one without; they send and send.

    `life` begins all that they say, `paces` are the words of a reply and the milliseconds between,
    `faces` are the ways to send, `stops` is how often a generation is stopped by whom it is for,
    `again` how often something that was said before is regenerated or edited instead of a send,
    if it is one of these `kinds`.
    """

    def __init__(
        self,
        server: Process,
        sessions: list[str],
        life: str,
        *,
        random: Random,
        paces: list[tuple[int, int]],
        faces: tuple[str, ...] = FACES,
        stops: float = 0.1,
        again: float = 0.0,
        kinds: tuple[str, ...] = ("regenerate", "edit"),
    ) -> None:
        self.history = History()
        self._server, self._sessions, self._life = server, sessions, life
        self._random, self._paces, self._stops = random, paces, stops
        self._again, self._kinds = again, kinds
        self._has_sockets = "socket" in faces
        self._shapes = [face for face in faces if face != "socket"]
        self._numbers = itertools.count(1)

    async def run(self) -> None:
        """Send until the server is gone and the history closed."""
        async with asyncio.timeout(60), open_http(self._server) as http:
            works = [self.history.watch_the_machine()]
            if self._has_sockets:
                works += [self._follow(session_id) for session_id in self._sessions]
            if self._shapes:
                works += [self._call(http, session_id) for session_id in self._sessions]
            await asyncio.gather(*works)

    def _new_send(self, session_id: str) -> Send:
        """Return a turn that nobody has asked for before; its answer has any length and pace."""
        name = f"{self._life}-{next(self._numbers)}"
        words, pace = self._random.choice(self._paces)
        text = f"{name} [words:{words}] [pace:{pace}]"
        send = Send(session_id=session_id, client_id=name, text=text)
        if self._random.random() < self._again:
            kind = self._random.choice(self._kinds)
            role = "user" if kind == "edit" else "assistant"
            if known := self.history.known[session_id, role]:
                text = "" if kind == "regenerate" else text
                message_id = self._random.choice(known)
                send = replace(send, kind=kind, text=text, message_id=message_id)
        self.history.sends.append(send)
        return send

    async def _follow(self, session_id: str) -> None:
        """Send over a socket, and note all that happens in the session."""
        chunks = self._random.choice(["full", "delta"])
        with contextlib.suppress(*GONE):
            async with open_socket(self._server, session_id, chunks=chunks) as socket:
                while True:
                    await self._turn(socket, self._new_send(session_id))

    async def _turn(self, socket: ClientConnection, send: Send) -> None:
        """Send once more after each refusal; return at the end. Now and then stop what runs."""
        by, own, is_refused = f"socket of {send.session_id}", None, False
        stops = self._random.random() < self._stops
        await ask(socket, send)
        while True:
            event: Event = json.loads(await socket.recv())
            documents(PREFIX).check_event("session", event)
            self.history.note(by, send.session_id, event)
            if event["type"] == "user_message":
                if event["message"]["client_id"] == send.client_id:
                    own = event["message"]["generation_id"]
            elif event["type"] == "ai_typing":
                if event["ai_message"]["client_id"] == send.client_id:
                    own = event["generation_id"]
            elif event["type"] == "ai_message_chunk" and stops:
                stops = False
                await tell(socket, "stop_generation")
            elif is_end(event) and is_refused:
                is_refused = False
                await ask(socket, send)
            elif is_end(event) and event["generation_id"] == own:
                return
            elif event["type"] == "error" and event.get("client_id") == send.client_id:
                is_refused = True

    async def _call(self, http: httpx.AsyncClient, session_id: str) -> None:
        """Send over REST, some in two shapes at the same time."""
        while not self.history.is_over:
            send, is_stored = self._new_send(session_id), False
            while not is_stored and not self.history.is_over:
                ends = self.history.ends[session_id]
                shapes = self._random.choices(self._shapes, k=self._random.choice([1, 1, 2]))
                sending = (self._send(http, send, shape) for shape in {*shapes})
                stored = await asyncio.gather(*sending)
                is_stored = any(stored)
                # Another turn runs, or this one still does.
                await self.history.until(lambda ends=ends: self.history.ends[session_id] > ends)

    async def _send(self, http: httpx.AsyncClient, send: Send, face: str) -> bool:
        """Send in one shape and note the answer; return whether the message is stored."""
        method, path, body = request_of(send)
        by = f"{face} {next(self._numbers)}"
        with contextlib.suppress(*GONE):
            async with http.stream(method, path, json=body, headers=HEADERS.get(face)) as response:
                if response.headers["content-type"] == "text/event-stream":
                    async for event in events(response):
                        self.history.note(by, send.session_id, event)
                else:
                    answer = json.loads(await response.aread())
                    self.history.note_answer(by, send.session_id, answer)
                return response.status_code != 409
        return False


def request_of(send: Send) -> tuple[str, str, dict[str, Any]]:
    """Return the method, the path and the body that REST is asked with."""
    session, body = f"{API}/sessions/{send.session_id}", {"client_id": send.client_id}
    if send.kind == "regenerate":
        return "POST", f"{session}/regenerate/", body | {"message_id": send.message_id}
    if send.kind == "edit":
        return "PATCH", f"{session}/messages/{send.message_id}/", body | {"content": send.text}
    return "POST", f"{session}/send_message/", body | {"message": send.text}


async def ask(socket: ClientConnection, send: Send) -> None:
    """Ask for a turn over a socket."""
    kind = {"send": "send_message", "edit": "edit_message"}.get(send.kind, send.kind)
    fields = {"client_id": send.client_id}
    fields |= {"message": send.text} if send.text else {}
    fields |= {"message_id": send.message_id} if send.message_id else {}
    await tell(socket, kind, **fields)


async def events(response: httpx.Response) -> AsyncIterator[Event]:
    """Yield the events of an SSE answer; httpx would also split inside their text."""
    rest = b""
    async for data in response.aiter_bytes():
        *blocks, rest = (rest + data).split(b"\n\n")
        for block in blocks:
            for line in block.split(b"\n"):
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])


async def tell(socket: ClientConnection, kind: str, **fields: Any) -> None:
    """Send an event."""
    await socket.send(json.dumps({"type": kind, **fields}))


@contextlib.asynccontextmanager
async def open_http(server: Process, token: str = "") -> AsyncIterator[httpx.AsyncClient]:
    """Open a client of REST, whose answers are held against the contract."""
    headers = {"Authorization": f"Token {token or server.token}"}
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(
        base_url=server.url,
        headers=headers,
        timeout=60,
        limits=limits,
        trust_env=False,
        event_hooks={"response": [checking(PREFIX)]},
        verify=False,  # there is no TLS here: loading certificates would take longest of all
    ) as http:
        yield http


@contextlib.asynccontextmanager
async def open_socket(
    server: Process, session_id: str, **query: Any
) -> AsyncIterator[ClientConnection]:
    """Open a socket of a session; its greeting has been read."""
    params = httpx.QueryParams({"token": server.token} | query)
    url = f"{server.url.replace('http', 'ws')}/ws/ai-chat/session/{session_id}/?{params}"
    async with connect(url, max_size=None, proxy=None) as socket:
        greeting = json.loads(await socket.recv())
        documents(PREFIX).check_event("session", greeting)
        assert greeting["type"] == "connection_established", greeting
        yield socket
