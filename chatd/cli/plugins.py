"""chatd plugins."""

from __future__ import annotations

import click

from chatd.cli.frame import everywhere, json_option, load, load_plugins, print_json, quiet, table


@click.command()
@json_option
@everywhere
def plugins(as_json: bool) -> None:
    """List the enabled plugins, and check them.

    They are asked in this order. A plugin is bundled with chatd, an entry point of an installed
    package, or a file of the directory in [plugins] dir.
    """
    loaded = load_plugins(load())
    quiet()
    if as_json:
        fields = ("source", "version", "file")
        print_json(
            [
                {"name": name, **{key: getattr(found, key) for key in fields}}
                | {"hooks": loaded.hooks(name)}
                for name, found in loaded.found.items()
            ]
        )
        return
    rows = [
        (name, found.version or "-", found.source, ",".join(loaded.hooks(name)) or "-")
        for name, found in loaded.found.items()
    ]
    table(("NAME", "VERSION", "SOURCE", "HOOKS"), rows)
