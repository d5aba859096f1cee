"""What the client's tests share: a server that is slow enough to be cut off in the middle."""

from __future__ import annotations

from collections.abc import Iterator

import process
import pytest


@pytest.fixture(scope="module")
def slow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[process.Process]:
    """A chatd in a process of its own with the echo model, 4 ms from word to word."""
    data_dir = tmp_path_factory.mktemp("slow") / "data"
    config = data_dir.parent / "chatd.toml"
    config.write_text("[plugins.provider_echo]\ndelay = 0.004\n")
    plugins = "auth_token,provider_echo,presets_store"
    with process.running(
        data_dir, "--config", str(config), CHATD_PLUGINS_ENABLED=plugins
    ) as server:
        yield server
