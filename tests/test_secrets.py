"""Secrets in the configuration: taken from elsewhere, and never shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from configured import refused, write

from chatd.config import load_config
from chatd.secrets import redact


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs in an empty directory: no conf/chatd.toml is found by chance."""
    monkeypatch.chdir(tmp_path)


PLUGIN = """
[plugins.provider_openai]
url = "https://me:hunter2@llm.example/v1?api_key=hunter3"
plain = { env = "INNOCENT" }
[[plugins.provider_openai.servers]]
api_key = { file = "key.txt" }
headers = { X-Auth = "hunter4" }
max_tokens = 5
"""


def test_plugin_tables() -> None:
    """A plugin's table comes whole, with its references to environment and files replaced."""
    write("hunter5\n", "conf/key.txt")

    config = load_config(write(PLUGIN, "conf/chatd.toml"), {"INNOCENT": "hunter6"}, {})

    table = config.plugin_tables["provider_openai"]
    assert table["plain"] == "hunter6"
    assert table["servers"][0]["api_key"] == "hunter5"
    assert config.plugin_tables["auth_token"] == {}


def test_a_secret_can_be_a_setting() -> None:
    """References work in chatd's own sections too."""
    path = write("[store]\nurl = { env = 'WHERE' }\n")

    config = load_config(path, {"WHERE": "sqlite:///secret.db"}, {})

    assert config.store.url == "sqlite:///secret.db"
    assert "secret.db" not in repr(config)


def test_a_missing_secret() -> None:
    """A reference that leads nowhere is named with key, file and variable or path."""
    message = refused(PLUGIN)

    assert "[plugins.provider_openai] plain in chatd.toml: " in message
    assert "the environment variable INNOCENT is not set" in message
    assert "[plugins.provider_openai] servers[0].api_key in chatd.toml: " in message
    assert "key.txt cannot be read (No such file or directory)" in message


def test_the_table_of_a_disabled_plugin_is_not_read() -> None:
    """Disabling a plugin is one line: its table and the secrets in it may stay."""
    path = write(PLUGIN)

    config = load_config(path, {"CHATD_PLUGINS_ENABLED": "auth_token"}, {})

    assert dict(config.plugin_tables) == {"auth_token": {}}


def test_what_was_made_of_a_secret() -> None:
    """A secret is hidden as a part of a text, and as another value; and so is a header."""
    text = """
    [plugins.mine]
    words = ["as is", { env = "LONG" }]
    [plugins.mine.headers]
    X-Tenant = "of ours"
    """
    config = load_config(write(text), {"LONG": "hunter-11", "CHATD_PLUGINS_ENABLED": "mine"}, {})
    loaded = {
        "words": ["as is", "Bearer hunter-11"],
        "number": 1234567,
        "pattern": re.compile("a|hunter-11"),
        "short": re.compile("^4711$"),
        "path": Path("/etc/hunter-11/x"),
        "set": {"hunter-11"},
        5: {"keys": 6},
        "bytes": b"hunter-11",
        "plain": [True, None, 5, "5"],
        "headers": {"X-Tenant": "of ours"},
    }

    assert "hunter" not in repr(config) and "of ours" not in repr(config)
    assert redact(loaded, config.secrets | {"1234567", "4711"}) == {
        "words": ["as is", "Bearer ***"],
        "number": "***",
        "pattern": "***",
        "short": "***",
        "path": "***",
        "set": "***",
        5: {"keys": 6},
        "bytes": "***",
        "plain": [True, None, 5, "5"],
        "headers": {"X-Tenant": "***"},
    }


def test_nothing_printed_shows_a_secret() -> None:
    """Neither repr nor an error shows a password, a key or what a reference put there."""
    write("hunter5\n", "conf/key.txt")
    config = load_config(write(PLUGIN, "conf/chatd.toml"), {"INNOCENT": "hunter6"}, {})
    message = refused(
        "", LLM_SERVER_URL="ftp://me:hunter7@x", DB_HOST="d", DB_USER="u", DB_PASSWORD="hunter8"
    )

    assert "hunter" not in repr(config)
    assert "hunter" not in message
    assert "max_tokens': 5" in repr(config)
