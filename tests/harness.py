"""A chatd for tests: real sockets, a real store, a provider that says what it is told."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import websockets
from contract import checking, documents
from websockets.asyncio.client import ClientConnection, connect

import chatd
from chatd import accounts
from chatd.app import App
from chatd.config import load_config
from chatd.server import listening
from chatd.testing import ScriptedProvider
from chatd.testing.server import QUICK as QUICK_SETTINGS

API = "/ai-chat/api"
PATIENCE = 60  # seconds, for what takes some milliseconds where nothing else runs
QUICK = QUICK_SETTINGS | {"CHATD_PLUGINS_ENABLED": "auth_token,presets_store"}


Script = ScriptedProvider


class Socket:
    """A WebSocket client that speaks events; each that it receives is held against the contract."""

    def __init__(self, connection: ClientConnection, channel: str, prefix: str) -> None:
        self.connection, self.channel = connection, channel
        self.documents = documents(prefix)

    async def send(self, type: str, **fields: Any) -> None:
        """Send one event."""
        await self.connection.send(json.dumps({"type": type, **fields}))

    async def receive(self) -> dict[str, Any]:
        """Return the next event."""
        async with asyncio.timeout(PATIENCE):
            event: dict[str, Any] = json.loads(await self.connection.recv())
        self.documents.check_event(self.channel, event)
        return event

    async def until(self, *types: str) -> list[dict[str, Any]]:
        """Return all events up to the first of one of the types."""
        events = [await self.receive()]
        while events[-1]["type"] not in types:
            events.append(await self.receive())
        return events

    async def close_code(self) -> int | None:
        """Wait for the server to close; return its code."""
        async with asyncio.timeout(PATIENCE):
            with contextlib.suppress(websockets.ConnectionClosed):
                while True:
                    await self.connection.recv()
        self.documents.check_close_code(self.connection.close_code)
        return self.connection.close_code


class Client:
    """One user of a running chatd; each answer is held against the contract."""

    def __init__(self, chat: Chat, user: chatd.User, token: str) -> None:
        self.chat, self.user, self.token = chat, user, token
        headers = {"Authorization": f"Token {token}"} if token else {}
        self.prefix = chat.app.config.server.prefix
        self.http = httpx.AsyncClient(
            base_url=chat.url,
            headers=headers,
            timeout=PATIENCE,
            event_hooks={"response": [checking(self.prefix)]},
        )

    async def call(self, method: str, path: str, status: int = 200, **kwargs: Any) -> Any:
        """Call a path below the API; return the decoded answer, having checked its status."""
        response = await self.http.request(method, API + path, **kwargs)
        assert response.status_code == status, response.text
        return response.json() if response.content else None

    async def new_session(self, **fields: Any) -> str:
        """Make a session of the scripted model; return its id."""
        fields = {"model": "script/model"} | fields
        session = await self.call("POST", "/sessions/", 201, json=fields)
        return str(session["id"])

    async def send(self, session_id: str, message: str = "hi", **fields: Any) -> Any:
        """Send a message over REST and wait for its end."""
        body = {"message": message, **fields}
        return await self.call("POST", f"/sessions/{session_id}/send_message/", json=body)

    async def messages(self, session_id: str, **params: Any) -> list[dict[str, Any]]:
        """Return the newest messages."""
        page = await self.call("GET", f"/sessions/{session_id}/messages/", params=params)
        results: list[dict[str, Any]] = page["results"]
        return results

    def _slow_socket(self, receive_buffer: int) -> socket.socket:
        """Return a connection that takes so many bytes before somebody reads them."""
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.connect(("127.0.0.1", int(self.chat.url.rpartition(":")[2])))
        return sock

    @contextlib.asynccontextmanager
    async def socket(
        self, path: str, greet: bool = True, receive_buffer: int = 0, **query: Any
    ) -> AsyncIterator[Socket]:
        """Open a socket; `path` is `session/<id>` or `sessions`. Its greeting has been read."""
        params = httpx.QueryParams({"token": self.token} | query)
        url = f"{self.chat.url.replace('http', 'ws')}/ws/ai-chat/{path}/?{params}"
        sock = self._slow_socket(receive_buffer) if receive_buffer else None
        async with connect(url, max_size=None, sock=sock) as connection:
            socket = Socket(connection, path.partition("/")[0], self.prefix)
            if greet:
                assert (await socket.receive())["type"] == "connection_established"
            yield socket


class Chat:
    """A running chatd."""

    def __init__(self, app: App, port: int) -> None:
        self.app = app
        self.url = f"http://127.0.0.1:{port}"
        self.clients: list[Client] = []

    async def client(self, name: str) -> Client:
        """Return a client of a user, made if missing."""
        user = await accounts.ensure_user(self.app.store, name)
        client = Client(self, user, await accounts.create_token(self.app.store, user))
        self.clients.append(client)
        return client

    def anonymous(self) -> Client:
        """Return a client without credentials."""
        client = Client(self, chatd.User(id="", name=""), "")
        self.clients.append(client)
        return client


@contextlib.asynccontextmanager
async def chatting(tmp_path: Path, *plugins: object, **settings: str) -> AsyncIterator[Chat]:
    """Run a chatd in this process; settings are environment variables.

    Its store is SQLite, or what CHATD_TEST_STORE says (see the fixture `each_store`).
    """
    environ = QUICK | {"CHATD_DATA_DIR": str(tmp_path / "data")}
    environ |= {"CHATD_STORE": os.environ.get("CHATD_TEST_STORE", "")} | settings
    async with (
        App(load_config(None, environ, {}), plugins=plugins) as app,
        listening(app) as port,
    ):
        chat = Chat(app, port)
        try:
            yield chat
        finally:
            for client in chat.clients:
                await client.http.aclose()
