"""HTTP calls to the servers of one provider: which is asked, how long, and when again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING

from chatd import tracing
from chatd.errors import (
    ProviderBusy,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
)
from chatd.pool import Pool, Server
from chatd.provider import Chunk, Report
from chatd.refusals import refusal
from chatd.transport import new_transport
from chatd.upstream.answer import Answer, Ask
from chatd.upstream.reply import Reply

if TYPE_CHECKING:
    import httpx

logger = logging.getLogger("chatd.upstream")

RETRIES = 2
RETRY_PAUSE = 0.2
LONGEST_RETRY_AFTER = 30


class Upstream:
    """What a provider calls: its servers, and the connections to them.

    A call is repeated before the first byte of its body only: at most twice, when the connection
    fails, or for 429 and 502-504, and with another server if there is one.
    """

    def __init__(
        self,
        name: str,
        urls: Iterable[str],
        *,
        timeout: float,
        key: str = "",
        headers: Mapping[str, str] | None = None,
        max_connections: int = 1000,
        environment_proxies: bool = False,
    ) -> None:
        self.name = name
        self.timeout = timeout
        self.report: Report | None = None
        self.pool = Pool(urls)
        self._headers = {
            "User-Agent": "chatd",
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
        }
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._headers |= headers or {}
        self._max_connections = max_connections
        self._environment_proxies = environment_proxies
        self._transport: httpx.AsyncBaseTransport | None = None
        # By server and path: parsing a URL and checking headers took 36 us of each request's 58.
        self._targets: dict[tuple[str, str], tuple[httpx.URL, httpx.Headers]] = {}

    @contextlib.asynccontextmanager
    async def answer(self, ask: Ask) -> AsyncIterator[Answer]:
        """Give the first good answer, and close it at the end. Raises ProviderError."""
        answer = await self._answer(ask)
        try:
            yield answer
        finally:
            await answer.aclose()

    async def stream(self, ask: Ask, reply: Reply) -> AsyncGenerator[Chunk | str, None]:
        """Yield what the first good answer says, as `reply` reads it.

        All text that one read brought is one str. Raises ProviderInterrupted for a reply that ends
        without having told why, ProviderError for anything else that goes wrong.
        """
        async with self.answer(ask) as answer:
            if answer.content_type == "application/json":
                # It does not stream, or has only an error to tell.
                for chunk in reply.take_whole(await answer.body()):
                    yield chunk
            while not reply.is_done:
                try:
                    data = await answer.read()
                except ProviderError:
                    if not reply.gathering.is_finished:
                        raise
                    break  # It has told why it ended: only the usage or the last word is lost.
                if not data:
                    break
                for chunk in reply.take(data):
                    yield chunk
                if reply.grew:
                    answer.deadline.restart()
            for chunk in reply.end():
                yield chunk
            await answer.drain()

    async def get(self, path: str) -> tuple[Server, bytes]:
        """Return a document from any of the servers, each asked once. Raises ProviderError."""
        tried: list[Server] = []
        while True:
            tried.append(self.pool.take(tried))
            try:
                return tried[-1], await self.document(tried[-1], path)
            except ProviderError:
                if len(tried) == len(self.pool.servers):
                    raise

    async def document(self, server: Server, path: str) -> bytes:
        """Return a document from one server, asked once. Raises ProviderError."""
        answer = await self._attempt(lambda server: self.request("GET", server, path), server)
        try:
            return await answer.body()
        finally:
            await answer.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.aclose()

    async def request(
        self, method: str, server: Server, path: str, content: bytes = b""
    ) -> httpx.Response:
        """Send one request; return the answer, its body not yet read. Raises transport errors."""
        import httpx

        if self._transport is None:
            self._transport = new_transport(
                max_connections=self._max_connections,
                environment_proxies=self._environment_proxies,
            )
        target = self._targets.get((server.url, path))
        if target is None:
            target = httpx.URL(server.url + path), httpx.Headers(self._headers | server.headers)
            self._targets[server.url, path] = target
        # With a stream httpx adds no headers: the transport adds the same, and it takes a fifth.
        request = httpx.Request(
            method, target[0], headers=target[1], stream=httpx.ByteStream(content)
        )
        request.read()
        if parent := tracing.traceparent.get():
            request.headers["traceparent"] = parent
        return await self._transport.handle_async_request(request)

    async def check(self, response: httpx.Response) -> None:
        """Return if the status is one of success, raise ProviderError for any other.

        What the body says is logged for debugging only: it may quote the key, or the prompt.
        """
        if response.is_success:
            return
        if logger.isEnabledFor(logging.DEBUG):
            body = await anext(aiter(response.aiter_bytes(1000)), b"")
            logger.debug("%s said: %s", self.name, body.decode(errors="replace"))
        raise refusal(self.name, response)

    def failure(self, exc: Exception, what: str) -> ProviderError:
        """Return the error for an exception of the transport; the name is all it tells."""
        if isinstance(exc, TimeoutError):
            logger.warning("%s took too long", self.name)
            return ProviderTimeout(f"The model provider {self.name} took too long.")
        logger.warning("%s %s", self.name, what)
        logger.debug("%s: %r", self.name, exc)
        return ProviderUnavailable(f"The model provider {self.name} {what}.")

    async def _answer(self, ask: Ask) -> Answer:
        tried: list[Server] = []
        while True:
            server = self.pool.take(tried)
            tried.append(server)
            try:
                return await self._attempt(ask, server)
            except (ProviderBusy, ProviderUnavailable) as exc:
                pause = self._pause(exc, tried)
                if pause is None:
                    raise
            await asyncio.sleep(pause)

    async def _attempt(self, ask: Ask, server: Server) -> Answer:
        answer, begun = Answer(self, server), time.monotonic()
        try:
            await answer.begin(ask)
            self._tell(begun, "ok")
        except BaseException as exc:
            await answer.aclose()
            if isinstance(exc, ProviderError):
                self._tell(begun, exc.code)
            if isinstance(exc, ProviderBusy | ProviderUnavailable | ProviderTimeout):
                self.pool.rest(server, exc.retry_after or 0)
            raise
        return answer

    def _tell(self, begun: float, code: str) -> None:
        if self.report is not None:
            self.report(self.name, time.monotonic() - begun, code)

    def _pause(self, exc: ProviderError, tried: list[Server]) -> float | None:
        """Return how long to wait before the next attempt, None if there is none."""
        if len(tried) > RETRIES:
            return None
        if self.pool.has_another(tried):
            return 0
        if exc.retry_after is not None:
            return exc.retry_after if exc.retry_after <= LONGEST_RETRY_AFTER else None
        return RETRY_PAUSE * 2.0 ** (len(tried) - 1) * random.uniform(0.5, 1)
