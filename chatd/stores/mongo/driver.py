"""PyMongo's asynchronous client or Motor, and all that differs between them.

Motor is a shell around PyMongo's synchronous client: the calls, the options and the errors are the
same. Code outside this file does not know which of the two it has.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    DuplicateKeyError,
    ExecutionTimeout,
    InvalidName,
    InvalidOperation,
    InvalidURI,
    OperationFailure,
    PyMongoError,
    WriteConcernError,
)

from chatd.errors import ConfigError, Conflict, StoreUnavailable

if TYPE_CHECKING:
    from pymongo import AsyncMongoClient
    from pymongo.asynchronous.collection import AsyncCollection

Document = dict[str, Any]

VARIABLE = "CHATD_MONGO_DRIVER"

# What a URL may set otherwise, in milliseconds: the whole of a call, retries and the wait for a
# majority included; and its part for a primary to be found, which a step-down needs.
_DEFAULTS = {"timeoutMS": 5000, "serverSelectionTimeoutMS": 4000, "connectTimeoutMS": 2000}
# What a URL must not weaken: these are the promises of the contract.
_FIXED: dict[str, Any] = {
    "w": "majority",
    "journal": True,
    "readConcernLevel": "majority",
    "readPreference": "primary",
    "tz_aware": True,
    "appname": "chatd",
}
# Codes of a server that is not what it has to be just now, or that refuses us; every other failure
# of an operation is a bug of ours.
_AWAY = frozenset(
    [
        *(6, 7, 13, 18, 50, 64, 89, 91, 100, 112, 133, 134, 189, 262, 9001, 10107),
        *(11600, 11601, 11602, 13435, 13436, 14031),
    ]
)
_REFUSED = (13, 18)  # Unauthorized, AuthenticationFailed


def connect(url: str) -> AsyncMongoClient[Document]:
    """Return a client that connects when it is first used. Raises ConfigError."""
    given = {name.lower() for name, _ in parse_qsl(url.partition("?")[2])}
    options = {name: n for name, n in _DEFAULTS.items() if name.lower() not in given} | _FIXED
    try:
        client: AsyncMongoClient[Document] = _client_class()(url, **options)
    except (ConfigurationError, InvalidName, InvalidURI, ValueError) as exc:
        # The driver's sentence may quote the URL, and that a password.
        raise ConfigError(f"The MongoDB URL cannot be used ({type(exc).__name__}).") from None
    return client


def _client_class() -> Any:
    name = os.environ.get(VARIABLE) or "pymongo"
    if name == "pymongo":
        from pymongo import AsyncMongoClient

        return AsyncMongoClient
    if name == "motor":
        try:
            from motor.motor_asyncio import AsyncIOMotorClient
        except ImportError as exc:
            raise ConfigError(
                f"{VARIABLE}=motor, but Motor is missing: pip install 'chatd[motor]'."
            ) from exc
        return AsyncIOMotorClient
    raise ConfigError(f"{VARIABLE} is {name!r}; expected pymongo or motor.")


async def close(client: AsyncMongoClient[Document]) -> None:
    """Close a client."""
    closing: Any = client.close()  # Motor's is no coroutine
    if inspect.isawaitable(closing):
        await closing


async def aggregate(
    collection: AsyncCollection[Document], pipeline: Sequence[Mapping[str, Any]]
) -> list[Document]:
    """Return what a pipeline gives."""
    cursor: Any = collection.aggregate(pipeline)
    if inspect.iscoroutine(cursor):  # Motor gives the cursor itself
        cursor = await cursor
    found: list[Document] = await cursor.to_list(None)
    return found


def translate(exc: PyMongoError) -> Exception:
    """Return the error that callers of a store know for one of the driver's."""
    match exc:
        case DuplicateKeyError():
            return Conflict("This is already stored.")
        case ConnectionFailure() | ExecutionTimeout() | WriteConcernError():
            return StoreUnavailable()
        case InvalidOperation():
            return StoreUnavailable("The store is closed.")
        case OperationFailure() if _codes(exc) & _AWAY or exc.has_error_label(
            "RetryableWriteError"
        ):
            return StoreUnavailable()
    return exc


def is_open(exc: Exception) -> bool:
    """Return whether a failure of several writes leaves open which of them were carried out."""
    if isinstance(exc, BulkWriteError) and exc.details.get("writeConcernErrors"):
        return True
    return isinstance(exc, PyMongoError) and isinstance(translate(exc), StoreUnavailable)


def translate_at_start(exc: PyMongoError) -> Exception:
    """Return the error that says why a server cannot be used."""
    if isinstance(exc, OperationFailure) and exc.code in _REFUSED:
        return ConfigError("The MongoDB server refuses the user and password it was given.")
    if isinstance(exc, ConfigurationError):
        return ConfigError(f"The MongoDB URL cannot be used ({type(exc).__name__}).")
    return translate(exc)


def _codes(exc: OperationFailure) -> set[Any]:
    codes = {exc.code}
    if isinstance(exc, BulkWriteError):
        for kind in ("writeErrors", "writeConcernErrors"):
            codes |= {error.get("code") for error in exc.details.get(kind, ())}
        if exc.details.get("writeConcernErrors"):
            codes.add(64)  # whatever its code: nobody knows whether a majority has it
    return codes


def broken_index(exc: OperationFailure) -> set[str]:
    """Return the fields of the unique index that a write ran against, none for another failure."""
    details = exc.details or {}
    errors = [*details.get("writeErrors", ()), details]
    for error in errors:
        if error.get("code") == 11000:
            return set(error.get("keyPattern") or ())
    return set()
