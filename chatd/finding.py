"""Where a plugin is found by its name, and whether its table of the configuration is right."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import inspect
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from chatd import __version__
from chatd.errors import ConfigError
from chatd.reading import suggestion
from chatd.schemas import flat_messages


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
            plugin, source, version or str(getattr(plugin, "__version__", "")), file_of(plugin)
        )


def find(name: str, directory: Path | None) -> Found:
    """Import a plugin from the directory, from chatd_plugins, or from an entry point."""
    place = f"chatd_plugins.{name}"
    try:
        if directory is not None and (directory / f"{name}.py").is_file():
            place = str(directory / f"{name}.py")
            return Found.at("directory", _import_file(name, directory / f"{name}.py"))
        if importlib.util.find_spec(place):
            return Found.at("bundled", importlib.import_module(place), __version__)
        for entry_point in importlib.metadata.entry_points(group="chatd", name=name):
            place = entry_point.value
            loaded = entry_point.load()
            if not isinstance(loaded, ModuleType):
                raise TypeError("the entry point must name a module")
            version = entry_point.dist.version if entry_point.dist else ""
            return Found.at("entry point", loaded, version)
    except Exception as exc:
        raise ConfigError(
            f"Plugin {name} ({_line_of(exc) or place}) cannot be loaded: {_said(exc)}"
        ) from exc
    places = [f"{directory}/{name}.py"] if directory else []
    places += ["chatd's own plugins", "the entry points of group chatd"]
    raise ConfigError(f"There is no plugin {name}; looked in {', '.join(places)}.")


def _import_file(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"chatd_plugins_dir.{name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _line_of(exc: Exception) -> str:
    """Return the line of the plugin that did not work, empty when it did not come to any."""
    if isinstance(exc, SyntaxError):
        return f"{exc.filename}:{exc.lineno}"
    frames = [
        frame
        for frame in traceback.extract_tb(exc.__traceback__)
        if "importlib" not in frame.filename and frame.filename != __file__
    ]
    return f"{frames[0].filename}:{frames[0].lineno}" if frames else ""


def _said(exc: Exception) -> str:
    """Return an exception as the end of a sentence."""
    text = exc.msg if isinstance(exc, SyntaxError) else str(exc)
    return f"{type(exc).__name__}: {' '.join(text.split())}".rstrip(". :") + "."


def load_config(
    name: str, found: Found, table: Mapping[str, Any], file: Path | None
) -> dict[str, Any]:
    """Check a plugin's table against its own schema; a plugin without one takes no keys."""
    from marshmallow import Schema, ValidationError

    schema = getattr(found.plugin, "ConfigSchema", Schema)
    try:
        loaded: dict[str, Any] = schema().load(dict(table))
    except ValidationError as exc:
        where = f" in {file}" if file else ""
        unknown = Schema().error_messages["unknown"]
        problems = [
            f"[plugins.{name}] {key}{where}: "
            + (_unknown(schema(), key) if texts == [unknown] else " ".join(texts))
            for key, texts in flat_messages(exc).items()
        ]
        raise ConfigError("\n".join(problems)) from exc
    return loaded


def _unknown(schema: Any, path: str) -> str:
    """Return what is wrong with a key that a schema does not know, and which ones it knows.

    `path` is that of `flat_messages`: instances.0.name.
    """
    from marshmallow import Schema, fields

    *above, key = path.split(".")
    inside: Any = schema
    for part in above:
        if isinstance(inside, Schema):
            inside = inside.fields.get(part)
        else:
            inside = getattr(inside, "inner", getattr(inside, "value_field", None))
        while isinstance(inside, fields.Nested):
            inside = inside.schema
    if not isinstance(inside, Schema):
        return "there is no such key."
    known = sorted(field.data_key or name for name, field in inside.fields.items())
    if not known:
        return "there is no such key: this plugin takes none."
    return f"there is no such key{suggestion(key, known) or '.'} It takes {', '.join(known)}."


def file_of(plugin: Any) -> str:
    """Return the file of a module, a function or an object's class."""
    try:
        plugin = inspect.unwrap(plugin) if callable(plugin) else plugin
        subject = plugin if inspect.ismodule(plugin) or callable(plugin) else type(plugin)
        return inspect.getsourcefile(subject) or "?"
    except TypeError:
        return "?"
