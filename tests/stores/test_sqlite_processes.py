"""The SQLite store beside and after other processes."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from stored import ALICE, a_turn, add

from chatd.stores.sqlite.store import SqliteStore

WRITER = Path(__file__).with_name("sqlite_writer.py")


def start_writer(path: Path, *turns: str) -> subprocess.Popen[str]:
    """Start a process that writes turns and prints what was acknowledged."""
    command = [sys.executable, str(WRITER), str(path), *turns]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


async def check(path: Path, acknowledged: list[str]) -> None:
    """Check that every acknowledged message is there, once, and the file is whole."""
    store = SqliteStore(path)
    await store.open()
    stored: list[str] = []
    for session in {line.split()[0] for line in acknowledged}:
        seq = 0
        while True:
            page = await store.list_messages(ALICE.id, session, after=seq, limit=200)
            stored += [f"{session} {message.id}" for message in page.results]
            if not page.more_after:
                break
            seq = page.results[-1].seq
    await store.aclose()
    assert set(acknowledged) <= set(stored)
    assert len(set(stored)) == len(stored)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.parametrize("seed", range(12))
async def test_a_killed_process_loses_nothing_acknowledged(tmp_path: Path, seed: int) -> None:
    """After kill -9 in the middle of writing every acknowledged message is there."""
    path = tmp_path / "chat.db"
    with start_writer(path) as writer:
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(random.Random(seed).randrange(1, 400))]
        writer.kill()
        lines += writer.stdout.readlines()  # what it said between the last look and its end

    assert writer.returncode == -9
    await check(path, [line.strip() for line in lines if line.endswith("\n")])
    store = SqliteStore(path)
    await store.open()
    assert len(await a_turn(store, await add(store))) == 2
    await store.aclose()


async def test_processes_share_a_file(tmp_path: Path) -> None:
    """Several processes create one store at the same time and write to it: all of it is kept."""
    path = tmp_path / "new" / "chat.db"
    writers = [start_writer(path, "25") for _ in range(3)]
    acknowledged: list[str] = []
    for writer in writers:
        out, _ = writer.communicate(timeout=60)
        assert writer.returncode == 0
        acknowledged += out.splitlines()

    assert len(acknowledged) == 3 * 4 * 25 * 2
    await check(path, acknowledged)
