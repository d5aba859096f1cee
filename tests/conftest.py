"""What all tests share: an event loop of their own each, and how coroutine tests run on it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator

import process
import pytest
from tornado.ioloop import IOLoop


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run coroutine tests by pytest-tornado's gen_test."""
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
