"""The plugins of one App: found, checked, and called.

pluggy finds implementations, orders them and checks their signatures. Calling is ours: with
pluggy's `firstresult` the coroutine of an async hook would count as its result, so nobody after an
async hook that means None would be asked.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar

import pluggy

from chatd import hookspecs
from chatd.calling import Call, Report, watched
from chatd.errors import ChatdError, ConfigError
from chatd.finding import Found, file_of, find, load_config

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Plugins:
    """The plugins that the configuration names, in its order, and objects given by a test."""

    def __init__(
        self,
        names: Iterable[str] = (),
        *,
        objects: Iterable[object] = (),
        directory: Path | None = None,
        tables: Mapping[str, Mapping[str, Any]] | None = None,
        file: Path | None = None,
    ) -> None:
        """Import, register and check everything. Raises ConfigError naming plugin and file."""
        self._manager = pluggy.PluginManager("chatd")
        self._manager.add_hookspecs(hookspecs)
        self.found: dict[str, Found] = {}
        for item in objects:
            self.found[_free_name(type(item).__name__, self.found)] = Found.at("object", item)
        for name in names:
            if name in self.found:
                where = f"{file}: " if file else ""
                raise ConfigError(
                    f"{where}[plugins] enabled names the plugin {name} ({self.found[name].file})"
                    " twice."
                )
            self.found[name] = find(name, directory)
        self.configs = {
            name: load_config(name, found, (tables or {}).get(name, {}), file)
            for name, found in self.found.items()
        }
        # pluggy asks the last registered first.
        for name, found in reversed(self.found.items()):
            self._register(name, found.plugin)
        self._calls = {
            hook: tuple(self._of_hook(hook)) for hook in vars(self._manager.hook) if hook[0] != "_"
        }
        self._started: list[str] = []
        self._report: Report | None = None

    def report_to(self, report: Report) -> None:
        """Have every call of a hook reported from now on."""
        self._report = report

    def _tell(self, plugin: str, hook: str, seconds: float, failed: bool) -> None:
        if self._report is not None:
            self._report(plugin, hook, seconds, failed)

    def calls(self, hook: str) -> tuple[Call, ...]:
        """Return the implementations of a hook in the order in which they are called."""
        return self._calls[hook]

    def has(self, hook: str) -> bool:
        """Return whether any plugin implements a hook."""
        return bool(self._calls[hook])

    def hooks(self, plugin: str) -> list[str]:
        """Return the hooks that a plugin implements."""
        return [
            hook
            for hook, calls in self._calls.items()
            if any(call.plugin == plugin for call in calls)
        ]

    def place(self, plugin: str) -> str:
        """Return a plugin's name and file, as the errors of the start say them."""
        return f"{plugin} ({self.found[plugin].file})"

    async def first(self, hook: str, kind: type[Any] | UnionType = object, **arguments: Any) -> Any:
        """Ask one plugin after the other; return the first answer that is not None.

        Raises ChatdError when that is of no such kind: False, say, for somebody who is refused.
        """
        for call in self._calls[hook]:
            result = await call(arguments)
            if result is not None:
                if not isinstance(result, kind):
                    self._log_wrong(call.plugin, hook, kind)
                    raise ChatdError
                return result
        return None

    async def each(self, hook: str, **arguments: Any) -> None:
        """Call all plugins, one after the other, until one raises."""
        for call in self._calls[hook]:
            await self.ask(hook, call, arguments)

    async def ask(self, hook: str, call: Call, arguments: dict[str, Any]) -> Any:
        """Call one plugin; what it raises is a ChatdError, for anything else one of our own."""
        try:
            return await call(arguments)
        except ChatdError:
            raise
        except Exception as exc:
            logger.exception("plugin %s failed in %s", self.place(call.plugin), hook)
            raise ChatdError from exc

    async def replaced(self, hook: str, call: Call, arguments: dict[str, Any], old: T) -> T:
        """Call one plugin of a chain; return what it gives for a value, or the value as it was."""
        new = await self.ask(hook, call, arguments)
        if new is None:
            return old
        if not isinstance(new, type(old)):
            self._log_wrong(call.plugin, hook, type(old))
            raise ChatdError
        return new

    def _log_wrong(self, plugin: str, hook: str, kind: type[Any] | UnionType) -> None:
        kinds: tuple[Any, ...] = getattr(kind, "__args__", (kind,))
        names = " or ".join(one.__name__ for one in kinds)
        logger.error("plugin %s returned no %s from %s", self.place(plugin), names, hook)

    async def collect(self, hook: str, kind: type[Any], **arguments: Any) -> list[tuple[str, Any]]:
        """Return the items of the lists that all plugins return, each with its plugin.

        Raises ConfigError.
        """
        items: list[tuple[str, Any]] = []
        for call in self._calls[hook]:
            result = await self._at_start(hook, call, arguments)
            if not isinstance(result, list | tuple | None):
                raise self._wrong(call.plugin, hook, f"a list, but {type(result).__name__}")
            for item in result or ():
                if not isinstance(item, kind):
                    raise self._wrong(call.plugin, hook, f"{kind.__name__}s alone, but {item!r}")
                items.append((call.plugin, item))
        return items

    def _wrong(self, plugin: str, hook: str, what: str) -> ConfigError:
        return ConfigError(f"Plugin {self.place(plugin)} does not return {what} from {hook}.")

    async def start(self, app: object) -> None:
        """Tell every plugin that the App is open, first listed first. Raises ConfigError."""
        calls = {call.plugin: call for call in self._calls["startup"]}
        for plugin in self.found:
            if plugin in calls:
                await self._at_start("startup", calls[plugin], {"app": app})
            self._started.append(plugin)

    async def stop(self, app: object) -> None:
        """Tell every plugin that was started that the App closes, last listed first."""
        calls = {call.plugin: call for call in self._calls["shutdown"]}
        while self._started:
            plugin = self._started.pop()
            if plugin not in calls:
                continue
            try:
                await calls[plugin]({"app": app})
            except Exception:
                logger.exception("plugin %s failed in shutdown", self.place(plugin))

    async def _at_start(self, hook: str, call: Call, arguments: dict[str, Any]) -> Any:
        try:
            return await call(arguments)
        except ConfigError:
            raise
        except Exception as exc:
            where = self.place(call.plugin)
            raise ConfigError(f"Plugin {where} failed in {hook}: {exc!r}") from exc

    def _register(self, name: str, plugin: object) -> None:
        try:
            self._manager.register(plugin, name)
            self._manager.check_pending()
        except pluggy.PluginValidationError as exc:
            reason = " ".join(str(exc).split())
            raise ConfigError(f"Plugin {self.place(name)}: {reason}") from exc
        if not self._manager.get_hookcallers(plugin):
            raise ConfigError(
                f"Plugin {self.place(name)} has no hooks: mark its functions with @chatd.hookimpl."
            )

    def _of_hook(self, hook: str) -> Iterator[Call]:
        for found in reversed(getattr(self._manager.hook, hook).get_hookimpls()):
            where = f"Plugin {found.plugin_name} ({file_of(found.function)}): {hook}"
            if found.hookwrapper or found.wrapper:
                raise ConfigError(f"{where} is a wrapper; chatd's hooks have none.")
            if found.kwargnames:
                names = ", ".join(found.kwargnames)
                raise ConfigError(
                    f"{where} has default arguments ({names}), which hooks would never get."
                )
            function = watched(found.plugin_name, hook, found.function, self._tell)
            yield Call(found.plugin_name, function, found.argnames)


def _free_name(name: str, taken: Mapping[str, object]) -> str:
    return name if name not in taken else f"{name}-{len(taken)}"
