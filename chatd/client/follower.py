"""The client's rule (PROTOCOL section 4.3), without I/O: frames in, events and answers out.

Two numbers, no more: `revision` of the last durable change that was seen, and `have`, the last
entry of the running generation's log. Whatever is lost, doubled or late, the text converges.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from chatd.client.errors import error_of
from chatd.client.events import (
    Complete,
    Connected,
    Event,
    Failed,
    MessageUpdated,
    Pong,
    Refused,
    Reload,
    SessionDeleted,
    SessionUpdated,
    Started,
    UserMessage,
    UserTyping,
)
from chatd.client.log import Frame, Running
from chatd.types import Message, Session

REMEMBERED = 256  # generations that have ended: a late frame of one must not bring it back


class Step(NamedTuple):
    """What a frame led to: events, frames to be sent, and whether to connect anew."""

    events: list[Event]
    answers: list[Frame]
    is_behind: bool = False


class Follower:
    """Where a client of one session stands. Feed it every frame of one connection in order.

    `running` is the generation that runs, if any. Events that repeat what was known say so.
    """

    def __init__(self) -> None:
        self.revision: int | None = None
        self.epoch: str | None = None
        self._open: dict[str, Running] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._promised = 0

    @property
    def running(self) -> Running | None:
        """The generation that runs, as far as this client knows."""
        newest = next(reversed(self._open.values()), None)
        return newest if newest is not None and newest.message_id else None

    def query(self) -> dict[str, str]:
        """Return the query of the socket's URL: nothing before the last revision comes again."""
        query = {"chunks": "delta"}
        if self.revision is not None:
            query["since"] = str(self.revision)
        if self.epoch is not None:
            query["epoch"] = self.epoch
        return query

    def feed(self, frame: Frame) -> Step:
        """Take a frame as it came; one of an unknown type is of a newer server, and nothing."""
        take = _TAKES.get(frame.get("type", ""))
        return take(self, frame) if take else Step([], [])

    def _greeted(self, frame: Frame) -> Step:
        events: list[Event] = []
        generation = frame.get("generation") or {}
        if self.revision is None or frame.get("reload"):
            if frame.get("reload"):
                self._open = {
                    id: running
                    for id, running in self._open.items()
                    if id == generation.get("generation_id")
                }
                events.append(Reload())
            self.revision = frame.get("revision", 0)
        self.epoch, self._promised = frame.get("epoch"), 0
        connected = Connected(
            revision=frame.get("revision", 0),
            head_id=frame.get("head_id"),
            generation_id=generation.get("generation_id"),
            server=frame.get("server", ""),
            ping_interval=frame.get("ping_interval", 25.0),
        )
        return Step([connected, *events], [])

    def _is_news(self, message: Message) -> bool:
        if self.revision is not None and message.revision <= self.revision:
            return False
        self.revision = message.revision
        return True

    def _user_message(self, frame: Frame) -> Step:
        message = message_of(frame["message"])
        is_news = self._is_news(message)
        if is_news and message.generation_id and message.generation_id not in self._ended:
            # Its answer may be lost while later messages arrive: then `since` is past it.
            self._generation(message.generation_id)
        is_repeated = not is_news or bool(frame.get("duplicate"))
        return Step([UserMessage(message=message, is_repeated=is_repeated)], [])

    def _generation(self, id: str, message_id: str = "") -> Running:
        """Return a generation that is to end, made if it is new."""
        running = self._open.setdefault(id, Running(id, message_id))
        running.message_id = running.message_id or message_id
        return running

    def _typing(self, frame: Frame) -> Step:
        message, id = message_of(frame["ai_message"]), frame["generation_id"]
        is_news = self._is_news(message)
        if id in self._ended:
            return Step([], [])
        # A generation that gave no end is over: one session runs one at a time.
        lost = [self._resume(running) for old, running in self._open.items() if old != id]
        is_news = is_news or id not in self._open
        self._generation(id, frame["message_id"])
        started = Started(generation_id=id, message=message, is_repeated=not is_news)
        return Step([started], lost)

    def _log(self, frame: Frame) -> Step:
        id = frame["generation_id"]
        if id in self._ended:
            return Step([], [])
        running = self._generation(id, frame["message_id"])
        events = running.take(frame)
        return Step([], [self._resume(running)]) if events is None else Step(events, [])

    def _resume(self, running: Running) -> Frame:
        return {
            "type": "resume",
            "generation_id": running.generation_id,
            "after_seq": running.have,
        }

    def _complete(self, frame: Frame) -> Step:
        message = message_of(frame["message"])
        id = frame.get("generation_id") or message.generation_id or message.id
        is_repeated = self._end(id, message)
        return Step([Complete(generation_id=id, message=message, is_repeated=is_repeated)], [])

    def _error(self, frame: Frame) -> Step:
        error = error_of(frame)
        if not frame.get("generation_id") or not frame.get("ai_message"):
            return Step([Refused(error=error, client_id=frame.get("client_id"))], [])
        message, id = message_of(frame["ai_message"]), frame["generation_id"]
        is_repeated = self._end(id, message)
        failed = Failed(generation_id=id, message=message, error=error, is_repeated=is_repeated)
        return Step([failed], [])

    def _end(self, id: str, message: Message) -> bool:
        """Note the end of a generation; return whether it was known."""
        self._is_news(message)
        is_repeated = id in self._ended
        self._open.pop(id, None)
        self._ended[id] = None
        if len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)
        return is_repeated

    def _pong(self, frame: Frame) -> Step:
        """Compare with the head. What is missing of a log is asked for again.

        A revision may be stored a moment before its event is sent: only what the pong before this
        one has promised is missing.
        """
        generation, revision = frame.get("generation") or {}, frame.get("revision") or 0
        id, seq = generation.get("generation_id"), generation.get("seq", 0)
        answers = [self._resume(old) for old in self._open.values() if old.generation_id != id]
        known = self._open.get(id) if id else None
        if known is not None and known.have < seq:
            answers.append(self._resume(known))
        elif id and known is None and id not in self._ended:
            answers.append({"type": "resume", "generation_id": id, "after_seq": 0})
        is_behind = self.revision is not None and self.revision < self._promised
        self._promised = revision
        pong = Pong(t=frame.get("t"), revision=revision, generation_id=id)
        return Step([pong], answers, is_behind)

    def _message_updated(self, frame: Frame) -> Step:
        message = message_of(frame["message"])
        self._is_news(message)
        return Step([MessageUpdated(message=message)], [])

    def _session_updated(self, frame: Frame) -> Step:
        return Step([SessionUpdated(session=msgspec.convert(frame["session"], Session))], [])

    def _session_deleted(self, frame: Frame) -> Step:
        session = msgspec.convert(frame.get("session"), Session | None)
        return Step([SessionDeleted(session=session)], [])

    def _user_typing(self, frame: Frame) -> Step:
        user = frame.get("user") or {}
        typing = UserTyping(
            user_id=user.get("id", ""),
            name=user.get("name", ""),
            is_typing=bool(frame.get("is_typing")),
        )
        return Step([typing], [])


def message_of(frame: Any) -> Message:
    """Return the Message in a frame; fields of a newer server are dropped."""
    return msgspec.convert(frame, Message)


_TAKES: dict[str, Callable[[Follower, Frame], Step]] = {
    "connection_established": Follower._greeted,
    "user_message": Follower._user_message,
    "ai_typing": Follower._typing,
    "ai_message_chunk": Follower._log,
    "ai_reasoning_chunk": Follower._log,
    "ai_tool_call": Follower._log,
    "ai_tool_result": Follower._log,
    "ai_message_complete": Follower._complete,
    "error": Follower._error,
    "pong": Follower._pong,
    "message_updated": Follower._message_updated,
    "session_updated": Follower._session_updated,
    "session_deleted": Follower._session_deleted,
    "user_typing": Follower._user_typing,
}
