"""chatd config."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from chatd.cli.frame import everywhere, json_option, load, load_plugins, print_json, quiet, table

if TYPE_CHECKING:
    from chatd.config import Config

DEFAULT = "default"


@click.command()
@json_option
@everywhere
def config(as_json: bool) -> None:
    """Show all settings, and where each was found.

    That is a line of the file, a variable of the environment, or a flag. Secrets are hidden. All
    that is wrong is named at once, with exit code 1.
    """
    found = load()
    quiet()
    settings = list(_settings(found))
    if as_json:
        names = ("section", "key", "value", "from")
        print_json(
            {
                "file": found.file,
                "settings": [dict(zip(names, setting, strict=True)) for setting in settings],
                "warnings": found.warnings,
            }
        )
        return
    table(
        ("SETTING", "FROM", "VALUE"),
        ((f"[{section}] {key}", place, _shown(value)) for section, key, value, place in settings),
    )
    for warning in found.warnings:
        click.echo(f"Warning: {warning}.", err=True)


def _settings(config: Config) -> Iterator[tuple[str, str, Any, str]]:
    """Yield each setting: section, key, value without secrets, place."""
    from chatd.secrets import redact
    from chatd.settings import SECTIONS

    plugins = load_plugins(config)
    sections = config.redacted()
    shown = {name: sections[name] for name in SECTIONS}
    for name, values in plugins.configs.items():
        shown[f"plugins.{name}"] = redact(values, config.secrets)
    for section, values in shown.items():
        for key, value in values.items():
            yield section, key, value, config.places.get((section, key), DEFAULT)


def _shown(value: Any) -> str:
    import msgspec

    return "-" if value is None else msgspec.json.encode(value, enc_hook=str).decode()
