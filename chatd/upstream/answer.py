"""One answer of a model server, while its body comes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from chatd.deadline import Deadline
from chatd.errors import ProviderError
from chatd.pool import Server
from chatd.transport import FULL_READ, Read, body_of, transport_errors

if TYPE_CHECKING:
    import httpx

    from chatd.upstream.calls import Upstream

MAX_BODY = 16 * 1024 * 1024

Ask = Callable[[Server], Awaitable["httpx.Response"]]


class Answer:
    """An answer whose body has begun, or has ended with nothing."""

    def __init__(self, upstream: Upstream, server: Server) -> None:
        self.deadline = Deadline(upstream.timeout)
        self._upstream = upstream
        self._server = server
        self._response: httpx.Response | None = None
        self._read: Read | None = None
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
                self._read = body_of(response)
                self._ahead = await self._read()
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
        assert self._read is not None
        try:
            with self.deadline:
                data = await self._read()
        except transport_errors() as exc:
            self._ahead = b""  # who reads on behind an error has come to the end
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
