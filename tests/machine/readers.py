"""Subscribers of a session: what a client has that does what PROTOCOL 4.3 says, and no more."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import websockets
from websockets.asyncio.client import ClientConnection, connect

Frame = dict[str, Any]
PATIENCE = 30.0
ROUNDS = 20  # of asking for what is missing; each loses less


class Screen:
    """What a client shows, and where it stands."""

    def __init__(self) -> None:
        self.rows: dict[str, Frame] = {}
        self.revision = 0
        self.epoch: str | None = None
        self.must_load = True
        self.generation: str | None = None
        self.ended: set[str] = set()
        self.asked: set[str] = set()  # generations whose end was asked for by `resume`
        self._clear()

    def _clear(self) -> None:
        self.have, self.text, self.reasoning = 0, "", ""
        self.tools: list[str] = []

    def take(self, frame: Frame) -> Frame | None:
        """Take a frame; return the one that it has to be answered with, if any."""
        kind = frame["type"]
        if kind == "connection_established":
            self.must_load = self.must_load or frame.get("reload", False)
            self.epoch = frame["epoch"]
        elif kind == "user_message":
            self._keep(frame["message"])
        elif kind == "ai_typing":
            self._begin(frame["generation_id"], frame["ai_message"])
        elif "prev" in frame:
            return self._append(frame)
        elif kind == "ai_message_complete":
            self._end(frame["generation_id"], frame["message"])
        elif kind == "error" and "ai_message" in frame:
            self._end(frame["generation_id"], frame["ai_message"])
        return None

    def _keep(self, message: Frame) -> None:
        if message["revision"] > self.revision or message["id"] not in self.rows:
            self.rows[message["id"]] = message
        self.revision = max(self.revision, message["revision"])

    def _begin(self, id: str, message: Frame) -> None:
        assert id not in self.ended, "a generation that had ended began"
        self._keep(message)
        if self.generation != id:
            assert self.generation is None, "one began before the other had ended"
            self.generation = id
            self._clear()

    def _append(self, frame: Frame) -> Frame | None:
        id = frame["generation_id"]
        assert id not in self.ended, "something came after the end"
        assert id == self.generation, "something came before the start"
        if frame["seq"] <= self.have:
            return None
        if frame["prev"] not in (0, self.have):
            return self.resume()
        if frame["prev"] == 0:
            self._clear()
        self.have = frame["seq"]
        if frame["type"] == "ai_message_chunk":
            self.text += frame["content"]
            assert frame.get("full_content", self.text) == self.text
        elif frame["type"] == "ai_reasoning_chunk":
            self.reasoning += frame["content"]
        else:
            self.tools.append(frame["arguments"])
        return None

    def resume(self) -> Frame:
        """Return the frame that asks for what is missing; it may be answered by the end."""
        assert self.generation is not None
        self.asked.add(self.generation)
        return {"type": "resume", "generation_id": self.generation, "after_seq": self.have}

    def _end(self, id: str, message: Frame) -> None:
        assert id not in self.ended or id in self.asked, "a generation ended twice"
        assert message["status"] != "streaming"
        self._keep(message)
        self.ended.add(id)
        if self.generation == id:
            self.generation = None

    def load(self, messages: list[Frame], revision: int) -> None:
        """Take all messages, as a client does that has none or was told to reload."""
        self.rows = {message["id"]: message for message in messages}
        self.revision, self.must_load = revision, False
        answers = [message for message in messages if message["role"] == "assistant"]
        self.ended |= {answer["id"] for answer in answers if answer["status"] != "streaming"}
        if self.generation in self.ended:
            self.generation = None


class SocketReader:
    """A socket of a session. It may lose frames of the log, as nothing but TCP keeps it from."""

    def __init__(self, session_id: str, screen: Screen, *, is_delta: bool) -> None:
        self.session_id, self.screen, self.is_delta = session_id, screen, is_delta
        self.keeping = self.losing = 0
        self.errors: list[str] = []
        self._pings = 0

    async def open(self, url: str, token: str, since: int | None) -> Frame:
        """Connect, with `since` as one who has been here before; return the greeting."""
        query = {"token": token, "chunks": "delta" if self.is_delta else "full"}
        if since is not None:
            query |= {"since": str(since), "epoch": self.screen.epoch or ""}
        url = f"{url.replace('http', 'ws')}/ws/ai-chat/session/{self.session_id}/"
        self._connection: ClientConnection = await connect(
            f"{url}?{httpx.QueryParams(query)}", max_size=None, compression=None
        )
        greeting = await self._receive()
        self.screen.take(greeting)
        return greeting

    async def _receive(self) -> Frame:
        async with asyncio.timeout(PATIENCE):
            frame: Frame = json.loads(await self._connection.recv())
        return frame

    async def send(self, **frame: Any) -> None:
        """Send a frame."""
        await self._connection.send(json.dumps(frame))

    async def settle(self) -> Frame:
        """Read all that there is, and ask for what is missing; return the last pong."""
        for _ in range(ROUNDS):
            self._pings += 1
            await self.send(type="ping", t=self._pings)
            is_asking = False
            while (frame := await self._receive()).get("t") != self._pings:
                is_asking |= await self._take(frame)
            generation = frame["generation"] or {}
            if generation and self.screen.have < generation["seq"]:
                await self.send(**self.screen.resume())
            elif not is_asking:
                return frame
        raise AssertionError(f"a client does not get what it asks for: {self.screen.resume()}")

    async def _take(self, frame: Frame) -> bool:
        if frame["type"] == "error" and "ai_message" not in frame:
            self.errors.append(frame["code"])
        if "prev" in frame and self.keeping:
            self.keeping -= 1
        elif "prev" in frame and self.losing:
            self.losing -= 1
            return True
        answer = self.screen.take(frame)
        if answer is not None:
            await self.send(**answer)
        return answer is not None

    async def close_code(self) -> int | None:
        """Read until the server closes; return its code."""
        async with asyncio.timeout(PATIENCE):
            with contextlib.suppress(websockets.ConnectionClosed):
                while True:
                    await self._take(await self._receive())
        return self._connection.close_code

    async def close(self) -> None:
        """Leave."""
        await self._connection.close()


class StreamReader:
    """Who reads one generation over SSE."""

    def __init__(self, session_id: str, generation_id: str) -> None:
        self.session_id = session_id
        self.screen = Screen()
        self.screen.generation = generation_id
        self._stack = contextlib.AsyncExitStack()
        self._client = contextlib.AsyncExitStack()

    async def open(self, http: httpx.AsyncClient, cursor: str, query: dict[str, str]) -> int:
        """Ask for the stream behind a cursor; return the status."""
        path = f"/ai-chat/api/sessions/{self.session_id}/stream/"
        headers = {"Last-Event-ID": cursor} if cursor else {}
        answer = http.stream("GET", path, headers=headers, params=query)
        response = await self._stack.enter_async_context(answer)
        self._events = _events_of(response)
        return response.status_code

    async def settle(self, seq: int | None) -> None:
        """Read up to an entry of the log; None is the end of the generation."""
        async with asyncio.timeout(PATIENCE):
            while self.screen.generation and (seq is None or self.screen.have < seq):
                assert self.screen.take(await anext(self._events)) is None, "a hole"

    async def read(self) -> list[Frame]:
        """Return all the events to the end of the answer."""
        async with asyncio.timeout(PATIENCE):
            return [event async for event in self._events]

    def keep(self, client: contextlib.AsyncExitStack) -> None:
        """Stay open until `close`, which closes this too."""
        self._client = client

    async def close(self) -> None:
        """Go away."""
        await self._stack.aclose()
        await self._client.aclose()


async def _events_of(response: httpx.Response) -> AsyncIterator[Frame]:
    async for line in response.aiter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))
