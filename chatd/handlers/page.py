"""The web page at `/`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tornado.web import StaticFileHandler, stream_request_body

from chatd.errors import Forbidden, NotFound
from chatd.handlers.problems import (
    as_chatd_error,
    fill_problem,
    log_failure,
    problem,
    set_common_headers,
)
from chatd.types import new_id

STATIC = Path(__file__).parent.parent / "static"

POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none';"
    " object-src 'none'; connect-src 'self'"
)


@stream_request_body
class PageHandler(StaticFileHandler):
    """Files of the page. Public: signing in happens on it."""

    is_public = True

    def set_default_headers(self) -> None:
        """Set what every answer carries, errors included."""
        self.request_id = new_id()
        set_common_headers(self, self.request_id)

    def set_extra_headers(self, path: str) -> None:
        """Let nothing of another host in, and let a new version be seen at once."""
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cache-Control", "no-cache")

    def data_received(self, chunk: bytes) -> None:
        """Drop it: nothing here takes a body."""

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """Decode the name of a file; no file has one that cannot be decoded."""
        return value.decode(errors="replace").replace("\0", "\ufffd")

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Log what is our fault; Tornado would log the query, which may be a ticket."""
        log_failure(self, self.request_id, (typ, value, tb))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer with a problem, as everywhere."""
        exc_info = kwargs.get("exc_info")
        error = as_chatd_error(exc_info[1] if exc_info else None, status_code)
        if isinstance(error, Forbidden):
            error = NotFound()  # a directory, or outside of ours: that says too much
        self.finish(fill_problem(self, error, problem(error, self.request_id)))


FILES = {"path": str(STATIC)}
INDEX = {**FILES, "default_filename": "index.html"}
