"""Stores for scenes: as many as a test has data directories."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import mongod
import pytest
from pymongo import MongoClient
from scene import NewStore


@pytest.fixture(params=["sqlite", "mongo"])
def kind(request: pytest.FixtureRequest) -> str:
    """Name each kind of store in turn."""
    name: str = request.param
    return name


@pytest.fixture
def new_store(kind: str, request: pytest.FixtureRequest) -> Iterator[NewStore]:
    """Give what returns the URL of a new store of a kind; empty means a file beside the rest."""
    if kind == "sqlite":
        yield lambda: ""
        return
    server: str = request.getfixturevalue("mongodb")
    names: list[str] = []

    def new() -> str:
        names.append(f"chatd_{uuid.uuid4().hex}")
        url = mongod.named(server, names[-1])
        # New databases beside each other keep one disk busy for longer than a call may take.
        return f"{url}{'&' if '?' in url else '?'}timeoutMS=30000&serverSelectionTimeoutMS=10000"

    yield new
    with MongoClient(server) as client:
        for name in names:
            client.drop_database(name)
