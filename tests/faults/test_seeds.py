"""A few seeds of the long set, run by its own command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import mongod
import pytest

FIRST = {"sqlite": 2, "mongo": 4}  # killed, ended, the disk full; killed, and mongod frozen
SEEDS = 2


@pytest.mark.timeout(300)
@pytest.mark.parametrize("store", FIRST)
def test_some_seeds(tmp_path: Path, store: str) -> None:
    """Several kinds of faults in one life break none of the invariants."""
    if store == "mongo" and mongod.find_mongod() is None:
        pytest.skip(mongod.NONE)
    options = f"--store {store} --first {FIRST[store]} --seeds {SEEDS} --jobs {SEEDS}"
    found = subprocess.run(
        [
            sys.executable,
            Path(__file__).with_name("seeds.py"),
            *options.split(),
            "--keep",
            tmp_path,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout.endswith(f"{SEEDS} seeds, 0 with violations\n"), found.stdout + found.stderr
    assert found.returncode == 0
