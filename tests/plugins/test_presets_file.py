"""The plugin presets_file: an operator's presets, one file each."""

from __future__ import annotations

import logging
import os
import uuid
from pathlib import Path

import pytest

from chatd.app import App
from chatd.config import load_config
from chatd.errors import ConfigError, ReadOnly
from chatd.preset import PresetSource
from chatd.types import User

USER = User(id="u", name="alice")
SHIPPED = Path(__file__).parents[2] / "conf" / "chatd.toml"

POET = """
name = "Poet"
description = "Writes in verse."
system_prompt = '''
Answer in rhyme.
'''
model = "qwen3:8b"
[settings]
temperature = 1.2
max_tokens = 500
enable_tools = false
options = { top_p = 0.9 }
"""


def app_in(directory: Path, table: str = "") -> App:
    """Return an App with this plugin alone, whose configuration lies in the directory."""
    (directory / "chatd.toml").write_text(f"[plugins.presets_file]\n{table}\n")
    environ = {"CHATD_PLUGINS_ENABLED": "presets_file", "CHATD_DATA_DIR": str(directory / "data")}
    return App(load_config(directory / "chatd.toml", environ, {}))


async def source_of(app: App) -> PresetSource:
    """Return the plugin's source."""
    source: PresetSource
    [(_, source)] = await app.plugins.collect("register_preset_sources", PresetSource, app=app)
    return source


def write(directory: Path, name: str, text: str, *, age: int = 0) -> Path:
    """Write a preset's file, `age` seconds after the first one: a clock may be coarse."""
    path = directory / "presets" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    os.utime(path, (1_700_000_000 + age, 1_700_000_000 + age))
    return path


async def test_a_file_is_a_preset(tmp_path: Path) -> None:
    """A file's preset is public, nobody's, read-only, and has an id made of the file's name."""
    write(tmp_path, "poet.toml", POET)
    async with app_in(tmp_path) as app:
        [preset] = await app.presets.list(USER)

        assert uuid.UUID(preset.id).version == 5
        assert preset.name == "Poet"
        assert preset.description == "Writes in verse."
        assert preset.system_prompt == "Answer in rhyme."
        assert preset.model == "qwen3:8b"
        assert preset.settings == {
            "temperature": 1.2,
            "max_tokens": 500,
            "enable_tools": False,
            "options": {"top_p": 0.9},
        }
        assert (preset.is_public, preset.owner, preset.editable) == (True, None, False)
        assert preset.source == "presets_file"
        assert await app.presets.get(USER, preset.id) == preset
        with pytest.raises(ReadOnly):
            await app.presets.update(USER, preset.id, {"name": "Mine"}, None)


async def test_an_id_stays(tmp_path: Path) -> None:
    """Sessions remember the preset they came from: its id does not depend on its content."""
    write(tmp_path, "poet.toml", POET)
    async with app_in(tmp_path) as app:
        source = await source_of(app)
        [before] = await source.list(USER)
        write(tmp_path, "poet.toml", "name = 'Bard'", age=1)
        [after] = await source.list(USER)

        assert before.id == after.id
        assert (before.name, after.name) == ("Poet", "Bard")
        assert after.version > before.version


async def test_files_come_and_go(tmp_path: Path) -> None:
    """A new file is a new preset at once, an erased one is no longer."""
    async with app_in(tmp_path) as app:
        source = await source_of(app)
        assert await source.list(USER) == []

        path = write(tmp_path, "poet.toml", POET)
        [preset] = await source.list(USER)
        path.unlink()

        assert await source.list(USER) == []
        assert await source.get(USER, preset.id) is None


async def test_a_file_that_breaks_later(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The last good content stays, one warning names the file, and a mended file counts again."""
    path = write(tmp_path, "poet.toml", POET)
    async with app_in(tmp_path) as app:
        source = await source_of(app)
        write(tmp_path, "poet.toml", "name = ", age=1)
        with caplog.at_level(logging.WARNING):
            kept = [await source.list(USER) for _ in range(3)]
        write(tmp_path, "poet.toml", "name = 'Bard'", age=2)
        [mended] = await source.list(USER)

        assert [[preset.name] for [preset] in kept] == [["Poet"]] * 3
        records = [record for record in caplog.records if record.name.endswith("presets_file")]
        assert [str(path) in record.getMessage() for record in records] == [True]
        assert mended.name == "Bard"


async def test_a_new_file_that_is_broken(tmp_path: Path) -> None:
    """A broken file that comes later is no preset, and no harm to the others."""
    write(tmp_path, "poet.toml", POET)
    async with app_in(tmp_path) as app:
        source = await source_of(app)
        write(tmp_path, "broken.toml", "?")

        assert [preset.name for preset in await source.list(USER)] == ["Poet"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("name = ", "cannot be read"),
        ("description = 'nameless'", "name: "),
        ("name = 'x'\ncolour = 'red'", "colour: "),
        ("name = 'x'\n[settings]\ntemperature = 3", "settings: "),
        ("name = 'x'\n[settings]\nmax_tokens = 1.5", "settings: "),
        ("name = 'x'\n[settings.options]\napi_base = 'http://evil'", "does not allow: api_base"),
    ],
)
async def test_a_broken_file_stops_the_start(tmp_path: Path, text: str, problem: str) -> None:
    """At the start a file that cannot be used is an error that names it."""
    path = write(tmp_path, "broken.toml", text)
    with pytest.raises(ConfigError) as caught:
        async with app_in(tmp_path):
            pass

    assert str(path) in caught.value.message
    assert problem in caught.value.message


async def test_the_directory_is_a_setting(tmp_path: Path) -> None:
    """`directory` starts from the configuration's own; one that is not there is an error."""
    write(tmp_path, "poet.toml", POET)
    (tmp_path / "presets").rename(tmp_path / "mine")
    async with app_in(tmp_path, 'directory = "mine"') as app:
        assert [preset.name for preset in await app.presets.list(USER)] == ["Poet"]

    with pytest.raises(ConfigError, match=r"there is no .*yours"):
        async with app_in(tmp_path, 'directory = "yours"'):
            pass


async def test_the_shipped_presets(tmp_path: Path) -> None:
    """The presets that come with chatd load, and say what they are for."""
    environ = {"CHATD_PLUGINS_ENABLED": "presets_file", "CHATD_DATA_DIR": str(tmp_path)}
    async with App(load_config(SHIPPED, environ, {})) as app:
        presets = await app.presets.list(USER)

        assert len(presets) >= 2
        assert all(preset.description and preset.system_prompt for preset in presets)
