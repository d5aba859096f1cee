"""The presets of all sources: what users do with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chatd.errors import NotFound, ReadOnly
from chatd.preset import EditablePresetSource, PresetSource
from chatd.types import Preset, User


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
