"""The server: what it listens on, its URLs, its key, its log."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from types import TracebackType
from typing import Any

from .answers import Answer
from .asks import Ask, Exchange, InvalidAsk
from .calls import Call, CallLog, End
from .connections import Connection, Request, Response
from .faults import error
from .kinds import KINDS, MODELS
from .modes import CORRECT, MODES, find_mode
from .replies import directives

SSE = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"}
JSON = {"Content-Type": "application/json"}


class LlmServer:
    """A model server in the caller's event loop.

    `models` are those that simply work, and may be changed at any time; an unknown model is a 404.
    A server of another API says what differs: its path, its modes, how it reads a call (`ask_of`),
    what it answers with, and how it tells an error.
    """

    chat_path = "/v1/chat/completions"
    modes = MODES
    ask_of = staticmethod(Ask.of)
    answer = Answer
    media_type = SSE["Content-Type"]
    error = staticmethod(error)

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        pace: float = 0,
        key: str | None = None,
        log_file: Path | None = None,
        models: Sequence[str] = ("qwen3:8b",),
        kind: str | None = None,
    ) -> None:
        """Take what to listen on, and the kind of server to be like (KINDS) if not a plain one."""
        self.host, self.port = host, port
        self.pace = pace
        self.key = key
        self.models = [*models, *(name for name in MODELS if kind and name not in models)]
        self.documents = KINDS[kind]() if kind else {}
        self._log = CallLog(log_file)
        self._connections: set[Connection] = set()
        self._listeners: list[asyncio.Server] = []
        self._elsewhere = ""
        self._is_closing = False

    async def __aenter__(self) -> LlmServer:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    @property
    def url(self) -> str:
        """Return the origin, without a slash at its end."""
        return f"http://{self.host}:{self.port}"

    @property
    def calls(self) -> list[Call]:
        """Return the chat completion calls, oldest first."""
        return self._log.calls

    @property
    def listings(self) -> list[Call]:
        """Return the calls of /v1/models, oldest first."""
        return self._log.listings

    @property
    def questions(self) -> list[Call]:
        """Return the calls of anything else than chat completions and /v1/models."""
        return self._log.questions

    @property
    def connections(self) -> int:
        """Return the number of open connections."""
        return len(self._connections)

    async def start(self) -> None:
        """Listen on the port, and on a second one that the mode `redirect` points to.

        After `aclose` this opens the same port again.
        """
        self._is_closing = False
        self.port = await self._listen(self.port)
        self._elsewhere = f"http://{self.host}:{await self._listen(0)}"

    async def aclose(self) -> None:
        """Stop listening, cut every connection, and return when all have ended."""
        self._is_closing = True
        while self._listeners:
            self._listeners.pop().close()
        connections = list(self._connections)
        for connection in connections:
            connection.abort()
        tasks = [connection.task for connection in connections]
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(connection.closed.wait() for connection in connections))

    async def wait_for(
        self, condition: Callable[[list[Call]], object], *, seconds: float = 60
    ) -> list[Call]:
        """Return the calls when a condition on them holds; raise TimeoutError.

        It is asked again whenever a call begins, says a token, or ends, and when a connection
        opens or closes.
        """
        await self._log.wait_for(condition, seconds)
        return self.calls

    def clear(self) -> None:
        """Forget all calls, and what the `-then-ok` modes remember."""
        self._log.clear()

    async def _listen(self, port: int) -> int:
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(self._connect, self.host, port)
        self._listeners.append(listener)
        return int(listener.sockets[0].getsockname()[1])

    def _connect(self) -> Connection:
        return Connection(self._answer, self._connected, self._disconnected)

    def _connected(self, connection: Connection) -> None:
        self._connections.add(connection)
        self._log.changed()
        if self._is_closing:
            # It was accepted just before the listener was closed.
            connection.abort()

    def _disconnected(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._log.changed()

    async def _answer(self, request: Request, response: Response) -> None:
        match request.method, request.path.partition("?")[0]:
            case "GET", "/health":
                await response.send_json(200, {"status": "ok"})
            case "GET", "/log":
                await response.send_json(200, self._log_to_dict())
            case "DELETE", "/log":
                self.clear()
                await response.send(204, b"", {})
            case "GET", "/v1/models":
                await self._logged(request, response, self._list_models, self.listings)
            case "POST", self.chat_path:
                await self._logged(request, response, self._complete, self.calls)
            case _:
                await self._logged(request, response, self._document, self._log.questions)

    async def _logged(
        self,
        request: Request,
        response: Response,
        handler: Callable[[Call, Response], Awaitable[None]],
        calls: list[Call],
    ) -> None:
        """Answer, and note how it ended: cancelled means that the client or the server left."""
        call = self._log.start(
            port=request.port,
            path=request.path,
            headers=request.headers,
            body=_parsed(request.body),
        )
        calls.append(call)
        self._log.changed()
        end: End = "failed"
        try:
            if self._is_allowed(request):
                await handler(call, response)
            else:
                await response.send_json(401, self.error("wrong key", "invalid_api_key"))
            end = "finished"
        except asyncio.CancelledError:
            end = "stopped" if self._is_closing else "dropped"
            raise
        finally:
            call.status = response.status
            self._log.end(call, end)

    def _is_allowed(self, request: Request) -> bool:
        if self.key is None:
            return True
        given = request.headers.get("authorization", "")
        return secrets.compare_digest(given.encode(), f"Bearer {self.key}".encode())

    async def _document(self, call: Call, response: Response) -> None:
        """Answer for the API that a kind of server has of its own."""
        name = f"POST {call.path} {call.model}" if call.model else f"GET {call.path}"
        if name in self.documents:
            await response.send_json(200, self.documents[name])
        else:
            await response.send_json(404, error("no such URL", "not_found"))

    async def _list_models(self, call: Call, response: Response) -> None:
        if self.documents:
            await response.send_json(200, self.documents["GET /v1/models"])
            return
        about = {name: CORRECT.about for name in self.models}
        about |= {name: mode.about for name, mode in MODES.items()}
        data = [
            {"id": name, "object": "model", "created": 0, "owned_by": "chatd", "description": text}
            for name, text in about.items()
        ]
        await response.send_json(200, {"object": "list", "data": data})

    async def _complete(self, call: Call, response: Response) -> None:
        try:
            ask = self.ask_of(call.body)
        except InvalidAsk as exc:
            await response.send_json(400, self.error(str(exc), "invalid_request_error"))
            return
        named = directives(ask.messages).mode or ask.model
        mode = CORRECT if named in self.models else find_mode(named, self.modes)
        if mode is None:
            await response.send_json(404, self.error(f"no model {named!r}", "model_not_found"))
            return
        exchange = Exchange(
            ask=ask, call=call, log=self._log, response=response, elsewhere=self._elsewhere
        )
        if mode.instead is not None and await mode.instead(exchange):
            return
        headers = {**SSE, "Content-Type": self.media_type} if ask.stream else JSON
        await response.start(200, headers)
        async with AsyncExitStack() as stack:
            pieces = self.answer(exchange, mode, pace=self.pace / 1000).pieces()
            await stack.enter_async_context(aclosing(pieces))
            if mode.pieces is not None:
                pieces = mode.pieces(exchange, pieces)
                await stack.enter_async_context(aclosing(pieces))
            async for piece in pieces:
                await response.write(piece)
        await response.end()

    def _log_to_dict(self) -> dict[str, Any]:
        return {
            "now": time.monotonic(),
            "calls": [call.to_dict() for call in self.calls],
            "listings": [call.to_dict() for call in self.listings],
        }


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")
