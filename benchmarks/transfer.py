"""What moving many messages costs: export, import, copy. `python -m benchmarks.transfer`.

Each command runs in a process of its own; what it took is what the system says of that process.
With CHATD_TEST_MONGO=mongodb://HOST the copy goes to MongoDB and back too.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

from chatd import accounts
from chatd.store.transfer import Conversation, StoredMessage, StoredSession
from chatd.stores import open_store
from chatd.types import Message, Session, new_id, now

IN_SESSION = 20
WORDS = ("the", "of", "a session", "holds", "its messages", "and", "keeps", "them", "in order")


async def fill(url: str, messages: int) -> None:
    """Make a store with one user's messages, twenty in a session, of 500 characters on average."""
    store = open_store(url)
    await store.open()
    user = await accounts.add_user(store, "alice")
    chance = random.Random(0)
    for start in range(0, messages, 1000):
        count = min(1000, messages - start) // IN_SESSION
        await store.add_conversations([_conversation(user.id, chance) for _ in range(count)])
    await store.aclose()


def _conversation(user_id: str, chance: random.Random) -> Conversation:
    session_id, time_now, parent = new_id(), now(), None
    messages = []
    for seq in range(1, IN_SESSION + 1):
        text = " ".join(chance.choices(WORDS, k=chance.randrange(20, 240)))
        message = Message(
            id=new_id(),
            session_id=session_id,
            seq=seq,
            revision=seq,
            parent_id=parent,
            role="user" if seq % 2 else "assistant",
            content=text,
            model=None if seq % 2 else "llm/qwen3:8b",
            created_at=time_now,
            updated_at=time_now,
        )
        parent = message.id
        messages.append(StoredMessage(user_id=user_id, message=message))
    session = Session(
        id=session_id,
        title=messages[0].message.content[:40],
        message_count=IN_SESSION,
        last_message_at=time_now,
        head_id=parent,
        created_at=time_now,
        updated_at=time_now,
    )
    half = IN_SESSION // 2
    return Conversation(
        StoredSession(
            user_id=user_id,
            session=session,
            seq=IN_SESSION,
            revision=IN_SESSION,
            user_messages=half,
            assistant_messages=half,
            models={"llm/qwen3:8b": half},
            first_message_at=time_now,
        ),
        messages,
    )


def measure(what: str, *arguments: str, messages: int, directory: Path) -> None:
    """Run a command and print what it took."""
    environ = os.environ | {"CHATD_DATA_DIR": str(directory)}
    begun = time.monotonic()
    with (directory / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "chatd", *arguments],
            env=environ,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall, cpu = time.monotonic() - begun, usage.ru_utime + usage.ru_stime
    if process.returncode:
        sys.exit((directory / "stderr").read_text())
    rate = messages / cpu
    print(
        f"{what:34} {wall:7.1f} s  {cpu:7.1f} s of CPU  {rate:9,.0f} messages/s of CPU"
        f"  {usage.ru_maxrss / 1024:6.0f} MiB"
    )


def run(messages: int, directory: Path) -> None:
    """Measure every way."""

    def url(name: str) -> str:
        return f"sqlite:///{directory}/{name}.db"

    def command(what: str, *arguments: str) -> None:
        measure(what, *arguments, messages=messages, directory=directory)

    asyncio.run(fill(url("chatd"), messages))
    file, empty = str(directory / "all.jsonl.gz"), str(directory / "empty")
    command("export", "export", file)
    command("import into an empty store", "import", file, "--data-dir", empty)
    command("import again", "import", file, "--data-dir", empty)
    command("copy, SQLite to SQLite", "store", "copy", url("chatd"), url("copy"))
    server = os.environ.get("CHATD_TEST_MONGO", "")
    if server.startswith("mongodb"):
        place, _, options = server.partition("?")
        mongo = f"{place.rstrip('/')}/bench_{uuid.uuid4().hex}" + (f"?{options}" if options else "")
        command("copy, SQLite to MongoDB", "store", "copy", url("chatd"), mongo)
        command("copy, MongoDB to SQLite", "store", "copy", mongo, url("back"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transfer", description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        run(arguments.messages, Path(directory))


if __name__ == "__main__":
    main()
