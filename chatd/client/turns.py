"""Turns over REST: one call, three shapes of answer (PROTOCOL section 3.1).

A call carries a client_id, made if none is given, and is repeated when the network fails: there is
one message and one generation of it. A repeat whose first answer was lost says `duplicate`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

import httpx
import msgspec

from chatd.client.answers import Accepted, Reply, Stopped
from chatd.client.errors import TurnFailed, Unreachable, error_of
from chatd.client.events import Disconnected, Event
from chatd.client.follower import Follower
from chatd.client.link import Timing
from chatd.client.rest import Rest, read
from chatd.client.sessions import part
from chatd.client.turn import Turn
from chatd.sse import Parser
from chatd.types import new_id

TRIES = 8  # without any news between them


class Turns:
    """Sending, answering anew, editing, stopping."""

    def __init__(self, rest: Rest, timing: Timing) -> None:
        self._rest, self._timing = rest, timing

    async def send(self, session_id: str, text: str, *, client_id: str | None = None) -> Reply:
        """Send a message and return it with its answer when that has ended.

        Raises TurnFailed when the generation failed, and what the server says when it refuses.
        """
        return await self._wait(f"sessions/{part(session_id)}/send_message/", text, client_id)

    async def start(self, session_id: str, text: str, *, client_id: str | None = None) -> Accepted:
        """Send a message and return when it is stored and its generation runs."""
        path = f"sessions/{part(session_id)}/send_message/"
        headers = {"Prefer": "respond-async"}
        response = await self._rest.call(
            "POST", path, body=_sent(text, client_id), headers=headers, may_repeat=True
        )
        return read(Accepted, response)

    async def stream(
        self, session_id: str, text: str, *, client_id: str | None = None
    ) -> AsyncIterator[Event]:
        """Send a message and yield the events of its turn, over any number of connections.

        Ends with Complete, or raises TurnFailed.
        """
        path = f"sessions/{part(session_id)}/send_message/"
        turn, follower = Turn({}, client_id=client_id), Follower()
        body, backoff, failures = _sent(text, turn.client_id), self._timing.backoff(), 0
        while True:
            try:
                async with contextlib.aclosing(self._events(path, body, follower)) as events:
                    async for event in events:
                        turn.take(event)
                        while turn.has_news:
                            failures = 0
                            yield await anext(turn)
                        if turn.is_ended:
                            await turn.reply()
                            return
                reason = "the stream broke off"
            except httpx.TransportError as exc:
                reason = str(exc) or type(exc).__name__
            failures += 1
            if failures >= TRIES:
                raise Unreachable(f"{self._rest.url} cannot be reached: {reason}.")
            delay = backoff.next()
            yield Disconnected(reason=reason, retry_in=delay)
            await asyncio.sleep(delay)

    async def _events(
        self, path: str, body: Mapping[str, Any], follower: Follower
    ) -> AsyncGenerator[Event, None]:
        """Yield what is new in one answer."""
        headers = {"Accept": "text/event-stream"}
        parser = Parser()
        async with self._rest.stream("POST", path, body=body, headers=headers) as pieces:
            async for piece in pieces:
                for sent in parser.feed(piece):
                    step = follower.feed(msgspec.json.decode(sent.data))
                    if step.answers:
                        return  # something is missing: the next answer begins at the start
                    for event in step.events:
                        yield event

    async def regenerate(
        self, session_id: str, message_id: str | None = None, *, client_id: str | None = None
    ) -> Reply:
        """Have a message answered anew, by default the last one; the old answer is kept."""
        body = {"client_id": client_id or new_id()}
        if message_id is not None:
            body["message_id"] = message_id
        path = f"sessions/{part(session_id)}/regenerate/"
        response = await self._rest.call("POST", path, body=body, may_repeat=True, patience=0)
        return _succeeded(read(Reply, response))

    async def edit(
        self, session_id: str, message_id: str, text: str, *, client_id: str | None = None
    ) -> Reply:
        """Put another message in the place of one's own; the old one and its answer are kept."""
        body = {"content": text, "client_id": client_id or new_id()}
        path = f"sessions/{part(session_id)}/messages/{part(message_id)}/"
        response = await self._rest.call("PATCH", path, body=body, may_repeat=True, patience=0)
        return _succeeded(read(Reply, response))

    async def stop(
        self, session_id: str, *, generation_id: str | None = None, seen_seq: int | None = None
    ) -> bool:
        """Stop what runs; return whether something did. What it produced is kept."""
        body = {"generation_id": generation_id, "seen_seq": seen_seq}
        path = f"sessions/{part(session_id)}/stop/"
        return (await self._rest.post(Stopped, path, body)).stopped

    async def _wait(self, path: str, text: str, client_id: str | None) -> Reply:
        body = _sent(text, client_id)
        response = await self._rest.call("POST", path, body=body, may_repeat=True, patience=0)
        return _succeeded(read(Reply, response))


def _sent(text: str, client_id: str | None) -> dict[str, str]:
    return {"message": text, "client_id": client_id or new_id()}


def _succeeded(reply: Reply) -> Reply:
    """Return a reply. Raises TurnFailed for a repeat whose first answer, a failure, was lost."""
    answer = reply.ai_message
    if answer.status in ("complete", "stopped"):
        return reply
    raise TurnFailed(error_of(answer.error or {}), answer)
