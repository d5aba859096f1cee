"""What all HTTP handlers share: authentication, CORS, input, errors."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import msgspec
from marshmallow import Schema
from tornado.web import HTTPError, RequestHandler, stream_request_body

from chatd.app import App
from chatd.errors import (
    BadRequest,
    ChatdError,
    Forbidden,
    InvalidInput,
    MethodNotAllowed,
    NotFound,
    PreconditionFailed,
    TooLarge,
    Unauthenticated,
    UnsupportedMediaType,
)
from chatd.handlers.origins import is_allowed
from chatd.schemas import load
from chatd.strict_json import parse
from chatd.types import Request, User, new_id

logger = logging.getLogger(__name__)

encode = msgspec.json.Encoder().encode

METHODS = "GET, POST, PATCH, DELETE, OPTIONS"
ALLOWED_HEADERS = "Authorization, Content-Type, If-Match, Last-Event-ID, Prefer"
EXPOSED_HEADERS = "ETag, Location, Retry-After"
DRAIN_FACTOR = 4  # how much more than the limit of a refused body is read before giving up


def read_request(handler: RequestHandler) -> Request:
    """Return what authentication may look at; the credential is found wherever it was put."""
    request = handler.request
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    found: str | None = token.strip() if scheme.lower() in ("token", "bearer") else None
    query = {name: values[-1].decode("utf-8", "replace") for name, values in
             request.query_arguments.items()}  # fmt: skip
    return Request(
        method=request.method or "",
        path=request.path,
        headers=request.headers,
        query=query,
        token=found or None,
        peer=_peer(request.connection),
    )


def _peer(connection: Any) -> str:
    """Return the socket's own address: what headers claim is not to be trusted."""
    address = getattr(getattr(connection, "context", None), "address", None)
    return str(address[0]) if isinstance(address, tuple) else ""


