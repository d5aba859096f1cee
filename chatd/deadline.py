"""A limit for waiting that costs next to nothing for each wait."""

from __future__ import annotations

import asyncio
from types import TracebackType


class Deadline:
    """A limit for waiting: `with deadline:` raises TimeoutError when the time has passed.

    The time runs from the last `restart`. One timer lives through many waits, so that a wait costs
    a tenth of what asyncio.timeout or a read time-out of the transport does.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._has_passed = False
        self.restart()

    def restart(self) -> None:
        """Let the time run from now."""
        self._since = self._loop.time()

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()

    def __enter__(self) -> None:
        self._task = asyncio.current_task()
        assert self._task is not None
        self._cancelling = self._task.cancelling()
        if self._timer is None:
            self._start_timer()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        task, self._task = self._task, None
        if self._has_passed and task is not None:
            # As in asyncio.timeout: somebody else's cancellation goes before ours.
            self._has_passed = False
            if task.uncancel() <= self._cancelling and exc_type is asyncio.CancelledError:
                raise TimeoutError from exc

    def _start_timer(self) -> None:
        self._timer = self._loop.call_at(self._since + self._seconds, self._look)

    def _look(self) -> None:
        if self._loop.time() < self._since + self._seconds:
            self._start_timer()
            return
        self._timer = None
        if self._task is not None:
            self._has_passed = True
            self._task.cancel()
