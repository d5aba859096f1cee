"""The stores that every test of the contract runs on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tornado.ioloop import IOLoop

from chatd.store import Store
from chatd.stores import open_store

STORES = ["sqlite"]


@pytest.fixture(params=STORES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a new, empty store."""
    return {"sqlite": f"sqlite:///{tmp_path}/store/chat.db"}[request.param]


@pytest.fixture
def store(url: str, io_loop: IOLoop) -> Iterator[Store]:
    """Give an open store."""
    store = open_store(url)
    io_loop.run_sync(store.open)
    yield store
    io_loop.run_sync(store.aclose)
