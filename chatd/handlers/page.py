"""The web page at `/`, and its files."""

from __future__ import annotations

import functools
import html
import mimetypes
import re
from pathlib import Path
from typing import Any

from tornado.web import RequestHandler, StaticFileHandler, stream_request_body

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
INDEX = STATIC / "page" / "index.html"  # what web/app is built into
HASHED = re.compile(r"page/assets/[^/]+")  # the names in there change with the content
FOREVER = "public, max-age=31536000, immutable"
GZIP = re.compile(r"(?:^|,)\s*gzip\s*(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))(?:[;,]|$)", re.IGNORECASE)

# Nothing of another host, and no script but our files: an image's address in what a model says
# could carry away what it read. Formulas are drawn without a single attribute of style.
POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none';"
    " object-src 'none'; connect-src 'self'; img-src 'self' data:"
)

MISSING = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>chatd</title>
<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/docs.css">
<main>
<h1>chatd</h1>
<p>The page is not built: install Node.js 20.19 or newer with npm and run <code>scripts/serve</code>
again. The interfaces do not need it: <a href="/docs">their documentation</a>.</p>
</main>
"""


@stream_request_body
class PageHandler(StaticFileHandler):
    """Files of the page. Public: signing in happens on it."""

    is_public = True
    is_compressed = False

    def set_default_headers(self) -> None:
        """Set what every answer carries, errors included."""
        self.request_id = new_id()
        set_common_headers(self, self.request_id)

    def set_extra_headers(self, path: str) -> None:
        """Let nothing of another host in, and let a new version be seen at once."""
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("Referrer-Policy", "no-referrer")
        is_hashed = HASHED.fullmatch(path) is not None
        self.set_header("Cache-Control", FOREVER if is_hashed else "no-cache")
        if is_hashed:
            self.set_header("Vary", "Accept-Encoding")
        if self.is_compressed:
            self.set_header("Content-Encoding", "gzip")

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        """Return the file to be sent: its compressed copy if there is one and it is wanted."""
        path = super().validate_absolute_path(root, absolute_path)
        if path is None or not HASHED.fullmatch(self.path) or path.endswith(".gz"):
            return path
        compressed = f"{path}.gz"
        accepted = self.request.headers.get("Accept-Encoding", "")
        self.is_compressed = GZIP.search(accepted) is not None and Path(compressed).is_file()
        return super().validate_absolute_path(root, compressed) if self.is_compressed else path

    def compute_etag(self) -> str | None:
        """Return what names this content. Tornado remembers that of a file that was built anew."""
        if self.absolute_path is None:
            return None
        found = Path(self.absolute_path).stat()
        return f'"{found.st_mtime_ns:x}-{found.st_size:x}"'

    def get_content_type(self) -> str:
        """Return the type of what is in the file, compressed or not."""
        if self.is_compressed:
            kind, _ = mimetypes.guess_type(self.path)
            return kind or "application/octet-stream"
        return super().get_content_type()

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


class IndexHandler(PageHandler):
    """The page itself, or a sentence about how to get it."""

    def initialize(self, path: str, prefix: str = "") -> None:  # type: ignore[override]
        """Take the path prefix, which the page reads from a `<meta>`."""
        super().initialize(path)
        self.prefix = prefix

    async def get(self, path: str, include_body: bool = True) -> None:
        """Send it."""
        self.set_extra_headers(path)
        self.write(index_page(self.prefix, _changed_at()))

    def compute_etag(self) -> str | None:
        """Return the name of what was written."""
        return RequestHandler.compute_etag(self)


@functools.lru_cache(maxsize=4)
def index_page(prefix: str, changed_at: int) -> bytes:
    """Return the page as it was built at that time; 0: it was not."""
    if not changed_at:
        return MISSING.encode()
    shown = html.escape(prefix).encode()
    return INDEX.read_bytes().replace(b'content="/ai-chat"', b'content="%s"' % shown, 1)


def _changed_at() -> int:
    try:
        return INDEX.stat().st_mtime_ns
    except OSError:
        return 0


FILES = {"path": str(STATIC)}
