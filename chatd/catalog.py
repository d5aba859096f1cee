"""What users do with models and presets: list, resolve, synchronise."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from typing import Any

from chatd.errors import (
    ChatdError,
    ModelUnavailable,
    NotFound,
    ProviderError,
    ProviderTimeout,
    ReadOnly,
)
from chatd.preset import EditablePresetSource, PresetSource
from chatd.provider import Provider
from chatd.store import Store
from chatd.types import Model, ModelChanges, Preset, User

logger = logging.getLogger(__name__)

ASK_AGAIN_AFTER = 5.0  # seconds between two questions to providers, for all callers together
LEARN_WITHIN = 5.0
CACHE_FOR = 5.0
PROVIDER_TIMEOUT = 30.0
RETRY_EVERY = 10.0  # seconds between two questions to a provider that did not answer


class Models:
    """The models of all providers: those known to the store, and how a name becomes one."""

    def __init__(self, store: Store, providers: Sequence[Provider], *, default: str) -> None:
        self._store = store
        self._providers = {provider.name: provider for provider in providers}
        self._configured_default = default
        self._cache: list[Model] = []
        self._active: dict[str, Model] = {}  # by id and by bare name, what a turn may use
        self._cached_at = -CACHE_FOR
        self._synced_at = -ASK_AGAIN_AFTER
        self._silent: dict[str, str] = {}  # providers that did not answer last time, and why
        self._sync: asyncio.Task[dict[str, Any]] | None = None
        self._refresh: asyncio.Task[None] | None = None
        self._checked_at = -ASK_AGAIN_AFTER
        self._check: asyncio.Task[dict[str, Any]] | None = None

    def open(self, interval: float, *, retry: float = RETRY_EVERY) -> None:
        """Ask all providers now, in the background, and again every `interval` seconds if not 0.

        One that did not answer is asked every `retry` seconds: it may have been started after us.
        """
        refreshing = self._keep_fresh(interval, min(interval, retry))
        self._refresh = asyncio.create_task(refreshing, name="refresh models")

    async def aclose(self) -> None:
        """Stop asking."""
        tasks = [task for task in (self._refresh, self._sync, self._check) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep_fresh(self, interval: float, retry: float) -> None:
        while True:
            await self.sync()
            if not interval:
                return
            until = time.monotonic() + interval
            while self._silent and time.monotonic() + retry < until:
                await asyncio.sleep(retry)
                silent = [self._providers[name] for name in self._silent]
                await asyncio.gather(*map(self._ask, silent))
            await asyncio.sleep(max(0.0, until - time.monotonic()))

    async def list(self) -> list[Model]:
        """Return all known models in the order of the providers; never waits for one of them."""
        if time.monotonic() - self._cached_at >= CACHE_FOR:
            order = {name: place for place, name in enumerate(self._providers)}
            known = await self._store.list_models()
            self._cache = sorted(known, key=lambda m: (order.get(m.provider, len(order)), m.name))
            self._active = self._index(self._cache)
            self._cached_at = time.monotonic()
        return self._cache

    def _index(self, models: Sequence[Model]) -> dict[str, Model]:
        """Return the usable models by name; an id goes before a bare name, the first before all."""
        usable = [m for m in models if m.is_active and m.provider in self._providers]
        return {m.name: m for m in reversed(usable)} | {m.id: m for m in usable}

    async def default(self, user: User) -> str | None:
        """Return the id of the model used when neither session nor preset names one.

        The user's preference, else the administrator's choice, else the configured one, else the
        first active model.
        """
        models = await self.list()
        usable = self._active
        model = (
            usable.get(user.preferences.get("default_model", ""))
            or next((m for m in models if m.is_default and m.id in usable), None)
            or usable.get(self._configured_default)
            or next((m for m in models if m.id in usable), None)
        )
        return model.id if model else None

    async def learn(self) -> bool:
        """Ask the providers, unless that was done lately; return whether it was done now.

        Waits a few seconds at most: a provider that takes longer is heard by the next turn.
        """
        if time.monotonic() - self._synced_at < ASK_AGAIN_AFTER:
            return False
        self._synced_at = time.monotonic()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEARN_WITHIN):
                await self.sync()
        return True

    async def resolve(self, user: User, name: str | None) -> tuple[Provider, Model]:
        """Return the provider and the model that a session's `model` means now.

        Exact id first, then the bare name with the first provider that has it; an unlisted
        `provider/name` of a configured provider is passed on. Never waits for a provider. Raises
        ModelUnavailable.
        """
        found = await self._find(user, name)
        if found is None:
            named = f"The model {name}" if name else "A default model"
            raise ModelUnavailable(f"{named} is not available: no provider offers it.")
        return self._providers[found.provider], found

    async def _find(self, user: User, name: str | None) -> Model | None:
        name = name or await self.default(user)
        if not name:
            return None
        models = await self.list()
        model = self._active.get(name)
        provider, _, bare = name.partition("/")
        if model is not None or provider not in self._providers or not bare:
            return model
        if any(m.id == name for m in models):
            return None  # one that was switched off, or has vanished, is not passed on
        return Model(id=name, name=bare, provider=provider)

    async def sync(self) -> dict[str, Any]:
        """Ask every provider what it has; calls at the same time share one run."""
        if self._sync is None or self._sync.done():
            self._sync = asyncio.create_task(self._ask_all(), name="sync models")
        return await asyncio.shield(self._sync)

    async def _ask_all(self) -> dict[str, Any]:
        providers = self._providers.values()
        answers = await asyncio.gather(*[self._ask(provider) for provider in providers])
        self._synced_at = time.monotonic()
        reports = dict(zip(self._providers, (report for report, _ in answers), strict=True))
        changes = [change for _, change in answers]
        return {
            "synced": sum(report["models"] for report in reports.values()),
            "added": sum(change.added for change in changes),
            "updated": sum(change.updated for change in changes),
            "deactivated": sum(change.deactivated for change in changes),
            "providers": reports,
        }

    async def _ask(self, provider: Provider) -> tuple[dict[str, Any], ModelChanges]:
        """Ask one provider; a dead one fails alone, and its models stay as they were."""
        try:
            infos = await asyncio.wait_for(provider.models(), PROVIDER_TIMEOUT)
            changes = await self._store.save_models(provider.name, infos)
            self._cached_at = -CACHE_FOR
            if self._silent.pop(provider.name, None):
                logger.info("provider %s answers again", provider.name)
            return {"ok": True, "models": len(infos)}, changes
        except TimeoutError:
            error = f"{provider.name} took too long."
        except ChatdError as exc:
            error = exc.message
        except Exception:
            error = f"{provider.name} failed."
            if self._silent.get(provider.name) != error:
                logger.exception("provider %s failed to list its models", provider.name)
        if self._silent.get(provider.name) != error:  # else the log has it already
            logger.warning("models not synchronised: %s", error)
        self._silent[provider.name] = error
        return {"ok": False, "models": 0, "error": error}, ModelChanges()

    async def update(self, model_id: str, changes: dict[str, Any]) -> Model:
        """Change a model for everybody; the caller has checked the role."""
        model = await self._store.update_model(model_id, **changes)
        self._cached_at = -CACHE_FOR
        return model

    async def health(self) -> dict[str, Any]:
        """Return whether the first provider answers; asked at most every few seconds for all.

        One that takes longer than those is not healthy, and not asked again before it answers.
        """
        time_now = time.monotonic()
        is_old = time_now - self._checked_at >= ASK_AGAIN_AFTER
        if self._check is None or (is_old and self._check.done()):
            self._checked_at = time_now
            self._check = asyncio.create_task(self._check_first(), name="check provider")
        left = self._checked_at + ASK_AGAIN_AFTER - time_now
        await asyncio.wait({self._check}, timeout=max(0.0, left))
        if not self._check.done():
            return {"status": "unhealthy", "code": ProviderTimeout.code}
        return self._check.result()

    async def _check_first(self) -> dict[str, Any]:
        provider = next(iter(self._providers.values()), None)
        if provider is None:
            return {"status": "unhealthy", "code": ModelUnavailable.code}
        begun = time.monotonic()
        try:
            await asyncio.wait_for(provider.health(), PROVIDER_TIMEOUT)
        except TimeoutError:
            return {"status": "unhealthy", "code": ProviderTimeout.code}
        except Exception as exc:
            if not isinstance(exc, ChatdError):
                logger.exception("provider %s failed its health check", provider.name)
            code = exc.code if isinstance(exc, ChatdError) else ProviderError.code
            return {"status": "unhealthy", "code": code}
        latency = round((time.monotonic() - begun) * 1000, 1)
        if provider.name in self._silent or not await self._count_active(provider):
            await self._ask(provider)
        models = await self._count_active(provider)
        return {"status": "healthy", "latency_ms": latency, "models": models}

    async def _count_active(self, provider: Provider) -> int:
        return sum(m.is_active for m in await self.list() if m.provider == provider.name)


class Presets:
    """The presets of all sources."""

    def __init__(self, sources: Sequence[PresetSource]) -> None:
        self._sources = list(sources)

    async def list(self, user: User) -> list[Preset]:
        """Return own, public and the sources' presets, by name."""
        lists = [await source.list(user) for source in self._sources]
        found = [preset for presets in lists for preset in presets]
        return sorted(found, key=lambda preset: (preset.name.casefold(), preset.id))

    async def get(self, user: User, preset_id: str) -> Preset:
        """Return one preset. Raises NotFound."""
        return (await self._find(user, preset_id))[1]

    async def create(self, user: User, preset: Preset) -> Preset:
        """Keep a new preset in the first source that takes any. Raises ReadOnly without one."""
        for source in self._sources:
            if isinstance(source, EditablePresetSource):
                return await source.create(user, preset)
        raise ReadOnly("No plugin keeps presets of users.")

    async def update(
        self, user: User, preset_id: str, changes: dict[str, Any], version: int | None
    ) -> Preset:
        """Change an own preset. Raises NotFound, ReadOnly, PreconditionFailed."""
        source = await self._editable(user, preset_id)
        return await source.update(user, preset_id, changes, version=version)

    async def delete(self, user: User, preset_id: str, version: int | None) -> None:
        """Erase an own preset. Raises NotFound, ReadOnly, PreconditionFailed."""
        source = await self._editable(user, preset_id)
        await source.delete(user, preset_id, version=version)

    async def _editable(self, user: User, preset_id: str) -> EditablePresetSource:
        source, preset = await self._find(user, preset_id)
        if not isinstance(source, EditablePresetSource) or not preset.editable:
            raise ReadOnly("This preset is not yours to change.")
        return source

    async def _find(self, user: User, preset_id: str) -> tuple[PresetSource, Preset]:
        for source in self._sources:
            preset = await source.get(user, preset_id)
            if preset is not None:
                return source, preset
        raise NotFound("There is no such preset.")
