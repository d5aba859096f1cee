"""Writes turns into a SQLite store until it is killed, or TURNS in each of 4 sessions.

    python sqlite_writer.py PATH [TURNS]

Prints `session_id message_id` when the store has acknowledged a message, and only then.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from stored import ALICE, a_session, a_turn

from chatd.stores.sqlite.store import SqliteStore
from chatd.types import Message


def acknowledged(message: Message) -> None:
    """Say that a message is stored."""
    os.write(1, f"{message.session_id} {message.id}\n".encode())


async def main(path: str, turns: int = sys.maxsize) -> None:
    """Write."""
    store = SqliteStore(Path(path))
    await store.open()

    async def talk() -> None:
        session = a_session()
        await store.add_session(ALICE.id, session)
        for _ in range(turns):
            for message in await a_turn(store, session):
                acknowledged(message)

    await asyncio.gather(*[talk() for _ in range(4)])
    await store.aclose()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], *map(int, sys.argv[2:])))
