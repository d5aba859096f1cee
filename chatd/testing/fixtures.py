"""What pytest finds when chatd is installed. It is imported in every run, so it imports nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from chatd.testing.server import BlockingServer


@pytest.fixture
def serve_chatd(tmp_path: Path) -> Iterator[Callable[..., BlockingServer]]:
    """Give a function that runs a chatd with plugins, as chatd.testing.serving, until the end."""
    from chatd.testing.server import BlockingServer

    with contextlib.ExitStack() as stack:
        number = 0

        def serve(*plugins: object, **options: Any) -> BlockingServer:
            nonlocal number
            number += 1
            directory = tmp_path / f"chatd-{number}"
            return stack.enter_context(BlockingServer(directory, *plugins, **options))

        yield serve
