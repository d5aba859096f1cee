"""The events of one generation as an SSE response (WHATWG HTML, section Server-sent events)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator

from tornado.iostream import StreamClosedError

from chatd.announcements import end_event, user_message_event
from chatd.errors import RateLimited, Unauthenticated
from chatd.handlers.base import BaseHandler
from chatd.handlers.credentials import read_request
from chatd.handlers.keeper import Keeper
from chatd.handlers.wire import abort_answer, answer_bytes_taken
from chatd.log import Frame, event_frame
from chatd.subscriber import Subscriber
from chatd.turns import Sent
from chatd.types import Message

logger = logging.getLogger(__name__)

HEARTBEAT = 15.0
PIECE = 64 * 1024  # bytes after which the client must have taken what there is
ASK_AGAIN_AFTER = 5.0  # seconds, for a client with too many connections


def wants_full(handler: BaseHandler) -> bool:
    """Return whether chunks come with the whole text. Raises InvalidInput."""
    is_full: bool = handler.query_choice("chunks", {"full": True, "delta": False}, True)
    return is_full


class EventStream:
    """A subscriber of a session that writes the events of one generation as its answer.

    Made before the generation starts, so that nothing of it is missed. A client that goes away
    ends the stream, not the generation; so does one that takes nothing, which the keeper sees.
    Raises RateLimited when there are too many sockets and streams.
    """

    def __init__(self, handler: BaseHandler, session_id: str) -> None:
        self._handler = handler
        self.session_id = session_id
        self._keeper: Keeper = handler.settings["keeper"]
        self.user = handler.user
        self._wakeup = asyncio.Event()
        self._subscriber = Subscriber(self._on_news, full=wants_full(handler))
        self._is_gone = self._is_writing = self.is_too_slow = False
        self._sent, self._progress_at = 0, 0.0
        self.request_id = handler.request_id
        self.checked_at = asyncio.get_running_loop().time()
        if not self._keeper.admits(self.user):
            raise RateLimited("Too many connections are open.", retry_after=ASK_AGAIN_AFTER)
        self._keeper.add_stream(self)
        handler.on_gone = self.leave
        self.running = handler.app.hub.join(session_id, self._subscriber)

    def _on_news(self) -> None:
        self._wakeup.set()
        if self._is_writing or not self._subscriber.is_settled:
            self._subscriber.check_bytes()  # else it is taken in this turn of the loop

    def leave(self) -> None:
        """End the stream where it is: its client comes back for the rest."""
        self._is_gone = True
        self._wakeup.set()

    def close(self) -> None:
        """Leave the session's room."""
        self._handler.app.hub.leave(self.session_id, self._subscriber)
        self._keeper.discard_stream(self)

    def is_stalled(self, now: float, seconds: float) -> bool:
        """Return whether the client has taken nothing for so long, though there is something."""
        if not self._is_writing:
            return False
        sent = answer_bytes_taken(self._handler)
        if sent != self._sent:
            self._sent, self._progress_at = sent, now
        return now - self._progress_at > seconds

    async def check_rights(self) -> None:
        """End the stream if its caller's credentials are no longer good."""
        try:
            await self._handler.app.authenticate(read_request(self._handler))
        except Unauthenticated:
            logger.info("%s: stream ended: unauthorized", self.request_id)
            self.leave()

    def abort(self) -> None:
        """End the connection; what was not taken is dropped."""
        abort_answer(self._handler)

    async def follow(self, sent: Sent) -> None:
        """Write a turn's events: its message, if that is new, its generation, its end."""
        self._start()
        if sent.kind != "regenerate":
            message = user_message_event(sent.user_message, duplicate=sent.is_duplicate)
            await self._write([event_frame(message)])
        if sent.run is not None:
            self._subscriber.settle(sent.user_message.revision)
            await self._until_end(sent.generation_id)
        else:
            answer = await self._handler.app.turns.wait(self._handler.user, sent)
            await self._write([event_frame(end_event(answer))])

    async def resume(self, after: int) -> None:
        """Write what the running generation has after an entry, to its end."""
        assert self.running is not None
        self._start()
        self._subscriber.settle(0)
        frames, _ = self._subscriber.take(0.0)
        if after:
            self._subscriber.rewind(self.running, after)
            frames = [f for f in frames if f.mark == "end"]
        await self._write([f for f in frames if f.generation_id == self.running])
        if not any(frame.mark == "end" for frame in frames):
            await self._until_end(self.running)

    async def end(self, message: Message) -> None:
        """Write the terminal event of a generation that has ended."""
        self._start()
        await self._write([event_frame(end_event(message))])

    def _start(self) -> None:
        # Else two small events in a row wait 40 ms for an acknowledgement.
        self._handler.request.connection.stream.set_nodelay(True)  # type: ignore[union-attr]
        self._handler.set_header("Content-Type", "text/event-stream")
        self._handler.set_header("X-Accel-Buffering", "no")  # nginx would hold events back

    async def _until_end(self, generation_id: str) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._wakeup.clear()
            taken, delay = self._subscriber.take(loop.time())
            frames = [f for f in taken if f.generation_id == generation_id]
            if taken:  # there may be more
                frames = [f for f in frames if f.type != "user_message"]
                if not await self._write(frames) or (frames and frames[-1].mark == "end"):
                    return
            elif self._subscriber.is_lagging or self._is_gone:
                self.is_too_slow = self.is_too_slow or self._subscriber.is_lagging
                return
            else:
                await self._wait(delay or HEARTBEAT, is_idle=not delay)

    async def _wait(self, seconds: float, *, is_idle: bool) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wakeup.wait()
        except TimeoutError:
            if is_idle:
                await self._write_raw(b": still here\n\n")

    async def _write(self, frames: list[Frame]) -> bool:
        """Write frames and wait until the client took them; return whether it is still there."""
        for piece in _pieces(frames):
            if not await self._write_raw(piece):
                return False
        return True

    async def _write_raw(self, data: bytes) -> bool:
        self._sent = answer_bytes_taken(self._handler)
        self._progress_at = asyncio.get_running_loop().time()
        self._is_writing = True
        try:
            with contextlib.suppress(StreamClosedError):
                self._handler.write(data)
                await self._handler.flush()
                return not self._is_gone
            return False
        finally:
            self._is_writing = False


def _pieces(frames: list[Frame]) -> Iterator[bytes]:
    """Yield encoded frames, several in one piece while they are small."""
    piece = bytearray()
    for frame in frames:
        piece += _encode(frame)
        if len(piece) >= PIECE:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)


def _encode(frame: Frame) -> bytes:
    head = f"id: {frame.generation_id}:{frame.mark}\nevent: {frame.type}\ndata: "
    return head.encode() + frame.data + b"\n\n"
