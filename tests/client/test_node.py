"""The example in docs/examples for Node, through a proxy that cuts its connections."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from process import Process
from test_cuts import SEED, new_sessions, proxy_of, stored, words

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "websocket_client.mjs"
NODE = shutil.which("node") or ""


def flags() -> list[str]:
    """Return what this Node needs to have WebSocket. Skips without a Node that has it."""
    if not NODE:
        pytest.skip("THERE IS NO NODE: the example for JavaScript is not tested")
    for some in ([], ["--experimental-websocket"]):
        done = subprocess.run([NODE, *some, "-e", "WebSocket"], capture_output=True)
        if done.returncode == 0:
            return some
    pytest.skip("THIS NODE HAS NO WEBSOCKET: the example for JavaScript is not tested")


async def node(url: str, session_id: str, token: str, *texts: str) -> tuple[int | None, str, str]:
    """Run the example; return its exit code, what it printed and what it complained of."""
    process = await asyncio.create_subprocess_exec(
        *[NODE, *flags(), "--no-warnings", str(EXAMPLE), url, session_id, *texts],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"TOKEN": token, "QUIET_SECONDS": "0.3", "RETRY_SECONDS": "0.03"},
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_every_reply_is_printed_whole_and_once(slow_server: Process) -> None:
    """Whatever is cut, what it prints is what is stored."""
    (session_id,) = await new_sessions(slow_server, 1)
    texts = [words(f"node {number}", 60) for number in range(4)]
    async with proxy_of(slow_server, SEED + 3, limits=(1500, 4000, 9000)).running() as proxy:
        code, out, err = await node(proxy.url, session_id, slow_server.token, *texts)
    assert (code, err) == (0, "")
    assert out == "".join(f"{text}\n" for text in texts)
    assert proxy.fates.total() >= 4, proxy.fates
    assert [m.content for m in await stored(slow_server, session_id) if m.role == "user"] == texts


async def test_it_stops_when_it_is_told_to(slow_server: Process) -> None:
    """A wrong token is no reason to try again."""
    (session_id,) = await new_sessions(slow_server, 1)
    code, out, err = await node(slow_server.url, session_id, "chatd_wrong", "hi")
    assert (code, out) == (1, "")
    assert "4501" in err
