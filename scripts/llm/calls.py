"""What the server was asked, and how each call ended."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

End = Literal["finished", "dropped", "stopped", "failed"]


@dataclass(kw_only=True)
class Call:
    """One request; times are time.monotonic(), which all processes of one machine share.

    `end` is None while it runs; then `finished` (the server did all the mode is about, be it a
    reset), `dropped` (the client closed the connection before), `stopped` (the server was closed)
    or `failed` (a bug in this server). `body` is the parsed JSON, or the text if it is none.
    """

    id: int
    time: float
    port: int
    path: str
    model: str | None
    body: Any
    headers: dict[str, str]
    status: int | None = None
    tokens: int = 0
    end: End | None = None
    ended: float | None = None

    @property
    def dropped_after(self) -> float | None:
        """Return the seconds until the client left, or None if it did not."""
        if self.end != "dropped" or self.ended is None:
            return None
        return self.ended - self.time

    def to_dict(self) -> dict[str, Any]:
        """Return the call as GET /log shows it."""
        return {**dataclasses.asdict(self), "dropped_after": self.dropped_after}


class CallLog:
    """The calls since the start or the last `clear`, oldest first."""

    def __init__(self, path: Path | None = None) -> None:
        self.calls: list[Call] = []
        self.listings: list[Call] = []
        self.questions: list[Call] = []
        self.attempts: Counter[tuple[str, str]] = Counter()
        self._path = path
        self._last_id = 0
        self._changed = asyncio.Event()

    def start(self, *, port: int, path: str, headers: dict[str, str], body: Any) -> Call:
        """Return the record of a call that begins now; it is in no list yet."""
        self._last_id += 1
        model = body.get("model") if isinstance(body, dict) else None
        return Call(
            id=self._last_id,
            time=time.monotonic(),
            port=port,
            path=path,
            model=model if isinstance(model, str) else None,
            body=body,
            headers=headers,
        )

    def end(self, call: Call, end: End) -> None:
        """Note how a call ended."""
        call.end, call.ended = end, time.monotonic()
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(json.dumps(call.to_dict()) + "\n")
        self.changed()

    def clear(self) -> None:
        """Forget all calls, and what the `-then-ok` modes remember."""
        self.calls.clear()
        self.listings.clear()
        self.questions.clear()
        self.attempts.clear()
        self.changed()

    def changed(self) -> None:
        """Let everybody who waits look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_for(self, condition: Callable[[list[Call]], object], seconds: float) -> None:
        """Return when the condition holds for the calls; raise TimeoutError after some seconds."""
        try:
            async with asyncio.timeout(seconds):
                while not condition(self.calls):
                    await self._changed.wait()
        except TimeoutError:
            seen = [(call.model, call.end, call.tokens) for call in self.calls]
            raise TimeoutError(f"condition not met in {seconds} s; calls: {seen}") from None
