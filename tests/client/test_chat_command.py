"""chatd chat: at a terminal, which is a real one (pty), and in a pipe."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import pytest
from cutting import CuttingProxy
from process import Process, environment

CHATD = [sys.executable, "-m", "chatd"]
PATIENCE = 60.0
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# Two seconds. Only in the reply, which is rendered, there is "it so", not in what is typed.
LONG = "*it* " + "so " * 500


class Terminal:
    """A command at a terminal of its own: what it has written is `screen`, without colours."""

    def __init__(self, command: list[str], env: dict[str, str]) -> None:
        self.written = ""
        self._place = 0
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, env | {"TERM": "xterm-256color", "COLUMNS": "80"})

    def type(self, text: str) -> None:
        """Type, line ends included."""
        os.write(self._fd, text.encode())

    def until(self, text: str) -> str:
        """Return what is written from the last such text on, up to this one."""
        deadline = time.monotonic() + PATIENCE
        while True:
            shown = ESCAPES.sub("", self.written)
            found = shown.find(text, self._place)
            if found >= 0:
                start, self._place = self._place, found + len(text)
                return shown[start : self._place]
            if not self._read(deadline - time.monotonic()):
                raise AssertionError(f"{text!r} did not come: {shown[self._place :]!r}")

    def press_until_it_ends(self, key: str) -> int:
        """Press a key, again after each second in which nothing is written; return the exit code.

        A signal in the moment between the prompt and the wait for a key is seen by Python only
        with the next key.
        """
        while True:
            with contextlib.suppress(OSError):  # it is gone
                self.type(key)
            while self._read(1.0):
                pass
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)

    def _read(self, seconds: float) -> bool:
        if seconds <= 0 or not select.select([self._fd], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._fd, 65536)
        except OSError:  # Linux says so when the other side is closed
            return False
        self.written += data.decode(errors="replace")
        return bool(data)

    def wait(self) -> int:
        """Return the exit code."""
        while self._read(PATIENCE):
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def close(self) -> None:
        """End the command if it still runs."""
        with contextlib.suppress(ChildProcessError, ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._fd)


def arguments(server: Process, *more: str) -> list[str]:
    """Return a command line that talks to a server."""
    return [*CHATD, "chat", "--data-dir", str(server.data_dir), "--url", server.url, *more]


@contextlib.contextmanager
def terminal(server: Process, *more: str, **settings: str) -> Iterator[Terminal]:
    """Run the command at a terminal, and wait for its prompt."""
    opened = Terminal(arguments(server, *more), environment(**settings))
    try:
        opened.until("> ")
        yield opened
    finally:
        opened.close()


def piped(
    server: Process, text: str, *more: str, errors: str = "strict", **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run the command in a pipe; `errors` is about characters that are none."""
    return subprocess.run(
        arguments(server, *more),
        input=text,
        env=environment(**settings),
        capture_output=True,
        encoding="utf-8",
        errors=errors,
        timeout=60,
    )


def test_in_a_pipe(slow_server: Process) -> None:
    """What is piped in is answered, and nothing else is printed."""
    done = piped(slow_server, "say\nthis **as it is**\n", "--model", "echo/echo")
    assert (done.returncode, done.stdout, done.stderr) == (0, "say\nthis **as it is**\n", "")


@pytest.mark.parametrize(
    ("text", "more", "code", "sentence"),
    [
        ("hi", ("--model", "nobody/none"), 1, "nobody/none is not available"),
        ("hi", ("--session", "none"), 1, "There is no such thing"),
        ("hi", ("--token", "wrong"), 1, "Credentials are missing or wrong"),
        ("hi", ("--url", "http://localhost:1"), 1, "cannot be reached"),
        ("hi", ("--url", "ftp://localhost"), 2, "does not begin with"),
        ("  \n", (), 2, "nothing on standard input"),
    ],
)
def test_errors_in_a_pipe(
    slow_server: Process, text: str, more: tuple[str, ...], code: int, sentence: str
) -> None:
    """A failure is one sentence on stderr and an exit code."""
    done = piped(slow_server, text, *more)
    assert (done.returncode, done.stdout) == (code, "")
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_what_is_not_utf_8_in_a_pipe(slow_server: Process, locale: str) -> None:
    """It is refused in one sentence, before a session is made for it."""
    done = piped(slow_server, "caf\udce9", errors="surrogateescape", LC_ALL=locale)
    assert (done.returncode, done.stdout) == (2, "")
    assert "not UTF-8" in done.stderr


