"""The App: builds, owns, opens and closes everything below it, and does nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, Self

from chatd import __version__
from chatd.broker import Broker, MemoryBroker
from chatd.catalog import Models, Presets
from chatd.config import Config
from chatd.errors import ConfigError, Unauthenticated
from chatd.generations import Generations
from chatd.histories import Histories
from chatd.hub import Hub
from chatd.limits import TurnLimits
from chatd.metrics import Metrics
from chatd.metrics.lag import LagWatch
from chatd.node import Node
from chatd.observations import Observations
from chatd.observer import Observer
from chatd.plugins import Plugins
from chatd.preset import PresetSource
from chatd.prompts import Prompts
from chatd.provider import Provider
from chatd.questions import Questions
from chatd.schemas import Shapes
from chatd.sessions import Sessions
from chatd.signed_in import SignedIn
from chatd.store import Store
from chatd.stores import open_store
from chatd.stores.metered import metered, traced
from chatd.stores.progress import MigrationLog
from chatd.traces import Traces, new_traces
from chatd.turns import Admission, Turns
from chatd.types import Request, User

logger = logging.getLogger(__name__)


class App:
    """One chatd. Building it does no I/O; entering it opens everything, leaving closes it.

    `plugins` are objects with hooks, asked before those that the configuration names.
    """

    store: Store
    traces: Traces | None
    broker: Broker
    generations: Generations
    models: Models
    presets: Presets
    prompts: Prompts
    questions: Questions
    sessions: Sessions
    turns: Turns
    observations: Observations
    routes: Sequence[tuple[str, tuple[Any, ...]]]  # of plugins: who, and (pattern, handler)

    def __init__(self, config: Config | None = None, *, plugins: Iterable[object] = ()) -> None:
        self.config = config or Config()
        self.node = Node(self.config.data_dir)
        self.hub = Hub()
        self.metrics = Metrics(__version__) if self.config.metrics.enabled else None
        self.shapes = Shapes(
            self.config.limits,
            self.config.models.option_keys,
            refused=self.metrics.refused.add if self.metrics is not None else None,
        )
        self.is_closing = False
        self._given = tuple(plugins)
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            await self._open(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()

    async def _open(self, stack: contextlib.AsyncExitStack) -> None:
        """Open from the bottom up; closing is the same list backwards."""
        config = self.config
        self.node.open()
        stack.callback(self.node.close)
        self.plugins = self._load_plugins()
        for warning in config.warnings:
            logger.warning("%s", warning)
        if not self.plugins.has("authenticate"):
            logger.warning(
                "nobody can sign in: no plugin authenticates; add auth_token to [plugins] enabled"
            )
        self.store = open_store(config.store.url)
        await self.store.migrate(MigrationLog())
        await self.store.open()
        stack.push_async_callback(self.store.aclose)
        if await self.store.get_copy_mark() is not None:
            raise ConfigError(
                "The store is an unfinished copy: call the same chatd store copy again, which goes"
                " on with it."
            )
        await self.store.tend()
        self.traces = new_traces(os.environ, __version__)
        if self.traces is not None:
            stack.push_async_callback(self.traces.aclose)
            self.store = traced(self.store, self.traces.part)
        if self.metrics is not None:
            self._open_metrics(self.metrics, stack)
        self.broker = MemoryBroker(self.hub)
        stack.push_async_callback(self.broker.aclose)
        providers = await self._open_providers(stack)
        self.presets = Presets(await self._open_sources(stack))
        self.routes = await self.plugins.collect("register_routes", tuple, app=self)
        # Told of the last turns before the plugins shut down.
        stack.push_async_callback(self.plugins.stop, self)
        self.observations = Observations(
            self.plugins, self.metrics.observe_dropped.add if self.metrics is not None else None
        )
        stack.push_async_callback(self.observations.aclose)
        self._make_turns(providers)
        await self.plugins.start(self)
        self.observations.open(self)
        await self.generations.open()
        stack.push_async_callback(self._drain)
        stack.push_async_callback(self.models.aclose)

    def _open_metrics(self, metrics: Metrics, stack: contextlib.AsyncExitStack) -> None:
        """Have the parts report; without metrics none of them is wrapped."""
        self.store = metered(self.store, metrics.store_called)
        self.plugins.report_to(metrics.hook_called)
        metrics.is_known_model = lambda model: self.models.knows(model)
        metrics.running.read = lambda: {(): self.generations.running()}
        lag = LagWatch(metrics.lag)
        lag.open()
        stack.callback(lag.close)

    def _load_plugins(self) -> Plugins:
        settings = self.config.plugins
        return Plugins(
            settings.enabled,
            objects=self._given,
            directory=settings.dir,
            tables=self.config.plugin_tables,
            file=self.config.file,
        )

    async def _open_providers(self, stack: contextlib.AsyncExitStack) -> list[Provider]:
        given = await self.plugins.collect("register_providers", Provider, app=self)
        providers = [provider for _, provider in given]
        for provider in providers:
            stack.push_async_callback(provider.aclose)
            if self.metrics is not None:
                provider.report_to(self.metrics.provider_called)
        self._check_names("provider", given)
        return providers

    async def _open_sources(self, stack: contextlib.AsyncExitStack) -> list[PresetSource]:
        given = await self.plugins.collect("register_preset_sources", PresetSource, app=self)
        sources = [source for _, source in given]
        for source in sources:
            stack.push_async_callback(source.aclose)
        self._check_names("preset source", given)
        return sources

    def _check_names(self, what: str, given: Sequence[tuple[str, Any]]) -> None:
        plugins: dict[str, str] = {}  # by the name that they registered
        for plugin, item in given:
            name = getattr(item, "name", None)
            if not isinstance(name, str) or not name:
                raise ConfigError(
                    f"Plugin {self.plugins.place(plugin)} registers a {what} without a name."
                )
            if name in plugins:
                places = sorted({self.plugins.place(one) for one in (plugins[name], plugin)})
                raise ConfigError(
                    f"There are two of the {what} named {name}, of plugin {' and '.join(places)}."
                )
            plugins[name] = plugin

    @contextlib.asynccontextmanager
    async def beside(self, store: Store) -> AsyncIterator[Models]:
        """Give the models alone, for a command beside a server that may be running."""
        async with contextlib.AsyncExitStack() as stack:
            self.plugins, self.store = self._load_plugins(), store
            providers = await self._open_providers(stack)
            self.models = Models(store, providers, default=self.config.llm.default_model)
            stack.push_async_callback(self.models.aclose)
            yield self.models

    def _make_turns(self, providers: list[Provider]) -> None:
        config, limits, node = self.config, self.config.limits, self.node
        self.models = Models(self.store, providers, default=config.llm.default_model)
        self.generations = Generations(
            self.store,
            self.broker,
            node=node.id,
            boot=node.boot,
            reply_bytes=limits.reply_bytes or sys.maxsize,
            observer=Observer(self.metrics, self.traces, self.observations),
        )
        histories = Histories(self.store)
        self.sessions = Sessions(
            self.store,
            self.broker,
            self.hub,
            self.generations,
            self.presets,
            self.observations,
            histories,
        )
        self.prompts = Prompts(
            self.store,
            config.llm,
            most_chars=limits.prompt_chars or sys.maxsize,
            plugins=self.plugins,
            app=self,
            histories=histories,
        )
        self.questions = Questions(
            self.models,
            self.prompts,
            self.observations,
            most_bytes=limits.reply_bytes or sys.maxsize,
        )
        self.turns = Turns(
            self.store,
            self.broker,
            self.generations,
            self.models,
            limits=TurnLimits(
                sends_per_minute=limits.sends_per_minute,
                burst=limits.sends_burst,
                generations_per_user=limits.generations_per_user,
                refused=self.metrics.refused.add if self.metrics is not None else None,
            ),
            prompts=self.prompts,
            admission=Admission(self.store, self.plugins, self),
            observations=self.observations,
            node=node.id,
            boot=node.boot,
        )

    async def _drain(self) -> None:
        self.close_turns()
        await self.generations.aclose()

    def close_turns(self) -> None:
        """Refuse new turns from now on."""
        self.is_closing = True
        self.turns.close()

    def plugin_config(self, name: str) -> dict[str, Any]:
        """Return the checked configuration of a plugin."""
        return self.plugins.configs[name]

    async def authenticate(self, request: Request) -> User:
        """Return who makes a request. Raises Unauthenticated when no plugin knows them."""
        user: User | None = await self.plugins.first(
            "authenticate", User, app=self, request=request
        )
        if user is None:
            raise Unauthenticated
        return user

    async def sign_in(self, credentials: Mapping[str, Any], request: Request) -> User:
        """Return whose credentials these are. Raises Unauthenticated when no plugin takes them."""
        return (await self.signed_in(credentials, request)).user

    async def signed_in(self, credentials: Mapping[str, Any], request: Request) -> SignedIn:
        """Do `sign_in`, for whoever gives a token for it and has to ask then once more."""
        found: User | SignedIn | None = await self.plugins.first(
            "sign_in", User | SignedIn, app=self, credentials=credentials, request=request
        )
        if found is None:
            raise Unauthenticated("These credentials are not accepted.")
        return found if isinstance(found, SignedIn) else SignedIn(user=found)

    async def ready(self) -> None:
        """Return when turns can be taken; raise the error that says why not."""
        async with asyncio.timeout(5):
            await self.store.ping()
            await self.broker.ping()
