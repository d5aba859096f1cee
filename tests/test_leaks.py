"""What is left open: whose it is, and with which test it is reported."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
import subprocess
import sys
from pathlib import Path

import leaks
from pymongo import AsyncMongoClient

TESTS = '''
import socket

def test_leaks():
    """Leave a socket behind that only the collector finds."""
    cycle = [socket.socket()]
    cycle.append(cycle)

def test_does_not():
    """Leave nothing."""
'''

PLAIN = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(Path(__file__).parent)}


def test_a_leak_fails_the_test_that_made_it(tmp_path: Path) -> None:
    """The socket that one test left open is an error of this test, and not of the next."""
    file = tmp_path / "test_leaking.py"
    file.write_text(TESTS)
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "leaks", "-W", "error", "-r", "E", str(file)],
        cwd=tmp_path,
        env=os.environ | PLAIN,
        capture_output=True,
        text=True,
        timeout=100,
    )

    lines = ran.stdout.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("ERROR ")] == [
        f"{file.name}::test_leaks"
    ], ran.stdout
    assert "2 passed, 1 error" in lines[-1]


async def test_what_pymongo_leaves_open_fails_no_test() -> None:
    """A client that is closed while it connects leaves its socket to the collector."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        address = listener.getsockname()
        # Who comes when the queue is full is not answered, and connects until he gives up.
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        client: AsyncMongoClient[dict[str, str]] = AsyncMongoClient(*address)
        ping = asyncio.ensure_future(client.admin.command("ping"))
        while not any(_is_connecting(each) for each in gc.get_objects()):  # noqa: ASYNC110 - untold
            await asyncio.sleep(0.01)
        ping.cancel()
        await client.close()
        await asyncio.gather(ping, return_exceptions=True)
    gc.collect()


def _is_connecting(each: object) -> bool:
    return isinstance(each, socket.socket) and each.fileno() >= 0 and leaks.is_pymongos(each)


def test_other_sockets_are_not_pymongos() -> None:
    """What any other library leaves open is an error."""
    one, other = socket.socketpair()
    with socket.socket() as plain, one, other:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        assert not leaks.is_pymongos(plain)
        assert not leaks.is_pymongos(one)
