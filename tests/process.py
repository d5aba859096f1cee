"""A chatd in a process of its own: started as an operator does it, and killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

TOKEN = "chatd_a-token-that-only-the-tests-know"
STARTS_WITHIN = 100  # seconds; it takes half a second on a machine that has nothing else to do
ENDS_WITHIN = 100
OURS = ("CHATD_", "LLM_", "REDIS_", "DB_")

NO_LIMITS = {
    "CHATD_TOKEN": TOKEN,
    "CHATD_LIMITS_SENDS_PER_MINUTE": "0",
    "CHATD_LIMITS_GENERATIONS_PER_USER": "0",
    "CHATD_LIMITS_SOCKETS_PER_USER": "0",
}


class DidNotStart(Exception):
    """The server ended before it said where it listens."""


def environment(**settings: str) -> dict[str, str]:
    """Return this process's environment with these settings of chatd, and no others."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return inherited | NO_LIMITS | settings


def command(data_dir: Path, *arguments: str, python: str = sys.executable) -> list[str]:
    """Return the command line that serves from a directory, on a free port."""
    serve = ["serve", "--port", "0", "--data-dir", str(data_dir)]
    return [python, "-m", "chatd", *serve, *arguments]


class Process:
    """`chatd serve`. Settings are environment variables; what it logs is kept beside its data."""

    python = sys.executable
    token = TOKEN
    ticket_url = ""

    def __init__(self, data_dir: Path, *arguments: str, **settings: str) -> None:
        self.data_dir = data_dir
        data_dir.mkdir(parents=True, exist_ok=True)
        self._log_path = data_dir.with_suffix(".log")
        with self._log_path.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                command(data_dir, *arguments, python=self.python),
                cwd=data_dir.parent,  # where no conf/chatd.toml is
                env=environment(**settings),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def wait_for_url(self) -> None:
        """Return when the server listens. Raises DidNotStart with its log."""
        assert self._process.stdout is not None
        timer = threading.Timer(STARTS_WITHIN, self._process.kill)
        timer.start()
        self.ticket_url = self._process.stdout.readline().strip()
        timer.cancel()
        if not self.ticket_url:
            raise DidNotStart(f"chatd ended with {self.kill()}:\n{self.log}")

    @property
    def url(self) -> str:
        """The server's origin, without a slash at its end."""
        return f"http://127.0.0.1:{urlsplit(self.ticket_url).port}"

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def log(self) -> str:
        """What this process has logged up to now; not what those before it have."""
        with self._log_path.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode()

    def kill(self) -> int:
        """Kill the process if it still runs, without a warning; return how it ended."""
        self._process.kill()
        return self.wait()

    def terminate(self, signum: signal.Signals = signal.SIGTERM) -> None:
        """Ask the process to end."""
        self._process.send_signal(signum)

    def wait(self) -> int:
        """Return how the process ended, when it has: its exit code, or a negative signal."""
        code = self._process.wait(ENDS_WITHIN)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return code

    async def ended(self) -> int:
        """Wait in another thread: the loop goes on."""
        return await asyncio.to_thread(self.wait)


@contextlib.contextmanager
def running(data_dir: Path, *arguments: str, **settings: str) -> Iterator[Process]:
    """Run a chatd; it is killed at the end if it still runs then."""
    process = Process(data_dir, *arguments, **settings)
    try:
        process.wait_for_url()
        yield process
    finally:
        process.kill()


@contextlib.asynccontextmanager
async def serving(data_dir: Path, *arguments: str, **settings: str) -> AsyncIterator[Process]:
    """Run a chatd as `running` does, while the loop goes on."""
    process = Process(data_dir, *arguments, **settings)
    try:
        await asyncio.to_thread(process.wait_for_url)
        yield process
    finally:
        process.kill()
