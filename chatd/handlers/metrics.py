"""The metrics, for Prometheus."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress

from chatd.errors import Unauthenticated
from chatd.handlers.base import BaseHandler
from chatd.handlers.credentials import read_request
from chatd.metrics.exposition import render
from chatd.types import Request

# A proxy says with one of these that the request is another's.
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")


class MetricsHandler(BaseHandler):
    """The numbers of this process. Public to its own machine, else behind a token of their own."""

    is_public = True

    async def get(self) -> None:
        """Write them in the format that is asked for."""
        metrics = self.app.metrics
        assert metrics is not None  # else there is no such route
        self._check_reader(read_request(self))
        accept = self.request.headers.get("Accept", "")
        content, content_type = await asyncio.to_thread(render, metrics.sample(), accept)
        self.set_header("Content-Type", content_type)
        self.finish(content)

    def _check_reader(self, request: Request) -> None:
        expected = self.app.config.metrics.token
        if expected:
            given = (request.token or "").encode()
            if not hmac.compare_digest(given, expected.encode()):
                raise Unauthenticated("Metrics need the token of [metrics] token.")
        elif not _is_local(request.peer) or any(name in request.headers for name in FORWARDED):
            raise Unauthenticated(
                "Without [metrics] token, metrics are for programs on the same machine."
            )


def _is_local(peer: str) -> bool:
    try:
        return ipaddress.ip_address(peer.partition("%")[0]).is_loopback
    except ValueError:
        return False
