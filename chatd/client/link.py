"""A WebSocket that is opened again whenever it is lost.

It knows nothing of what is said: a Receiver gives the query of each attempt and takes the frames.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol
from urllib.parse import urlencode

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from chatd.client.backoff import Backoff, refusal
from chatd.client.errors import error_of
from chatd.client.log import Frame

logger = logging.getLogger(__name__)

FRAME_BYTES = 32 * 1024 * 1024  # a reply of 1 MiB, all of it escaped, and what is around it
GOOD_AFTER = 5.0  # seconds that a connection must have stood to count as a success
PASSING = (408, 425, 429, 500, 502, 503, 504)  # of a handshake: another try may succeed

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder().decode


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """How patient a client is; all in seconds.

    `connect` is for one attempt, `open` for entering a live connection, `request` for an answer
    over REST. A wait between attempts is any time up to a limit that doubles with each of them.
    """

    connect: float = 10.0
    open: float = 20.0
    request: float = 60.0
    ping_every: float = 20.0
    pong_within: float = 10.0
    retry_shortest: float = 0.5
    retry_longest: float = 30.0

    def backoff(self) -> Backoff:
        """Return new waiting times."""
        return Backoff(shortest=self.retry_shortest, longest=self.retry_longest)


class Receiver(Protocol):
    """Whom a link serves. None of these waits or raises."""

    def query(self) -> dict[str, str]:
        """Return the query of the URL for the next attempt."""

    def received(self, frame: Frame) -> None:
        """Take a frame."""

    def lost(self, reason: str, code: int | None, retry_in: float) -> None:
        """Learn that there is no connection, and when the next attempt is."""


class Dial(connect):
    """An attempt to connect that follows no redirect: the token is for one server."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Return what is wrong instead of another address."""
        return exc


class Link:
    """Keeps one WebSocket open until `run` is cancelled or the server says to stop."""

    def __init__(
        self,
        url: str,
        receiver: Receiver,
        *,
        headers: Callable[[], dict[str, str]],
        timing: Timing,
        trust_env: bool = True,
    ) -> None:
        self._url, self._receiver, self._headers = url, receiver, headers
        self._timing, self._backoff = timing, timing.backoff()
        self._trust_env = trust_env
        self._connection: ClientConnection | None = None
        self._outgoing: asyncio.Queue[bytes] = asyncio.Queue()
        self._heard_at = 0.0

    async def run(self) -> None:
        """Connect again and again. Raises the ChatdError that says to stop."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            reason, code = await self._once()
            if loop.time() - began > GOOD_AFTER:
                self._backoff.reset()
            delay = self._backoff.next()
            logger.info("connection lost: %s; trying again in %.1f s", reason, delay)
            self._receiver.lost(reason, code, delay)
            await asyncio.sleep(delay)

    def tell(self, type: str, **fields: Any) -> bool:
        """Queue a frame; False without a connection: then it is dropped."""
        if self._connection is None:
            return False
        self._outgoing.put_nowait(encode({"type": type, **fields}))
        return True

    def drop(self) -> None:
        """End the connection as if the network had: the next attempt asks for what is missing."""
        if self._connection is not None:
            self._connection.transport.abort()

    async def _once(self) -> tuple[str, int | None]:
        """Serve one connection to its end; return why it ended. Raises what says to stop."""
        try:
            async with self._opened() as connection:
                async for message in connection:
                    self._heard_at = asyncio.get_running_loop().time()
                    self._receiver.received(decode(message))
            closed = connection.protocol.close_rcvd
        except ConnectionClosed as exc:
            closed = exc.rcvd
        except InvalidStatus as exc:
            return self._refused(exc), None
        except OSError as exc:
            return _why(exc), None
        except WebSocketException as exc:
            return str(exc) or type(exc).__name__, None
        code, reason = (closed.code, closed.reason) if closed else (None, "")
        stop = refusal(code, reason)
        if stop is not None:
            raise stop
        return reason or "the connection broke", code

    def _refused(self, exc: InvalidStatus) -> str:
        """Return why the handshake was refused for now; raise what was refused for good."""
        status = exc.response.status_code
        if status in PASSING:
            return f"the server answered {status}"
        try:
            said = decode(exc.response.body or b"")
        except msgspec.DecodeError:
            said = None
        raise error_of(said if isinstance(said, dict) else {}, status) from exc

    @contextlib.asynccontextmanager
    async def _opened(self) -> AsyncIterator[ClientConnection]:
        query = urlencode(self._receiver.query())
        connection = await Dial(
            f"{self._url}?{query}" if query else self._url,
            additional_headers=self._headers(),
            compression=None,
            proxy=True if self._trust_env else None,
            open_timeout=self._timing.connect,
            close_timeout=1.0,
            ping_interval=None,  # our own ping tells more: its pong carries the head
            max_size=FRAME_BYTES,
        )
        self._connection, self._outgoing = connection, asyncio.Queue()
        work = asyncio.gather(self._write(connection), self._watch(connection))
        try:
            yield connection
        finally:
            self._connection = None
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
                await work
            await connection.close()

    async def _write(self, connection: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):  # the reader sees it too
            while True:
                await connection.send(await self._outgoing.get(), text=True)

    async def _watch(self, connection: ClientConnection) -> None:
        """Ask for the head now and then; a connection from which nothing comes is dead."""
        loop = asyncio.get_running_loop()
        self._heard_at = loop.time()
        while True:
            await asyncio.sleep(self._timing.ping_every)
            asked_at = loop.time()
            self.tell("ping", t=asked_at)
            await asyncio.sleep(self._timing.pong_within)
            if self._heard_at < asked_at:
                logger.info("nothing was heard for %.1f s", loop.time() - self._heard_at)
                connection.transport.abort()
                return


def _why(exc: OSError) -> str:
    """Return why there is no connection, in words: asyncio has the number and the address."""
    if exc.errno is not None and exc.errno > 0:
        return os.strerror(exc.errno)
    # Each address of the name had an error of its own; a TimeoutError may say nothing.
    said = exc.strerror or str(exc)
    return "nothing answers there" if not said or said.startswith("Multiple") else said
