"""How changes are laid over what is stored."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from chatd.errors import PreconditionFailed
from chatd.provider import ModelInfo
from chatd.types import Model, ModelChanges, Preset, Session, now

T = TypeVar("T", Session, Preset)


def merge(old: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `old` with the keys of `changes`; a value None removes a key."""
    return {key: value for key, value in {**old, **changes}.items() if value is not None}


def merge_settings(old: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings merged key by key, and their `options` too."""
    options = changes.get("options")
    if options is not None:
        changes = {**changes, "options": merge(old.get("options", {}), options)}
    return merge(old, changes)


def check_version(value: Session | Preset, version: int | None) -> None:
    """Raise PreconditionFailed when a version is given and it is not the present one."""
    if version not in (None, value.version):
        raise PreconditionFailed


def apply(old: T, changes: Mapping[str, Any]) -> T:
    """Return the next version of a session or preset; the old one itself if nothing changes."""
    settings = merge_settings(old.settings, changes.get("settings") or {})
    new = old.replace(**{**changes, "settings": settings})
    if _encoded(new) == _encoded(old):  # values that are equal may differ as JSON: 1 and true
        return old
    return new.replace(version=old.version + 1, updated_at=now())


def _encoded(value: Session | Preset) -> bytes:
    return msgspec.json.encode(value, order="deterministic")


def offer(
    provider: str, known: Sequence[Model], infos: Sequence[ModelInfo], disabled: Container[str]
) -> list[Model]:
    """Return a provider's models as they are when it offers `infos`; `disabled` are ids."""
    models = {model.name: model.replace(is_active=False) for model in known}
    for info in infos:
        model_id = f"{provider}/{info.name}"
        model = models.get(info.name) or Model(id=model_id, name=info.name, provider=provider)
        models[info.name] = model.replace(
            context_length=info.context_length,
            capabilities=info.capabilities,
            is_active=model_id not in disabled,
            last_seen_at=now(),
        )
    return list(models.values())


def count_changes(before: Sequence[Model], after: Sequence[Model]) -> ModelChanges:
    """Return in how many models `after` differs from `before`, apart from when they were seen."""
    old = {model.id: model for model in before}
    kept = [(old[model.id], model) for model in after if model.id in old]
    deactivated = sum(was.is_active and not model.is_active for was, model in kept)
    changed = sum(was != model.replace(last_seen_at=was.last_seen_at) for was, model in kept)
    return ModelChanges(
        added=len(after) - len(kept), updated=changed - deactivated, deactivated=deactivated
    )
