"""An open store of each kind, for the tests of the contract."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tornado.ioloop import IOLoop

from chatd.store import Store
from chatd.stores import open_store


@pytest.fixture
def store(url: str, io_loop: IOLoop) -> Iterator[Store]:
    """Give an open store."""
    store = open_store(url)
    io_loop.run_sync(store.open)
    yield store
    io_loop.run_sync(store.aclose)
