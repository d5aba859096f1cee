"""Sessions over REST."""

from __future__ import annotations

from chatd.handlers.base import BaseHandler
from chatd.types import Session

ACTIVE = {"true": True, "false": False, "all": None}


class SessionHandler(BaseHandler):
    """What all handlers that answer with one session share."""

    def send_session(self, session: Session, status: int = 200) -> None:
        """Answer with a session and its version as ETag."""
        self.set_header("ETag", f'"{session.version}"')
        if status == 201:
            prefix = self.app.config.server.prefix
            self.set_header("Location", f"{prefix}/api/sessions/{session.id}/")
        self.send(session, status)


class SessionsHandler(SessionHandler):
    """The list of sessions."""

    async def get(self) -> None:
        """List own sessions, the most recent activity first."""
        is_active = self.query_choice("is_active", ACTIVE, True)
        query = self.get_query_argument("q", "")
        page = await self.app.sessions.list(
            self.user,
            is_active=is_active,
            query=query,
            limit=self.query_limit(),
            cursor=self.get_query_argument("cursor", ""),
        )
        links = self.links("q", "is_active", next=page.next, previous=page.previous)
        self.send_page(page.results, links)

    async def post(self) -> None:
        """Make a session."""
        fields = self.body(self.app.shapes.new_session)
        self.send_session(await self.app.sessions.create(self.user, fields), 201)


class OneSessionHandler(SessionHandler):
    """One session."""

    async def get(self, session_id: str) -> None:
        """Return it, deleted or not."""
        self.send_session(await self.app.sessions.get(self.user, session_id))

    async def patch(self, session_id: str) -> None:
        """Change some of its fields."""
        changes = self.body(self.app.shapes.session)
        version = await self.expected_version(self.app.sessions.get, session_id)
        self.send_session(await self.app.sessions.update(self.user, session_id, changes, version))

    async def delete(self, session_id: str) -> None:
        """Hide it, or with ?purge=true erase it."""
        version = await self.expected_version(self.app.sessions.get, session_id)
        if self.query_choice("purge", {"true": True, "false": False}, False):
            await self.app.sessions.purge(self.user, session_id, version)
        else:
            await self.app.sessions.delete(self.user, session_id, version)
        self.set_status(204)


class RestoreHandler(SessionHandler):
    """Undoing a delete."""

    async def post(self, session_id: str) -> None:
        """Make the session active again."""
        self.no_body()
        self.send_session(await self.app.sessions.restore(self.user, session_id))


class SelectHandler(SessionHandler):
    """Choosing between branches."""

    async def post(self, session_id: str, message_id: str) -> None:
        """Show the branch of a message, with what was last said after it."""
        self.no_body()
        self.send_session(await self.app.sessions.select(self.user, session_id, message_id))
