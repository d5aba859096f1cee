"""The models of all providers: those known to the store, and how a name becomes one."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Any

from chatd.catalog.health import Health
from chatd.catalog.synchronising import ANSWERS_WITHIN, ASK_AGAIN_AFTER, RETRY_EVERY, Asking
from chatd.errors import ModelUnavailable
from chatd.provider import Provider
from chatd.store import Store
from chatd.types import Model, User

LEARN_WITHIN = 5.0
CACHE_FOR = 5.0


class Models:
    """The models that turns may use. Only `sync`, `learn` and `health` wait for providers."""

    def __init__(
        self,
        store: Store,
        providers: Sequence[Provider],
        *,
        default: str,
        answers_within: float = ANSWERS_WITHIN,
    ) -> None:
        """Take the configured default, and the seconds that a provider may take to answer."""
        self._store = store
        self._providers = {provider.name: provider for provider in providers}
        self._configured_default = default
        self._cache: list[Model] = []
        self._active: dict[str, Model] = {}  # by id and by bare name, what a turn may use
        self._cached_at = -CACHE_FOR
        self._asking = Asking(store, providers, self._forget, answers_within=answers_within)
        self._health = Health(providers, self._asking, self._count_active)

    def open(self, interval: float, *, retry: float = RETRY_EVERY) -> None:
        """Ask all providers now, in the background, and again every `interval` seconds if not 0.

        One that did not answer is asked every `retry` seconds: it may have been started after us.
        """
        self._asking.open(interval, retry=min(interval, retry))

    async def aclose(self) -> None:
        """Stop asking."""
        await self._health.aclose()
        await self._asking.aclose()

    async def list(self) -> list[Model]:
        """Return all known models in the order of the providers; never waits for one of them."""
        if time.monotonic() - self._cached_at >= CACHE_FOR:
            order = {name: place for place, name in enumerate(self._providers)}
            known = await self._store.list_models()
            self._cache = sorted(known, key=lambda m: (order.get(m.provider, len(order)), m.name))
            self._active = self._index(self._cache)
            self._cached_at = time.monotonic()
        return self._cache

    def knows(self, model_id: str) -> bool:
        """Return whether this is the id of a model that a turn may use, as last seen."""
        model = self._active.get(model_id)
        return model is not None and model.id == model_id

    def _index(self, models: Sequence[Model]) -> dict[str, Model]:
        """Return the usable models by name; an id goes before a bare name, the first before all."""
        usable = [m for m in models if m.is_active and m.provider in self._providers]
        return {m.name: m for m in reversed(usable)} | {m.id: m for m in usable}

    async def default(self, user: User) -> str | None:
        """Return the id of the model used when neither session nor preset names one.

        The user's preference, else the administrator's choice, else the configured one, else the
        first active model.
        """
        await self.list()
        return self._default(user)

    def _default(self, user: User) -> str | None:
        models, usable = self._cache, self._active
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
        if time.monotonic() - self._asking.asked_at < ASK_AGAIN_AFTER:
            return False
        self._asking.asked_at = time.monotonic()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEARN_WITHIN):
                await self.sync()
        return True

    def pick(self, user: User, name: str | None) -> tuple[Provider, Model]:
        """Return the provider and the model that a session's `model` means, as listed last.

        Exact id first, then the bare name with the first provider that has it; an unlisted
        `provider/name` of a configured provider is passed on. Raises ModelUnavailable.
        """
        found = self._find(user, name)
        if found is None:
            named = f"The model {name}" if name else "A default model"
            raise ModelUnavailable(f"{named} is not available: no provider offers it.")
        return self._providers[found.provider], found

    def _find(self, user: User, name: str | None) -> Model | None:
        name = name or self._default(user)
        if not name:
            return None
        model = self._active.get(name)
        provider, _, bare = name.partition("/")
        if model is not None or provider not in self._providers or not bare:
            return model
        if any(m.id == name for m in self._cache):
            return None  # one that was switched off, or has vanished, is not passed on
        return Model(id=name, name=bare, provider=provider)

    async def sync(self) -> dict[str, Any]:
        """Ask every provider what it has, and say what changed; calls at a time share one run."""
        return await self._asking.all()

    async def update(self, model_id: str, changes: dict[str, Any]) -> Model:
        """Change a model for everybody; the caller has checked the role."""
        model = await self._store.update_model(model_id, **changes)
        self._forget()
        return model

    async def health(self) -> dict[str, Any]:
        """Return whether the first provider answers; asked at most every few seconds for all."""
        return await self._health.check()

    def _forget(self) -> None:
        """Read the store again for the next list."""
        self._cached_at = -CACHE_FOR

    async def _count_active(self, provider: str) -> int:
        return sum(m.is_active for m in await self.list() if m.provider == provider)
