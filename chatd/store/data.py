"""What plugins keep: small values under keys, and counts that many may add to at once."""

from __future__ import annotations

import abc
import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec

from chatd.errors import TooLarge
from chatd.types import Value

MOST_BYTES = 1024 * 1024  # of a value as JSON


class Datum(Value, frozen=True, kw_only=True):
    """What a plugin keeps under a key: JSON, or a whole number that is counted.

    `version` counts its changes, from 1. At `expires_at` it is as if it were not there.
    """

    key: str
    value: Any = None
    version: int = 1
    expires_at: dt.datetime | None = None


class DataStore(abc.ABC):
    """What plugins keep. Each has its own keys: the first argument is the plugin's name."""

    @abc.abstractmethod
    async def get_datum(self, plugin: str, key: str) -> Datum | None:
        """Return what is kept under a key."""

    @abc.abstractmethod
    async def list_data(
        self, plugin: str, *, prefix: str = "", after: str = "", limit: int = 100
    ) -> Sequence[Datum]:
        """Return what is kept under the keys that begin so, by key, behind the key `after`."""

    @abc.abstractmethod
    async def put_datum(
        self,
        plugin: str,
        key: str,
        value: Any,
        *,
        version: int | None = None,
        expires_at: dt.datetime | None = None,
    ) -> Datum:
        """Keep a value in place of what is there, and return it.

        With `version` only if that is the present one, 0 if there is none: raises
        PreconditionFailed otherwise. Raises TooLarge above 1 MiB of JSON.
        """

    @abc.abstractmethod
    async def delete_datum(self, plugin: str, key: str) -> bool:
        """Forget what is kept under a key; return whether there was something."""

    @abc.abstractmethod
    async def add_to_count(
        self,
        plugin: str,
        key: str,
        by: int = 1,
        *,
        most: int | None = None,
        expires_at: dt.datetime | None = None,
    ) -> int | None:
        """Add to a count, which begins with 0, and return what it is then.

        One step, however many add at the same time. With `most`, when it would be more than that,
        nothing is changed and None is returned. `expires_at` is for a count that begins. Raises
        Conflict when there is a value that is no count.
        """


def full_key(plugin: str, key: str) -> str:
    """Return the key by which a store knows what a plugin keeps."""
    if not plugin or "/" in plugin:
        raise ValueError(f"{plugin!r} is no name of a plugin")
    return f"{plugin}/{key}"


def split_key(full: str) -> tuple[str, str]:
    """Return the plugin and its key."""
    plugin, _, key = full.partition("/")
    return plugin, key


def written(value: Any) -> str:
    """Return a value as JSON. Raises TooLarge."""
    encoded = msgspec.json.encode(value)
    if len(encoded) > MOST_BYTES:
        raise TooLarge(f"What a plugin keeps under a key may have {MOST_BYTES} bytes.")
    return encoded.decode()


def is_gone(expires_at: dt.datetime | None, now: dt.datetime) -> bool:
    """Return whether the time of something has passed."""
    return expires_at is not None and expires_at <= now