def test_what_a_server_says_of_an_error_is_printable(slow_server: Process) -> None:
    """What is no instruction to a terminal in a reply is none in a sentence of an error."""

    class Hostile(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"code": "not_found", "detail": "No\x1b]0;mine\x07 such."}).encode()
            self.send_response(404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    with HTTPServer(("127.0.0.1", 0), Hostile) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        done = piped(slow_server, "hi", "--session", "any", "--url", url, "--token", "any")
    assert (done.returncode, done.stderr) == (1, "Error: No]0;mine such.\n")


def test_who_is_let_in_without_a_token(slow_server: Process, tmp_path: Path) -> None:
    """The owner of the local database, by a ticket; it and its token are gone afterwards."""
    done = piped(slow_server, "hi", CHATD_TOKEN="")
    assert (done.returncode, done.stdout) == (0, "hi\n"), done.stderr
    tokens = subprocess.run(
        [*CHATD, "tokens", "list", "--data-dir", str(slow_server.data_dir)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "signed in" not in tokens.stdout
    done = piped(slow_server, "hi", "--url", "http://chat.example.com", CHATD_TOKEN="")
    assert done.returncode == 1
    assert "--token or CHATD_TOKEN" in done.stderr
    other = piped(slow_server, "hi", "--data-dir", str(tmp_path), CHATD_TOKEN="")
    assert other.returncode == 1
    assert "There is no database" in other.stderr
    wrong = piped(slow_server, "hi", "--url", "localhost:8000", CHATD_TOKEN="")
    assert (wrong.returncode, "does not begin with" in wrong.stderr) == (2, True)


def test_no_server_where_one_is_expected(tmp_path: Path) -> None:
    """Without --url the configured port is tried; the sentence says how to name another place."""
    done = subprocess.run(
        [*CHATD, "chat", "--data-dir", str(tmp_path)],
        input="hi",
        env=environment(CHATD_SERVER_PORT="1"),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "http://localhost:1 cannot be reached" in done.stderr
    assert "--url" in done.stderr


def test_at_a_terminal(slow_server: Process) -> None:
    """Replies as Markdown, Ctrl-C stops one, commands do what they say, Ctrl-D leaves."""
    with terminal(slow_server, "--model", "echo/echo", CHATD_TOKEN="") as term:
        term.type("a **bold** word\n")
        term.until("a **bold** word")
        term.until("a bold word")
        assert "\x1b[1mbold\x1b[0m" in term.written
        term.until("> ")
        term.type(LONG + "\n")
        term.until("it so so")
        term.type("\x03")
        term.until("(stopped)")
        term.until("> ")
        term.type("/title A better name\n/sessions\n")
        term.until("A better name\r\n")
        assert "* " in term.until("A better name")
        term.type("/help\n")
        term.until("/regenerate")
        term.type("/model echo/echo\n")
        term.until("From now on echo/echo answers.")
        term.type("/model typo\n")
        term.until("It is not listed here; the next message asks for it.")
        term.type("/model echo/echo\n")
        term.until("From now on echo/echo answers.")
        term.type("/new\nfresh\n")
        term.until("A new session begins")
        term.until("fresh")
        term.until("fresh")
        assert term.written.count("It is not listed") == 1
        term.type("/nonsense\n")
        term.until("There is no /nonsense")
        term.until("> ")
        term.type("\x04")
        assert term.wait() == 0


def test_ctrl_c_at_the_prompt_leaves(slow_server: Process) -> None:
    """As Ctrl-D does."""
    with terminal(slow_server) as term:
        assert term.press_until_it_ends("\x03") == 0


def test_ctrl_c_twice_leaves(slow_server: Process) -> None:
    """The first stops the reply; who does not want to wait for that leaves."""
    with terminal(slow_server) as term:
        term.type(LONG + "\n")
        term.until("it so so")
        term.type("\x03")
        term.until("stopping")
        term.type("\x03")
        assert term.wait() == 0


async def test_a_lost_connection_is_shown(slow_server: Process) -> None:
    """While it is gone the terminal says so; the reply is whole all the same."""
    port = urlsplit(slow_server.url).port
    assert port is not None
    proxy = CuttingProxy(port, Random(1))
    proxy.is_calm = True
    async with proxy.running():
        opened = Terminal(arguments(slow_server, "--url", proxy.url), environment())
        try:
            await asyncio.to_thread(opened.until, "> ")
            opened.type(LONG + "the end\n")
            await asyncio.to_thread(opened.until, "it so so")
            proxy.cut_all()
            await asyncio.to_thread(opened.until, "trying again in")
            await asyncio.to_thread(opened.until, "the end")
            await asyncio.to_thread(opened.until, "> ")
            opened.type("\x04")
            assert await asyncio.to_thread(opened.wait) == 0
        finally:
            opened.close()
