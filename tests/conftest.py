"""What all tests share: an event loop of their own each, and how coroutine tests run on it."""

from __future__ import annotations

import asyncio
import inspect
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import mongod
import nginx
import process
import pytest
from pymongo import MongoClient
from tornado.ioloop import IOLoop

# Of nobody, whose key is nowhere: no test trusts an authority of the system's. To read all of those
# takes 50 ms, for every client of httpx and twice in every server that imports aiohttp.
os.environ["SSL_CERT_FILE"] = str(Path(__file__).with_name("authority.pem"))

pytest_plugins = ["leaks"]
collect_ignore = ["outside_plugin"]  # a package with tests of its own: authors/test_outside_plugin

# What takes longest, longest first: begun early, none is what all others wait for in the end.
LONGEST = (
    "test_web.py",
    "test_schemathesis.py",
    "test_kills.py",
    "test_page_views.py",
    "test_transcripts.py",
    "test_litellm.py",
    "test_seeds.py",
    "test_machine.py",
    "test_benchmarks.py",
    "test_mongod.py",
    "test_failpoints.py",
)

MONGO = {"mongo": "pymongo", "motor": "motor"}  # kinds of stores, and their drivers
STORES = ["sqlite", *MONGO]


def pytest_report_header() -> list[str]:
    """Say which MongoDB and nginx are tested, or loudly that none is."""
    found = "a server" if mongod.server_url() else mongod.find_mongod()
    proxy = nginx.find_nginx()
    return [f"MongoDB: {found or mongod.NONE}", f"nginx: {proxy or nginx.NONE}"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run coroutine tests by pytest-tornado's gen_test, and the longest tests first."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))
    for item in items:
        function = getattr(item, "function", None)
        if inspect.iscoroutinefunction(function):
            item.add_marker(pytest.mark.gen_test)


@pytest.fixture
def io_loop() -> Iterator[IOLoop]:
    """A loop for one test; pytest-tornado's own fixture calls what Tornado has deprecated."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    io_loop = IOLoop.current()
    yield io_loop
    asyncio.set_event_loop(None)
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    io_loop.close(all_fds=False)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[process.Process]:
    """A chatd in a process of its own that has the echo model alone."""
    data_dir = tmp_path_factory.mktemp("server") / "data"
    plugins = "auth_token,provider_echo,presets_store"
    with process.running(data_dir, CHATD_PLUGINS_ENABLED=plugins) as server:
        yield server


@pytest.fixture(scope="session")
def mongodb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the URL of a MongoDB server, without a database."""
    if url := mongod.server_url():
        yield url
    elif mongod.find_mongod() is None:
        pytest.skip(mongod.NONE)
    else:
        with mongod.replica_set(tmp_path_factory.mktemp("mongodb")) as replica_set:
            yield replica_set.url


@pytest.fixture
def mongo_url(mongodb: str) -> Iterator[str]:
    """Give the URL of a database for one test."""
    name = f"chatd_{uuid.uuid4().hex}"
    yield mongod.named(mongodb, name)
    with MongoClient(mongodb) as client:
        client.drop_database(name)


@pytest.fixture(params=["sqlite", "mongo"])
def each_store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what `chatting` runs keep its data in each kind of store in turn."""
    if request.param == "mongo":
        monkeypatch.setenv("CHATD_TEST_STORE", request.getfixturevalue("mongo_url"))


@pytest.fixture(params=STORES)
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL of a new, empty store, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store/chat.db"
    monkeypatch.setenv("CHATD_MONGO_DRIVER", MONGO[request.param])
    found: str = request.getfixturevalue("mongo_url")
    return found
