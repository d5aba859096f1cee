"""What many turns leave behind: memory of a server after more and more of them, `... memory`."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from benchmarks.measures import SESSIONS, chats, idle
from benchmarks.processes import Server
from benchmarks.servers import NAMES, servers, upstream
from benchmarks.sockets import Chat

STEPS = 10
TURNS_IN_A_SESSION = 100


async def memory(turns: int) -> AsyncIterator[tuple[str, int, float]]:
    """Yield (server, turns so far, MiB), ten times for chatd on each store.

    Every hundred turns a session is left for a new one, as people do.
    """
    with tempfile.TemporaryDirectory() as directory:
        async with upstream() as url, servers(url, Path(directory), NAMES[:2]) as running:
            for server in running:
                done = 0
                while done < turns:
                    done += await _some(server, turns // STEPS)
                    await idle(server)
                    yield server.name, done, server.memory() / 2**20


async def _some(server: Server, turns: int) -> int:
    done = 0
    while done < turns:
        async with chats(server, "t20-r0", SESSIONS) as opened:
            await asyncio.gather(*(_turns(chat) for chat in opened))
            done += sum(chat.turns for chat in opened)
    return done


async def _turns(chat: Chat) -> None:
    for _ in range(TURNS_IN_A_SESSION):
        await chat.turn()
