"""A provider whose models run on servers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from chatd.errors import ProviderError
from chatd.pool import Server
from chatd.provider import Provider, Report
from chatd.upstream.calls import Upstream

T = TypeVar("T")


class ServerProvider(Provider):
    """What providers that call servers have in common: `upstream`, which does the calling."""

    def __init__(self, name: str, urls: Iterable[str], **options: Any) -> None:
        """Take what InstanceSchema loads."""
        self.name = name
        self.upstream = Upstream(name, urls, **options)

    async def read(self, path: str, reader: Callable[[Any], T]) -> tuple[Server, T]:
        """Return what `reader` makes of the JSON that any of the servers has there.

        Raises ProviderError, also for what the reader stumbles over.
        """
        server, body = await self.upstream.get(path)
        return server, self.make_sense(body, reader)

    def make_sense(self, body: bytes, reader: Callable[[Any], T]) -> T:
        """Return what `reader` makes of a document. Raises ProviderError."""
        try:
            return reader(json.loads(body))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as exc:
            raise ProviderError(f"The model list of {self.name} makes no sense.") from exc

    def report_to(self, report: Report) -> None:
        """Have every call reported."""
        self.upstream.report = report

    async def aclose(self) -> None:
        """Close all connections."""
        await self.upstream.aclose()
