"""Two finds on Tornado and PyMongo, and nothing else: `bare_server.py MONGO_URL USER_ID`.

They read what chatd's two lists show, as its documents have it, and know nobody: no token, no owner
of a session, no branch. What a server of this kind can reach at all is not far above.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

from pymongo import AsyncMongoClient
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

MONGO_URL, USER_ID = sys.argv[1:3]
PREFIX = "/ai-chat/api/sessions"


class Handler(RequestHandler):
    """Answers with the documents of a query as they are stored."""

    async def answer(self, collection: str, wanted: dict[str, Any], order: str, hint: str) -> None:
        """Write a page of fifty."""
        found = self.settings["database"][collection].find(wanted, {"document": 1}, hint=hint)
        page = await found.sort(order, -1).limit(50).to_list(None)
        self.set_header("Content-Type", "application/json")
        self.write(f'{{"results":[{",".join([one["document"] for one in page])}]}}')


class Sessions(Handler):
    """The list of sessions."""

    async def get(self) -> None:
        """Answer with those of the user who is always the same."""
        wanted = {"user_id": USER_ID, "is_active": True}
        await self.answer("sessions", wanted, "activity_at", "by_activity")


class Messages(Handler):
    """The newest messages of a session."""

    async def get(self, session_id: str) -> None:
        """Answer with those of the first branch."""
        wanted = {"session_id": session_id, "branch": 0}
        await self.answer("messages", wanted, "seq", "by_branch")


async def main() -> None:
    """Serve until the end."""
    logging.getLogger("tornado.access").setLevel(logging.ERROR)
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(MONGO_URL)
    routes = [(f"{PREFIX}/", Sessions), (f"{PREFIX}/([^/]+)/messages/", Messages)]
    server = HTTPServer(Application(routes, database=client.get_default_database()))
    [socket] = bind_sockets(0, "127.0.0.1")
    server.add_socket(socket)
    print(f"http://127.0.0.1:{socket.getsockname()[1]}", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
