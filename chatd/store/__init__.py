"""The contract of a store: what chatd keeps, and what it relies on when it keeps it.

Every store runs the same test suite. What it must give:

* A write has reached the disk when its call returns (checkpoints and leases alone may be weaker).
  A call that raises StoreUnavailable may or may not have been carried out.
* Every read and write of a user's data takes the user's id and raises NotFound for another's; the
  few that do not are fenced by a generation's id instead and are called by `generations` only.
* No call needs a transaction over more than one row: each is one compare-and-set, or an ordered
  insert, or can be repeated. Two calls of one turn can have a crash between them; `generations`
  says how that is mended.
* `seq` and `revision` count from 1 within a session and are given in the order in which the
  messages become visible.
* Values come back as they were put in: times in whole milliseconds, text without NUL and
  surrogates, JSON objects with their keys in any order.
"""

from __future__ import annotations

import abc

from chatd.store.accounts import AccountStore
from chatd.store.catalog import CatalogStore
from chatd.store.data import DataStore
from chatd.store.generations import GenerationStore
from chatd.store.messages import MessageStore
from chatd.store.sessions import SessionStore
from chatd.store.transfer import TransferStore
from chatd.store.upkeep import UpkeepStore

__all__ = ["Store"]


class Store(
    AccountStore,
    SessionStore,
    MessageStore,
    GenerationStore,
    CatalogStore,
    DataStore,
    TransferStore,
    UpkeepStore,
):
    """Where chatd keeps everything. `epoch` names the data; a restored backup has a new one."""

    epoch: str

    @abc.abstractmethod
    async def open(self) -> None:
        """Connect, and make a store that is new.

        Raises StoreUnavailable, and ConfigError also for a store that must be migrated first.
        """

    @abc.abstractmethod
    async def aclose(self) -> None:
        """Finish what was begun, and disconnect."""

    @abc.abstractmethod
    async def ping(self) -> None:
        """Return when the store takes writes; raise StoreUnavailable when it does not."""
