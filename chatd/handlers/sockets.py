"""What both sockets share: opening, one writer, input that never raises, closing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from tornado.web import HTTPError, stream_request_body
from tornado.websocket import WebSocketClosedError

from chatd import __version__, tracing
from chatd.app import App
from chatd.errors import (
    BadRequest,
    ChatdError,
    Forbidden,
    NotFound,
    RateLimited,
    Unauthenticated,
    UnknownEvent,
)
from chatd.events import Event
from chatd.handlers.credentials import SUBPROTOCOL, check_ticket, read_request, socket_token
from chatd.handlers.frames import client_id_of, error_event, is_too_large, read_event
from chatd.handlers.handshake import close_code, is_upgrade, without_noise
from chatd.handlers.keeper import PING_EVERY, Keeper
from chatd.handlers.patience import BAD_FRAMES, PINGS_UNREAD, REFUSALS, Patience
from chatd.handlers.problems import as_chatd_error, fill_problem, problem, set_common_headers
from chatd.handlers.protocol import StrictWebSocket
from chatd.handlers.wire import abort, forget_handshake, has_unsent
from chatd.handlers.writer import Writer
from chatd.log import Frame
from chatd.schemas import load
from chatd.types import Request, User, digest_token, new_id

logger = logging.getLogger(__name__)

Command = Callable[..., Awaitable[None] | None]


@stream_request_body
class Socket(StrictWebSocket):
    """A WebSocket with one room and one writer."""

    commands: ClassVar[dict[str, str]] = {}
    kind: ClassVar[str]
    closed_with = 0  # the code that we closed with, if it was us
    user: User
    app: App
    room = ""
    session_id = ""
    has_joined = False

    def initialize(self, app: App, keeper: Keeper) -> None:
        """Take the App and the keeper of sockets. Runs before everything else of a request."""
        self.app = app
        self.keeper = keeper
        self.request_id = new_id()
        tracing.request_id.set(self.request_id)
        self.writer = Writer(self, self.request_id)
        self.subscriber = self.writer.subscriber
        self.credentials: Request | None = None
        self._ticket_of = ""  # the digest of the token that asked for the ticket, if it was one
        self._refusal: ChatdError | None = None
        self._bad_frames: Patience | None = None
        self._refusals: Patience | None = None
        self._pings_unread = 0
        self.heard_at = self.pinged_at = self.checked_at = asyncio.get_running_loop().time()

    async def prepare(self) -> None:
        """Refuse foreign pages before the upgrade; whoever else is refused learns it after."""
        if not self.settings["origins"].allow(self.request):
            raise Forbidden("Pages of this origin may not use this server.")
        if self.request.method != "GET":
            return  # it is refused when its body has been read
        if not is_upgrade(self.request.headers):
            raise BadRequest("This is a WebSocket: it takes an Upgrade only.")
        try:
            self.user = await self._authenticate()
        except ChatdError as exc:
            self._refusal = exc

    async def _authenticate(self) -> User:
        request = read_request(self)
        ticket = request.query.get("ticket")
        if ticket:
            taken = await self.app.store.take_ticket(digest_token(ticket), "ws_ticket")
            if taken is None:
                raise Unauthenticated("This ticket has been used, or is too old.")
            self._ticket_of = taken[0].asked_by
            return taken[1]
        token = socket_token(request)
        self.credentials = request.replace(token=token, headers=without_noise(self.request.headers))
        return await self.app.authenticate(self.credentials)

    def data_received(self, chunk: bytes) -> None:
        """Drop it: an upgrade has no body."""

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """Decode a part of the URL; what is not UTF-8 names nothing."""
        return value.decode(errors="replace")

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """Choose ours; a token may be offered beside it."""
        return SUBPROTOCOL if SUBPROTOCOL in subprotocols else None

    def check_origin(self, origin: str) -> bool:
        """Pass: `prepare` has checked it, by our rule."""
        return True

    async def open(self, *args: str) -> None:
        """Admit the caller or close with the reason; `join` of the subclass does the rest."""
        self.set_nodelay(True)  # else two small frames in a row wait 40 ms for an acknowledgement
        try:
            if self._refusal is not None:
                raise self._refusal
            if (farewell := self.keeper.farewell_to(self.user)) is not None:
                return self.close(*farewell)
            self.keeper.add(self)
            self.subscriber.full = self.get_query_argument("chunks", "full") != "delta"
            await self.join(*args)
            self.keeper.joined(self)
            forget_handshake(self)
            logger.info("%s opened by %s: %s", self.request_id, self.user.name, self.request.path)
        except WebSocketClosedError:
            self._leave()  # the client has gone while it was let in
        except Exception as exc:
            self._leave()
            self.refuse(exc)

    async def join(self, *args: str) -> None:
        """Join the room and send what a newcomer must know."""
        raise NotImplementedError

    def refuse(self, exc: Exception) -> None:
        """Say why, and close with the code that tells the client what to do."""
        error = as_chatd_error(exc)
        if error.status >= 500 and not isinstance(exc, ChatdError):
            logger.error("%s failed to open", self.request_id, exc_info=exc)
        else:
            logger.info("%s refused: %s", self.request_id, error.code)
        try:
            self.send_now(error_event(error))
        except WebSocketClosedError:
            return
        self.close(close_code(error), error.code)

    def send_now(self, event: Event) -> None:
        """Send an event to this socket alone."""
        self.writer.send(event)

    def sent(self, frames: list[Frame]) -> None:
        """Look at what was sent: some events end a socket."""

    async def on_message(self, message: str | bytes) -> None:
        """Carry out one event. Never raises, and waits for nothing longer than the store."""
        self.heard_at = asyncio.get_running_loop().time()
        if self.ws_connection is None or self.ws_connection.is_closing():
            return
        if is_too_large(message, self.app.config.limits.frame_bytes):
            return self.close(1009, "frame too large")
        client_id: str | None = None
        try:
            event = read_event(message, depth=self.app.config.limits.json_depth)
            client_id = client_id_of(event)
            command, fields = self._command(event)
        except BadRequest as exc:
            self._count_bad_frame()
            self.answer_error(exc, client_id)
        else:
            await self._carry_out(command, fields, client_id)

    async def _carry_out(
        self, command: Command, fields: dict[str, Any], client_id: str | None
    ) -> None:
        try:
            await self._check_caller()
            result = command(**fields)
            if result is not None:
                await result
        except WebSocketClosedError:
            return
        except Unauthenticated as exc:
            self.refuse(exc)
        except Exception as exc:
            self.answer_error(exc, client_id)
            if isinstance(exc, NotFound):
                await self.check_rights()

    def _command(self, event: dict[str, Any]) -> tuple[Command, dict[str, Any]]:
        kind = event["type"]
        if kind not in self.commands:
            raise UnknownEvent(f"There is no event {kind[:100]!r} here.")
        fields = load(self.app.shapes.events[kind], event)
        return getattr(self, self.commands[kind]), fields

    def _count_bad_frame(self) -> None:
        self._bad_frames = self._bad_frames or Patience(BAD_FRAMES)
        if self._bad_frames.is_over(asyncio.get_running_loop().time()):
            self.close(4513, "too many bad frames")

    def _count_refusal(self) -> None:
        """Close a socket whose client goes on though it was told to wait."""
        self._refusals = self._refusals or Patience(REFUSALS)
        if self._refusals.is_over(asyncio.get_running_loop().time()):
            self.close(4029, "rate limit")

    def answer_error(self, exc: Exception, client_id: str | None) -> None:
        error = as_chatd_error(exc)
        if isinstance(exc, (ChatdError, HTTPError)):
            logger.info("%s: a command was refused: %s", self.request_id, error.code)
        else:
            logger.error("%s: a command failed", self.request_id, exc_info=exc)
        try:
            self.send_now(error_event(error, client_id))
        except WebSocketClosedError:
            return
        if isinstance(exc, RateLimited):
            self._count_refusal()

    async def _check_caller(self) -> None:
        """Check the credentials again, or the token behind a ticket: it may have been revoked."""
        self.checked_at = asyncio.get_running_loop().time()
        if self.credentials is not None:
            self.user = await self.app.authenticate(self.credentials)
        else:
            await check_ticket(self.app.store, self._ticket_of, self.user)

    async def check_rights(self) -> None:
        """Close the socket if its caller or its subject is no longer there."""
        try:
            await self._check_caller()
            await self.check_subject()
        except (Unauthenticated, NotFound) as exc:
            self.refuse(exc)

    async def check_subject(self) -> None:
        """Raise NotFound when what the socket is about is gone."""

    def on_pong(self, data: bytes) -> None:
        """Note that the peer lives."""
        self.heard_at = asyncio.get_running_loop().time()

    def on_ping(self, data: bytes) -> None:
        """Note that the peer lives, and end who sends pings and reads no pongs: they pile up."""
        self.heard_at = asyncio.get_running_loop().time()
        self._pings_unread = self._pings_unread + 1 if has_unsent(self) else 0
        if self._pings_unread > PINGS_UNREAD:
            self.closed_with = 4008
            self.abort()

    def send_ping(self) -> None:
        """Ask the peer for a pong."""
        try:
            self.ping(b"")
        except WebSocketClosedError:
            self._leave()

    def abort(self) -> None:
        """End the connection without a handshake."""
        abort(self)

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Begin to close; nothing is sent behind the close frame, so the room is left now."""
        self.app.hub.leave(self.room, self.subscriber)
        if self.ws_connection is not None and not self.ws_connection.is_closing():
            self.closed_with = self.closed_with or code or 0
        super().close(code, reason)

    def on_close(self) -> None:
        """Leave the room; nothing of a generation depends on its sockets."""
        self._leave()
        self.keeper.closed(self)
        logger.info("%s closed, code %s", self.request_id, self.close_code)

    def _leave(self) -> None:
        self.app.hub.leave(self.room, self.subscriber)
        self.keeper.discard(self)
        self.writer.close()

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer what failed before the upgrade as REST does."""
        exc_info = kwargs.get("exc_info")
        error = as_chatd_error(exc_info[1] if exc_info else None, status_code)
        set_common_headers(self, self.request_id)
        self.finish(fill_problem(self, error, problem(error, self.request_id)))

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Log what is a bug; a refused caller is in the access log."""
        if not isinstance(value, (ChatdError, HTTPError)):
            logger.error("%s failed", self.request_id, exc_info=(typ, value, tb))


GREETING = {
    "server": f"chatd/{__version__}",
    "protocol": 1,
    "ping_interval": PING_EVERY,
}
