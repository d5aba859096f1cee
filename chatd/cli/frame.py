"""What all commands share: their options, the store they open, how they print and fail."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from chatd.errors import ChatdError, StoreUnavailable
from chatd.secrets import redact

if TYPE_CHECKING:
    from chatd.app import App
    from chatd.config import Config
    from chatd.plugins import Plugins
    from chatd.store import Store

Command = TypeVar("Command", bound=Callable[..., Any])


class Commands(click.Group):
    """A group whose failures are one sentence and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ChatdError as exc:
            raise click.ClickException(exc.message) from exc
        except BrokenPipeError:
            raise  # click ends quietly when the reader of a pipe is gone
        except OSError as exc:
            sentence = f"{exc.filename}: {exc.strerror}." if exc.filename else str(exc)
            raise click.ClickException(sentence) from exc


def everywhere(command: Command) -> Command:
    """Give a command the options that all have, before or after its name."""
    for name, description in (
        ("--config", "The configuration file; conf/chatd.toml if it exists."),
        ("--data-dir", "The directory of the database."),
    ):
        path = click.Path(path_type=Path)
        command = click.option(
            name, type=path, help=description, expose_value=False, callback=_remember
        )(command)
    return command


def _remember(ctx: click.Context, parameter: click.Parameter, value: Path | None) -> None:
    if value is not None:
        ctx.find_root().ensure_object(dict)[parameter.name] = value


def load(**overrides: Any) -> Config:
    """Return the configuration with what the command line says."""
    from chatd.config import load_config

    common = click.get_current_context().find_root().ensure_object(dict)
    overrides["data.dir"] = common.get("data_dir")
    return load_config(common.get("config"), os.environ, overrides)


@contextlib.asynccontextmanager
async def opened(url: str) -> AsyncIterator[Store]:
    """Open a store beside a server that may be running."""
    from chatd.stores import open_store

    store = open_store(url)
    with naming(url):
        await store.open()
    try:
        yield store
    finally:
        await store.aclose()


def load_plugins(config: Config) -> Plugins:
    """Return the plugins of the configuration, checked."""
    from chatd.plugins import Plugins

    enabled = config.plugins
    return Plugins(
        enabled.enabled, directory=enabled.dir, tables=config.plugin_tables, file=config.file
    )


def with_app(work: Callable[[App], Coroutine[Any, Any, None]]) -> None:
    """Run an async function with the App of the configuration, for a command of a plugin.

    Its store, its models and its plugins are open, also beside a server that runs; nothing else is
    there, and no `startup` has been called.
    """
    import asyncio

    from chatd.app import App

    config = load()
    existing(config)
    quiet()

    async def run() -> None:
        app = App(config)
        async with opened(config.store.url) as store, app.beside(store):
            await work(app)

    asyncio.run(run())


@contextlib.contextmanager
def naming(url: str) -> Iterator[None]:
    """Say which store it is that cannot be reached, without its password."""
    try:
        yield
    except StoreUnavailable as exc:
        if exc.message != StoreUnavailable().message:
            raise
        raise StoreUnavailable(f"The database {redact(url)} cannot be reached.") from exc


def place(config: Config) -> str:
    """Return where the data is, without a password."""
    url: str = config.redacted()["store"]["url"]
    return url.removeprefix("sqlite:///")


def existing(config: Config) -> Path | None:
    """Return the file of the database, None if it is no file. Fails when there is none yet."""
    from chatd.stores import sqlite_path

    path = sqlite_path(config.store.url)
    if path is not None and not path.is_file():
        raise click.ClickException(
            f"There is no database {path} yet."
            " Name its directory with --data-dir or CHATD_DATA_DIR."
        )
    return path


def with_store(
    work: Callable[[Store], Coroutine[Any, Any, None]], *, may_create: bool = False
) -> None:
    """Run `work` with the store of the configuration."""
    import asyncio

    config = load()
    if not may_create:
        existing(config)

    async def run() -> None:
        async with opened(config.store.url) as store:
            await work(store)

    asyncio.run(run())


@contextlib.contextmanager
def unserved(directories: set[Path]) -> Iterator[None]:
    """Keep servers from these directories while the block runs."""
    from chatd.node import Node

    with contextlib.ExitStack() as stack:
        for directory in sorted(directories):
            node = Node(directory)
            node.open()
            stack.callback(node.close)
        yield


def json_option(command: Command) -> Command:
    """Give a command the option --json."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def print_json(value: Any) -> None:
    """Print a value as JSON, for programs and for people."""
    import msgspec

    text = msgspec.json.encode(value, enc_hook=str)
    click.echo(msgspec.json.format(text, indent=2).decode())


def quiet() -> None:
    """Print no warnings of the log: the command says itself what went wrong."""
    import logging

    logger = logging.getLogger("chatd")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())


def table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    """Print rows in aligned columns."""
    lines = [heads, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
