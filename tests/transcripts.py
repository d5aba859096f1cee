"""Transcripts in the documentation: read from Markdown, played against a real server.

A block in the language `console` is a terminal. Lines that begin with `$ ` are commands for a shell
(lines that begin with `> ` go on with them), the lines below are what they print. A block of Python
or TOML whose first line is a path, such as `# a/b.py`, is a file that the reader of it writes. A
block in the language `websocket` is a socket:

    connect PATH     the client connects
    > JSON           the client sends an event; lines that begin with two spaces go on with it
    < JSON           the server sends an event
    < ...            any number of events that the transcript leaves out
    close            the client disconnects
    closed CODE      the server closes
    # ...            a remark

What is printed or sent must be as it is written. JSON may have other white space. `...` at the end
of an object or array stands for more fields or elements; a line `...` for more lines. `<name>`
stands for anything that is the same wherever the name appears, but `<time>`, `<number>` and
`<text>`, which stand for anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection, connect

FREE = {"time", "number", "text"}
MARK = "=== the end of a command ==="
MORE = "..."
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^```\w+\n(# ([\w/]+\.\w+)\n.*?)^```$", re.MULTILINE | re.DOTALL)

Bound = dict[str, Any]


def blocks(page: Path, language: str) -> list[str]:
    """Return the fenced blocks of a language in a page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def files(page: Path) -> dict[str, str]:
    """Return the files that a page shows, by their paths."""
    text = page.read_text()
    return {path: block for block, path in (found.groups() for found in FILE.finditer(text))}


def loads(text: str) -> Any:
    """Return JSON in which `...` ends objects and arrays."""
    text = re.sub(r"\.\.\.(\s*\})", r'"...": 0\1', text)
    return json.loads(re.sub(r"\.\.\.(\s*\])", r'"..."\1', text))


