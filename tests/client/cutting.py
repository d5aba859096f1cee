"""A TCP proxy that treats connections badly: it cuts, stalls and half-closes them at any byte."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from random import Random

FATES = (*["cut"] * 6, *["reset"] * 3, "stall", "half_to_client", "half_to_server")


class Connection:
    """One connection and what becomes of it after so many bytes, of both directions together."""

    def __init__(self, fate: str, after: int) -> None:
        self.fate, self.left = fate, after
        self.is_stalled = False


class CuttingProxy:
    """Forwards to a port. `is_calm` lets new connections live; `fates` counts what was done."""

    def __init__(
        self, port: int, random: Random, *, limits: tuple[int, ...] = (300, 1200, 6000)
    ) -> None:
        self._target, self._random, self._limits = port, random, limits
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.fates: Counter[str] = Counter()
        self.is_calm = False
        self.url = ""

    def _new_connection(self) -> Connection:
        fate = "live" if self.is_calm else self._random.choice(FATES)
        # As often in the handshake as far behind it.
        return Connection(fate, self._random.randrange(self._random.choice(self._limits)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        connection, server = self._new_connection(), None
        self._writers.add(writer)
        try:
            up_reader, server = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers.add(server)
            await asyncio.gather(
                self._pipe(connection, reader, server, writer, "half_to_server"),
                self._pipe(connection, up_reader, writer, server, "half_to_client"),
            )
        except OSError:
            pass
        finally:
            for each in filter(None, (writer, server)):
                each.close()
                self._writers.discard(each)

    async def _pipe(
        self,
        connection: Connection,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        other: asyncio.StreamWriter,
        half: str,
    ) -> None:
        while data := await reader.read(4096):
            if connection.is_stalled:
                continue  # what is sent is taken, and leads nowhere
            # Of a connection to be closed in one direction the other one goes on.
            is_other = connection.fate.startswith("half") and connection.fate != half
            if connection.fate == "live" or is_other or len(data) <= connection.left:
                connection.left = max(0, connection.left - len(data))
                writer.write(data)
                await writer.drain()
                continue
            writer.write(data[: connection.left])
            connection.left = 0
            if connection.fate in ("stall", half):
                self.fates[connection.fate] += 1
                connection.is_stalled = True
                if connection.fate == half and writer.can_write_eof():
                    writer.write_eof()
            else:
                self.fates[connection.fate] += 1
                if connection.fate == "reset":
                    writer.transport.abort()
                    other.transport.abort()
                writer.close()
                other.close()
                return
        if not connection.is_stalled:
            writer.close()

    def cut_all(self) -> None:
        """Cut all connections that there are."""
        for writer in self._writers:
            writer.transport.abort()

    async def _close(self) -> None:
        self.cut_all()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[CuttingProxy]:
        """Listen on a free port."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            await self._close()
