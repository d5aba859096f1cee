"""The plugins of one App: found, checked, and called.

pluggy finds implementations, orders them and checks their signatures. Calling is ours: with
pluggy's `firstresult` the coroutine of an async hook would count as its result, so nobody after an
async hook that means None would be asked.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import importlib.util
import inspect
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pluggy

from chatd import __version__, hookspecs
from chatd.errors import ChatdError, ConfigError
from chatd.schemas import flat_messages

logger = logging.getLogger(__name__)

# Takes plugin, hook and seconds, and whether the call failed.
Report = Callable[[str, str, float, bool], None]
Implementation = tuple[str, Callable[..., Any], tuple[str, ...]]


class Found(NamedTuple):
    """A plugin, the kind of place where it was found, its version, and its file."""

    plugin: object
    source: str
    version: str
    file: str

    @classmethod
    def at(cls, source: str, plugin: object, version: str = "") -> Found:
        """Return a plugin of this source, with its own version if no other is known."""
        return cls(
            plugin, source, version or str(getattr(plugin, "__version__", "")), _file_of(plugin)
        )


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
        self.found |= {name: _find(name, directory) for name in names}
        self.configs = {
            name: _load_config(name, found.plugin, (tables or {}).get(name, {}), file)
            for name, found in self.found.items()
        }
        # pluggy asks the last registered first.
        for name, found in reversed(self.found.items()):
            self._register(name, found.plugin)
        self._implementations = {
            hook: list(self._of_hook(hook)) for hook in vars(self._manager.hook) if hook[0] != "_"
        }

    def report_to(self, report: Report) -> None:
        """Have every call of a hook reported from now on."""
        self._implementations = {
            hook: [(name, _timed(name, hook, call, report), names) for name, call, names in found]
            for hook, found in self._implementations.items()
        }

    def has(self, hook: str) -> bool:
        """Return whether any plugin implements a hook."""
        return bool(self._implementations[hook])

    def hooks(self, plugin: str) -> list[str]:
        """Return the hooks that a plugin implements."""
        found = self._implementations.items()
        return [hook for hook, those in found if any(name == plugin for name, _, _ in those)]

    async def first(self, hook: str, **arguments: Any) -> Any:
        """Ask one plugin after the other; return the first answer that is not None."""
        for _, function, names in self._implementations[hook]:
            result = function(*[arguments[name] for name in names])
            if inspect.isawaitable(result):
                result = await result
            if result is not None:
                return result
        return None

    async def collect(self, hook: str, **arguments: Any) -> list[Any]:
        """Return the items of the lists that all plugins return. Raises ConfigError."""
        items: list[Any] = []
        for plugin, function, names in self._implementations[hook]:
            try:
                result = function(*[arguments[name] for name in names])
                items += (await result if inspect.isawaitable(result) else result) or []
            except ConfigError:
                raise
            except Exception as exc:
                where = _file_of(function)
                raise ConfigError(f"Plugin {plugin} ({where}) failed in {hook}: {exc!r}") from exc
        return items

    def _register(self, name: str, plugin: object) -> None:
        try:
            self._manager.register(plugin, name)
            self._manager.check_pending()
        except pluggy.PluginValidationError as exc:
            reason = " ".join(str(exc).split())
            raise ConfigError(f"Plugin {name} ({_file_of(plugin)}): {reason}") from exc

    def _of_hook(self, hook: str) -> Iterator[Implementation]:
        for found in reversed(getattr(self._manager.hook, hook).get_hookimpls()):
            if found.hookwrapper or found.wrapper:
                raise ConfigError(
                    f"Plugin {found.plugin_name} ({_file_of(found.plugin)}): {hook} is a wrapper;"
                    " chatd's hooks have none."
                )
            yield found.plugin_name, found.function, found.argnames


def _timed(
    plugin: str, hook: str, function: Callable[..., Any], report: Report
) -> Callable[..., Any]:
    clock = time.perf_counter

    @functools.wraps(function)
    async def call(*args: Any) -> Any:
        begun, failed = clock(), True
        try:
            result = function(*args)
            result = await result if inspect.isawaitable(result) else result
            failed = False
            return result
        except ChatdError as exc:
            failed = exc.status >= 500
            raise
        finally:
            report(plugin, hook, clock() - begun, failed)

    return call


def _free_name(name: str, taken: Mapping[str, object]) -> str:
    return name if name not in taken else f"{name}-{len(taken)}"


def _find(name: str, directory: Path | None) -> Found:
    """Import a plugin from the directory, from chatd_plugins, or from an entry point."""
    try:
        if directory is not None and (directory / f"{name}.py").is_file():
            return Found.at("directory", _import_file(name, directory / f"{name}.py"))
        if importlib.util.find_spec(f"chatd_plugins.{name}"):
            bundled = importlib.import_module(f"chatd_plugins.{name}")
            return Found.at("bundled", bundled, __version__)
        for entry_point in importlib.metadata.entry_points(group="chatd", name=name):
            loaded = entry_point.load()
            assert isinstance(loaded, ModuleType)
            version = entry_point.dist.version if entry_point.dist else ""
            return Found.at("entry point", loaded, version)
    except Exception as exc:
        raise ConfigError(f"Plugin {name} cannot be loaded: {exc!r}") from exc
    places = [f"{directory}/{name}.py"] if directory else []
    places += ["chatd's own plugins", "the entry points of group chatd"]
    raise ConfigError(f"There is no plugin {name}; looked in {', '.join(places)}.")


def _import_file(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"chatd_plugins_dir.{name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _load_config(
    name: str, plugin: object, table: Mapping[str, Any], file: Path | None
) -> dict[str, Any]:
    """Check a plugin's table against its own schema; a plugin without one takes no keys."""
    from marshmallow import Schema, ValidationError

    schema = getattr(plugin, "ConfigSchema", Schema)
    try:
        loaded: dict[str, Any] = schema().load(dict(table))
    except ValidationError as exc:
        where = f" in {file}" if file else ""
        problems = [
            f"[plugins.{name}] {key}{where}: {' '.join(texts)}"
            for key, texts in flat_messages(exc).items()
        ]
        raise ConfigError("\n".join(problems)) from exc
    return loaded


def _file_of(plugin: Any) -> str:
    try:
        plugin = inspect.unwrap(plugin) if callable(plugin) else plugin
        subject = plugin if inspect.ismodule(plugin) or callable(plugin) else type(plugin)
        return inspect.getsourcefile(subject) or "?"
    except TypeError:
        return "?"
