"""The processes under measurement: a model server and chatd."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
TOKEN = "benchmark"
NO_LIMITS = {
    f"CHATD_LIMITS_{name}": "0"
    for name in ("SENDS_PER_MINUTE", "GENERATIONS_PER_USER", "SOCKETS_PER_USER", "SOCKETS")
}


@contextlib.asynccontextmanager
async def process(*arguments: str, **environment: str) -> AsyncIterator[tuple[int, str]]:
    """Run a program until the block ends; yield its process id and the first line it prints."""
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=ROOT,
        env=os.environ | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert started.stdout is not None
    try:
        line = (await started.stdout.readline()).decode().strip()
        if not line:
            raise RuntimeError(f"{' '.join(arguments)} did not start")
        yield started.pid, line
    finally:
        with contextlib.suppress(ProcessLookupError):
            started.terminate()
        await started.wait()


@contextlib.asynccontextmanager
async def model_server() -> AsyncIterator[str]:
    """Run the development model server without pauses; yield its address."""
    async with process("scripts/llm_server.py", "--port", "0") as (_, line):
        yield line.rpartition(" ")[2]


@contextlib.asynccontextmanager
async def chat_server(upstream: str) -> AsyncIterator[tuple[str, int]]:
    """Run chatd on an empty data directory; yield its address and process id."""
    with tempfile.TemporaryDirectory() as directory:
        arguments = ("-m", "chatd", "serve", "--port", "0", "--data-dir", directory)
        settings = {"CHATD_TOKEN": TOKEN, "LLM_SERVER_URL": upstream} | NO_LIMITS
        async with process(*arguments, **settings) as (pid, line):
            yield line.partition("/?")[0], pid
