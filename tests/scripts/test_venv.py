"""The virtual environments of the scripts: what is installed is not installed again."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

VENV = Path(__file__).parents[2] / "scripts" / "venv.sh"
PIP = '#!/bin/sh\necho called with "$@"\n'


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone whose environment has a Python that says how it is called."""
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(PIP)
    python.chmod(0o755)
    for name in ("setup.cfg", "pyproject.toml", ".venv/pyvenv.cfg"):
        (tmp_path / name).write_text("first")
    shutil.copy(VENV, tmp_path / "venv.sh")
    return tmp_path


def calls(clone: Path, wanted: str) -> int:
    """Need something; return how often pip was called for it."""
    script = f"root={clone}; source {clone}/venv.sh; need .venv -e '{wanted}'"
    done = subprocess.run(["bash", "-euc", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.count("called with -m pip install")


def test_what_is_there_is_not_installed_again(clone: Path) -> None:
    """Once is enough, also for less: scripts/serve needs no more than scripts/test has made."""
    assert calls(clone, ".[test,dev]") == 1
    for wanted in (".[test,dev]", ".[dev,test]", ".[test]", "."):
        assert calls(clone, wanted) == 0, wanted


def test_more_is_installed(clone: Path) -> None:
    """What has extras that are not there is installed, and so is all when setup.cfg changes."""
    assert calls(clone, ".") == 1
    assert calls(clone, ".[test]") == 1
    assert calls(clone, ".[te]") == 1
    (clone / "setup.cfg").write_text("second")
    assert calls(clone, ".") == 1
    assert calls(clone, ".[test]") == 1
    assert calls(clone, ".[test]") == 0
