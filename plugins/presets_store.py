"""Presets that users keep for themselves or share with everybody."""

from __future__ import annotations

from typing import Any

import chatd


@chatd.hookimpl
def register_preset_sources(app: chatd.App) -> list[chatd.PresetSource]:
    """Add the presets in the store."""
    return [StoredPresets(app)]


class StoredPresets(chatd.EditablePresetSource):
    """The presets in the store: one's own can be changed, other users' public ones be used."""

    name = "presets_store"

    def __init__(self, app: chatd.App) -> None:
        """Take the app, whose store is open."""
        self._store = app.store

    async def list(self, user: chatd.User) -> list[chatd.Preset]:
        """Return the user's own presets and the public ones."""
        return [self._seen_by(user, preset) for preset in await self._store.list_presets(user.id)]

    async def get(self, user: chatd.User, preset_id: str) -> chatd.Preset | None:
        """Return a preset that the user owns or that is public."""
        preset = await self._store.get_preset(user.id, preset_id)
        return self._seen_by(user, preset) if preset else None

    async def create(self, user: chatd.User, preset: chatd.Preset) -> chatd.Preset:
        """Keep a new preset of the user."""
        preset = self._seen_by(user, preset.replace(owner=user.id))
        await self._store.add_preset(user.id, preset)
        return preset

    async def update(
        self, user: chatd.User, preset_id: str, changes: dict[str, Any], *, version: int | None
    ) -> chatd.Preset:
        """Change the user's own preset."""
        await self._check_owner(user, preset_id)
        preset = await self._store.update_preset(user.id, preset_id, changes, version=version)
        return self._seen_by(user, preset)

    async def delete(self, user: chatd.User, preset_id: str, *, version: int | None) -> None:
        """Erase the user's own preset."""
        await self._check_owner(user, preset_id)
        await self._store.delete_preset(user.id, preset_id, version=version)

    async def _check_owner(self, user: chatd.User, preset_id: str) -> None:
        """Tell somebody else's public preset, which is read-only, from one that is not there."""
        preset = await self._store.get_preset(user.id, preset_id)
        if preset is not None and preset.owner != user.id:
            raise chatd.ReadOnly("This preset is somebody else's: make one of your own.")

    def _seen_by(self, user: chatd.User, preset: chatd.Preset) -> chatd.Preset:
        return preset.replace(source=self.name, editable=preset.owner == user.id)
