"""A chatd that dies and is started again, as a supervisor does it, and what it leaves behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from pathlib import Path

import psutil
from inside.inside import FILE
from process import DidNotStart, Process
from story import End, Vitals

AGAIN_AFTER = 0.1  # seconds until a server that could not start is started again
STARTED_WITHIN = 60.0
LEFT_WITHIN = 20.0  # seconds for all that was held for clients to be let go
LOOK_EVERY = 0.05


class Place:
    """A data directory with at most one server on it."""

    def __init__(self, data_dir: Path, **settings: str) -> None:
        self.data_dir = data_dir
        self.ends: list[End] = []
        self.logs: list[str] = []
        self.codes: list[int] = []
        self.highest = 0.0  # megabytes
        self.server: Process | None = None
        self._inside = data_dir.parent / f"{data_dir.name}.inside"
        self._settings = settings | {FILE: str(self._inside)}
        self._changing = asyncio.Lock()

    async def start(self) -> Process:
        """Start the server; again, as long as the faults do not let it."""
        until = time.monotonic() + STARTED_WITHIN
        while True:
            server = Process(self.data_dir, **self._settings)
            try:
                await asyncio.to_thread(server.wait_for_url)
            except DidNotStart:
                self.logs.append(server.log)
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(AGAIN_AFTER)
            except BaseException:
                server.kill()
                raise
            else:
                self.server = server
                return server

    async def kill(self) -> None:
        """Kill the server, and start it again."""
        async with self._changing:
            server, self.server = self._gone(), None
            self.ends.append(End(at=time.monotonic()))
            await asyncio.to_thread(server.kill)
            self.logs.append(server.log)
            await self.start()

    async def restart(self) -> None:
        """Ask the server to end, and start it again."""
        async with self._changing:
            await self._stop()
            await self.start()

    async def stop(self) -> None:
        """Ask the server to end, for good."""
        async with self._changing:
            await self._stop()

    async def _stop(self) -> None:
        server = self._gone()
        server.terminate()
        self.codes.append(await server.ended())
        self.server = None
        self.ends.append(End(at=time.monotonic(), is_orderly=True))
        self.logs.append(server.log)

    def _gone(self) -> Process:
        assert self.server is not None
        return self.server

    def close(self) -> None:
        """Leave nothing that runs."""
        if self.server is not None:
            self.server.kill()

    def look(self) -> None:
        """Note how much memory the server has."""
        if self.server is not None:
            with contextlib.suppress(psutil.Error):
                megabytes = psutil.Process(self.server.pid).memory_info().rss / 1e6
                self.highest = max(self.highest, megabytes)

    async def vitals(self) -> Vitals:
        """Return what the server holds, when that has come to nothing, or will not any more."""
        server = self._gone()
        until = time.monotonic() + LEFT_WITHIN
        while True:
            found = await self._ask_inside(server)
            if not (found["rooms"] or found["generations"]) or time.monotonic() > until:
                process = psutil.Process(server.pid)
                sockets = [c for c in process.net_connections("tcp") if c.status == "ESTABLISHED"]
                ours = [c for c in sockets if c.laddr.port == int(server.url.rpartition(":")[2])]
                if not ours or time.monotonic() > until:
                    files = process.num_fds()
                    return Vitals(megabytes=self.highest, files=files, sockets=len(ours), **found)
            await asyncio.sleep(LOOK_EVERY)

    async def _ask_inside(self, server: Process) -> dict[str, int]:
        self._inside.unlink(missing_ok=True)
        os.kill(server.pid, signal.SIGUSR1)
        async with asyncio.timeout(LEFT_WITHIN):
            while not self._inside.exists():  # noqa: ASYNC110 - another process makes it
                await asyncio.sleep(0.01)
        found: dict[str, int] = json.loads(self._inside.read_text())
        return found
