"""Sessions and their messages over REST."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import quote

from chatd.client.rest import Page, Rest, read
from chatd.types import Message, Session

Settings = dict[str, Any]


def part(id: str) -> str:
    """Return an id as one part of a path."""
    return quote(id, safe="")


def if_match(version: int | None) -> dict[str, str]:
    """Return the header that lets a change pass only if nobody else made one."""
    return {} if version is None else {"If-Match": f'"{version}"'}


class Sessions:
    """The caller's sessions."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def list(self, *, query: str = "", is_active: bool | None = True) -> AsyncIterator[Session]:
        """Yield sessions, the most recent activity first; `query` looks in titles.

        `is_active` None means all, False the deleted ones.
        """
        active = "all" if is_active is None else is_active
        return self._rest.pages(Session, "sessions/", q=query or None, is_active=active)

    async def create(self, **fields: Any) -> Session:
        """Make a session: title, model, system_prompt, settings, preset_id, metadata."""
        return await self._rest.post(Session, "sessions/", fields)

    async def get(self, session_id: str) -> Session:
        """Return a session, deleted or not."""
        return await self._rest.get(Session, f"sessions/{part(session_id)}/")

    async def update(
        self, session_id: str, *, version: int | None = None, **fields: Any
    ) -> Session:
        """Change some fields. With `version` raises PreconditionFailed if another was faster."""
        path, headers = f"sessions/{part(session_id)}/", if_match(version)
        return read(Session, await self._rest.call("PATCH", path, body=fields, headers=headers))

    async def delete(self, session_id: str, *, version: int | None = None) -> None:
        """Hide a session; everything is kept, and `restore` brings it back."""
        path = f"sessions/{part(session_id)}/"
        await self._rest.call("DELETE", path, headers=if_match(version))

    async def purge(self, session_id: str, *, version: int | None = None) -> None:
        """Erase a session and its messages for good."""
        path, headers = f"sessions/{part(session_id)}/", if_match(version)
        await self._rest.call("DELETE", path, params={"purge": True}, headers=headers)

    async def restore(self, session_id: str) -> Session:
        """Undo a delete."""
        return await self._rest.post(Session, f"sessions/{part(session_id)}/restore/")


class Messages:
    """The messages of sessions."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def list(
        self,
        session_id: str,
        *,
        after: int = 0,
        since: int | None = None,
        all_branches: bool = False,
    ) -> AsyncIterator[Message]:
        """Yield the messages of the shown branch, the oldest first, from behind `after`, a seq.

        With `since`, a revision, those changed after it, in that order.
        """
        params: dict[str, Any] = {"after": after} if since is None else {"since": since}
        if all_branches:
            params["branch"] = "all"
        return self._rest.pages(Message, f"sessions/{part(session_id)}/messages/", **params)

    async def newest(
        self, session_id: str, *, limit: int = 50, before: int | None = None
    ) -> Sequence[Message]:
        """Return the last messages of the shown branch, in their order; at most 200."""
        path = f"sessions/{part(session_id)}/messages/"
        page = await self._rest.get(Page[Message], path, limit=limit, before=before)
        return page.results

    async def select(self, session_id: str, message_id: str) -> Session:
        """Show the branch of a message from now on."""
        path = f"sessions/{part(session_id)}/messages/{part(message_id)}/select/"
        return await self._rest.post(Session, path)
