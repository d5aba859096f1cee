"""The events of one generation as an SSE response (WHATWG HTML, section Server-sent events)."""

from __future__ import annotations

import asyncio
import contextlib

from tornado.iostream import StreamClosedError

from chatd.announcements import end_event, user_message_event
from chatd.handlers.base import BaseHandler
from chatd.hub import Subscriber
from chatd.log import Frame, event_frame
from chatd.turns import Sent
from chatd.types import Message

HEARTBEAT = 15.0


class EventStream:
    """A subscriber of a session that writes the events of one generation as its answer.

    Made before the generation starts, so that nothing of it is missed. A client that goes away
    ends the stream, not the generation.
    """

    def __init__(self, handler: BaseHandler, session_id: str) -> None:
        self._handler = handler
        self._session_id = session_id
        self._wakeup = asyncio.Event()
        self._is_full = handler.get_query_argument("chunks", "full") != "delta"
        self._subscriber = Subscriber(self._wakeup.set, full=self._is_full)
        self._is_gone = False
        handler.on_gone = self._leave
        self.running = handler.app.hub.join(session_id, self._subscriber)

    def _leave(self) -> None:
        self._is_gone = True
        self._wakeup.set()

    def close(self) -> None:
        """Leave the session's room."""
        self._handler.app.hub.leave(self._session_id, self._subscriber)

    async def follow(self, sent: Sent) -> None:
        """Write a send's events: its message, its generation, its end."""
        message = user_message_event(sent.user_message, duplicate=sent.is_duplicate)
        self._start()
        await self._write([event_frame(message)])
        if sent.answer is not None:
            await self._write([event_frame(end_event(sent.answer))])
        elif sent.run is not None:
            self._subscriber.settle(sent.user_message.revision)
            await self._until_end(sent.generation_id)

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
            frames, delay = self._subscriber.take(loop.time())
            frames = [f for f in frames if f.generation_id == generation_id]
            if frames:
                frames = [f for f in frames if f.type != "user_message"]
                if not await self._write(frames) or (frames and frames[-1].mark == "end"):
                    return
            elif self._subscriber.is_lagging or self._is_gone:
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
        return await self._write_raw(b"".join([_encode(frame) for frame in frames]))

    async def _write_raw(self, data: bytes) -> bool:
        with contextlib.suppress(StreamClosedError):
            self._handler.write(data)
            await self._handler.flush()
            return True
        return False


def _encode(frame: Frame) -> bytes:
    head = f"id: {frame.generation_id}:{frame.mark}\nevent: {frame.type}\ndata: "
    return head.encode() + frame.data + b"\n\n"
