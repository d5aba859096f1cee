"""What the log says while a store is migrated."""

from __future__ import annotations

import logging
import time

from chatd.store.upkeep import Progress

logger = logging.getLogger(__name__)

EVERY = 5.0  # seconds between lines that only say how far it is


class MigrationLog:
    """Writes a line when a migration begins, when it ends, and now and then between."""

    def __init__(self) -> None:
        self._version = 0
        self._said_at = 0.0

    def __call__(self, progress: Progress) -> None:
        step, done, total = progress.step, progress.done, progress.total
        if progress.is_waiting:
            logger.info("waiting for another process that migrates the store")
            return
        if step.version != self._version:
            self._version, self._said_at = step.version, time.monotonic()
            logger.info("migrating the store to version %d: %s", step.version, step.sentence)
        if done == total:
            logger.info("migrated the store to version %d", step.version)
        elif time.monotonic() - self._said_at >= EVERY:
            self._said_at = time.monotonic()
            logger.info("migrating the store: %d of %d", done, total)
