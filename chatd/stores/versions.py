"""Which versions of a store there are, and who can use which."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from chatd.errors import ConfigError
from chatd.store.upkeep import Step

LOCKED_FOR = 3.0  # seconds by the store's clock; who works renews the lock long before

Batch = TypeVar("Batch", bound=Callable[..., object])


class Migration(NamedTuple, Generic[Batch]):
    """The way to a version.

    `batch` does a bounded part of the work and returns (done, total) of it; it is called until both
    are the same. What it has done may be done again. `compatible_from` is the oldest version whose
    code can use the store afterwards: servers of both run side by side during an upgrade.
    """

    version: int
    sentence: str
    batch: Batch
    compatible_from: int

    @property
    def step(self) -> Step:
        """What others know of it."""
        return Step(self.version, self.sentence)


def lacking(
    migrations: Sequence[Migration[Batch]], version: int, compatible_from: int
) -> list[Migration[Batch]]:
    """Return the migrations that a store of this version lacks, in order.

    Raises ConfigError for a newer store than this chatd can use.
    """
    newest = migrations[-1].version
    if compatible_from > newest:
        raise ConfigError(
            f"A newer chatd has brought the store to schema version {version}, which needs at least"
            f" version {compatible_from} of the code; this one has {newest}. Use the newer chatd."
        )
    return [migration for migration in migrations if migration.version > version]


def refuse_old(migrations: Sequence[Migration[Batch]], version: int) -> None:
    """Raise ConfigError for a store that must be migrated before it is used."""
    newest = migrations[-1].version
    if version < newest:
        raise ConfigError(
            f"The store has schema version {version}, this chatd needs {newest}:"
            " run `chatd migrate`, or start the server, which does it too."
        )
