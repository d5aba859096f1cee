"""HTTP calls to the servers of one provider: which is asked, how long, and when again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from chatd import tracing
from chatd.deadline import Deadline
from chatd.errors import (
    ProviderBusy,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
)
from chatd.gathering import Gathering as Gathering
from chatd.gathering import is_count as is_count
from chatd.gathering import is_word as is_word
from chatd.instances import InstanceSchema as InstanceSchema
from chatd.pool import Pool
from chatd.pool import Server as Server
from chatd.provider import Report
from chatd.refusals import refusal
from chatd.transport import new_transport, transport_errors

if TYPE_CHECKING:
    import httpx

logger = logging.getLogger(__name__)

RETRIES = 2
RETRY_PAUSE = 0.2
LONGEST_RETRY_AFTER = 30
MAX_BODY = 16 * 1024 * 1024

# What the aiohttp transport hands over at most; a shorter read has emptied its buffer.
FULL_READ = 16 * 1024


Ask = Callable[[Server], Awaitable["httpx.Response"]]


class Answer:
    """An answer whose body has begun, or has ended with nothing."""

    def __init__(self, upstream: Upstream, server: Server) -> None:
        self.deadline = Deadline(upstream.timeout)
        self._upstream = upstream
        self._server = server
        self._response: httpx.Response | None = None
        self._chunks: AsyncIterator[bytes] | None = None
        self._ahead: bytes | None = None
        self._size = 0
        server.running += 1

    @property
    def content_type(self) -> str:
        """The media type of the body, in lower case."""
        assert self._response is not None
        value: str = self._response.headers.get("content-type", "")
        return value.partition(";")[0].strip().lower()

    async def begin(self, ask: Ask) -> None:
        """Ask, and read the first bytes. Raises ProviderError."""
        try:
            with self.deadline:
                response = self._response = await ask(self._server)
                await self._upstream.check(response)
                plain = response.headers.get("content-encoding", "identity") == "identity"
                # The stream itself: aiter_raw() would cut and count what is not to be cut.
                stream = response.stream if plain else response.aiter_bytes()
                self._chunks = aiter(stream)  # type: ignore[arg-type]
                self._ahead = await anext(self._chunks, b"")
        except transport_errors() as exc:
            raise self._upstream.failure(exc, "could not be reached") from exc
        self._upstream.pool.wake(self._server)

    async def read(self) -> bytes:
        """Return what has come, nothing at the end. Raises ProviderError.

        The deadline runs until `deadline.restart()`: only the caller knows what a token is.
        """
        if self._ahead is not None:
            data, self._ahead = self._ahead, None
            return data
        if self._size >= FULL_READ:
            # There may be more already, and then nothing below would let the others run.
            await asyncio.sleep(0)
        assert self._chunks is not None
        try:
            with self.deadline:
                data = await self._chunks.__anext__()
        except StopAsyncIteration:
            data = b""
        except transport_errors() as exc:
            self._upstream.pool.rest(self._server)
            raise self._upstream.failure(exc, "broke the connection") from exc
        self._size = len(data)
        return data

    async def body(self) -> bytes:
        """Return the whole body. Raises ProviderError."""
        body = bytearray()
        while data := await self.read():
            body += data
            if len(body) > MAX_BODY:
                raise ProviderError("The model provider sent too much.")
        return bytes(body)

    async def drain(self) -> None:
        """Read the end of a body that has said all: only then the connection can be kept."""
        with contextlib.suppress(ProviderError, TimeoutError):
            async with asyncio.timeout(0.1):
                await self.read()

    async def aclose(self) -> None:
        """Close the connection here and now, unless the body was read to its end."""
        self.deadline.close()
        self._server.running -= 1
        if self._response is not None:
            await self._response.aclose()


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

    async def get(self, path: str) -> tuple[Server, bytes]:
        """Return a document from any of the servers, each asked once. Raises ProviderError."""
        tried: list[Server] = []
        while True:
            tried.append(self.pool.take(tried))
            try:
                return tried[-1], await self._document(path, tried[-1])
            except ProviderError:
                if len(tried) == len(self.pool.servers):
                    raise

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

    async def _document(self, path: str, server: Server) -> bytes:
        answer = await self._attempt(lambda server: self.request("GET", server, path), server)
        try:
            return await answer.body()
        finally:
            await answer.aclose()
