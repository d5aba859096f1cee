"""Models and presets over REST."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from chatd.client.answers import DefaultModel, Synced
from chatd.client.rest import Rest, read
from chatd.client.sessions import if_match, part
from chatd.types import Model, Preset, Session


class Models:
    """The models that the server knows."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def list(self, *, is_active: bool | None = True) -> AsyncIterator[Model]:
        """Yield models; `is_active` None means all."""
        active = "all" if is_active is None else is_active
        return self._rest.pages(Model, "models/", is_active=active)

    async def default(self) -> str | None:
        """Return the id of the model that answers in a session that names none."""
        return (await self._rest.get(DefaultModel, "models/", limit=1)).default

    async def sync(self) -> Synced:
        """Have the server ask every provider for its models now."""
        return await self._rest.post(Synced, "models/sync_models/")

    async def update(self, model_id: str, **fields: bool) -> Model:
        """Change is_default or is_active for everybody; for administrators."""
        path = f"models/{part(model_id)}/"
        return read(Model, await self._rest.call("PATCH", path, body=fields))


class Presets:
    """Named starting points: own ones, public ones, and those of the server's sources."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def list(self) -> AsyncIterator[Preset]:
        """Yield presets by name."""
        return self._rest.pages(Preset, "presets/")

    async def create(self, name: str, **fields: Any) -> Preset:
        """Keep a preset: description, system_prompt, model, settings, is_public."""
        return await self._rest.post(Preset, "presets/", {"name": name, **fields})

    async def get(self, preset_id: str) -> Preset:
        """Return a preset."""
        return await self._rest.get(Preset, f"presets/{part(preset_id)}/")

    async def update(self, preset_id: str, *, version: int | None = None, **fields: Any) -> Preset:
        """Change an own preset. With `version` raises PreconditionFailed if another was faster."""
        path, headers = f"presets/{part(preset_id)}/", if_match(version)
        return read(Preset, await self._rest.call("PATCH", path, body=fields, headers=headers))

    async def delete(self, preset_id: str, *, version: int | None = None) -> None:
        """Erase an own preset."""
        path = f"presets/{part(preset_id)}/"
        await self._rest.call("DELETE", path, headers=if_match(version))

    async def create_session(self, preset_id: str, *, title: str | None = None) -> Session:
        """Make a session with a preset's model, system prompt and settings."""
        body = {} if title is None else {"title": title}
        path = f"presets/{part(preset_id)}/create_session_from_preset/"
        return await self._rest.post(Session, path, body)
