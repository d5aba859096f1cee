"""Asking a model server, beside OpenAI's API, what its models are.

Which server it is, nobody says: each native API is asked once, all at the same time, for two
seconds at most. A question that fails is no error. All go to the origin that is
configured, with its credentials, and no redirect is followed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from chatd.discovery import natives
from chatd.discovery.facts import Facts, offered
from chatd.pool import Server
from chatd.provider import ModelInfo
from chatd.upstream import VERSION, Upstream

logger = logging.getLogger(__name__)

QUESTION = 2.0  # seconds for one document
ALTOGETHER = 5.0  # seconds for Ollama, which is asked about each of its models
AT_A_TIME = 8
SHOW = "/api/show"
MAX_DOCUMENT = 4 * 1024 * 1024

Told = dict[str, Facts]


class _NotFound(Exception):
    """The server has no such document: it is of another kind."""


class Discovery:
    """What the servers of one provider tell. A question that fails is answered as the last time."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._places = asyncio.Semaphore(AT_A_TIME)
        self._told: dict[tuple[str, ...], Told] = {}

    async def describe(self, server: Server, known: Told) -> list[ModelInfo]:
        """Return the models that chat, with what their server tells of them. Raises nothing.

        `known` is what its list said; a server whose list says all is asked nothing.
        """
        if not all(facts.is_settled for facts in known.values()):
            answers = await self._ask_all(_beside(server), known)
            for name, facts in known.items():
                told = Facts()
                for answer in answers:
                    told = told.over(answer.get(name, Facts()))
                known = {**known, name: told.over(facts)}
        return offered(known)

    async def ollama(self, server: Server, names: Told) -> Told:
        """Return what Ollama tells of these models in time; of the others nothing is known.

        What it told of models that it no longer has is forgotten.
        """
        found = dict(names)
        shown, path = {(server.url, SHOW, name) for name in names}, (server.url, SHOW)
        for key in [key for key in self._told if key[:2] == path and key not in shown]:
            del self._told[key]

        async def show(name: str) -> None:
            def read(shown: Any) -> Told:
                return {name: natives.ollama(shown)}

            found.update(await self._ask(server, SHOW, read, model=name))

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ALTOGETHER), asyncio.TaskGroup() as group:
                for name in names:
                    group.create_task(show(name))
        return found

    async def _ask_all(self, server: Server, known: Told) -> list[Told]:
        """Return what each native API says, the one that knows best first."""

        def of_the_one(props: Any) -> Told:
            return dict.fromkeys(known, natives.llama_cpp(props)) if len(known) == 1 else {}

        answers = await asyncio.gather(
            self._ask(server, "/props", of_the_one),
            self._ask(server, "/api/v1/models", natives.lm_studio),
            self._ask(server, "/api/v0/models", natives.lm_studio_v0),
            self._ask_ollama(server),
            self._ask(server, "/model/info", natives.litellm),
        )
        return [*answers]

    async def _ask_ollama(self, server: Server) -> Told:
        """Return what Ollama tells of each of its models, if this is one."""
        return await self.ollama(server, await self._ask(server, "/api/tags", natives.ollama_names))

    async def _ask(
        self, server: Server, path: str, read: Callable[[Any], Told], **asked: str
    ) -> Told:
        """Return what a document says; if it cannot be had or read, what the last one said."""
        key = (server.url, path, *asked.values())
        try:
            async with self._places, asyncio.timeout(QUESTION):
                self._told[key] = read(await self._document(server, path, asked))
        except _NotFound:
            self._told.pop(key, None)
        except Exception as exc:  # whatever it is, it must not cost the list
            logger.debug("%s tells nothing at %s: %r", self._upstream.name, path, exc)
        return self._told.get(key, {})

    async def _document(self, server: Server, path: str, asked: dict[str, str]) -> Any:
        """Return a document. Raises _NotFound, ValueError, transport errors."""
        method, content = ("POST", json.dumps(asked).encode()) if asked else ("GET", b"")
        response = await self._upstream.request(method, server, path, content)
        try:
            if response.status_code in (404, 405):
                raise _NotFound
            if response.status_code != 200:
                raise ValueError(f"status {response.status_code}")
            body = bytearray()
            async for data in response.aiter_bytes():
                body += data
                if len(body) > MAX_DOCUMENT:
                    raise ValueError("too large")
        finally:
            await response.aclose()
        return json.loads(body)


def _beside(server: Server) -> Server:
    """Return where the native API of a server stands: before the version in its path."""
    url = urlsplit(server.url)
    version = VERSION.search(url.path)
    path = url.path[: version.start()] if version else url.path
    return Server(url._replace(path=path).geturl(), server.headers)
