"""One data directory and the servers that live on it one after another, each to be judged."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
from load import API, History, open_http, open_socket, request_of, tell
from process import Process, serving
from story import Answer, CaughtUp, Message, Send, Story, message_of

from scripts.llm import LlmServer

MODEL = "llm/qwen3:8b"

NewStore = Callable[[], str]  # returns the URL of a store of its own


class Scene:
    """A data directory with some sessions, and what the last life left in them."""

    def __init__(self, data_dir: Path, llm: LlmServer, name: str, *, store: str = "") -> None:
        self.data_dir = data_dir
        self.name = name
        self.store = store  # its URL; a file in the directory if empty
        self.sessions: list[str] = []
        self.stored: dict[str, list[Message]] = {}
        self._llm = llm
        self._lives = 0

    def settings(self, **more: str) -> dict[str, str]:
        """Return the settings of a server on this directory."""
        return {
            "CHATD_PLUGINS_ENABLED": "auth_token,provider_openai",
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

    async def settle(self, server: Process, history: History, killed_at: float) -> Story:
        """Return the story of the life before this one: look, repeat, send anew, look again."""
        story = Story(
            sends=history.sends,
            seen=history.seen,
            killed_at=killed_at,
            late_by=history.late_by,
            before=self.stored,
        )
        async with open_http(server) as http:
            story.found = await self._messages(http, "branch=all&")
            story.shown = await self._messages(http)
            await asyncio.gather(*(self._repeat(server, http, s, story) for s in self.sessions))
            story.stored = self.stored = await self._messages(http, "branch=all&")
            for session_id in self.sessions:
                story.sessions[session_id] = await get(http, f"{API}/sessions/{session_id}/")
        prompts = [call.body["messages"] for call in self._llm.calls]
        story.prompts = [p for p in prompts if p[-1]["content"].startswith(f"{self.name}-")]
        return story

    async def _messages(
        self, http: httpx.AsyncClient, branch: str = ""
    ) -> dict[str, list[Message]]:
        found: dict[str, list[Message]] = {}
        for session_id in self.sessions:
            path: str | None = f"{API}/sessions/{session_id}/messages/?{branch}after=0&limit=200"
            found[session_id] = []
            while path is not None:
                page = await get(http, path)
                found[session_id] += page["results"]
                path = page["next"]
        return found

    async def _repeat(
        self, server: Process, http: httpx.AsyncClient, session_id: str, story: Story
    ) -> None:
        """Be told what was missed, send all once more, and then something new."""
        story.caught_up.append(await self._catch_up(server, session_id, story))
        new = f"{self.life}-after-{session_id}"
        sends = [send for send in story.sends if send.session_id == session_id]
        sends.append(Send(session_id=session_id, client_id=new, text=f"{new} [words:5]"))
        for send in sends:
            method, path, body = request_of(send)
            response = await http.request(method, path, json=body)
            answer = Answer(send=send, status=response.status_code, body=response.json())
            story.repeats.append(answer)

    async def _catch_up(self, server: Process, session_id: str, story: Story) -> CaughtUp:
        """Connect again as a client does that has seen what was seen of a session."""
        seen = [message_of(each.event) for each in story.seen if each.session_id == session_id]
        since = max((message["revision"] for message in seen if message), default=0)
        async with open_socket(server, session_id, since=since) as socket:
            await tell(socket, "ping")
            events = [json.loads(await socket.recv())]
            while events[-1]["type"] != "pong":
                events.append(json.loads(await socket.recv()))
        return CaughtUp(session_id=session_id, since=since, events=events[:-1])


async def get(http: httpx.AsyncClient, path: str) -> Any:
    """Return what is at a path."""
    response = await http.get(path)
    assert response.status_code == 200, response.text
    return response.json()
