"""The plugin presets_store: users' own presets, and those they share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from chatd.accounts import ensure_user
from chatd.app import App
from chatd.catalog import Presets
from chatd.config import load_config
from chatd.errors import NotFound, PreconditionFailed, ReadOnly
from chatd.preset import EditablePresetSource, PresetSource
from chatd.types import Preset, User, new_id, now


@asynccontextmanager
async def house(directory: Path) -> AsyncIterator[tuple[EditablePresetSource, User, User]]:
    """Open an App with this plugin alone; give its source and two users."""
    environ = {"CHATD_PLUGINS_ENABLED": "presets_store", "CHATD_DATA_DIR": str(directory)}
    async with App(load_config(None, environ, {})) as app:
        [(_, source)] = await app.plugins.collect("register_preset_sources", PresetSource, app=app)
        alice = await ensure_user(app.store, "alice")
        yield source, alice, await ensure_user(app.store, "bob")


def preset(name: str = "Poet", *, is_public: bool = False) -> Preset:
    """Return a new preset as the core hands it to a source."""
    return Preset(
        id=new_id(),
        name=name,
        settings={"temperature": 1.0, "options": {"top_p": 0.9}},
        is_public=is_public,
        created_at=now(),
        updated_at=now(),
    )


async def test_a_new_preset_is_its_makers(tmp_path: Path) -> None:
    """A created preset comes back with its owner, its source, and editable."""
    async with house(tmp_path) as (source, alice, _):
        made = await source.create(alice, preset())

        assert (made.owner, made.source, made.editable) == (alice.id, "presets_store", True)
        assert await source.get(alice, made.id) == made
        assert await source.list(alice) == [made]


async def test_a_private_preset_is_nobody_elses(tmp_path: Path) -> None:
    """For another user a private preset is not there: neither to see nor to change."""
    async with house(tmp_path) as (source, alice, bob):
        made = await source.create(alice, preset())

        assert await source.list(bob) == []
        assert await source.get(bob, made.id) is None
        with pytest.raises(NotFound):
            await source.update(bob, made.id, {"name": "Mine"}, version=None)
        with pytest.raises(NotFound):
            await source.delete(bob, made.id, version=None)


async def test_a_public_preset_is_read_only_for_others(tmp_path: Path) -> None:
    """Everybody sees a public preset; its owner alone may change it."""
    async with house(tmp_path) as (source, alice, bob):
        made = await source.create(alice, preset(is_public=True))

        assert await source.list(bob) == [made.replace(editable=False)]
        with pytest.raises(ReadOnly):
            await source.update(bob, made.id, {"name": "Mine"}, version=None)
        with pytest.raises(ReadOnly):
            await source.delete(bob, made.id, version=None)
        assert await source.get(alice, made.id) == made


async def test_update(tmp_path: Path) -> None:
    """An update changes what is given, merges settings, and gives the next version."""
    async with house(tmp_path) as (source, alice, _):
        made = await source.create(alice, preset())

        changes = {"name": "Bard", "settings": {"max_tokens": 9, "temperature": None}}
        changed = await source.update(alice, made.id, changes, version=made.version)

        assert changed.name == "Bard"
        assert changed.settings == {"max_tokens": 9, "options": {"top_p": 0.9}}
        assert changed.version > made.version
        assert changed.editable
        assert await source.get(alice, made.id) == changed


async def test_a_stale_version(tmp_path: Path) -> None:
    """Who changes or erases what has changed since is told so, and nothing happens."""
    async with house(tmp_path) as (source, alice, _):
        made = await source.create(alice, preset())
        changed = await source.update(alice, made.id, {"name": "Bard"}, version=None)

        with pytest.raises(PreconditionFailed):
            await source.update(alice, made.id, {"name": "Lost"}, version=made.version)
        with pytest.raises(PreconditionFailed):
            await source.delete(alice, made.id, version=made.version)
        assert await source.get(alice, made.id) == changed


async def test_delete(tmp_path: Path) -> None:
    """An erased preset is gone; erasing it again says that there is none."""
    async with house(tmp_path) as (source, alice, _):
        made = await source.create(alice, preset())
        await source.delete(alice, made.id, version=made.version)

        assert await source.list(alice) == []
        with pytest.raises(NotFound):
            await source.delete(alice, made.id, version=None)


async def test_it_takes_what_users_create(tmp_path: Path) -> None:
    """Among all sources it is the one that keeps new presets."""
    async with house(tmp_path) as (source, alice, _):
        presets = Presets([source])
        made = await presets.create(alice, preset())

        assert made.source == "presets_store"
        assert await presets.get(alice, made.id) == made
