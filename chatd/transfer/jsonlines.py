"""The format of `chatd export`: JSON Lines, documented in docs/moving.md.

Each line is an object with one name, which says what it is: the header first, then each user, each
of their sessions, and after each session its messages; at last the end, by which a file that was
cut off is known. Sessions and messages are those of the wire (PROTOCOL section 2).
"""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import msgspec

from chatd.store import Store
from chatd.transfer.copying import Report
from chatd.transfer.texts import decode
from chatd.transfer.trees import Refused, Tree
from chatd.types import Message, Session, User, Value, now

FORMAT = "chatd"
VERSION = 1
PAGE = 500


class Header(Value, frozen=True, kw_only=True):
    """The first line."""

    format: str
    version: int
    server: str = ""
    exported_at: dt.datetime | None = None


class Named(Value, frozen=True, kw_only=True):
    """Whose the following sessions are; his other fields are for people who read the file."""

    name: str


class Line(Value, frozen=True, kw_only=True):
    """A line after the first."""

    user: Named | None = None
    session: Session | None = None
    message: Message | None = None
    end: dict[str, int] | None = None


_BEGINNINGS = (b'{"user"', b'{"session"')
_encode = msgspec.json.Encoder().encode
_line_of = msgspec.json.Decoder(Line).decode


async def export_lines(
    store: Store, users: Sequence[User], server: str, report: Report, total: int | None = None
) -> AsyncIterator[bytes]:
    """Yield the lines of an export of these users."""
    header = Header(format=FORMAT, version=VERSION, server=server, exported_at=now())
    yield _encode(header) + b"\n"
    sessions = messages = 0
    for user in users:
        yield _line(user=user)
        page = await store.read_sessions(user.id, limit=PAGE)
        while page:
            for record in page:
                is_begun = False
                async for some in _messages(store, record.session):
                    lines = [_line(message=message) for message in some]
                    yield b"".join(lines if is_begun else [_line(session=record.session), *lines])
                    sessions += not is_begun
                    is_begun = True
                    messages += len(some)
                    report("exporting messages", messages, total)
            page = await store.read_sessions(user.id, after=page[-1].session.id, limit=PAGE)
    yield _line(end={"users": len(users), "sessions": sessions, "messages": messages})


def _line(**what: Any) -> bytes:
    return _encode(what) + b"\n"


async def _messages(store: Store, session: Session) -> AsyncIterator[list[Message]]:
    """Yield a session's messages by seq, some at a time; one empty list, if it never had any.

    Nothing of a session that has been erased meanwhile.
    """
    page = await store.read_messages(session.id)
    if not page and not session.message_count:
        yield []
    while page:
        yield [record.message for record in page]
        page = await store.read_messages(session.id, after=page[-1].message.seq)


def is_header(line: bytes) -> bool:
    """Whether a line is the first of an export of chatd's, of whatever version."""
    try:
        return msgspec.json.decode(line, type=Header).format == FORMAT
    except msgspec.MsgspecError:
        return False


def read_lines(lines: Iterator[bytes]) -> Iterator[Tree | tuple[str, str]]:
    """Yield the sessions of an export, and for what cannot be read (place, reason).

    A session of which a line is broken is left out whole: what is there once is not mended by a
    second import. Raises Refused for a version that this chatd does not know.
    """
    header = msgspec.json.decode(next(lines), type=Header)
    if header.version > VERSION:
        raise Refused(f"it has version {header.version} of the format; this chatd reads {VERSION}")
    reading = _Reading()
    number = 1
    try:
        for number, raw in enumerate(lines, 2):
            if raw.strip():
                yield from reading.take(number, raw)
    except (EOFError, OSError, zlib.error) as exc:
        yield f"line {number + 1}", f"the file cannot be read any further: {exc}"
    yield from reading.finish()


class _Reading:
    """The session that is being read."""

    def __init__(self) -> None:
        self._user = ""
        self._place = ""
        self._session: Session | None = None
        self._messages: list[Message] = []
        self._problem: tuple[str, str] | None = None
        self._is_whole = False

    def take(self, number: int, raw: bytes) -> Iterator[Tree | tuple[str, str]]:
        """Take a line; yield the session before it, if it begins something else."""
        line = decode(raw, _line_of, Line)
        if isinstance(line, str):
            if raw.startswith(_BEGINNINGS):  # what follows must not go to what was before
                yield from self._flush()
                self._user = "" if raw.startswith(_BEGINNINGS[0]) else self._user
            self._problem = self._problem or (f"line {number}", line)
        elif line.message is not None:
            self._add(number, line.message)
        elif line != Line():
            yield from self._flush()
            self._user = line.user.name if line.user else self._user
            self._session, self._place = line.session, f"line {number}"
            self._is_whole = line.end is not None

    def _add(self, number: int, message: Message) -> None:
        if self._session is not None and message.session_id == self._session.id:
            self._messages.append(message)
        elif self._problem is None:
            self._problem = f"line {number}", "this message does not follow its session"

    def _flush(self) -> Iterator[Tree | tuple[str, str]]:
        """Yield the session, or what was wrong with it."""
        if self._problem is not None:
            yield self._problem
        elif self._session is not None:
            yield Tree(FORMAT, self._place, self._session, self._messages, self._user)
        self._session, self._messages, self._problem = None, [], None

    def finish(self) -> Iterator[tuple[str, str]]:
        """Yield that the end is missing."""
        if not self._is_whole:
            place = self._place or "line 1"
            yield place, "the file ends here, before its own end: this session may be cut off"
