"""What `chatd new-plugin` writes works as it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from commands import AS_AN_AUTHOR

from chatd.cli import main
from chatd.cli.skeletons import KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_its_tests_pass_as_written(tmp_path: Path, kind: str) -> None:
    """The package's own tests pass, as its author calls them; the house's linter likes it."""
    target = tmp_path / "package"
    made = CliRunner().invoke(
        main, ["new-plugin", "my_own", "--kind", kind, "--directory", str(target)]
    )
    assert made.exit_code == 0, made.output
    assert str(target / "my_own.py") in made.stdout
    assert "NAME" not in "".join(p.read_text() for p in target.rglob("*.*") if p.is_file())
    command = [sys.executable, "-m", "pytest", "-q", *AS_AN_AUTHOR]
    done = subprocess.run(command, cwd=target, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    rules = ["--select", "E,F,W,B,UP", "--line-length", "100", "--no-cache"]
    lint = [sys.executable, "-m", "ruff", "check", *rules, str(target)]
    linted = subprocess.run(lint, capture_output=True, text=True, timeout=60)
    assert linted.returncode == 0, linted.stdout


@pytest.mark.parametrize("name", ["My", "9a", "a-b", "class", "json", "chatd", "a/b", ""])
def test_a_name_that_is_none(name: str) -> None:
    """A name that could not be a module's, or is another's, is wrong usage."""
    made = CliRunner().invoke(main, ["new-plugin", "--", name])
    assert made.exit_code == 2
    assert "Invalid value for NAME" in made.stderr


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A directory in which there is something is left as it is."""
    (tmp_path / "setup.cfg").write_text("mine")
    made = CliRunner().invoke(main, ["new-plugin", "mine_too", "--directory", str(tmp_path)])
    assert made.exit_code == 1
    assert "is there already" in made.stderr
    assert (tmp_path / "setup.cfg").read_text() == "mine"
