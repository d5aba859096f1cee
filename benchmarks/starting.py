"""What it takes to start chatd, before anything is asked of it."""

from __future__ import annotations

import resource
import tempfile
import time

from benchmarks.processes import process


async def start_up() -> float:
    """Seconds until `chatd serve` says that it listens."""
    with tempfile.TemporaryDirectory() as directory:
        begun = time.monotonic()
        arguments = ("-m", "chatd", "serve", "--port", "0", "--data-dir", directory)
        async with process(*arguments):
            return time.monotonic() - begun


async def help_text() -> float:
    """Seconds of CPU that `chatd --help` takes."""
    before = _children()
    async with process("-m", "chatd", "--help"):
        pass
    return _children() - before


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
