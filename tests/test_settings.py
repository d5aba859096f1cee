"""The settings: each one described, and shown in the example with its default."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from chatd.config import Config, load_config
from chatd.plugins import Plugins
from chatd.settings import SECTIONS, schema_of

EXAMPLE = Path(__file__).parent.parent / "conf" / "chatd.toml"
SETTINGS = [(section, key) for section, cls in SECTIONS.items() for key in cls.__struct_fields__]
MADE_AT_START = [("data", "dir"), ("store", "url"), ("plugins", "dir")]


@pytest.mark.parametrize(("section", "key"), SETTINGS)
def test_every_setting_is_described(section: str, key: str) -> None:
    """Each setting has a sentence for the documentation, and its default passes its own check."""
    schema = schema_of(SECTIONS[section])
    default = getattr(SECTIONS[section](), key)

    assert schema.fields[key].metadata["description"].endswith(".")
    if default not in (None, ""):
        assert schema.load({key: str(default) if isinstance(default, Path) else default})


def test_the_example_changes_nothing() -> None:
    """conf/chatd.toml as it is shipped is all comments."""
    config = load_config(EXAMPLE, {}, {})

    assert config.replace(file=None, conf_dir=Path()) == Config(
        plugin_tables=config.plugin_tables, conf_dir=Path()
    )


def uncommented() -> str:
    """Return the example with every key in force."""
    return re.sub(r"(?m)^#(?=[a-z_]+ = |\[)", "", EXAMPLE.read_text())


def test_the_example_is_complete(tmp_path: Path) -> None:
    """Uncommented, conf/chatd.toml has every setting, and all of it is accepted."""
    path = tmp_path / "chatd.toml"
    path.write_text(uncommented())
    (tmp_path / "plugins").mkdir()
    shown = {
        (section, key)
        for section, table in tomllib.loads(uncommented()).items()
        for key, value in table.items()
        if not isinstance(value, dict)
    }

    tables = load_config(path, {"OPENAI_API_KEY": "sk"}, {}).plugin_tables
    plugins = Plugins([name for name, table in tables.items() if table], tables=tables)

    assert shown == set(SETTINGS)
    assert set(plugins.configs) == {"provider_openai", "presets_file"}


@pytest.mark.parametrize(("section", "key"), SETTINGS)
def test_the_example_shows_descriptions(section: str, key: str) -> None:
    """Each key of the example stands under its description."""
    description = schema_of(SECTIONS[section]).fields[key].metadata["description"]
    part = EXAMPLE.read_text().partition(f"\n[{section}]\n")[2]

    assert re.search(rf"(?m)^# {re.escape(description)}( \(.*(\n# .*)?)?\n#{key} = ", part)


@pytest.mark.parametrize(
    ("section", "key"),
    [pair for pair in SETTINGS if pair not in MADE_AT_START],
)
def test_the_example_shows_defaults(section: str, key: str) -> None:
    """Each key of the example has its default, but for those that depend on the machine."""
    default = getattr(SECTIONS[section](), key)

    shown = tomllib.loads(uncommented())[section][key]
    assert shown == (list(default) if isinstance(default, tuple) else default)
