"""A chatd with plugins, on a free port, with a store of its own that nobody keeps."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from chatd import accounts
from chatd.app import App
from chatd.client import Client
from chatd.client.blocking import Blocking, Thread
from chatd.config import load_config
from chatd.server import listening

QUICK = {
    "CHATD_SERVER_PORT": "0",
    "CHATD_SERVER_SHUTDOWN_GRACE": "0",
    "CHATD_LIMITS_SENDS_PER_MINUTE": "0",
    "CHATD_LIMITS_GENERATIONS_PER_USER": "0",
    "CHATD_LIMITS_SOCKETS_PER_USER": "0",
}
ALWAYS = ("auth_token", "presets_store")


class Server:
    """A running chatd: its App, and where it listens."""

    def __init__(self, app: App, port: int, stack: contextlib.AsyncExitStack) -> None:
        self.app, self.url = app, f"http://127.0.0.1:{port}"
        self._stack = stack

    async def token(self, name: str = "alice", *, roles: Sequence[str] = ()) -> str:
        """Return a new token of a user, who is made if missing."""
        user = await accounts.ensure_user(self.app.store, name)
        if roles:
            await self.app.store.update_account(user.id, roles=tuple(roles))
        return await accounts.create_token(self.app.store, user)

    async def client(self, name: str = "alice", *, roles: Sequence[str] = ()) -> Client:
        """Return a client of a user, closed with the server."""
        client = Client(self.url, token=await self.token(name, roles=roles), trust_env=False)
        self._stack.push_async_callback(client.aclose)
        return client


@contextlib.asynccontextmanager
async def serving(
    data_dir: Path,
    *plugins: object,
    config: str = "",
    directory: Path | str | None = None,
    **settings: str,
) -> AsyncIterator[Server]:
    """Run a chatd in this process, with its data and its configuration file in `data_dir`.

    A plugin is a name, found in `directory` or as everywhere, or an object with hooks. `config` is
    TOML, with a table for a plugin that is named; `settings` are variables such as
    CHATD_LIMITS_MESSAGE_CHARS. Tokens are taken; rates are not limited.
    """
    file = _write(data_dir, config)
    names = [plugin for plugin in plugins if isinstance(plugin, str)]
    environ = QUICK | {
        "CHATD_DATA_DIR": str(data_dir),
        "CHATD_PLUGINS_ENABLED": ",".join([*names, *(n for n in ALWAYS if n not in names)]),
        "CHATD_PLUGINS_DIR": str(directory or ""),
    }
    objects = [plugin for plugin in plugins if not isinstance(plugin, str)]
    app = App(load_config(file, environ | settings, {}), plugins=objects)
    async with app, listening(app) as port, contextlib.AsyncExitStack() as stack:
        await app.models.sync()
        yield Server(app, port, stack)


def _write(data_dir: Path, config: str) -> Path:
    data_dir.mkdir(parents=True, exist_ok=True)
    file = data_dir / "chatd.toml"
    file.write_text(config, encoding="utf-8")
    return file


class BlockingServer:
    """The same for tests without an event loop, to be entered by `with`."""

    app: App
    url: str

    def __init__(self, data_dir: Path, *plugins: object, **options: Any) -> None:
        """Take what `serving` takes."""
        self._serving = serving(data_dir, *plugins, **options)
        self._stack = contextlib.AsyncExitStack()
        self._thread = Thread()

    def __enter__(self) -> Self:
        try:
            self._server: Server = self._thread.run(
                lambda: self._stack.enter_async_context(self._serving)
            )
        except BaseException:
            self._thread.close()
            raise
        self.app, self.url = self._server.app, self._server.url
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._thread.run(self._stack.aclose)
        finally:
            self._thread.close()

    def token(self, name: str = "alice", *, roles: Sequence[str] = ()) -> str:
        """Return a new token of a user, who is made if missing."""
        token: str = self._thread.run(lambda: self._server.token(name, roles=roles))
        return token

    def client(self, name: str = "alice", *, roles: Sequence[str] = ()) -> Any:
        """Return a chatd.client.Client of a user whose calls are waited for."""
        client = self._thread.run(lambda: self._server.client(name, roles=roles))
        return Blocking(client, self._thread)
