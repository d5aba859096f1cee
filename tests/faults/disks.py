"""Disks that fill up, and disks that are slow."""

from __future__ import annotations

import contextlib
import functools
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

SIZE = 24 * 1024 * 1024  # bytes of a small disk; a server of the long set needs a third of it
NO_MOUNT = "NO TMPFS CAN BE MOUNTED HERE: no disk fills up; this needs root, or user namespaces"
NO_SHIM = "NO C COMPILER HERE: no disk is slow; install cc"


@functools.cache
def can_mount() -> bool:
    """Whether this process may mount a file system."""
    with tempfile.TemporaryDirectory() as place:
        if not _mount(Path(place)):
            return False
        _unmount(Path(place))
    return True


def _mount(place: Path) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)]
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False


def _unmount(place: Path) -> None:
    # Lazily: a process that has just been killed may still hold it.
    subprocess.run(["umount", "-l", str(place)], capture_output=True, check=True)


@contextlib.contextmanager
def small_disk(place: Path) -> Iterator[None]:
    """Have a disk of its own at a directory."""
    place.mkdir(parents=True)
    assert _mount(place), NO_MOUNT
    try:
        yield
    finally:
        _unmount(place)


def fill(place: Path, left: int) -> None:
    """Fill the disk of a directory but for some bytes."""
    piece = b"x" * 65536
    with (place / "filler").open("ab", buffering=0) as file:
        with contextlib.suppress(OSError):
            while True:
                file.write(piece)
        file.truncate(max(0, file.tell() - left))


def free(place: Path) -> None:
    """Undo `fill`."""
    (place / "filler").unlink(missing_ok=True)


@functools.cache
def shim() -> Path | None:
    """Return the library that makes the disk of a process slow; None without a compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    source = Path(__file__).with_name("slow.c")
    made = Path(tempfile.mkdtemp(prefix="chatd-slow-")) / "slow.so"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", str(made), str(source), "-ldl"], check=True
    )
    return made


def preloading(file: Path) -> dict[str, str]:
    """Return the environment of a process whose disk is as slow as a file says: see slow.c."""
    made = shim()
    return {"LD_PRELOAD": str(made), "FAULTS_SLOW": str(file)} if made else {}
