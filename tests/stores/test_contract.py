"""The contract for authors of stores, which chatd's own keep."""

from __future__ import annotations

import pytest

from chatd.store import Store
from chatd.stores import open_store
from chatd.testing import StoreContract


class TestStore(StoreContract):
    """A store of each kind."""

    @pytest.fixture(autouse=True)
    def _place(self, url: str) -> None:
        self.url = url

    def store(self) -> Store:
        """Return a new one."""
        return open_store(self.url)
