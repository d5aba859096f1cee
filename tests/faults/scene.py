"""One data directory and the servers that live on it one after another, each to be judged."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
from load import API, History, open_http, open_socket, request_of, tell
from process import Process, serving
from said import may_fail
from story import Answer, CaughtUp, End, Message, Send, Story, message_of

from scripts.llm import LlmServer

MODEL = "llm/qwen3:8b"
AGAIN_AFTER = 0.1  # seconds until somebody asks again

NewStore = Callable[[], str]  # returns the URL of a store of its own


class Scene:
    """A data directory with some sessions, and what the last life left in them."""

    def __init__(self, data_dir: Path, llm: LlmServer, name: str, *, store: str = "") -> None:
        self.data_dir = data_dir
        self.name = name
        self.store = store  # its URL; a file in the directory if empty
        self.sessions: list[str] = []
        self.tokens: dict[str, str] = {}  # of the owners of sessions, if another than the server's
        self.stored: dict[str, list[Message]] = {}
        self.plugins = "auth_token,provider_openai"
        self._faces: dict[str, httpx.AsyncClient] = {}  # by token
        self._llm = llm
        self._lives = 0

    def settings(self, **more: str) -> dict[str, str]:
        """Return the settings of a server on this directory."""
        return {
            "CHATD_PLUGINS_ENABLED": self.plugins,
            "CHATD_LIMITS_PROMPT_CHARS": "10000000",
            "LLM_SERVER_URL": self._llm.url,
            **({"CHATD_STORE": self.store} if self.store else {}),
            **more,
        }

    @contextlib.asynccontextmanager
    async def live(self, **more: str) -> AsyncIterator[Process]:
        """Run a server on this directory."""
        self._lives += 1
        async with serving(self.data_dir, **self.settings(**more)) as server:
            yield server

    @property
    def life(self) -> str:
        """The name of the server that runs now, or ran last."""
        return f"{self.name}-{self._lives}"

    async def begin_sessions(self, server: Process, count: int) -> None:
        """Go on with new sessions: the old ones have become long."""
        self.sessions, self.stored = [], {}
        async with open_http(server) as http:
            for _ in range(count):
                response = await http.post(f"{API}/sessions/", json={"model": MODEL})
                assert response.status_code == 201, response.text
                self.sessions.append(response.json()["id"])

    async def settle(
        self, server: Process, history: History, killed_at: float, *, patience: float = 0
    ) -> Story:
        """Return the story of the life before this one: look, repeat, send anew, look again.

        `patience` is for how many seconds to wait for what still streams, and to ask again what is
        refused.
        """
        story = Story(
            sends=history.sends,
            seen=history.seen,
            ends=[End(at=killed_at)],
            late_by=history.late_by,
            before=self.stored,
        )
        asking = functools.partial(self._repeat, server, story, patience)
        async with contextlib.AsyncExitStack() as stack:
            for token in {self.tokens.get(s, server.token) for s in self.sessions}:
                self._faces[token] = await stack.enter_async_context(open_http(server, token))
            story.found = await self._settled(server, patience)
            story.shown = await self._messages(server)
            await asyncio.gather(*(asking(session_id) for session_id in self.sessions))
            story.stored = self.stored = await self._messages(server, "branch=all&")
            for session_id in self.sessions:
                path = f"{API}/sessions/{session_id}/"
                story.sessions[session_id] = await get(self._face(server, session_id), path)
        prompts = [call.body["messages"] for call in self._llm.calls]
        story.prompts = [p for p in prompts if p[-1]["content"].startswith(f"{self.name}-")]
        return story

    def _face(self, server: Process, session_id: str) -> httpx.AsyncClient:
        return self._faces[self.tokens.get(session_id, server.token)]

    async def _settled(self, server: Process, patience: float) -> dict[str, list[Message]]:
        """Return all messages when each turn has its end, or when that takes too long."""
        until = time.monotonic() + patience
        while True:
            found = await self._messages(server, "branch=all&")
            ends = [messages[-1] for messages in found.values() if messages]
            statuses = {m["status"] if m["role"] == "assistant" else "streaming" for m in ends}
            if "streaming" not in statuses or time.monotonic() > until:
                return found
            await asyncio.sleep(AGAIN_AFTER)

    async def _messages(self, server: Process, branch: str = "") -> dict[str, list[Message]]:
        found: dict[str, list[Message]] = {}
        for session_id in self.sessions:
            path: str | None = f"{API}/sessions/{session_id}/messages/?{branch}after=0&limit=200"
            found[session_id] = []
            while path is not None:
                page = await get(self._face(server, session_id), path)
                found[session_id] += page["results"]
                path = page["next"]
        return found

    async def _repeat(
        self, server: Process, story: Story, patience: float, session_id: str
    ) -> None:
        """Be told what was missed, send all once more, and then something new."""
        story.caught_up.append(await self._catch_up(server, session_id, story))
        new = f"{self.life}-after-{session_id}"
        sends = [send for send in story.sends if send.session_id == session_id]
        stored = {message["client_id"] for message in story.found[session_id]}
        if patience:  # of those that were never stored one is enough
            new_ones = [s for s in sends if s.client_id not in stored and not may_fail(s.text)]
            sends = [s for s in sends if s.client_id in stored] + new_ones[-1:]
        sends.append(Send(session_id=session_id, client_id=new, text=f"{new} [words:5]"))
        for send in sends:
            face = self._face(server, session_id)
            story.repeats.append(await answer_to(face, send, patience))

    async def _catch_up(self, server: Process, session_id: str, story: Story) -> CaughtUp:
        """Connect again as a client does that has seen what was seen of a session."""
        seen = [message_of(each.event) for each in story.seen if each.session_id == session_id]
        since = max((message["revision"] for message in seen if message), default=0)
        token = self.tokens.get(session_id, server.token)
        async with open_socket(server, session_id, since=since, token=token) as socket:
            await tell(socket, "ping")
            events = [json.loads(await socket.recv())]
            while events[-1]["type"] != "pong":
                events.append(json.loads(await socket.recv()))
        return CaughtUp(session_id=session_id, since=since, events=events[:-1])


async def answer_to(http: httpx.AsyncClient, send: Send, patience: float) -> Answer:
    """Send, and return the answer; again what is refused for now, as long as patience lasts."""
    method, path, body = request_of(send)
    begun, seconds = time.monotonic(), 0.0
    while True:
        try:
            response = await http.request(method, path, json=body)
            status, answer = response.status_code, response.json()
        except httpx.TransportError as exc:
            status, answer = 0, {"code": repr(exc)}
        seconds = time.monotonic() - begun
        if status not in (0, 409, 503) or seconds >= patience:
            return Answer(send=send, status=status, body=answer, seconds=seconds)
        await asyncio.sleep(AGAIN_AFTER)


async def get(http: httpx.AsyncClient, path: str) -> Any:
    """Return what is at a path."""
    response = await http.get(path)
    assert response.status_code == 200, response.text
    return response.json()
