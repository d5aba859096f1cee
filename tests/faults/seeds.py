"""The long set: many seeds, some side by side, each judged.

    scripts/faults [--seeds N] [--first S] [--store sqlite|mongo|both] [--jobs J] [--keep DIRECTORY]

A seed is a number. It draws the faults, their times, and what clients do; how fast the machine is
decides the rest, so a seed that has found something is run again several times (--times).
"""

from __future__ import annotations

import argparse
import asyncio
import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from random import Random

HERE = Path(__file__).resolve().parent
ALONE = "CHATD_FAULTS_ALONE"  # set when this process has been begun again by stand_alone

sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent.parent)]

import disks  # noqa: E402
import mongod  # noqa: E402
from trial import Ground, Verdict, trial  # noqa: E402

OF_THREE = 0.2  # the part of MongoDB's seeds that has three servers


def parse(arguments: list[str]) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=20, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the first one")
    parser.add_argument("--times", type=int, default=1, help="how often each")
    parser.add_argument("--store", choices=["sqlite", "mongo", "both"], default="both")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="side by side")
    parser.add_argument("--keep", type=Path, help="where the logs and data of bad seeds are kept")
    return parser.parse_args(arguments)


@functools.cache
def workshop() -> Path:
    """Return this process's directory; it is gone with the process."""
    place = Path(tempfile.mkdtemp(prefix="chatd-faults-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    return place


@functools.cache
def servers(size: int) -> mongod.ReplicaSet:
    """Return this process's MongoDB, made when it is first needed."""
    found = mongod.ReplicaSet(workshop() / f"mongodb-{size}", size)
    atexit.register(found.kill)
    return found


def run(store: str, seed: int, keep: Path | None) -> Verdict:
    """Run a seed in this process."""
    slowness = workshop() / "slowness"
    os.environ.update(disks.preloading(slowness))
    place = workshop() / f"{store}-{seed}"
    ground = Ground(directory=place, kind=store, slowness=slowness)
    if store == "mongo":
        size = 3 if Random(seed).random() < OF_THREE else 1
        found = servers(size)
        url = mongod.named(found.url, f"chatd_{seed}_{time.monotonic_ns()}")
        kind = "mongo of three" if size == 3 else store
        ground = Ground(directory=place, kind=kind, slowness=slowness, store=url, servers=found)
    place.mkdir()
    verdict = asyncio.run(trial(ground, seed))
    if verdict.wrong and keep is not None:
        shutil.copytree(place, keep / place.name, dirs_exist_ok=True)
        (keep / place.name / "verdict").write_text(str(verdict))
    shutil.rmtree(place, ignore_errors=True)
    return verdict


def verdicts(options: argparse.Namespace) -> Iterator[Verdict]:
    """Yield what each seed has come to, as soon as it has."""
    stores = ["sqlite", "mongo"] if options.store == "both" else [options.store]
    numbers = range(options.first, options.first + options.seeds)
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        asked = [
            pool.submit(run, store, seed, options.keep)
            for seed in numbers
            for store in stores
            for _ in range(options.times)
        ]
        for each in as_completed(asked):
            yield each.result()


def stand_alone() -> None:
    """Begin again in a process that has mounts and processes of its own: none outlives it."""
    if ALONE in os.environ or shutil.which("unshare") is None:
        return
    options = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    options += [] if os.geteuid() == 0 else ["--map-root-user"]
    if subprocess.run(["unshare", *options, "true"], capture_output=True).returncode == 0:
        os.environ[ALONE] = "1"
        os.execvp("unshare", ["unshare", *options, sys.executable, __file__, *sys.argv[1:]])


def main() -> None:
    """Run the command: 0 when nothing was wrong."""
    options = parse(sys.argv[1:])
    stand_alone()
    for is_there, sentence in (
        (disks.can_mount(), disks.NO_MOUNT),
        (disks.shim() is not None, disks.NO_SHIM),
        (options.store == "sqlite" or mongod.find_mongod() is not None, mongod.NONE),
    ):
        if not is_there:
            print(sentence, file=sys.stderr, flush=True)
    if options.store != "sqlite" and mongod.find_mongod() is None:
        options.store = "sqlite" if options.store == "both" else sys.exit(1)
    count = bad = 0
    for verdict in verdicts(options):
        count, bad = count + 1, bad + bool(verdict.wrong)
        print(verdict, flush=True)
    print(f"{count} seeds, {bad} with violations", flush=True)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
