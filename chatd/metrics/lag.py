"""How late the event loop is."""

from __future__ import annotations

import asyncio

from chatd.metrics.families import Histogram

LOOK_EVERY = 0.5


class LagWatch:
    """Looks at the clock again and again: what is later than asked for, everybody waited for."""

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram
        self._timer: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Begin to look."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(loop.time() + LOOK_EVERY, self._look)

    def close(self) -> None:
        """Look no longer."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        assert self._timer is not None
        late = asyncio.get_running_loop().time() - self._timer.when()
        self._histogram.observe(max(0.0, late))
        self.open()
