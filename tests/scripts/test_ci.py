"""What decides whether a change may be merged, `.ci/run`: with programs that say what they did."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

RUN = Path(__file__).parents[2] / ".ci" / "run"
PARTS = ("ruff", "mypy", "sphinx-build", "test")
# What a part does: it says its name, and then waits, fails or ends.
PART = """#!/usr/bin/env bash
name=${0##*/}
echo "$name"
if [[ -e $DO/$name.waits ]]; then
    trap 'echo cleaned >"$DO/$name.cleaned"; exit 2' INT
    sleep 300 & echo "$!" >"$DO/$name.pid.new" && mv "$DO/$name.pid.new" "$DO/$name.pid"
    wait
fi
[[ ! -e $DO/$name.fails ]]
"""
WITHIN = 60.0  # seconds


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone whose programs are all of this kind."""
    for path in (".ci/run", ".venv/bin/ruff", ".venv/bin/mypy", ".venv/bin/sphinx-build"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(PART)
        (tmp_path / path).chmod(0o755)
    shutil.copy(RUN, tmp_path / ".ci" / "run")
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "test").write_text(PART)
    (tmp_path / "scripts" / "test").chmod(0o755)
    (tmp_path / "scripts" / "venv.sh").write_text('say() { echo "$*"; }\nneed() { :; }\n')
    return tmp_path


def start(clone: Path) -> subprocess.Popen[str]:
    """Start it."""
    environ = os.environ | {"DO": str(clone)}
    return subprocess.Popen(
        clone / ".ci" / "run",
        env=environ,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize("failing", ["", *PARTS])
def test_every_part_decides(clone: Path, failing: str) -> None:
    """What fails makes it fail, and is named in the end; else all have been run."""
    if failing:
        (clone / f"{failing}.fails").touch()
    with start(clone) as running:
        said, _ = running.communicate(timeout=WITHIN)
    assert (running.returncode != 0) == bool(failing)
    if not failing:
        assert said.split() == ["test", "ruff", "ruff", "mypy", "sphinx-build"]
    elif failing == "test":
        assert said.endswith("sphinx-build\nthe tests have failed.\n")
    else:
        assert said.endswith(f"{failing}\nformatting, lint, types or documentation have failed.\n")


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_who_is_interrupted_leaves_nothing(clone: Path, sent: signal.Signals) -> None:
    """All that was started ends with it, and the tests can clean up first."""
    waiting = [clone / f"{name}.pid" for name in ("mypy", "test")]
    for path in waiting:
        path.with_suffix(".waits").touch()
    with start(clone) as running:
        until = time.monotonic() + WITHIN
        while not all(path.exists() for path in waiting):
            assert running.poll() is None
            assert time.monotonic() < until
        running.send_signal(sent)
        assert running.wait(WITHIN) == 128 + sent
        running.communicate(timeout=WITHIN)
    assert (clone / "test.cleaned").exists()
    for path in waiting:
        while is_alive(int(path.read_text())):
            assert time.monotonic() < until
            time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Return whether a process runs; one that nobody has waited for does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
