"""What plugins rely on does not change by accident."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import plugin_api

import chatd

SNAPSHOT = Path(__file__).with_name("plugin_api.txt")
PLUGINS = Path(__file__).parent.parent / "plugins"
# What users make themselves is kept where everything is; no other plugin has such tables.
OF_CHATD_ALONE = {("presets_store.py", "store")}
COMPATIBILITY = Path(__file__).parent.parent / "docs" / "plugins" / "compatibility.md"


def test_the_api_is_as_written_down() -> None:
    """Names, fields and signatures are those of the snapshot; what differs is a decision."""
    assert plugin_api.written() == SNAPSHOT.read_text(), (
        "the plugin API has changed: docs/plugins/compatibility.md says how it may;"
        " python tests/plugin_api.py > tests/plugin_api.txt writes it down"
    )


def test_the_version_of_the_api_is_documented() -> None:
    """The page about compatibility names the present version."""
    assert f"`{chatd.plugin_api}`" in COMPATIBILITY.read_text()


def test_the_plugins_of_chatd_use_what_is_promised() -> None:
    """Of `chatd` and of an App they use nothing that a plugin of somebody else could not."""
    promised = plugin_api.promised()
    wrong = []
    for path in sorted(PLUGINS.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            of = _used(node)
            if of is None or (path.name, of[0]) in OF_CHATD_ALONE:
                continue
            part, name = of
            if name not in (chatd.__all__ if part == "chatd" else promised[part]):
                wrong.append(f"{path.name}:{node.lineno}: {part}.{name}")  # type: ignore[attr-defined]
    assert not wrong, "\n".join(wrong)


def _used(node: ast.AST) -> tuple[str, str] | None:
    """Return the part of chatd that a name is taken from, and the name: ("store", "add_user")."""
    if not isinstance(node, ast.Attribute):
        return None
    value = node.value
    whose = getattr(value, "id", getattr(value, "attr", "")).removeprefix("_")
    if isinstance(value, ast.Name) and whose in ("chatd", "app"):
        return whose, node.attr
    if isinstance(value, ast.Attribute) and whose in {"app", *plugin_api.promised()} - {"config"}:
        above = getattr(value.value, "id", getattr(value.value, "attr", ""))
        return (whose, node.attr) if above in ("app", "self") else None
    return None


def test_a_name_is_loaded_when_it_is_used() -> None:
    """Importing chatd loads none of what it exports, nor Tornado."""
    code = (
        "import sys, chatd; chatd.plugin_api; chatd.ChatdError;"
        " print([m for m in sys.modules if m in ('tornado', 'click', 'marshmallow', 'chatd.app')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n", done.stderr
