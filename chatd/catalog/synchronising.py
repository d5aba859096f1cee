"""Asking the providers what they have, and storing what they say."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from chatd.errors import ChatdError
from chatd.provider import Provider
from chatd.store import Store
from chatd.types import ModelChanges

logger = logging.getLogger(__name__)

ASK_AGAIN_AFTER = 5.0  # seconds between two questions to providers, for all callers together
ANSWERS_WITHIN = 10.0  # seconds; a provider that takes longer has failed, alone
RETRY_EVERY = 10.0  # seconds between two questions to a provider that did not answer


class Asking:
    """The questions to all providers at once: each is stored as it comes, a dead one fails alone.

    `asked_at` is when all were asked last, `silent` those that did not answer then, and why;
    `changed` is called when something was stored.
    """

    def __init__(
        self,
        store: Store,
        providers: Sequence[Provider],
        changed: Callable[[], None],
        *,
        answers_within: float,
    ) -> None:
        self.asked_at = -ASK_AGAIN_AFTER
        self.silent: dict[str, str] = {}
        self._store = store
        self._providers = {provider.name: provider for provider in providers}
        self._changed = changed
        self._answers_within = answers_within
        self._run: asyncio.Task[dict[str, Any]] | None = None
        self._refresh: asyncio.Task[None] | None = None

    def open(self, interval: float, *, retry: float) -> None:
        """Ask all now, in the background, and again every `interval` seconds if that is not 0."""
        refreshing = self._keep_fresh(interval, retry)
        self._refresh = asyncio.create_task(refreshing, name="refresh models")

    async def aclose(self) -> None:
        """Stop asking."""
        tasks = [task for task in (self._refresh, self._run) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def all(self) -> dict[str, Any]:
        """Ask every provider, and return what changed; calls at the same time share one run."""
        if self._run is None or self._run.done():
            self._run = asyncio.create_task(self._ask_all(), name="sync models")
        return await asyncio.shield(self._run)

    async def one(self, provider: Provider) -> tuple[dict[str, Any], ModelChanges]:
        """Ask one provider; a dead one fails alone, and its models stay as they were."""
        try:
            infos = await asyncio.wait_for(provider.models(), self._answers_within)
            changes = await self._store.save_models(provider.name, infos)
            self._changed()
            if self.silent.pop(provider.name, None):
                logger.info("provider %s answers again", provider.name)
            return {"ok": True, "models": len(infos)}, changes
        except TimeoutError:
            error = f"{provider.name} took too long."
        except ChatdError as exc:
            error = exc.message
        except Exception:
            error = f"{provider.name} failed."
            if self.silent.get(provider.name) != error:
                logger.exception("provider %s failed to list its models", provider.name)
        if self.silent.get(provider.name) != error:  # else the log has it already
            logger.warning("models not synchronised: %s", error)
        self.silent[provider.name] = error
        return {"ok": False, "models": 0, "error": error}, ModelChanges()

    async def _keep_fresh(self, interval: float, retry: float) -> None:
        while True:
            await self.all()
            if not interval:
                return
            until = time.monotonic() + interval
            while self.silent and time.monotonic() + retry < until:
                await asyncio.sleep(retry)
                silent = [self._providers[name] for name in self.silent]
                await asyncio.gather(*map(self.one, silent))
            await asyncio.sleep(max(0.0, until - time.monotonic()))

    async def _ask_all(self) -> dict[str, Any]:
        answers = await asyncio.gather(*map(self.one, self._providers.values()))
        self.asked_at = time.monotonic()
        reports = dict(zip(self._providers, (report for report, _ in answers), strict=True))
        changes = [change for _, change in answers]
        return {
            "synced": sum(report["models"] for report in reports.values()),
            "added": sum(change.added for change in changes),
            "updated": sum(change.updated for change in changes),
            "deactivated": sum(change.deactivated for change in changes),
            "providers": reports,
        }
