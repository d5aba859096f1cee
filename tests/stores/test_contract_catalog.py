"""The contract of a store: presets and models."""

from __future__ import annotations

from typing import Any

import pytest
from stored import ALICE, BOB

from chatd.errors import NotFound, PreconditionFailed
from chatd.provider import ModelInfo
from chatd.store import Store
from chatd.types import ModelChanges, Preset, new_id, now


def a_preset(**fields: Any) -> Preset:
    """Return a preset that is not yet stored."""
    values = {
        "id": new_id(),
        "name": "Poet",
        "owner": ALICE.id,
        "created_at": now(),
        "updated_at": now(),
    }
    return Preset(**values | fields)


async def test_a_preset_comes_back_as_it_was_put_in(store: Store) -> None:
    """Every field survives; the owner is who added it."""
    preset = a_preset(
        description="d",
        system_prompt="Rhyme.",
        model="echo/echo",
        settings={"temperature": 2, "options": {"seed": 1}},
        source="presets_store",
    )
    await store.add_preset(ALICE.id, preset.replace(owner=None))

    assert await store.get_preset(ALICE.id, preset.id) == preset
    assert await store.list_presets(ALICE.id) == [preset]
    assert await store.get_preset(ALICE.id, new_id()) is None


async def test_public_presets_are_everybodys_to_use(store: Store) -> None:
    """A user sees own and public presets by name, and changes only own ones."""
    hidden, shared = a_preset(name="b"), a_preset(name="c", is_public=True)
    mine = a_preset(name="a", owner=BOB.id, is_public=True)
    for user, preset in ((ALICE, hidden), (ALICE, shared), (BOB, mine)):
        await store.add_preset(user.id, preset)

    assert await store.list_presets(BOB.id) == [mine, shared]
    assert await store.get_preset(BOB.id, hidden.id) is None
    assert await store.get_preset(BOB.id, shared.id) == shared
    for preset in (hidden, shared):
        with pytest.raises(NotFound):
            await store.update_preset(BOB.id, preset.id, {"name": "x"})
        with pytest.raises(NotFound):
            await store.delete_preset(BOB.id, preset.id)
    assert await store.list_presets(ALICE.id) == [mine, hidden, shared]


async def test_a_preset_changes_like_a_session(store: Store) -> None:
    """Settings merge, the version counts, and a stale one is refused."""
    preset = a_preset(settings={"temperature": 1, "options": {"seed": 1}})
    await store.add_preset(ALICE.id, preset)

    changes = {"name": "x", "is_public": True, "settings": {"options": {"top_p": 1}}}
    changed = await store.update_preset(ALICE.id, preset.id, changes, version=1)

    assert (changed.name, changed.version, changed.is_public) == ("x", 2, True)
    assert changed.settings == {"temperature": 1, "options": {"seed": 1, "top_p": 1}}
    assert await store.get_preset(BOB.id, preset.id) == changed
    assert await store.update_preset(ALICE.id, preset.id, changes, version=2) == changed
    with pytest.raises(PreconditionFailed):
        await store.update_preset(ALICE.id, preset.id, {"name": "y"}, version=1)
    with pytest.raises(PreconditionFailed):
        await store.delete_preset(ALICE.id, preset.id, version=1)
    await store.delete_preset(ALICE.id, preset.id, version=2)
    assert await store.list_presets(ALICE.id) == []


async def test_models_follow_their_provider(store: Store) -> None:
    """What a provider lists is active, what it no longer lists is not; others are left alone."""
    small, big = ModelInfo(name="small"), ModelInfo(name="big/one", capabilities=("tools",))
    assert await store.save_models("b", [small, big]) == ModelChanges(added=2)
    assert await store.save_models("a", [small]) == ModelChanges(added=1)

    models = await store.list_models()
    assert [m.id for m in models] == ["a/small", "b/big/one", "b/small"]
    assert (models[1].name, models[1].provider) == ("big/one", "b")
    assert models[1].capabilities == ("tools",)
    assert all(m.is_active and m.last_seen_at is not None for m in models)

    grown = big.replace(context_length=4096)
    assert await store.save_models("b", [grown]) == ModelChanges(updated=1, deactivated=1)
    models = await store.list_models()
    assert [m.is_active for m in models] == [True, True, False]
    assert models[1].context_length == 4096
    assert await store.save_models("b", [grown]) == ModelChanges()
    assert await store.save_models("b", [grown, small]) == ModelChanges(updated=1)
    assert all(m.is_active for m in await store.list_models())


async def test_one_model_is_the_default(store: Store) -> None:
    """A new default takes the place of the old one, and a provider's word does not change it."""
    await store.save_models("p", [ModelInfo(name="a"), ModelInfo(name="b")])

    assert (await store.update_model("p/a", is_default=True)).is_default
    assert (await store.update_model("p/b", is_default=True)).is_default
    await store.save_models("p", [ModelInfo(name="a"), ModelInfo(name="b")])
    assert [m.is_default for m in await store.list_models()] == [False, True]
    assert (await store.update_model("p/b", is_default=True)).is_default
    assert not (await store.update_model("p/b", is_default=False)).is_default
    assert [m.is_default for m in await store.list_models()] == [False, False]
    with pytest.raises(NotFound):
        await store.update_model("p/c", is_default=True)


async def test_a_model_that_was_switched_off_stays_off(store: Store) -> None:
    """A provider that still offers a model does not undo what an administrator has said."""
    offered = [ModelInfo(name="a"), ModelInfo(name="b")]
    await store.save_models("p", offered)
    assert not (await store.update_model("p/a", is_active=False)).is_active

    await store.save_models("p", offered)
    assert [m.is_active for m in await store.list_models()] == [False, True]
    assert (await store.update_model("p/a", is_active=True)).is_active
    await store.save_models("p", offered)
    assert [m.is_active for m in await store.list_models()] == [True, True]
