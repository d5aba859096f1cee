"""What the tests of the configuration share: writing files, and reading refusals."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatd.config import load_config
from chatd.errors import ConfigError


def write(text: str, name: str = "chatd.toml") -> Path:
    """Write a configuration file into the test's directory."""
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def refused(text: str = "", **environ: str) -> str:
    """Return the sentence with which a configuration is refused."""
    with pytest.raises(ConfigError) as caught:
        load_config(write(text), environ, {})
    return caught.value.message
