"""Presets and models in MongoDB."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from chatd.errors import NotFound
from chatd.provider import ModelInfo
from chatd.stores.changes import apply, check_version, count_changes, offer
from chatd.stores.mongo.database import Database
from chatd.stores.mongo.documents import PRESET, model_of, preset_of, to_json
from chatd.stores.mongo.driver import Document, broken_index
from chatd.types import Model, ModelChanges, Preset

MODEL = {"document": 1, "is_default": 1, "is_disabled": 1}


async def add_preset(database: Database, user_id: str, preset: Preset) -> None:
    """Insert a preset."""
    await database.presets.insert_one(preset_document(preset.replace(owner=user_id)))


def preset_document(preset: Preset) -> Document:
    """Return a preset as it is kept."""
    return {"_id": preset.id, "owner": preset.owner, **_shown(preset)["$set"]}


def _shown(preset: Preset) -> dict[str, Document]:
    """Return the update that sets what can change of a preset; only a public one has the name
    by which everybody finds it."""
    fields = {"name": preset.name, "document": to_json(preset)}
    if preset.is_public:
        return {"$set": {**fields, "public_name": preset.name}}
    return {"$set": fields, "$unset": {"public_name": ""}}


async def list_presets(database: Database, user_id: str) -> list[Preset]:
    """Return own presets and public ones, by name."""
    public = {"public_name": {"$exists": True}, "owner": {"$ne": user_id}}
    found = await asyncio.gather(
        database.presets.find({"owner": user_id}, PRESET).to_list(None),
        database.presets.find(public, PRESET).to_list(None),
    )
    presets = [preset_of(document["document"]) for documents in found for document in documents]
    return sorted(presets, key=lambda preset: (preset.name, preset.id))


async def get_preset(database: Database, user_id: str, preset_id: str) -> Preset | None:
    """Return an own or public preset."""
    found = await database.presets.find_one({"_id": preset_id}, PRESET)
    preset = preset_of(found["document"]) if found else None
    return preset if preset and (preset.is_public or preset.owner == user_id) else None


async def _own(
    database: Database, user_id: str, preset_id: str, version: int | None
) -> tuple[Preset, Document]:
    """Return an own preset, and the condition that it has not changed."""
    found = await database.presets.find_one({"_id": preset_id, "owner": user_id}, PRESET)
    if found is None:
        raise NotFound
    preset = preset_of(found["document"])
    check_version(preset, version)
    return preset, {"_id": preset_id, **found}


async def update_preset(
    database: Database,
    user_id: str,
    preset_id: str,
    changes: Mapping[str, Any],
    *,
    version: int | None = None,
) -> Preset:
    """Set fields of an own preset; again, if it has changed meanwhile."""
    while True:
        old, unchanged = await _own(database, user_id, preset_id, version)
        preset = apply(old, changes)
        if preset is old:
            return old
        if (await database.presets.update_one(unchanged, _shown(preset))).matched_count:
            return preset


async def delete_preset(
    database: Database, user_id: str, preset_id: str, *, version: int | None = None
) -> None:
    """Erase an own preset; after another look, if it has changed meanwhile."""
    while True:
        _, unchanged = await _own(database, user_id, preset_id, version)
        if (await database.presets.delete_one(unchanged)).deleted_count:
            return


async def list_models(database: Database) -> list[Model]:
    """Return all models by provider and name."""
    # The condition on the provider has the index walked instead of the collection sorted.
    cursor = database.models.find({"provider": {"$gte": ""}}, MODEL)
    return [model_of(d) for d in await cursor.sort([("provider", 1), ("name", 1)]).to_list(None)]


async def save_models(
    database: Database, provider: str, models: Sequence[ModelInfo]
) -> ModelChanges:
    """Note what a provider offers; again, if one of its models has changed meanwhile."""
    while True:
        found = await database.models.find({"provider": provider}, MODEL).to_list(None)
        before = [model_of(document) for document in found]
        disabled = {document["_id"] for document in found if document.get("is_disabled")}
        after = offer(provider, before, models, disabled)
        if await _save(database, after, {document["_id"]: document for document in found}):
            return count_changes(before, after)


async def _save(database: Database, models: Sequence[Model], known: Mapping[str, Document]) -> bool:
    """Store models; return whether all known ones were as they are known."""
    if not models:
        return True
    writes = []
    for model in models:
        wanted: Document = {"_id": model.id}
        if model.id in known:
            wanted["document"] = known[model.id]["document"]
        new = {"provider": model.provider, "name": model.name}
        change = {"$set": {"document": to_json(model)}, "$setOnInsert": new}
        writes.append(UpdateOne(wanted, change, upsert=model.id not in known))
    try:
        result = await database.models.bulk_write(writes, ordered=False)
    except BulkWriteError as exc:
        if not broken_index(exc):
            raise
        return False
    return result.matched_count + result.upserted_count == len(models)


async def update_model(
    database: Database,
    model_id: str,
    *,
    is_default: bool | None = None,
    is_active: bool | None = None,
) -> Model:
    """Change what is given; there is one default at most, and for a moment there may be none."""
    while True:
        found = await database.models.find_one({"_id": model_id}, MODEL)
        if found is None:
            raise NotFound
        if is_default:
            other = {"is_default": True, "_id": {"$ne": model_id}}
            await database.models.update_many(other, {"$unset": {"is_default": ""}})
        model, change = _changed(model_of(found), is_default, is_active)
        unchanged = {"_id": model_id, "document": found["document"]}
        try:
            if (await database.models.update_one(unchanged, change)).matched_count:
                return model
        except DuplicateKeyError:  # somebody else has made another model the default
            continue


def _changed(
    model: Model, is_default: bool | None, is_active: bool | None
) -> tuple[Model, dict[str, Document]]:
    """Return a model with what is given changed, and the update that makes it so."""
    fields: Document = {}
    if is_active is not None:
        model = model.replace(is_active=is_active)
        fields["is_disabled"] = not is_active
    if is_default is not None:
        model = model.replace(is_default=is_default)
    fields["document"] = to_json(model)
    if model.is_default:
        return model, {"$set": {**fields, "is_default": True}}
    return model, {"$set": fields, "$unset": {"is_default": ""}}
