"""Whether the first provider answers, asked for all callers together."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from chatd.catalog.synchronising import ASK_AGAIN_AFTER, Asking
from chatd.errors import ChatdError, ModelUnavailable, ProviderError, ProviderTimeout
from chatd.provider import Provider

logger = logging.getLogger(__name__)

CHECK_WITHIN = 30.0


class Health:
    """The last check of the first provider; `count` tells how many models it has."""

    def __init__(
        self,
        providers: Sequence[Provider],
        asking: Asking,
        count: Callable[[str], Awaitable[int]],
    ) -> None:
        self._provider = providers[0] if providers else None
        self._asking = asking
        self._count = count
        self._checked_at = -ASK_AGAIN_AFTER
        self._check: asyncio.Task[dict[str, Any]] | None = None

    async def aclose(self) -> None:
        """Stop a check that runs."""
        if self._check is not None:
            self._check.cancel()
            await asyncio.gather(self._check, return_exceptions=True)

    async def check(self) -> dict[str, Any]:
        """Return whether the provider answers; asked at most every few seconds for all.

        One that takes longer than those is not healthy, and not asked again before it answers.
        """
        time_now = time.monotonic()
        is_old = time_now - self._checked_at >= ASK_AGAIN_AFTER
        if self._check is None or (is_old and self._check.done()):
            self._checked_at = time_now
            self._check = asyncio.create_task(self._ask(), name="check provider")
        left = self._checked_at + ASK_AGAIN_AFTER - time_now
        await asyncio.wait({self._check}, timeout=max(0.0, left))
        if not self._check.done():
            return _unhealthy(ProviderTimeout)
        return self._check.result()

    async def _ask(self) -> dict[str, Any]:
        provider = self._provider
        if provider is None:
            return _unhealthy(ModelUnavailable)
        begun = time.monotonic()
        try:
            await asyncio.wait_for(provider.health(), CHECK_WITHIN)
        except TimeoutError:
            return _unhealthy(ProviderTimeout)
        except ChatdError as exc:
            return _unhealthy(type(exc))
        except Exception:
            logger.exception("provider %s failed its health check", provider.name)
            return _unhealthy(ProviderError)
        latency = round((time.monotonic() - begun) * 1000, 1)
        if provider.name in self._asking.silent or not await self._count(provider.name):
            await self._asking.one(provider)
        models = await self._count(provider.name)
        return {"status": "healthy", "latency_ms": latency, "models": models}


def _unhealthy(kind: type[ChatdError]) -> dict[str, Any]:
    return {"status": "unhealthy", "code": kind.code}
