"""The web page at `/`."""

from __future__ import annotations

from pathlib import Path

from tornado.web import StaticFileHandler

STATIC = Path(__file__).parent.parent / "static"

POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none';"
    " object-src 'none'; connect-src 'self'"
)


class PageHandler(StaticFileHandler):
    """Files of the page. Public: signing in happens on it."""

    is_public = True

    def set_extra_headers(self, path: str) -> None:
        """Let nothing of another host in, and let a new version be seen at once."""
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cache-Control", "no-cache")
        self.clear_header("Server")


FILES = {"path": str(STATIC), "default_filename": "index.html"}
