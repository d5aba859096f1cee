"""Presets and models in SQLite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from sqlite3 import Connection
from typing import Any

from chatd.errors import NotFound
from chatd.provider import ModelInfo
from chatd.stores.changes import apply, check_version, count_changes, offer
from chatd.stores.sqlite.rows import model_of, preset_of, to_json
from chatd.types import Model, ModelChanges, Preset

_OWN = "SELECT document FROM presets WHERE owner = ?"
_PUBLIC = "SELECT document FROM presets WHERE is_public = 1 AND owner <> ?"
_SAVE_MODEL = """
INSERT INTO models (id, provider, name, is_default, document) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET document = excluded.document"""
_SET_MODEL = """
UPDATE models SET is_default = ?, is_disabled = coalesce(?, is_disabled), document = ?
WHERE id = ?"""


def add_preset(connection: Connection, user_id: str, preset: Preset) -> None:
    """Insert a preset."""
    preset = preset.replace(owner=user_id)
    connection.execute(
        "INSERT INTO presets (id, owner, name, is_public, document) VALUES (?, ?, ?, ?, ?)",
        (preset.id, user_id, preset.name, preset.is_public, to_json(preset)),
    )


def list_presets(connection: Connection, user_id: str) -> list[Preset]:
    """Return own presets and public ones, by name."""
    rows = [row for query in (_OWN, _PUBLIC) for row in connection.execute(query, (user_id,))]
    presets = [preset_of(document) for (document,) in rows]
    return sorted(presets, key=lambda preset: (preset.name, preset.id))


def get_preset(connection: Connection, user_id: str, preset_id: str) -> Preset | None:
    """Return an own or public preset."""
    row = connection.execute(
        "SELECT document FROM presets WHERE id = ? AND (owner = ? OR is_public = 1)",
        (preset_id, user_id),
    ).fetchone()
    return preset_of(row[0]) if row else None


def _own(connection: Connection, user_id: str, preset_id: str, version: int | None) -> Preset:
    preset = get_preset(connection, user_id, preset_id)
    if preset is None or preset.owner != user_id:
        raise NotFound
    check_version(preset, version)
    return preset


def update_preset(
    connection: Connection,
    user_id: str,
    preset_id: str,
    changes: Mapping[str, Any],
    *,
    version: int | None = None,
) -> Preset:
    """Set fields of an own preset."""
    preset = apply(_own(connection, user_id, preset_id, version), changes)
    connection.execute(
        "UPDATE presets SET name = ?, is_public = ?, document = ? WHERE id = ?",
        (preset.name, preset.is_public, to_json(preset), preset_id),
    )
    return preset


def delete_preset(
    connection: Connection, user_id: str, preset_id: str, *, version: int | None = None
) -> None:
    """Erase an own preset."""
    _own(connection, user_id, preset_id, version)
    connection.execute("DELETE FROM presets WHERE id = ?", (preset_id,))


def list_models(connection: Connection) -> list[Model]:
    """Return all models by provider and name."""
    rows = connection.execute("SELECT document FROM models ORDER BY provider, name").fetchall()
    return [model_of(document) for (document,) in rows]


def save_models(connection: Connection, provider: str, models: Sequence[ModelInfo]) -> ModelChanges:
    """Note what a provider offers; what it no longer does is not active."""
    rows = connection.execute(
        "SELECT id, is_disabled, document FROM models WHERE provider = ?", (provider,)
    ).fetchall()
    before = [model_of(document) for _, _, document in rows]
    disabled = {model_id for model_id, is_disabled, _ in rows if is_disabled}
    after = offer(provider, before, models, disabled)
    for model in after:
        parameters = (model.id, provider, model.name, model.is_default, to_json(model))
        connection.execute(_SAVE_MODEL, parameters)
    return count_changes(before, after)


def update_model(
    connection: Connection,
    model_id: str,
    *,
    is_default: bool | None = None,
    is_active: bool | None = None,
) -> Model:
    """Change what is given; there is one default at most."""
    model = _model(connection, "id = ?", model_id)
    if model is None:
        raise NotFound
    default = _model(connection, "is_default = 1") if is_default else None
    if default is not None and default.id != model_id:
        _set_model(connection, default.replace(is_default=False))
    if is_default is not None:
        model = model.replace(is_default=is_default)
    if is_active is not None:
        model = model.replace(is_active=is_active)
    _set_model(connection, model, is_disabled=None if is_active is None else not is_active)
    return model


def _model(connection: Connection, where: str, *parameters: str) -> Model | None:
    row = connection.execute(f"SELECT document FROM models WHERE {where}", parameters).fetchone()
    return model_of(row[0]) if row else None


def _set_model(connection: Connection, model: Model, *, is_disabled: bool | None = None) -> None:
    parameters = (model.is_default, is_disabled, to_json(model), model.id)
    connection.execute(_SET_MODEL, parameters)
