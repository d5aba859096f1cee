"""The contract of a source of presets."""

from __future__ import annotations

import abc
from typing import Any

from chatd.types import Preset, User


class PresetSource(abc.ABC):
    """Where presets come from. Plugins return instances from `register_preset_sources`."""

    name: str

    @abc.abstractmethod
    async def list(self, user: User) -> list[Preset]:
        """Return the presets that the user may use."""

    @abc.abstractmethod
    async def get(self, user: User, preset_id: str) -> Preset | None:
        """Return one of them, None when it is not of this source or not for this user."""

    async def aclose(self) -> None:  # noqa: B027 - nothing to free is the usual case
        """Free what the source holds."""


class EditablePresetSource(PresetSource):
    """A source in which users keep presets of their own; the first registered takes new ones."""

    @abc.abstractmethod
    async def create(self, user: User, preset: Preset) -> Preset:
        """Keep a new preset of the user."""

    @abc.abstractmethod
    async def update(
        self, user: User, preset_id: str, changes: dict[str, Any], *, version: int | None
    ) -> Preset:
        """Change the user's own preset; `settings` merge key by key.

        Raises NotFound, ReadOnly for one of somebody else's, and PreconditionFailed when `version`
        is given and not the present one.
        """

    @abc.abstractmethod
    async def delete(self, user: User, preset_id: str, *, version: int | None) -> None:
        """Erase the user's own preset; raises as `update`."""
