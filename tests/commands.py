"""Commands of chatd, called in this process: as from a shell, in a tenth of the time."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from click.testing import CliRunner, Result

from chatd.cli import main

OURS = ("CHATD_", "LLM_", "DB_", "REDIS_")

# Options of pytest. What the environment of these tests has and that of a plugin's author has not
# takes long to load, and warns.
_NOT_AN_AUTHORS = ("tornado", "xdist", "schemathesis", "hypothesispytest", "cacheprovider")
AS_AN_AUTHOR = tuple(f"-pno:{plugin}" for plugin in _NOT_AN_AUTHORS)


class Commands:
    """Calls commands over a data directory, in a thread with an event loop of its own."""

    def __init__(self, directory: Path) -> None:
        self.data = directory / "data"
        self._directory = directory

    def run(self, *arguments: str, input: bytes = b"", **environ: str) -> Result:
        """Call a command."""
        cleared = {name: None for name in os.environ if name.startswith(OURS)}
        kept = {"CHATD_MONGO_DRIVER": os.environ.get("CHATD_MONGO_DRIVER")}
        runner = CliRunner(env={**cleared, **kept, "CHATD_DATA_DIR": str(self.data), **environ})
        with ThreadPoolExecutor(1) as thread:
            result = thread.submit(runner.invoke, main, arguments, input=input).result()
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def says(self, *arguments: str, **environ: str) -> str:
        """Call a command that succeeds; return what it prints on stdout."""
        return self.raw(*arguments, **environ).decode().strip()

    def raw(self, *arguments: str, input: bytes = b"", **environ: str) -> bytes:
        """Call a command that succeeds, with this on its stdin; return all of its stdout."""
        result = self.run(*arguments, input=input, **environ)
        assert result.exit_code == 0, result.stderr
        return result.stdout_bytes

    def fails(self, *arguments: str, **environ: str) -> str:
        """Call a command that fails; return its sentence."""
        result = self.run(*arguments, **environ)
        assert result.exit_code == 1
        assert result.stdout == ""
        return result.stderr.strip()
