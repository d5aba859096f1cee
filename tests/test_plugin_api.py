"""What plugins rely on does not change by accident."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import plugin_api

import chatd

SNAPSHOT = Path(__file__).with_name("plugin_api.txt")
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


def test_a_name_is_loaded_when_it_is_used() -> None:
    """Importing chatd loads none of what it exports, nor Tornado."""
    code = (
        "import sys, chatd; chatd.plugin_api; chatd.ChatdError;"
        " print([m for m in sys.modules if m in ('tornado', 'click', 'marshmallow', 'chatd.app')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n", done.stderr