def differences(expected: Any, actual: Any, bound: Bound, where: str = "$") -> list[str]:
    """Return where a value differs from what a transcript has; bind the names in it."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        wanted = {name: value for name, value in expected.items() if name != MORE}
        extra = set() if MORE in expected else actual.keys() - wanted.keys()
        found = [f"{where}.{name} is not told" for name in sorted(extra)]
        for name, value in wanted.items():
            if name in actual:
                found += differences(value, actual[name], bound, f"{where}.{name}")
            else:
                found.append(f"{where}.{name} is missing")
        return found
    if isinstance(expected, list) and isinstance(actual, list):
        has_more = expected[-1:] == [MORE]
        wanted = expected[:-1] if has_more else expected
        if len(actual) < len(wanted) or (len(actual) > len(wanted) and not has_more):
            return [f"{where} has {len(actual)} elements, not {len(wanted)}: {actual}"]
        pairs = enumerate(zip(wanted, actual, strict=False))
        return [d for n, (e, a) in pairs for d in differences(e, a, bound, f"{where}[{n}]")]
    if isinstance(expected, str) and "<" in expected:
        return [] if _binds(expected, actual, bound) else [f"{where}: {actual!r} for {expected}"]
    same = expected == actual and isinstance(expected, bool) == isinstance(actual, bool)
    return [] if same else [f"{where}: {actual!r}, not {expected!r}"]


def _binds(pattern: str, actual: Any, bound: Bound) -> bool:
    """Whether a text with names is like a value; bind what is not yet bound."""
    if name := re.fullmatch(r"<(\w+)>", pattern):
        key = name[1]
        if key not in FREE and str(bound.setdefault(key, actual)) != str(actual):
            return False
        return not (key == "number" and not isinstance(actual, int | float))
    parts = re.split(r"<(\w+)>", pattern)
    regex = "".join("(.+?)" if n % 2 else re.escape(part) for n, part in enumerate(parts))
    found = re.fullmatch(regex, str(actual), re.DOTALL)
    if not found:
        return False
    pairs = zip(parts[1::2], found.groups(), strict=True)
    return all(key in FREE or str(bound.setdefault(key, text)) == text for key, text in pairs)


def filled(text: str, bound: Bound) -> str:
    """Return a text with the names that are bound replaced."""
    return re.sub(r"<(\w+)>", lambda match: str(bound.get(match[1], match[0])), text)


def output_differences(expected: str, actual: str, bound: Bound) -> list[str]:
    """Return where the output of a command differs from what a transcript has."""
    if expected.strip()[:1] in "{[" and expected.strip():
        return differences(loads(expected), json.loads(actual), bound)
    lines, skipping = actual.splitlines(), False
    for wanted in expected.rstrip("\n").splitlines():
        if wanted == MORE:
            skipping = True
            continue
        while lines and not _line_matches(wanted, lines[0], bound) and skipping:
            lines.pop(0)
        if not lines or not _line_matches(wanted, lines.pop(0), bound):
            return [f"{wanted!r} is not in\n{actual}"]
        skipping = False
    return [] if skipping or not lines else [f"more is printed: {lines}"]


def _line_matches(wanted: str, line: str, bound: Bound) -> bool:
    if wanted.startswith("data: {") and line.startswith("data: {"):
        trial = dict(bound)
        if differences(loads(wanted[6:]), json.loads(line[6:]), trial):
            return False
        bound.update(trial)
        return True
    return _binds(wanted, line, bound) if "<" in wanted else wanted == line


def commands(block: str) -> list[tuple[str, str]]:
    """Return the commands of a console with what they print."""
    found: list[tuple[str, str]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], ""))
        elif line.startswith("> ") and not found[-1][1]:
            found[-1] = (f"{found[-1][0]}\n{line[2:]}", "")
        else:
            found[-1] = (found[-1][0], f"{found[-1][1]}{line}\n")
    return found


def steps(page: Path, cwd: Path) -> list[tuple[str, str]]:
    """Return what the reader of a page does at a terminal: commands, and the writing of files."""
    done: list[tuple[str, str]] = []
    for block in FENCE.finditer(page.read_text()):
        if block[1] == "console":
            done += commands(block[2])
        elif named := FILE.fullmatch(block[0]):
            path = shlex.quote(str(cwd / named[2]))
            done.append((f"cat > {path} <<'{MARK}'\n{named[1]}{MARK}", ""))
    return done


def play_console(page: Path, cwd: Path, replace: dict[str, str], **environ: str) -> None:
    """Run all commands of a page in one shell and compare what they print.

    Files of the page are written when their turn comes, at their paths below `cwd`.
    """
    played = steps(page, cwd)
    assert played
    lines = []
    for command, _ in played:
        for old, new in replace.items():
            command = command.replace(old, new)
        lines.append(f"{command}\nprintf '\\n%s\\n' '{MARK}'\n")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "".join(lines)],
        cwd=cwd,
        env=os.environ | environ,
        capture_output=True,
        text=True,
        timeout=90,
    )
    printed = done.stdout.split(f"\n{MARK}\n")
    bound: Bound = {}
    for (command, expected), actual in zip(played, printed, strict=False):
        found = output_differences(expected, actual.replace("\r", "").rstrip("\n"), bound)
        assert not found, (command, found, done.stderr)
    assert done.returncode == 0, (played[len(printed) - 1][0], printed[-1], done.stderr)


class Player:
    """Plays the transcript of a socket."""

    def __init__(self, url: str, bound: Bound) -> None:
        self._url, self.bound = url.replace("http", "ws"), bound
        self._connection: ClientConnection | None = None
        self._skipping = False

    async def play(self, block: str) -> None:
        """Do and expect what a block says."""
        lines = re.sub(r"\n  +", " ", block).splitlines()
        try:
            for line in lines:
                word, _, rest = line.partition(" ")
                await self._do(word, rest)
        finally:
            if self._connection is not None:
                await self._connection.close()

    async def _do(self, word: str, rest: str) -> None:
        if word == "connect":
            self._skipping = False
            self._connection = await connect(self._url + filled(rest, self.bound), max_size=None)
            return
        assert self._connection is not None
        match word:
            case ">":
                await self._connection.send(self._frame(rest))
            case "<" if rest == MORE:
                self._skipping = True
            case "<":
                await self._expect(loads(rest))
            case "close":
                await self._connection.close()
            case "closed":
                await self._expect_close(int(rest))
            case _:
                assert word == "#", f"{word} {rest}"

    def _frame(self, text: str) -> str:
        """Return a frame; `"<name>"` becomes the value of the name, with its type."""
        text = re.sub(r'"<(\w+)>"', lambda match: json.dumps(self.bound[match[1]]), text)
        try:
            return json.dumps(json.loads(text))
        except ValueError:
            return text  # a transcript may show what is no JSON

    async def _expect(self, expected: Any) -> None:
        assert self._connection is not None
        while True:
            async with asyncio.timeout(60):
                event = json.loads(await self._connection.recv())
            trial = dict(self.bound)
            found = differences(expected, event, trial)
            if not found:
                break
            assert self._skipping, (found, event, expected)
        self.bound.update(trial)
        self._skipping = False

    async def _expect_close(self, code: int) -> None:
        assert self._connection is not None
        async with asyncio.timeout(60):
            with contextlib.suppress(websockets.ConnectionClosed):
                while True:
                    event = await self._connection.recv()
                    assert self._skipping, event
        assert self._connection.close_code == code
