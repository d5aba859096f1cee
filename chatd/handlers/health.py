"""Whether things work, and what has been done."""

from __future__ import annotations

from chatd.errors import ShuttingDown, Unavailable
from chatd.handlers.base import BaseHandler


class LlmServerHealthHandler(BaseHandler):
    """The LLM server. Public: a page shows it before anybody signed in."""

    is_public = True

    async def get(self) -> None:
        """Say whether the first provider answers."""
        report = await self.app.models.health()
        self.send(report, 200 if report["status"] == "healthy" else 503)


class StatsHandler(BaseHandler):
    """The caller's own numbers."""

    async def get(self) -> None:
        """Return the numbers of all the caller's sessions."""
        stats = await self.app.store.get_stats(self.user.id)
        user, assistant = stats.user_messages, stats.assistant_messages
        self.send(
            {
                "sessions": {"total": stats.sessions, "active": stats.active_sessions},
                "messages": {"total": user + assistant, "user": user, "assistant": assistant},
                "tokens": {
                    "prompt": stats.prompt_tokens,
                    "completion": stats.completion_tokens,
                    "total": stats.total_tokens,
                },
                "models": stats.models,
                "first_message_at": stats.first_message_at,
                "last_message_at": stats.last_message_at,
            }
        )


class AliveHandler(BaseHandler):
    """The process. Public: load balancers have no credentials."""

    is_public = True

    def get(self) -> None:
        """Say that the process answers."""
        self.send({"status": "ok"})


class ReadyHandler(BaseHandler):
    """The service. Public: load balancers have no credentials."""

    is_public = True

    async def get(self) -> None:
        """Say whether turns can be taken, else why not."""
        if self.app.is_closing:
            raise ShuttingDown
        try:
            await self.app.ready()
        except TimeoutError as exc:
            raise Unavailable("The store took too long to answer.") from exc
        self.send({"status": "ready"})
