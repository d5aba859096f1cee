"""Where in a TOML file each key stands: for people, who have to find it."""

from __future__ import annotations

import re

_TABLE = re.compile(r"\s*\[\s*([\w.-]+)\s*\]")
_TABLE_OF_ARRAY = re.compile(r"\s*\[\[\s*([\w.-]+)\.([\w-]+)\s*\]\]")
_KEY = re.compile(r"""\s*["']?([\w-]+)["']?\s*[=.]""")
_QUOTES = re.compile(r"\"{3}|'{3}")


def lines_of(text: str) -> dict[tuple[str, str], int]:
    """Return the line of each key, {(table, key): line}, counted from 1.

    What is written in an unusual way may be missing: it is shown without its line.
    """
    found: dict[tuple[str, str], int] = {}
    table, is_text = "", False
    for number, line in enumerate(text.splitlines(), 1):
        was_text, is_text = is_text, is_text ^ bool(len(_QUOTES.findall(line)) % 2)
        if was_text:
            continue
        if match := _TABLE_OF_ARRAY.match(line):
            # Its keys belong to one of several: the first one's header stands for all.
            table = f"{match[1]}.{match[2]}"
            found.setdefault((match[1], match[2]), number)
        elif match := _TABLE.match(line):
            table = match[1]
        elif match := _KEY.match(line):
            found.setdefault((table, match[1]), number)
    return found
