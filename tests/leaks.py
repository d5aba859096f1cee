"""What a test leaves open is reported with that test, and not with a later one.

A socket or a task that nobody closed warns when the garbage collector finds it. Left to itself that
is in another test, minutes later in another file; so it is made to look at the end of each test.
"""

from __future__ import annotations

import functools
import gc
import socket
import sys
from collections.abc import Callable, Iterator

import pytest

# What PyMongo sets, and neither asyncio nor any other library that the tests use: seconds.
_IDLE_OF_PYMONGO = 120


def pytest_collection_finish() -> None:
    """Take what has been imported out of what the collector looks at: it stays to the end."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)  # behind pytest's own, which puts a hook in this place
def pytest_configure(config: pytest.Config) -> None:
    """Leave out what PyMongo leaves open."""
    report = sys.unraisablehook
    sys.unraisablehook = functools.partial(_report, report)
    config.add_cleanup(lambda: setattr(sys, "unraisablehook", report))


def _report(
    report: Callable[[sys.UnraisableHookArgs], object], args: sys.UnraisableHookArgs
) -> None:
    is_left_open = isinstance(args.exc_value, ResourceWarning)
    if not (is_left_open and isinstance(args.object, socket.socket) and is_pymongos(args.object)):
        report(args)


def is_pymongos(left: socket.socket) -> bool:
    """Tell whether it was PyMongo that made a socket.

    Its AsyncMongoClient closes no socket whose connect is cancelled, be it with an operation or,
    when the client closes, with its monitors (PYTHON-5867; 4.20 still has it). Nobody but the
    collector can close it then; which it does, so that nothing is lost.
    """
    idle = getattr(socket, "TCP_KEEPIDLE", None) or getattr(socket, "TCP_KEEPALIVE", None)
    if idle is None or left.family == socket.AF_UNIX:
        return False
    return left.getsockopt(socket.IPPROTO_TCP, idle) == _IDLE_OF_PYMONGO


@pytest.fixture(autouse=True, scope="module")
def leaks_of_a_module() -> Iterator[None]:
    """Have what the fixtures of a module leave open reported with its last test.

    What it has left in caches, the documents of the contract above all, stays to the end: the
    collector need not look at it after each of three thousand tests.
    """
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def leaks(leaks_of_a_module: None) -> Iterator[None]:
    """Have what a test leaves open reported with that test: all its other fixtures have ended."""
    yield
    gc.collect()
