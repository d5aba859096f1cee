"""Which web pages may talk to this server."""

from __future__ import annotations

import logging
import re

from tornado.httputil import HTTPServerRequest

logger = logging.getLogger(__name__)

REMEMBERED = 1000  # origins that the log has; whoever sends more of them is not to fill it
_ON_THIS_MACHINE = re.compile(r"http://(localhost|127\.0\.0\.1)(:\d{1,5})?")


class Origins:
    """The origins whose pages may call: our own, and those that are configured.

    In development, when none are, any port of this machine: there the page's own server listens.
    """

    def __init__(self, allowed: tuple[str, ...], *, dev: bool = False) -> None:
        self._allowed = allowed
        self._local = dev and not allowed
        self._refused: set[str] = set()

    def allow(self, request: HTTPServerRequest) -> bool:
        """Return whether a request's Origin is one of them, or absent (no browser).

        Compared whole. Both schemes of our own host count: TLS may end in front of us.
        """
        origin = request.headers.get("Origin")
        if origin is None or origin in self._allowed or "*" in self._allowed:
            return True
        if self._local and _ON_THIS_MACHINE.fullmatch(origin):
            return True
        host = request.headers.get("Host", "").lower()
        if host and origin.lower() in (f"http://{host}", f"https://{host}"):
            return True
        self._note(origin)
        return False

    def _note(self, origin: str) -> None:
        """Tell the operator once what to set, should this page be theirs."""
        if origin not in self._refused and len(self._refused) < REMEMBERED:
            self._refused.add(origin)
            logger.warning(
                "refused pages of %.200r; to allow them add it to CHATD_ALLOWED_ORIGINS", origin
            )
