"""The script that builds the page, where there is no npm."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "page"
SOURCES = (
    "package-lock.json",
    "app/package.json",
    "app/index.html",
    "app/vite.config.ts",
    "app/public/theme.js",
    "app/src/main.tsx",
    "client/package.json",
    "client/src/index.ts",
    "react/package.json",
    "react/src/index.tsx",
)
OLD, NEW = 1_700_000_000, 1_800_000_000


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with sources and a page that is newer, and nothing but what the script calls."""
    for name in SOURCES:
        (tmp_path / "web" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "web" / name).touch()
    for path in (tmp_path / "web").rglob("*"):
        os.utime(path, (OLD, OLD))
    page = tmp_path / "chatd" / "static" / "page" / "index.html"
    page.parent.mkdir(parents=True)
    page.touch()
    os.utime(page, (OLD + 1, OLD + 1))
    (tmp_path / "scripts").mkdir()
    shutil.copy(SCRIPT, tmp_path / "scripts" / "page")
    (tmp_path / "bin").mkdir()
    for name in ("bash", "find"):
        found = shutil.which(name)
        assert found
        (tmp_path / "bin" / name).symlink_to(found)
    return tmp_path


def said(clone: Path) -> str:
    """Call it; return what it says. It never fails."""
    command = [str(clone / "bin" / "bash"), str(clone / "scripts" / "page")]
    environ = {"PATH": str(clone / "bin")}
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout == ""
    return done.stderr


def test_a_page_that_is_current(clone: Path) -> None:
    """Nothing is said and nothing done."""
    assert said(clone) == ""


@pytest.mark.parametrize("name", ["app/src/main.tsx", "app/src", "client/src/index.ts"])
def test_a_page_that_is_older(clone: Path, name: str) -> None:
    """A changed source, or one that was removed, makes it old; it is there all the same."""
    os.utime(clone / "web" / name, (NEW, NEW))
    assert "the web page is older than its sources: to build it needs Node.js" in said(clone)


def test_no_page(clone: Path) -> None:
    """It says what it takes to have one."""
    (clone / "chatd" / "static" / "page" / "index.html").unlink()
    assert "the web page is not built: to build it needs Node.js" in said(clone)


def test_a_page_that_came_with_its_sources(clone: Path) -> None:
    """Of an sdist it is as it was published: its times are those of unpacking."""
    (clone / "PKG-INFO").touch()
    os.utime(clone / "web" / "app" / "src", (NEW, NEW))
    assert said(clone) == ""


@pytest.mark.parametrize("has_bash", [True, False])
def test_a_package_is_built_where_the_script_cannot_run(clone: Path, has_bash: bool) -> None:
    """On a system without bash, and below a directory whose programs may not be run."""
    shutil.copy(SCRIPT.parents[1] / "setup.py", clone)
    (clone / "setup.cfg").write_text("[metadata]\nname = chatd\n[options]\npackages = chatd\n")
    (clone / "chatd" / "__init__.py").touch()
    (clone / "chatd" / "static" / "page" / "index.html").unlink()
    (clone / "scripts" / "page").chmod(0o644)
    if not has_bash:
        (clone / "bin" / "bash").unlink()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "setup.py", "-q", "build_py"],
        cwd=clone,
        env={"PATH": str(clone / "bin")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (clone / "build" / "lib" / "chatd" / "__init__.py").exists()
    assert "the web page is not built" in done.stderr
