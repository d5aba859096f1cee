"""The documentation for authors of plugins is whole: hooks, signatures, names, fields."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import msgspec
import pytest
from documented import DOCS, HOOKS, PAGES, PLUGINS, section
from transcripts import FENCE, blocks, files

import chatd
from chatd import hookspecs

ALL = "\n".join(page.read_text() for page in PAGES)
VALUES = [
    name
    for name in chatd.__all__
    if inspect.isclass(getattr(chatd, name)) and issubclass(getattr(chatd, name), msgspec.Struct)
]


def test_every_hook_has_a_page() -> None:
    """There is a page for each hook and no other, and the page before them leads to it."""
    assert sorted(page.stem for page in (DOCS / "hooks").glob("*.md")) == sorted([*HOOKS, "index"])
    index = (DOCS / "hooks" / "index.md").read_text()
    assert [hook for hook in HOOKS if f"| [`{hook}`]({hook}.md) |" not in index] == []
    assert "[eleven hooks]" in ALL and len(HOOKS) == 11


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hooks_page(hook: str) -> None:
    """It has the exact signature, says all there is to say, and has a plain and an async plugin."""
    page = DOCS / "hooks" / f"{hook}.md"
    text = page.read_text()
    first, *examples = blocks(page, "python")
    shown: dict[str, object] = {}
    exec("from __future__ import annotations\n" + first, shown)
    assert inspect.signature(shown[hook]) == inspect.signature(getattr(hookspecs, hook))
    for argument in inspect.signature(getattr(hookspecs, hook)).parameters:
        assert f"| `{argument}` | " in text
    for word in ("**Called**", "**Not called**", "**When it raises**", "**Return**"):
        assert word in text or (word, hook) in LEFT_OUT, word
    smallest, last = section(f"hooks/{hook}.md", "The smallest plugin"), examples[-1]
    assert f"def {hook}(" in smallest
    assert f"async def {hook}(" in last


LEFT_OUT = {
    ("**When it raises**", "authenticate"),  # these two say what to raise
    ("**When it raises**", "sign_in"),
    ("**When it raises**", "before_turn"),
    ("**Not called**", "register_providers"),  # these are called at every start
    ("**Not called**", "register_preset_sources"),
    ("**Not called**", "register_routes"),
}


def test_every_python_block_is_run() -> None:
    """Each is the signature of a hook, or a file that a test runs under the name it shows."""
    for page in PAGES:
        named = {*files(page).values()}
        for language, block in FENCE.findall(page.read_text()):
            if language == "python" and block not in named:
                assert page.parent.name == "hooks" and block.endswith(": ...\n"), block
    behaviours = Path(__file__).with_name("test_hook_pages.py").read_text()
    assert {*PLUGINS} == {*re.findall(r"def test_(\w+)\(", behaviours)}


def test_the_page_about_testing(tmp_path: Path) -> None:
    """Its files lie in one directory, and pytest runs them without a word of chatd's."""
    for name, text in files(DOCS / "testing.md").items():
        (tmp_path / name).write_text(text)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:tornado", "-p", "no:cacheprovider"]
    environ = os.environ | {"PYTEST_ADDOPTS": "-p no:schemathesis -p no:xdist"}
    done = subprocess.run(
        command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^1[1-9] passed", done.stdout, re.MULTILINE), done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_configuration_is_toml(page: Path) -> None:
    """Each piece of configuration can be read."""
    for block in blocks(page, "toml"):
        assert tomllib.loads(block)


def test_every_name_is_mentioned() -> None:
    """All that chatd exports is on these pages."""
    words = {*re.findall(r"\w+", ALL)}
    assert [name for name in chatd.__all__ if name not in words] == []


@pytest.mark.parametrize("name", VALUES)
def test_every_field_is_told(name: str) -> None:
    """What hooks receive has its fields under its own heading, and no other in the first column."""
    fields = {field.name for field in msgspec.structs.fields(getattr(chatd, name))}
    told = section("objects.md", name)
    assert [field for field in fields if f"`{field}`" not in told] == []


@pytest.mark.parametrize(
    "name", ["App", "RouteHandler", "Provider", "PresetSource", "Tries", "ChatdError"]
)
def test_every_method_is_told(name: str) -> None:
    """What plugins call or write themselves is on the page of objects."""
    text = (DOCS / "objects.md").read_text()
    own = [method for method in vars(getattr(chatd, name)) if not method.startswith("_")]
    assert [method for method in own if method not in text] == []
