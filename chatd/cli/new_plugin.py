"""chatd new-plugin."""

from __future__ import annotations

import keyword
import re
import sys
from pathlib import Path

import click

from chatd.cli.frame import everywhere
from chatd.cli.skeletons import KINDS, files


@click.command("new-plugin")
@click.argument("name")
@click.option("--kind", type=click.Choice(KINDS), default="provider", show_default=True)
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the package is to be; by default a new directory of its name.",
)
@everywhere
def new_plugin(name: str, kind: str, directory: Path | None) -> None:
    """Write a package with a plugin that works, and its tests.

    NAME is the plugin's name in the configuration, and its module's: lower case, with underscores.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{1,49}", name) or keyword.iskeyword(name):
        raise click.BadParameter("lower case letters, digits and underscores", param_hint="NAME")
    if name in sys.stdlib_module_names or name in ("chatd", "pytest", "marshmallow", "tests"):
        raise click.BadParameter(f"{name} is the name of another module", param_hint="NAME")
    target = directory or Path(name)
    if target.exists() and any(target.iterdir()):
        raise click.ClickException(f"{target} is there already, and is not empty.")
    for path, text in files(name, kind).items():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_text(text, encoding="utf-8")
        click.echo(target / path)
    click.echo(f"Now: cd {target} && pip install -e '.[test]' && pytest", err=True)
