"""The identity of this process: a node's id outlives it, a boot is one run of it."""

from __future__ import annotations

import fcntl
import os
import uuid
from pathlib import Path
from typing import IO

from chatd.errors import ConfigError


class Node:
    """The owner of a data directory: one process at a time, by a lock that dies with it."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "node"
        self._file: IO[str] | None = None
        self.id = ""
        self.boot = str(uuid.uuid4())

    def open(self) -> None:
        """Lock the data directory and read the node's id, made at the first start.

        Raises ConfigError when another process has the lock or the directory cannot be used.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as exc:
            is_file = isinstance(exc, FileExistsError | NotADirectoryError)
            reason = "It is no directory" if is_file else exc.strerror
            raise ConfigError(
                f"The data directory {self._path.parent} cannot be used: {reason}."
                " Choose another with --data-dir."
            ) from exc
        self._file = os.fdopen(descriptor, "r+")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            self.close()
            raise ConfigError(
                f"Another chatd serves from {self._path.parent}. Stop it, or choose another"
                " directory with --data-dir."
            ) from exc
        self.id = self._file.read().strip() or self._make()

    def _make(self) -> str:
        assert self._file is not None
        node_id = str(uuid.uuid4())
        self._file.seek(0)
        self._file.write(node_id)
        self._file.flush()
        os.fsync(self._file.fileno())
        return node_id

    def close(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            self._file.close()
            self._file = None
