"""A caller who uses chatd over REST, SSE and WebSocket with the same credentials."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from harness import API
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # one for all: httpx would read all authorities
FACES = ("rest", "sse", "socket")
REFUSED = 4501


class Caller:
    """A caller of a server, whose requests all have these headers."""

    def __init__(self, url: str, headers: Mapping[str, str] | list[tuple[str, str]] = ()) -> None:
        self.url = url
        self.headers = list(headers.items() if isinstance(headers, Mapping) else headers)

    def http(self) -> httpx.AsyncClient:
        """Return a client of HTTP, to be closed."""
        return httpx.AsyncClient(base_url=self.url, headers=self.headers, timeout=20, verify=PLAIN)

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """Return the answer to one request below the API, or to a path of its own."""
        path = path if path.startswith("/x/") else API + path
        async with self.http() as http:
            return await http.request(method, path, json=body, headers=headers)

    async def me(self) -> dict[str, Any]:
        """Return whom the server takes the caller for."""
        answer = await self.ask("GET", "/me/")
        assert answer.status_code == 200, answer.text
        user: dict[str, Any] = answer.json()
        return user

    async def new_session(self) -> str:
        """Make a session; return its id."""
        answer = await self.ask("POST", "/sessions/", {"model": "script/model"})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def open_socket(self, path: str = "sessions") -> connect:
        """Return a socket to be opened, its greeting not yet read."""
        where = urlsplit(self.url)
        host = dict(self.headers).get("Host", where.netloc)
        headers = [(name, value) for name, value in self.headers if name != "Host"]
        return connect(
            f"ws://{host}/ws/ai-chat/{path}/",
            additional_headers=headers,
            host=where.hostname,
            port=where.port,
        )

    async def turn(self, face: str) -> str:
        """Take a turn over a face; return the whole reply."""
        session_id = await self.new_session()
        if face == "socket":
            async with self.open_socket(f"session/{session_id}") as socket:
                return await turn_on(socket)
        path, body = f"/sessions/{session_id}/send_message/", {"message": "hi"}
        accept = {"Accept": "text/event-stream"} if face == "sse" else {}
        answer = await self.ask("POST", path, body, **accept)
        assert answer.status_code == 200, answer.text
        if face == "sse":
            last = answer.text.strip().rpartition("data: ")[2]
            return str(json.loads(last)["message"]["content"])
        return str(answer.json()["ai_message"]["content"])

    async def refusal(self, face: str) -> int:
        """Return the status or close code with which a face turns the caller away, 0 if not."""
        if face == "socket":
            try:
                async with self.open_socket() as socket:
                    return await close_code(socket)
            except InvalidStatus as exc:
                return int(exc.response.status_code)
        accept = {"Accept": "text/event-stream"} if face == "sse" else {}
        answer = await self.ask("POST", "/sessions/1/send_message/", {"message": "hi"}, **accept)
        return answer.status_code


async def turn_on(socket: ClientConnection) -> str:
    """Take a turn on an open socket; return the whole reply."""
    await socket.send(json.dumps({"type": "send_message", "message": "hi"}))
    event: dict[str, Any] = {"type": ""}
    async with asyncio.timeout(20):
        while event["type"] not in ("ai_message_complete", "error"):
            event = json.loads(await socket.recv())
    assert event["type"] == "ai_message_complete", event
    return str(event["message"]["content"])


async def close_code(socket: ClientConnection) -> int:
    """Return the code with which the server closes a socket."""
    async with asyncio.timeout(20):
        await socket.wait_closed()
    return int(socket.close_code or 0)


def configured(directory: Path, text: str) -> dict[str, str]:
    """Return what makes a server read this configuration and its list of plugins."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "chatd.toml"
    path.write_text(text)
    return {"CHATD_CONFIG": str(path), "CHATD_PLUGINS_ENABLED": ""}
