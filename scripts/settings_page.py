"""Writes the tables of settings in docs/configuration.md: `python scripts/settings_page.py`.

They are made of the sections in chatd/settings: a setting is described once. A test compares.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec

sys.path.insert(0, str(Path(__file__).parent.parent))

from chatd import environment
from chatd.settings import SECTIONS

PAGE = Path(__file__).parent.parent / "docs" / "configuration.md"
BEGIN, END = "<!-- begin: settings -->", "<!-- end: settings -->"
OWN = {("data", "dir"): "the user's data directory", ("store", "url"): "`chatd.db` in `[data] dir`"}


def tables() -> str:
    """Return a heading and a table for each section."""
    return "\n".join(_section(name) for name in SECTIONS)


def _section(name: str) -> str:
    section = SECTIONS[name]
    about = " ".join((section.__doc__ or "").split())
    rows = [_row(name, field) for field in msgspec.structs.fields(section)]
    head = "| key | environment | default | |\n|---|---|---|---|"
    return f"### [{name}]\n\n{about}\n\n{head}\n" + "\n".join(rows) + "\n"


def _row(section: str, field: msgspec.structs.FieldInfo) -> str:
    hint = get_type_hints(SECTIONS[section], include_extras=True)[field.name]
    description = get_args(hint)[1].replace("|", "\\|").replace("*", "\\*")
    variable = environment.variables()[section, field.name]
    default = OWN.get((section, field.name)) or _shown(field.default)
    return f"| `{field.name}` | `{variable}` | {default} | {description} |"


def _shown(default: Any) -> str:
    match default:
        case bool():
            return f"`{str(default).lower()}`"
        case tuple():
            return ", ".join(f"`{word}`" for word in default) or "none"
        case None | "":
            return "none"
    return f"`{default}`"


def filled(page: str) -> str:
    """Return a page with the tables between its marks."""
    between = f"{BEGIN}\n\n{tables()}\n{END}"
    return re.sub(f"{BEGIN}.*{END}", lambda _: between, page, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text()))
