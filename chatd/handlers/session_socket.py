"""The socket of one session."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, ClassVar

from tornado.websocket import WebSocketClosedError

from chatd.announcements import end_event, replay_event, typing_event, user_message_event
from chatd.errors import NotFound
from chatd.events import Event
from chatd.handlers.sockets import GREETING, Socket
from chatd.log import Frame
from chatd.turns import Begin, Sent
from chatd.types import Head, Message

REPLAY_AT_MOST = 200
REPLAY_CHARS = 1024 * 1024
PATIENCE = 1.0  # seconds that the next event of a client waits for its send
TYPING_FOR = 5.0
TYPING_PER_SECOND = 5


class SessionSocket(Socket):
    """Everything that happens in one session, and what the caller does there."""

    commands: ClassVar[dict[str, str]] = {
        "send_message": "send_message",
        "regenerate": "regenerate",
        "edit_message": "edit_message",
        "typing": "typing",
        "stop_typing": "stop_typing",
        "ping": "answer_ping",
        "stop_generation": "stop_generation",
        "resume": "resume",
    }
    kind = "session"
    _last_turn: asyncio.Task[None] | None = None
    _typed_at: tuple[float, ...] = ()
    _typing_timer: asyncio.TimerHandle | None = None

    async def join(self, *args: str) -> None:
        """Join, then say where the session stands, and replay what the caller missed.

        Joining comes first and takes no await: from then on events queue, and those that the
        replay covers are dropped by `settle`.
        """
        (session_id,) = args
        self.session_id = self.room = session_id
        running = self.app.hub.join(session_id, self.subscriber)
        head = await self.app.sessions.head(self.user, session_id)
        if not head.session.is_active:
            raise NotFound
        replay, must_reload = await self._missed(head)
        replayed = [
            m.generation_id or "" for m in replay if m.role == "assistant" and _has_ended(m)
        ]
        generation = None if running in replayed else running
        self._greet(head, generation, must_reload)
        for message in replay:
            event = replay_event(message)
            if event is not None:
                self.send_now(event)
        self.subscriber.settle(head.revision, replayed)

    async def _missed(self, head: Head) -> tuple[list[Message], bool]:
        """Return the messages that the caller missed, or that it must load them all."""
        text, epoch = self.get_query_argument("since", None), self.get_query_argument("epoch", None)
        if text is None:
            return [], False
        is_revision = text.isascii() and text.isdecimal() and len(text) < 17
        since = int(text) if is_revision else head.revision + 1
        if since > head.revision or epoch not in (None, self.app.store.epoch):
            return [], True
        page = await self.app.store.list_messages(
            self.user.id, self.session_id, since=since, limit=REPLAY_AT_MOST
        )
        missed = [m for m in page.results if m.revision <= head.revision]
        is_much = page.more_after or sum(len(m.content) for m in missed) > REPLAY_CHARS
        return ([], True) if is_much else (missed, False)

    def _greet(self, head: Head, generation_id: str | None, must_reload: bool) -> None:
        log = self.app.hub.running(self.session_id)
        generation = None
        if generation_id is not None and log is not None and log.generation_id == generation_id:
            generation = {
                "generation_id": generation_id,
                "message_id": log.message_id,
                "seq": len(log.entries),
            }
        payload: dict[str, Any] = {
            "session_id": self.session_id,
            "message": "Connected to the chat session.",
            "revision": head.revision,
            "epoch": self.app.store.epoch,
            "head_id": head.session.head_id,
            "generation": generation,
            **GREETING,
        }
        if must_reload:
            payload["reload"] = True
        self.send_now(Event(type="connection_established", payload=payload))

    async def send_message(self, message: str, client_id: str | None) -> None:
        """Send; the events come through the room, to this socket as to all others."""
        await self._begin(self.app.turns.send, message, client_id)

    async def regenerate(self, message_id: str | None, client_id: str | None) -> None:
        """Have an answer given anew; its start comes through the room."""
        await self._begin(self.app.turns.regenerate, message_id, client_id)

    async def edit_message(self, message_id: str, message: str, client_id: str | None) -> None:
        """Put another message beside an own one."""
        await self._begin(self.app.turns.edit, message_id, message, client_id)

    async def _begin(self, turn: Callable[..., Awaitable[Sent]], *fields: str | None) -> None:
        """Begin a turn after those that this socket has asked for before; a client_id comes last.

        While a provider is asked what models it has, this goes on behind, and the socket is read.
        """
        begin = partial(turn, self.user, self.session_id, *fields)
        task = asyncio.create_task(self._begin_after(self._last_turn, begin))
        self._last_turn = task
        await asyncio.wait({task}, timeout=PATIENCE)
        if task.done():
            return task.result()
        task.add_done_callback(lambda task: self._answer_late(task, fields[-1]))

    async def _begin_after(self, previous: asyncio.Task[None] | None, begin: Begin) -> None:
        if previous is not None and not previous.done():
            await asyncio.wait({previous})
        sent = await begin()
        if sent.is_duplicate:
            self._repeat(sent)

    def _answer_late(self, task: asyncio.Task[None], client_id: str | None) -> None:
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception) and not isinstance(error, WebSocketClosedError):
            self.answer_error(error, client_id)

    def _repeat(self, sent: Sent) -> None:
        """Answer a repeat with what the first one led to.

        A regeneration has no user message of its own: while it runs, its start says that it does.
        """
        answer = sent.answer
        if sent.kind != "regenerate":
            self.send_now(user_message_event(sent.user_message, duplicate=True))
        elif answer is not None and not _has_ended(answer) and sent.is_running:
            self.send_now(typing_event(answer))
        if answer is not None and _has_ended(answer) and sent.run is None:
            self.send_now(end_event(answer))

    def typing(self) -> None:
        """Tell the others, and take it back after a few seconds."""
        if self._may_tell_typing():
            self._tell_typing(True)
            self._forget_typing()
            loop = asyncio.get_running_loop()
            self._typing_timer = loop.call_later(TYPING_FOR, self._tell_typing, False)

    def stop_typing(self) -> None:
        """Tell the others."""
        if self._may_tell_typing():
            self._forget_typing()
            self._tell_typing(False)

    def _may_tell_typing(self) -> bool:
        now = asyncio.get_running_loop().time()
        recent = tuple(at for at in self._typed_at if now - at < 1)
        if len(recent) >= TYPING_PER_SECOND:
            return False
        self._typed_at = (*recent, now)
        return True

    def _forget_typing(self) -> None:
        if self._typing_timer is not None:
            self._typing_timer.cancel()
            self._typing_timer = None

    def _tell_typing(self, is_typing: bool) -> None:
        payload = {
            "user": {"id": self.user.id, "name": self.user.name},
            "is_typing": is_typing,
        }
        event = Event(type="user_typing", payload=payload, origin=self.request_id)
        self.app.broker.publish(self.session_id, event)

    async def answer_ping(self, t: Any = None) -> None:
        """Answer with the head, so that a client that lost the last frame finds out."""
        head = await self.app.sessions.head(self.user, self.session_id)
        log = self.app.hub.running(self.session_id)
        generation = log and {"generation_id": log.generation_id, "seq": len(log.entries)}
        payload = {"t": t, "revision": head.revision, "generation": generation}
        self.send_now(Event(type="pong", payload=payload))

    async def stop_generation(self, generation_id: str | None, seen_seq: int | None) -> None:
        """Stop what runs; if nothing does, nothing happens. Its end comes through the room."""
        await self.app.turns.stop(
            self.user, self.session_id, generation_id, seen_seq, may_wait=False
        )

    async def resume(self, generation_id: str, after_seq: int) -> None:
        """Send the rest of a running generation's log, or the end of an ended one."""
        if self.subscriber.rewind(generation_id, after_seq):
            return
        log = self.app.hub.running(self.session_id)
        if log is not None and log.generation_id == generation_id:
            return  # its start is still queued, and all of it comes behind that
        message = await self.app.store.get_message(self.user.id, self.session_id, generation_id)
        if message.role != "assistant" or not _has_ended(message):
            raise NotFound("There is no such generation.")
        self.send_now(end_event(message))

    async def check_subject(self) -> None:
        """Raise NotFound when the session is deleted or erased."""
        session = await self.app.sessions.get(self.user, self.session_id)
        if not session.is_active:
            raise NotFound

    def sent(self, frames: list[Frame]) -> None:
        """Close behind the event that says the session is gone."""
        for frame in frames:
            if frame.type == "session_deleted":
                return self.close(4504, "session deleted")

    def on_close(self) -> None:
        """Take back that somebody types."""
        if self._typing_timer is not None:
            self._forget_typing()
            self._tell_typing(False)
        super().on_close()


def _has_ended(message: Message) -> bool:
    return message.status != "streaming"
