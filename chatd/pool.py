"""The servers of one provider, and which of them is the next to be asked."""

from __future__ import annotations

import base64
import random
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

FIRST_REST, LONGEST_REST = 1, 60


@dataclass(eq=False, slots=True)
class Server:
    """One URL, and how it is doing."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)
    running: int = 0
    failures: int = 0
    rests_until: float = 0


class Pool:
    """The servers of a provider. The one with the fewest running calls is taken, ties in turn."""

    def __init__(self, urls: Iterable[str], *, clock: Callable[[], float] = time.monotonic) -> None:
        self.servers = [_server(url) for url in urls]
        self._clock = clock

    def take(self, tried: Collection[Server] = ()) -> Server:
        """Return the server for a call, one that was tried or rests only if there is no other."""
        best = min(self.servers, key=lambda s: (s in tried, self._rests(s), s.running))
        # The last taken is the last of those that tie.
        self.servers.remove(best)
        self.servers.append(best)
        return best

    def has_another(self, tried: Collection[Server]) -> bool:
        """Whether there is a server that was not tried and does not rest."""
        return any(s not in tried and not self._rests(s) for s in self.servers)

    def rest(self, server: Server, seconds: float = 0) -> None:
        """Let a server that failed rest: at least so long, longer with every failure in a row."""
        if not self._rests(server):
            # Calls that ran at the same time fail together: that is one failure.
            server.failures += 1
        backoff = FIRST_REST * 2.0 ** min(server.failures - 1, 16)
        rest = max(seconds, backoff * random.uniform(0.5, 1))
        until = self._clock() + min(LONGEST_REST, rest)
        server.rests_until = max(server.rests_until, until)

    def wake(self, server: Server) -> None:
        """Note that a server works."""
        server.failures, server.rests_until = 0, 0

    def _rests(self, server: Server) -> bool:
        return server.rests_until > self._clock()


def _server(url: str) -> Server:
    """Return the server of a URL; a name and password in it become a header."""
    parts = urlsplit(url)
    if parts.username is None:
        return Server(url)
    credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    token = base64.b64encode(credentials.encode()).decode()
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    return Server(bare.geturl(), {"Authorization": f"Basic {token}"})
