"""Presets and models."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any

from chatd.provider import ModelInfo
from chatd.types import Model, ModelChanges, Preset


class CatalogStore(abc.ABC):
    """Presets and models."""

    @abc.abstractmethod
    async def add_preset(self, user_id: str, preset: Preset) -> None:
        """Keep a new preset of the user."""

    @abc.abstractmethod
    async def list_presets(self, user_id: str) -> list[Preset]:
        """Return the user's own presets and the public ones, by name."""

    @abc.abstractmethod
    async def get_preset(self, user_id: str, preset_id: str) -> Preset | None:
        """Return a preset that the user owns or that is public."""

    @abc.abstractmethod
    async def update_preset(
        self,
        user_id: str,
        preset_id: str,
        changes: Mapping[str, Any],
        *,
        version: int | None = None,
    ) -> Preset:
        """Set fields of the user's own preset, as `update_session`."""

    @abc.abstractmethod
    async def delete_preset(
        self, user_id: str, preset_id: str, *, version: int | None = None
    ) -> None:
        """Erase the user's own preset. Raises NotFound, PreconditionFailed."""

    @abc.abstractmethod
    async def list_models(self) -> list[Model]:
        """Return all known models by provider and name."""

    @abc.abstractmethod
    async def save_models(self, provider: str, models: Sequence[ModelInfo]) -> ModelChanges:
        """Note what a provider offers: only that is active, less what `update_model` turned off."""

    @abc.abstractmethod
    async def update_model(
        self, model_id: str, *, is_default: bool | None = None, is_active: bool | None = None
    ) -> Model:
        """Change what is given; at most one model is the default. Raises NotFound."""
