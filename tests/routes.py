"""What an Application serves, read from the Application itself: a new route cannot be forgotten."""

from __future__ import annotations

import asyncio
import re
import uuid
from typing import Any, NamedTuple

from harness import API, Chat, Client
from tornado.routing import PathMatches
from tornado.web import RequestHandler

from chatd import accounts
from chatd.handlers.keeper import Keeper
from chatd.web import make_application

ALL_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
WITH_BODY = ("POST", "PATCH")
SOCKETS = "/ws/ai-chat"
HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


class Route(NamedTuple):
    """A path with `{}` for each id, and what its handler takes."""

    path: str
    handler: type[RequestHandler]

    @property
    def methods(self) -> set[str]:
        """The methods that the handler has of its own: not HEAD and OPTIONS, which all have."""
        missing = RequestHandler._unimplemented_method
        names = ("get", "post", "put", "patch", "delete")
        return {name.upper() for name in names if getattr(self.handler, name) is not missing}

    @property
    def is_api(self) -> bool:
        """Whether this is REST: neither a socket nor the page."""
        return not self.path.startswith(SOCKETS) and not self.is_page

    @property
    def is_page(self) -> bool:
        """Whether this is a file."""
        return self.path == "/" or self.path.startswith("/static/")

    @property
    def is_public(self) -> bool:
        """Whether the handler says that it needs no credentials."""
        return bool(getattr(self.handler, "is_public", False))

    def at(self, id: str | None = None) -> str:
        """Return the path for an id, by default one that does not exist."""
        return self.path.replace("{}", id or str(uuid.uuid4()))


def routes(chat: Chat) -> list[Route]:
    """Return all routes."""
    application = make_application(chat.app, Keeper(most=0, most_per_user=0))
    return [
        Route(_path(rule.matcher), rule.target)
        for rule in application.wildcard_router.rules
        if isinstance(rule.matcher, PathMatches)
    ]


def _path(matcher: PathMatches) -> str:
    pattern = matcher.regex.pattern.removesuffix("$").removesuffix("/?")
    path = pattern.replace("([^/]+)", "{}").replace("(.+)", "{}").replace("()", "")
    return re.sub(r"\\(.)", r"\1", path)


def api_routes(chat: Chat) -> list[Route]:
    """Return the routes of REST."""
    return [route for route in routes(chat) if route.is_api]


async def administrator(chat: Chat) -> Client:
    """Return a client of a user with the role admin."""
    await accounts.add_user(chat.app.store, "admin", is_admin=True)
    return await chat.client("admin")


def below_api(path: str) -> str:
    """Return a path as the protocol's table names it."""
    return path.removeprefix(API)


async def exchange(chat: Chat, *parts: bytes) -> bytes:
    """Send bytes, each part when the last one has arrived; return all that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(chat.url.rpartition(":")[2]))
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        async with asyncio.timeout(60):
            return await reader.read()
    finally:
        writer.close()


def check_problem(response: Any, status: int, code: str | None = None) -> dict[str, Any]:
    """Check that an answer is a problem as RFC 9457 has it; return its body."""
    assert response.status_code == status, (response.request.method, response.url, response.text)
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["X-Request-Id"]
    assert "Server" not in response.headers
    if response.request.method == "HEAD":
        return {}
    body: dict[str, Any] = response.json()
    assert {"type", "title", "status", "detail", "code"} <= body.keys()
    assert body["status"] == status
    assert body["type"] == f"urn:chatd:error:{body['code']}"
    assert all(isinstance(body[name], str) and body[name] for name in ("title", "detail"))
    if code is not None:
        assert body["code"] == code
    return body
