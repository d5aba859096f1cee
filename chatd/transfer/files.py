"""Files that hold sessions: opened, unpacked, and known by the shape of what is in them."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import io
import json
import re
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import IO, Any, NamedTuple, cast

from chatd.errors import ConfigError
from chatd.transfer import chatgpt, claude, jsonlines, open_webui
from chatd.transfer.trees import Refused, Tree

READERS: tuple[ModuleType, ...] = (chatgpt, claude, open_webui)
GZIP, ZIP = b"\x1f\x8b", b"PK\x03\x04"
PEEK = 1 << 16
_CONVERSATIONS = re.compile(r"(.*/)?conversations(-\d+)?\.json")


class Problem(NamedTuple):
    """A record that cannot be read: where it is, and why."""

    place: str
    reason: str


class Source(NamedTuple):
    """An open file: what it holds, and whether it says whose each session is."""

    records: Iterator[Tree | Problem]
    names_users: bool


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Source]:
    """Open a file of sessions, `-` for the standard input. Raises ConfigError for any other."""
    with contextlib.ExitStack() as stack:
        raw = sys.stdin.buffer if str(path) == "-" else stack.enter_context(path.open("rb"))
        start, file = _begun(raw)
        if start.startswith(GZIP):
            start, file = _begun(gzip.GzipFile(fileobj=file, mode="rb"))
        if start.startswith(ZIP):
            yield Source(_members(stack.enter_context(_zip(path))), False)
        elif jsonlines.is_header(start.partition(b"\n")[0]):
            yield Source(_lines(file, path), True)
        elif start.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"[", b"{"):
            yield Source(_conversations(file, "record"), False)
        else:
            raise ConfigError(
                f"{path} is none of the files that can be imported: those of chatd export,"
                " ChatGPT, Claude and Open WebUI; see docs/moving.md."
            )


class _Begun(io.RawIOBase):
    """A file of which some has been read already."""

    def __init__(self, start: bytes, file: Any) -> None:
        self._start, self._file = start, file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer what was read before, then the rest."""
        size = len(buffer)
        some, self._start = self._start[:size], self._start[size:]
        some = some or self._file.read1(size)
        buffer[: len(some)] = some
        return len(some)


def _begun(file: Any) -> tuple[bytes, IO[bytes]]:
    """Return the beginning of a file, its first line at least, and the file as if not read."""
    start = b""
    try:
        while len(start) < PEEK and b"\n" not in start and (some := file.read1(PEEK)):
            start += some
    except (EOFError, OSError, zlib.error) as exc:
        if not start:  # else whoever reads on will find out
            raise ConfigError(f"The file cannot be unpacked: {exc}.") from exc
    return start, cast(IO[bytes], io.BufferedReader(_Begun(start, file), PEEK))


def _zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as exc:
        raise ConfigError(
            f"{path} is a zip file that cannot be read: unpack it, and import conversations.json."
        ) from exc


def _members(archive: zipfile.ZipFile) -> Iterator[Tree | Problem]:
    """Yield what the conversations.json of an archive holds; large exports have several."""
    names = sorted(name for name in archive.namelist() if _CONVERSATIONS.fullmatch(name))
    if not names:
        raise ConfigError("There is no conversations.json in this zip file.")
    for name in names:
        with archive.open(name) as file:
            yield from _conversations(file, f"{name}: record")


def _lines(file: IO[bytes], path: Path) -> Iterator[Tree | Problem]:
    try:
        for found in jsonlines.read_lines(iter(file)):
            yield found if isinstance(found, Tree) else Problem(*found)
    except Refused as exc:
        raise ConfigError(f"{path} cannot be imported: {exc}.") from exc


def _conversations(file: IO[bytes], where: str) -> Iterator[Tree | Problem]:
    """Yield the conversations of a list, or the one that a file is, by the shape of each."""
    number = 0
    try:
        for number, value in enumerate(_items(file), 1):
            yield _tree(value, f"{where} {number}")
    except (ValueError, EOFError, OSError, zlib.error, zipfile.BadZipFile) as exc:
        reason = " ".join(str(exc).split())[:200]
        yield Problem(f"{where} {number + 1}", f"the file cannot be read from here on: {reason}")


def _items(file: IO[bytes]) -> Iterator[Any]:
    """Yield the items of a list one by one, or the one object."""
    import ijson  # type: ignore[import-untyped]

    text = _Utf8(file)
    prefix = "item" if text.start[:1] == b"[" else ""
    try:
        yield from ijson.items(text, prefix, use_float=True)
    except ijson.JSONError as exc:
        # What follows the first line points at a place in a buffer.
        raise ValueError(str(exc).partition("\n")[0]) from exc


class _Utf8:
    """A file with U+FFFD in place of bytes that are not UTF-8, which end the reading elsewhere."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self.start = self._more().lstrip(b"\xef\xbb\xbf \t\r\n")
        self._first: bytes | None = self.start

    def _more(self) -> bytes:
        while raw := self._file.read(PEEK):
            if text := self._decode(raw):
                return text.encode()
        return self._decode(b"", True).encode()

    def read(self, size: int = -1) -> bytes:
        """Return some bytes, none at the end."""
        if size == 0:
            return b""
        first, self._first = self._first, None
        return first or self._more()


def _tree(value: Any, place: str) -> Tree | Problem:
    try:
        for reader in READERS:
            if isinstance(value, dict) and reader.is_conversation(value):
                tree: Tree = reader.read(value, place)
                return tree
        shown = json.dumps(value, default=str)[:60]
    except Refused as exc:
        return Problem(place, str(exc))
    except RecursionError:
        return Problem(place, "it has too many levels")
    return Problem(place, f"it has the shape of no conversation that chatd knows: {shown}")
