"""What all HTTP handlers share: authentication, CORS, input, errors."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

from marshmallow import Schema
from msgspec import Raw
from tornado.web import RequestHandler, stream_request_body

from chatd import tracing
from chatd.app import App
from chatd.errors import (
    ChatdError,
    Forbidden,
    InvalidInput,
    NotFound,
    PreconditionFailed,
    TooLarge,
    UnsupportedMediaType,
)
from chatd.handlers.credentials import read_request
from chatd.handlers.problems import (
    allowed_methods,
    as_chatd_error,
    encode,
    fill_problem,
    log_failure,
    problem,
    set_common_headers,
)
from chatd.schemas import load
from chatd.strict_json import parse
from chatd.types import Preset, Session, User, new_id

ALLOWED_HEADERS = "Authorization, Content-Type, If-Match, Last-Event-ID, Prefer"
EXPOSED_HEADERS = "ETag, Location, Retry-After"
DRAIN_AT_MOST = 64 * 1024 * 1024  # how much more than the limit of a refused body is read
LONGEST_NUMBER = 17  # digits, with a sign; int() of very many is an error of its own


@stream_request_body
class BaseHandler(RequestHandler):
    """A handler of JSON. Authenticated unless `is_public`; a test lists those that are."""

    is_public = False
    app: App
    user: User

    def initialize(self, app: App) -> None:
        """Take the App. Runs before everything else of a request."""
        self.app = app
        if app.traces is not None:
            self.span = app.traces.begin_request(self.request.method or "", self.request.headers)
        self._received = bytearray()
        self._received_length = 0
        self._is_refused = False
        self.on_gone: Callable[[], None] | None = None

    def set_default_headers(self) -> None:
        """Set what every answer carries, errors included: Tornado clears headers before those."""
        request_id = getattr(self, "request_id", None)
        if request_id is None:
            request_id = self.request_id = new_id()
            tracing.request_id.set(request_id)
        set_common_headers(self, request_id)
        self.set_header("Cache-Control", "no-store")
        self._set_cors_headers()

    def _set_cors_headers(self) -> None:
        self.set_header("Vary", "Origin")
        origin = self.request.headers.get("Origin")
        if origin is not None and self.settings["origins"].allow(self.request):
            self.set_header("Access-Control-Allow-Origin", origin)
            self.set_header("Access-Control-Expose-Headers", EXPOSED_HEADERS)

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """Decode a part of the path, where what is not UTF-8 names nothing, or of the query."""
        try:
            return value.decode()
        except UnicodeDecodeError:
            if name is None:
                return value.decode(errors="replace")
            raise InvalidInput(f"{name} is wrong.", errors={name: ["Not UTF-8."]}) from None

    async def prepare(self) -> None:
        """Admit the request or refuse it, before its body is read."""
        try:
            await self.admit()
        except Exception as exc:
            if "Expect" in self.request.headers:
                raise
            self.log_exception(type(exc), exc, exc.__traceback__)
            self._refuse(as_chatd_error(exc))

    async def admit(self) -> None:
        """Refuse foreign origins, oversized bodies and unknown callers, in this order."""
        if not self.settings["origins"].allow(self.request):
            raise Forbidden("Pages of this origin may not use this server.")
        if self.request.method == "OPTIONS":
            return
        length = self.request.headers.get("Content-Length", "0")
        if length.isdecimal() and int(length[:LONGEST_NUMBER]) > self._body_limit:
            raise self._too_large()
        if not self.is_public:
            self.user = await self.app.authenticate(read_request(self))

    def _refuse(self, error: ChatdError) -> None:
        """Answer now, but read on: a connection closed before that takes the answer with it."""
        self._is_refused = True
        self._received.clear()
        content = fill_problem(self, error, problem(error, self.request_id))
        self.set_header("Content-Length", str(len(content)))
        self.write(content)
        self.flush()
        setattr(self, (self.request.method or "").lower(), _do_nothing)

    @property
    def _body_limit(self) -> float:
        return self.app.config.limits.body_bytes or math.inf

    def _too_large(self) -> TooLarge:
        if self.app.metrics is not None:
            self.app.metrics.refused.add("body_bytes")
        return TooLarge(f"The body may have {self._body_limit} bytes.")

    def data_received(self, chunk: bytes) -> None:
        """Collect the body; Tornado's own limit would answer with a bare 400."""
        self._received_length += len(chunk)
        if self._received_length > self._body_limit + DRAIN_AT_MOST:
            self.request.connection.stream.close()  # type: ignore[union-attr]
        elif self._received_length > self._body_limit and not self._is_refused:
            self._refuse(self._too_large())
        elif not self._is_refused:
            self._received += chunk

    def body(self, schema: Schema) -> dict[str, Any]:
        """Return the checked fields of the JSON body; an empty body is an empty object."""
        if not self._received:
            return load(schema, {})
        headers = self.request.headers
        if not _is_json(headers.get("Content-Type", "")):
            raise UnsupportedMediaType
        if headers.get("Content-Encoding", "identity").lower() != "identity":
            raise UnsupportedMediaType("The body must not be compressed.")
        return load(schema, parse(bytes(self._received), depth=self.app.config.limits.json_depth))

    def no_body(self) -> None:
        """Check that there is no body, or an empty object."""
        self.body(self.app.shapes.nothing)

    def send(self, value: Any, status: int = 200) -> None:
        """Answer with a value as JSON."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(encode(value))

    def send_page(
        self, results: list[Any] | Raw, links: dict[str, dict[str, Any] | None], **extras: Any
    ) -> None:
        """Answer with a list; links are the query arguments of its neighbours."""
        page: dict[str, Any] = {"results": results, **extras}
        for name, query in links.items():
            page[name] = f"{self.request.path}?{urlencode(query)}" if query else None
        self.send(page)

    def links(self, *filters: str, **cursors: str | None) -> dict[str, dict[str, Any] | None]:
        """Return the links of a list's neighbours, which keep its filters."""
        given = {name: self.get_query_argument(name, "") for name in (*filters, "limit")}
        kept = {name: value for name, value in given.items() if value}
        return {
            name: {**kept, "cursor": cursor} if cursor else None for name, cursor in cursors.items()
        }

    def query_integer(self, name: str, *, low: int, high: int = 2**53) -> int | None:
        """Return a query argument as a number. Raises InvalidInput."""
        text = self.get_query_argument(name, None)
        if text is None:
            return None
        digits = text.removeprefix("-")
        is_number = digits.isascii() and digits.isdecimal() and len(text) <= LONGEST_NUMBER
        if not is_number or not low <= int(text) <= high:
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

    async def expected_version(
        self, read: Callable[[User, str], Awaitable[Session | Preset]], key: str
    ) -> int | None:
        """Return the version that If-Match asks for, None for any (RFC 9110, section 13.1.1).

        Raises PreconditionFailed when the present one is not listed; a weak tag never matches.
        """
        header = self.request.headers.get("If-Match", "*").strip()
        if header == "*":
            return None
        version = (await read(self.user, key)).version
        if str(version) not in [tag.strip().strip('"') for tag in header.split(",")]:
            raise PreconditionFailed
        return version

    def on_connection_close(self) -> None:
        """Tell a stream that its reader has gone."""
        super().on_connection_close()
        if self.on_gone is not None:
            self.on_gone()

    def head(self, *args: str) -> Awaitable[None] | None:
        """Answer as to GET; Tornado leaves the body out."""
        return self.get(*args)

    def options(self, *args: str) -> None:
        """Answer a preflight, which has no credentials."""
        methods = allowed_methods(self)
        self.set_status(204)
        self.set_header("Allow", methods)
        if self.request.headers.get("Origin"):
            self.set_header("Access-Control-Allow-Methods", methods)
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
        self.send_problem(error, problem(error, self.request_id))

    def send_problem(self, error: ChatdError, body: dict[str, Any]) -> None:
        """Answer with an error's status, headers and body."""
        self.finish(fill_problem(self, error, body))

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Answer with an error; an answer that has begun, as a stream has, only ends."""
        if not self._headers_written:
            super().send_error(status_code, **kwargs)
        elif not self._finished:
            self.finish()

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Log what is our fault."""
        log_failure(self, self.request_id, (typ, value, tb))


def _is_json(content_type: str) -> bool:
    """Return whether a content type says JSON, and in UTF-8 if it says in what."""
    kind, *parameters = [part.strip() for part in content_type.lower().split(";")]
    charsets = [part[8:].strip('"') for part in parameters if part.startswith("charset=")]
    return kind == "application/json" and set(charsets) <= {"utf-8", "utf8"}


def _do_nothing(*args: str) -> None:
    """Stand in for the method of a request that has been answered."""


class UnknownPath(BaseHandler):
    """Every path that nobody else takes."""

    is_public = True

    async def admit(self) -> None:
        """Answer 404 to every method."""
        raise NotFound("There is nothing at this path.")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer 404 also to a method that HTTP does not know."""
        error = NotFound("There is nothing at this path.")
        self.send_problem(error, problem(error))
