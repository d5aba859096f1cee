"""The server process: logging, signals, listening, stopping."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import logging
import os
import shlex
import signal
import socket
import sys
from collections.abc import AsyncIterator

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from chatd import accounts, loglines
from chatd.app import App
from chatd.config import Config
from chatd.errors import ConfigError
from chatd.handlers.keeper import Keeper
from chatd.web import make_application

logger = logging.getLogger(__name__)

# Tornado's own refusal of a large body is a bare 400: handlers count, and answer with JSON.
NO_BODY_LIMIT = 2**62
HEADER_TIMEOUT = 75.0
BODY_TIMEOUT = 300.0
SWITCH_INTERVAL = 0.0005  # seconds; the writer thread of SQLite gets its turn sooner
COLLECT_AFTER = 10_000  # new objects; with the default of 700 collecting took 3 % of a turn


def run(config: Config) -> None:
    """Serve until SIGINT or SIGTERM. Raises ConfigError when it cannot start."""
    loglines.configure(config.server.log_level, config.log.format)
    sys.setswitchinterval(SWITCH_INTERVAL)
    asyncio.run(serve(config))


async def serve(config: Config, *, stop: asyncio.Event | None = None) -> None:
    """Open the App, listen, and stop in order when the event is set or a signal comes."""
    stop, hurry = stop or asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    # Whoever presses Ctrl-C again does not want to wait for replies.
    loop.add_signal_handler(signal.SIGINT, lambda: (hurry if stop.is_set() else stop).set())
    async with App(config) as app:
        await check_exposure(app)
        async with listening(app, hurry) as port:
            await _say_where(app, port)
            gc.collect()
            gc.freeze()
            gc.set_threshold(COLLECT_AFTER)
            await stop.wait()


@contextlib.asynccontextmanager
async def listening(app: App, hurry: asyncio.Event | None = None) -> AsyncIterator[int]:
    """Serve an open App on the port that is yielded; leaving stops in order, as on SIGTERM.

    When `hurry` is set, running replies get no more time to end.
    """
    limits = app.config.limits
    keeper = Keeper(
        most=limits.sockets,
        most_per_user=limits.sockets_per_user,
        metrics=app.metrics,
        observations=app.observations,
    )
    server = HTTPServer(
        make_application(app, keeper),
        max_body_size=NO_BODY_LIMIT,
        idle_connection_timeout=HEADER_TIMEOUT,
        body_timeout=BODY_TIMEOUT,
    )
    sockets = _bind(app.config)
    server.add_sockets(sockets)
    keeper.open()
    # Not before: the libraries that it loads would keep the first clients waiting.
    app.models.open(app.config.models.sync_interval)
    try:
        yield sockets[0].getsockname()[1]
    finally:
        await _stop(app, server, keeper, hurry or asyncio.Event())


def _bind(config: Config) -> list[socket.socket]:
    host, port = config.server.host, config.server.port
    try:
        if port == 0:
            # One free port for all families: bind_sockets would give each its own.
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            return bind_sockets(0, host, family=family, backlog=4096)
        return bind_sockets(port, host, backlog=4096, reuse_port=False)
    except OSError as exc:
        raise ConfigError(
            f"Port {port} of {host} cannot be listened on: {os.strerror(exc.errno or 0)}."
            " Choose another with --port."
        ) from exc


async def check_exposure(app: App) -> None:
    """Refuse to listen to a network when nobody could have a credential that they chose."""
    host, config = app.config.server.host, app.config
    try:
        await asyncio.get_running_loop().getaddrinfo(host or None, 0)
    except OSError as exc:
        raise ConfigError(
            f"There is no host {host} to listen on; choose another with --host."
        ) from exc
    token = os.environ.get("CHATD_TOKEN")
    had_token = await accounts.has_token(app.store)
    await accounts.ensure_owner(app.store, token)
    if not (token or had_token or _is_loopback(host) or _has_others(app)):
        command = ["chatd", "tokens", "create", "NAME", "--data-dir", str(config.data_dir)]
        command += ["--config", str(config.file)] if config.file else []
        raise ConfigError(
            f"chatd will not listen on {host} before a token is set: run `{shlex.join(command)}`,"
            " or set CHATD_TOKEN."
        )


def _has_others(app: App) -> bool:
    """Return whether a plugin knows callers by other credentials than tokens of chatd's."""
    return any(
        plugin != "auth_token" and {"authenticate", "sign_in"} & {*app.plugins.hooks(plugin)}
        for plugin in app.plugins.found
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _say_where(app: App, port: int) -> None:
    """Print the one line that an operator needs: a URL that signs the owner in, once."""
    owner = await accounts.ensure_owner(app.store, None)
    lifetime = app.config.tokens.sign_in_ticket
    ticket, _ = await accounts.create_ticket(app.store, owner, "sign_in_ticket", lifetime)
    host = app.config.server.host
    if _is_loopback(host) or host in ("0.0.0.0", "::", ""):
        host = "localhost"
    print(f"http://{host}:{port}/?ticket={ticket}", flush=True)
    logger.info("listening on %s port %d", app.config.server.host, port)


async def _stop(app: App, server: HTTPServer, keeper: Keeper, hurry: asyncio.Event) -> None:
    """Refuse new turns, let running ones end, then stop listening and close the sockets.

    Until then others can read, stop their turns, and learn from /readyz that we stop.
    """
    app.close_turns()
    await _let_end(app, hurry)
    server.stop()
    await keeper.aclose(1012, "server stopping")
    await server.close_all_connections()
    logger.info("stopped")


async def _let_end(app: App, hurry: asyncio.Event) -> None:
    """Give running generations their grace, unless somebody hurries, and interrupt the rest."""
    grace, running = app.config.server.shutdown_grace, app.generations.running()
    if running:
        logger.info("stopping: waiting up to %g s for replies: %d", grace, running)
        logger.info("Ctrl-C ends them at once")
    else:
        logger.info("stopping")
    ending = asyncio.create_task(app.generations.aclose(grace))
    hurrying = asyncio.create_task(hurry.wait())
    await asyncio.wait({ending, hurrying}, return_when=asyncio.FIRST_COMPLETED)
    hurrying.cancel()
    if not ending.done():
        await app.generations.aclose()
    await ending
