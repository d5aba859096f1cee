"""A server that a network can reach: only where somebody has a credential that they chose."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import QUICK, Script

import chatd
from chatd.accounts import create_token, ensure_user
from chatd.app import App
from chatd.config import load_config
from chatd.errors import ConfigError
from chatd.server import check_exposure


class Knows:
    """Knows callers by credentials of its own."""

    @chatd.hookimpl
    def authenticate(self) -> None:
        """Know nobody today."""


class SignsIn:
    """Signs in callers by credentials of its own."""

    @chatd.hookimpl
    def sign_in(self) -> None:
        """Sign in nobody today."""


def an_app(tmp_path: Path, *plugins: object) -> App:
    """Return a chatd that is to listen to every network."""
    environ = QUICK | {"CHATD_DATA_DIR": str(tmp_path), "CHATD_SERVER_HOST": "0.0.0.0"}
    return App(load_config(None, environ, {}), plugins=plugins)


@pytest.mark.parametrize("plugins", [(), (Script(),)])
async def test_nobody_has_a_credential(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plugins: tuple[object, ...]
) -> None:
    """Without a token it is refused; a plugin for something else does not count."""
    monkeypatch.delenv("CHATD_TOKEN", raising=False)
    async with an_app(tmp_path, *plugins) as app:
        with pytest.raises(ConfigError, match="before a token is set"):
            await check_exposure(app)
        await create_token(app.store, await ensure_user(app.store, "alice"))
        await check_exposure(app)


@pytest.mark.parametrize("plugin", [Knows(), SignsIn()])
async def test_a_plugin_knows_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plugin: object
) -> None:
    """A plugin that authenticates or signs in may know somebody who has no token of chatd's."""
    monkeypatch.delenv("CHATD_TOKEN", raising=False)
    async with an_app(tmp_path, plugin) as app:
        await check_exposure(app)
