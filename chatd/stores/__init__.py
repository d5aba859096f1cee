"""Where a store's URL leads: to an implementation, imported when it is asked for."""

from __future__ import annotations

from pathlib import Path

from chatd.errors import ConfigError
from chatd.store import Store

SQLITE = "sqlite:///"
MONGODB = ("mongodb://", "mongodb+srv://")


def sqlite_path(url: str) -> Path | None:
    """Return the file of a SQLite store, None for the URL of another."""
    if not url.startswith(SQLITE) or url == SQLITE:
        return None
    return Path(url.removeprefix(SQLITE)).expanduser().absolute()


def open_store(url: str) -> Store:
    """Return the store that a URL names, not yet opened. Raises ConfigError.

    `sqlite:///chat.db` is relative to the working directory, `sqlite:////srv/chat.db` is not.
    """
    if url.startswith(SQLITE) and url != SQLITE:
        from chatd.stores.sqlite.store import SqliteStore

        return SqliteStore(Path(url.removeprefix(SQLITE)))
    if url.startswith(MONGODB):
        try:
            from chatd.stores.mongo.store import MongoStore
        except ImportError as exc:
            raise ConfigError("MongoDB needs PyMongo: pip install 'pymongo>=4.15'.") from exc

        return MongoStore(url)
    scheme = url.partition(":")[0]  # what follows may hold a password
    raise ConfigError(
        "A store's URL is sqlite:///PATH or mongodb://HOST/NAME;"
        f" one that begins with {scheme!r} is not."
    )