@stream_request_body
class BaseHandler(RequestHandler):
    """A handler of JSON. Authenticated unless `is_public`; a test lists those that are."""

    is_public = False
    app: App
    user: User

    def initialize(self, app: App) -> None:
        """Take the App. Runs before everything else of a request."""
        self.app = app
        self._received = bytearray()
        self._received_length = 0
        self.on_gone: Callable[[], None] | None = None

    def set_default_headers(self) -> None:
        """Set what every answer carries, errors included: Tornado clears headers before those."""
        request_id = getattr(self, "request_id", None)
        if request_id is None:
            request_id = self.request_id = new_id()
        self.set_header("X-Request-Id", request_id)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")
        self.clear_header("Server")
        self._set_cors_headers()

    def _set_cors_headers(self) -> None:
        origin = self.request.headers.get("Origin")
        if origin is None:
            return
        self.set_header("Vary", "Origin")
        if is_allowed(self.request, self.settings["allowed_origins"]):
            self.set_header("Access-Control-Allow-Origin", origin)
            self.set_header("Access-Control-Expose-Headers", EXPOSED_HEADERS)

    async def prepare(self) -> None:
        """Refuse foreign origins, oversized bodies and unknown callers, in this order."""
        if not is_allowed(self.request, self.settings["allowed_origins"]):
            raise Forbidden("Pages of this origin may not use this server.")
        if self.request.method == "OPTIONS":
            return
        self._check_length(self.request.headers.get("Content-Length", "0"))
        if not self.is_public:
            self.user = await self.app.authenticate(read_request(self))

    def _check_length(self, length: str) -> None:
        if length.isdecimal() and int(length) > self._body_limit:
            raise TooLarge(f"The body may have {self._body_limit} bytes.")

    @property
    def _body_limit(self) -> float:
        return self.app.config.limits.body_bytes or math.inf

    def data_received(self, chunk: bytes) -> None:
        """Collect the body; Tornado's own limit would answer with a bare 400."""
        self._received_length += len(chunk)
        if self._received_length <= self._body_limit:
            self._received += chunk
        else:
            self._received.clear()
            if self._received_length > self._body_limit * DRAIN_FACTOR:
                self.request.connection.stream.close()  # type: ignore[union-attr]

    def body(self, schema: Schema) -> dict[str, Any]:
        """Return the checked fields of the JSON body; an empty body is an empty object."""
        if self._received_length > self._body_limit:
            raise TooLarge(f"The body may have {self._body_limit} bytes.")
        if not self._received:
            return load(schema, {})
        content_type = self.request.headers.get("Content-Type", "").partition(";")[0]
        if content_type.strip().lower() != "application/json":
            raise UnsupportedMediaType
        return load(schema, parse(bytes(self._received), depth=self.app.config.limits.json_depth))

    def send(self, value: Any, status: int = 200) -> None:
        """Answer with a value as JSON."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(encode(value))

    def send_page(
        self, results: list[Any], links: dict[str, dict[str, Any] | None], **extras: Any
    ) -> None:
        """Answer with a list; links are the query arguments of its neighbours."""
        page: dict[str, Any] = {"results": results, **extras}
        for name, query in links.items():
            page[name] = f"{self.request.path}?{urlencode(query)}" if query else None
        self.send(page)

    def query_integer(self, name: str, *, low: int, high: int = 2**53) -> int | None:
        """Return a query argument as a number. Raises InvalidInput."""
        text = self.get_query_argument(name, None)
        if text is None:
            return None
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdecimal()) or not low <= int(text) <= high:
            raise InvalidInput(
                f"{name} is wrong.", errors={name: [f"An integer from {low} to {high}."]}
            )
        return int(text)

    def query_limit(self) -> int:
        """Return how many results a page may have."""
        return self.query_integer("limit", low=1, high=200) or 50

    def query_choice(self, name: str, choices: dict[str, Any], default: Any) -> Any:
        """Return what a query argument stands for. Raises InvalidInput."""
        text = self.get_query_argument(name, None)
        if text is None:
            return default
        if text not in choices:
            raise InvalidInput(
                f"{name} is wrong.", errors={name: [f"One of: {', '.join(choices)}."]}
            )
        return choices[text]

    def expected_version(self) -> int | None:
        """Return the version that If-Match asks for, None for any. Raises PreconditionFailed."""
        text = self.request.headers.get("If-Match", "*").strip()
        if text == "*":
            return None
        digits = text.removeprefix("W/").strip('"')
        if not (digits.isascii() and digits.isdecimal()):
            raise PreconditionFailed
        return int(digits)

    def on_connection_close(self) -> None:
        """Tell a stream that its reader has gone."""
        if self.on_gone is not None:
            self.on_gone()

    def options(self, *args: str) -> None:
        """Answer a preflight, which has no credentials."""
        self.set_status(204)
        self.set_header("Allow", METHODS)
        if self.request.headers.get("Origin"):
            self.set_header("Access-Control-Allow-Methods", METHODS)
            self.set_header("Access-Control-Allow-Headers", ALLOWED_HEADERS)
            self.set_header("Access-Control-Max-Age", "600")
        self.finish()

    def compute_etag(self) -> str | None:
        """Return nothing: an ETag here is a version, not a hash of the answer."""
        return None

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer with a problem (RFC 9457). Nothing of an unexpected exception gets out."""
        exc_info = kwargs.get("exc_info")
        error = as_chatd_error(exc_info[1] if exc_info else None, status_code)
        self.send_problem(error, problem(error) | self.problem_extras(error))

    def problem_extras(self, error: ChatdError) -> dict[str, Any]:
        """Return what a handler adds to the body of a problem."""
        return {"request_id": self.request_id} if error.status >= 500 else {}

    def send_problem(self, error: ChatdError, body: dict[str, Any]) -> None:
        """Answer with an error's status, headers and body."""
        self.set_status(error.status)
        self.set_header("Content-Type", "application/problem+json")
        if isinstance(error, Unauthenticated):
            self.set_header("WWW-Authenticate", "Token")
        if isinstance(error, MethodNotAllowed):
            self.set_header("Allow", METHODS)
        if isinstance(error, TooLarge):
            self.set_header("Connection", "close")
        if error.retry_after is not None:
            self.set_header("Retry-After", str(max(1, math.ceil(error.retry_after))))
        self.finish(encode(body))

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Log what is not an answer: a ChatdError of the caller is in the access log."""
        if isinstance(value, (ChatdError, HTTPError)) and as_chatd_error(value).status < 500:
            return
        if isinstance(value, ChatdError):
            logger.error("%s: %s %s: %s", self.request_id, self.request.method,
                         self.request.path, value)  # fmt: skip
            return
        logger.error(
            "%s: %s %s failed",
            self.request_id,
            self.request.method,
            self.request.path,
            exc_info=(typ, value, tb),
        )


def as_chatd_error(exc: BaseException | None, status: int = 500) -> ChatdError:
    """Return the error that a caller may see for any exception."""
    if isinstance(exc, ChatdError):
        return exc
    if isinstance(exc, HTTPError):
        status = exc.status_code
    for kind in (NotFound, MethodNotAllowed, Forbidden, TooLarge):
        if kind.status == status:
            return kind()
    return BadRequest() if 400 <= status < 500 else ChatdError()


def problem(error: ChatdError) -> dict[str, Any]:
    """Return the body of a problem."""
    body: dict[str, Any] = {
        "type": f"urn:chatd:error:{error.code}",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "detail": error.message,
        "code": error.code,
    }
    return body | ({"errors": error.errors} if error.errors else {})


class UnknownPath(BaseHandler):
    """Every path that nobody else takes."""

    is_public = True

    async def prepare(self) -> None:
        """Answer 404 to every method."""
        raise NotFound("There is nothing at this path.")
