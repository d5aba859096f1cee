"""The web page at `/`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tornado.web import StaticFileHandler, stream_request_body

from chatd.handlers.problems import as_chatd_error, fill_problem, problem
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
        self.set_header("X-Content-Type-Options", "nosniff")
        self.clear_header("Server")

    def set_extra_headers(self, path: str) -> None:
        """Let nothing of another host in, and let a new version be seen at once."""
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cache-Control", "no-cache")

    def data_received(self, chunk: bytes) -> None:
        """Drop it: nothing here takes a body."""

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer with a problem, as everywhere."""
        exc_info = kwargs.get("exc_info")
        error = as_chatd_error(exc_info[1] if exc_info else None, status_code)
        self.finish(fill_problem(self, error, problem(error, self.request_id)))


FILES = {"path": str(STATIC)}
INDEX = {**FILES, "default_filename": "index.html"}
