"""Messages and turns over REST and SSE."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import Any

from chatd.errors import ChatdError, NotFound, ProviderError
from chatd.handlers.base import BaseHandler
from chatd.handlers.problems import problem
from chatd.handlers.stream import EventStream, wants_full
from chatd.turns import Begin, Sent
from chatd.types import Message


class MessagesHandler(BaseHandler):
    """The messages of a session."""

    async def get(self, session_id: str) -> None:
        """List the shown branch in ascending order, by default its newest messages."""
        limit = self.query_limit()
        bounds = {name: self.query_integer(name, low=0) for name in ("before", "after", "since")}
        all_branches = self.query_choice("branch", {"all": True, "shown": False}, False)
        if not all_branches and not any(bound is not None for bound in bounds.values()):
            return await self._newest(session_id, limit)
        page = await self.app.store.list_messages(
            self.user.id, session_id, **bounds, all_branches=all_branches, limit=limit
        )
        query: dict[str, Any] = {"limit": limit} | ({"branch": "all"} if all_branches else {})
        following = previous = None
        if page.results:
            first, last = page.results[0], page.results[-1]
            if bounds["since"] is not None:
                following = query | {"since": last.revision} if page.more_after else None
            else:
                following = query | {"after": last.seq} if page.more_after else None
                previous = query | {"before": first.seq} if page.more_before else None
        self.send_page(page.results, {"next": following, "previous": previous})

    async def _newest(self, session_id: str, limit: int) -> None:
        """Answer with what most ask for: the end of what is shown."""
        page = await self.app.sessions.newest(self.user, session_id, limit)
        previous = {"limit": limit, "before": page.before} if page.before else None
        self.send_page(page.results, {"next": None, "previous": previous})


class TurnHandler(BaseHandler):
    """What all calls that start a generation share: one call, three shapes of answer."""

    _problem_body: dict[str, Any] | None = None

    async def answer(self, session_id: str, begin: Begin) -> None:
        """Begin a turn, then wait, stream or say where to look, as the request asks."""
        if "text/event-stream" in self.request.headers.get("Accept", ""):
            return await self._stream(session_id, begin)
        wants_full(self)  # without a stream it means nothing, but is wrong all the same
        sent = await begin()
        if "respond-async" in self.request.headers.get("Prefer", ""):
            self._accept(session_id, sent)
        else:
            self._finish(sent, await self.app.turns.wait(self.user, sent))

    async def _stream(self, session_id: str, begin: Begin) -> None:
        with contextlib.closing(EventStream(self, session_id)) as stream:
            await stream.follow(await begin())

    def _accept(self, session_id: str, sent: Sent) -> None:
        prefix = self.app.config.server.prefix
        self.set_header("Location", f"{prefix}/api/sessions/{session_id}/stream/")
        self.set_header("Preference-Applied", "respond-async")
        body = {"user_message": sent.user_message, "generation_id": sent.generation_id}
        self.send(body | _duplicate(sent), 202)

    def _finish(self, sent: Sent, answer: Message) -> None:
        body = {"user_message": sent.user_message, "ai_message": answer} | _duplicate(sent)
        if sent.is_duplicate or answer.status in ("complete", "stopped"):
            self.send(body)
        else:
            error = _failure(answer)
            self.send_problem(error, problem(error) | {"retryable": error.retryable} | body)


def _duplicate(sent: Sent) -> dict[str, Any]:
    return {"duplicate": True} if sent.is_duplicate else {}


def _failure(answer: Message) -> ChatdError:
    """Return the error that a failed answer carries: with its own code, as 502."""
    kept = answer.error or {}
    error = ProviderError(kept.get("message", ""))
    error.code = kept.get("code", error.code)
    error.retryable = kept.get("retryable", error.retryable)
    return error


class SendMessageHandler(TurnHandler):
    """Sending a message."""

    async def post(self, session_id: str) -> None:
        """Store a message, and answer with what the model says to it."""
        fields = self.body(self.app.shapes.send)
        text, client_id = fields["message"], fields["client_id"]
        await self.answer(
            session_id, partial(self.app.turns.send, self.user, session_id, text, client_id)
        )


class RegenerateHandler(TurnHandler):
    """Another answer to a question that has one."""

    async def post(self, session_id: str) -> None:
        """Answer as to a send; without a message_id the last answer is given anew."""
        fields = self.body(self.app.shapes.regenerate)
        begin = partial(self.app.turns.regenerate, self.user, session_id, **fields)
        await self.answer(session_id, begin)


class OneMessageHandler(TurnHandler):
    """One message."""

    async def patch(self, session_id: str, message_id: str) -> None:
        """Put another user message beside it, and answer as to a send."""
        fields = self.body(self.app.shapes.edit)
        text, client_id = fields["content"], fields["client_id"]
        edit = partial(self.app.turns.edit, self.user, session_id, message_id)
        await self.answer(session_id, partial(edit, text, client_id))


class StopHandler(BaseHandler):
    """Stopping a generation."""

    async def post(self, session_id: str) -> None:
        """Stop the running generation; what it produced is kept."""
        fields = self.body(self.app.shapes.stop)
        self.send({"stopped": await self.app.turns.stop(self.user, session_id, **fields)})


class StreamHandler(BaseHandler):
    """Re-attaching to a running generation by SSE."""

    async def get(self, session_id: str) -> None:
        """Send the rest of a generation, or 204 when there is nothing to wait for."""
        generation_id, _, mark = self.request.headers.get("Last-Event-ID", "").partition(":")
        await self.app.sessions.get(self.user, session_id)  # raises for another's
        stream = EventStream(self, session_id)
        try:
            running = stream.running
            if running and generation_id in ("", running) and mark != "end":
                await stream.resume(int(mark) if mark.isdecimal() and len(mark) < 17 else 0)
            elif generation_id and mark != "end":
                await stream.end(await self._ended(session_id, generation_id))
            else:
                self.set_status(204)
        finally:
            stream.close()

    async def head(self, *args: str) -> None:
        """Say whether there is something to wait for, without waiting for it."""
        (session_id,) = args
        await self.app.sessions.get(self.user, session_id)
        self.set_header("Content-Type", "text/event-stream")
        self.set_status(200 if self.app.hub.running(session_id) else 204)

    async def _ended(self, session_id: str, generation_id: str) -> Message:
        message = await self.app.store.get_message(self.user.id, session_id, generation_id)
        if message.role != "assistant" or message.status == "streaming":
            raise NotFound("There is no such generation.")
        return message
