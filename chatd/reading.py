"""Reading the configuration: what each source says, where, and all that is wrong with it."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

from marshmallow import ValidationError

from chatd import environment
from chatd.errors import ConfigError
from chatd.places import lines_of
from chatd.secrets import SecretReader, redact
from chatd.settings import SECTIONS, ServerSettings, schema_of
from chatd.types import Value

DEFAULT_FILE = Path("conf/chatd.toml")

_FLAGS = {
    "server.host": "--host",
    "server.port": "--port",
    "server.dev": "--dev",
    "log.format": "--log-format",
    "data.dir": "--data-dir",
}


def find_file(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    """Return the file to read, as `load_config` says. Raises ConfigError if it is not there."""
    if path is None and environ.get("CHATD_CONFIG"):
        path = Path(environ["CHATD_CONFIG"])
    if path is None:
        return DEFAULT_FILE if DEFAULT_FILE.is_file() else None
    if not path.is_file():
        raise ConfigError(f"There is no configuration file {path}.")
    return path


def _read(path: Path) -> tuple[dict[str, Any], dict[tuple[str, str], int]]:
    """Return what a file says, and in which line each key stands."""
    try:
        text = path.read_text("utf-8")
        return tomllib.loads(text), lines_of(text)
    except OSError as exc:
        raise ConfigError(f"{path} cannot be read: {exc.strerror}.") from exc
    except ValueError as exc:
        raise ConfigError(f"{path} is not TOML: {exc}.") from exc


class _Given(NamedTuple):
    """A value as it was found, where, and the directory that a relative path in it starts from.

    `where` is for a sentence about it, `place` is the same in short.
    """

    value: Any
    where: str
    base: Path
    place: str


class Reading:
    """What was read so far, the later source over the earlier, and all that was wrong with it."""

    def __init__(self, file: Path | None, environ: Mapping[str, str]) -> None:
        self._file = file
        self._conf_dir = (file or DEFAULT_FILE).absolute().parent
        self._secrets = SecretReader(environ, file or DEFAULT_FILE)
        self._given: dict[tuple[str, str], _Given] = {}
        self._tables: dict[str, dict[str, Any]] = {}
        self._lines: dict[tuple[str, str], int] = {}
        self._problems: list[str] = []
        self._warnings: list[str] = []

    def take_file(self) -> None:
        """Take what the file sets."""
        tables, self._lines = _read(self._file) if self._file else ({}, {})
        for section, table in tables.items():
            if section not in SECTIONS or not isinstance(table, dict):
                asked = suggestion(section, SECTIONS)
                self._complain(f"[{section}] in {self._file}", f"there is no such section{asked}")
                continue
            for key, value in table.items():
                self._take_key(section, key, value)

    def _take_key(self, section: str, key: str, value: Any) -> None:
        keys = SECTIONS[section].__struct_fields__
        where = f"[{section}] {key} in {self._file}"
        if key in keys:
            value = self._secrets.resolve(value, f"[{section}] {key}")
            place = self._place(section, key)
            self._given[section, key] = _Given(value, where, self._conf_dir, place)
        elif section == "plugins" and isinstance(value, dict):
            self._tables[key] = value
        else:
            self._complain(where, f"there is no such key{suggestion(key, keys)}")

    def _place(self, table: str, key: str) -> str:
        """Return where in the file a key stands."""
        line = self._lines.get((table, key))
        return f"{self._file}:{line}" if line else str(self._file)

    def take_environment(self, environ: Mapping[str, str]) -> None:
        """Take what the environment sets."""
        if foreign := environment.of_postgresql(environ):
            self._problems.append(
                f"{foreign} is PostgreSQL's, which chatd does not use: unset the DB_ variables to "
                "keep everything in SQLite, or say where with CHATD_STORE"
            )
        for setting, (text, name) in environment.read(environ).items():
            self._given[setting] = _Given(text, f"{name} in the environment", Path.cwd(), name)
        known = {*environment.variables().values(), *environment.COMMAND_LINE}
        for name in environment.unknown(environ):
            asked = suggestion(name, known)
            self._complain(f"{name} in the environment", f"there is no such setting{asked}")

        for name in environment.foreign(environ):
            if asked := suggestion(name, known, 0.8):
                self._warnings.append(f"{name} in the environment is not read{asked}")

    def take_overrides(self, overrides: Mapping[str, Any]) -> None:
        """Take what was given on the command line."""
        for name, value in overrides.items():
            section, _, key = name.partition(".")
            if section not in SECTIONS or key not in SECTIONS[section].__struct_fields__:
                raise KeyError(name)
            if value is not None:
                value = str(value) if isinstance(value, Path) else value
                flag = _FLAGS.get(name, name)
                self._given[section, key] = _Given(value, flag, Path.cwd(), flag)

    def finish(self) -> dict[str, Any]:
        """Return the fields of a Config, with defaults where nothing was given.

        Raises ConfigError.
        """
        sections: dict[str, Any] = {name: self._section(name) for name in SECTIONS}
        self._check_origins(sections["server"])
        self._check_directory(sections["plugins"].dir)
        tables = self._plugin_tables(sections["plugins"].enabled)
        if problems := self._problems + self._secrets.problems:
            raise ConfigError("\n".join(problems))
        return sections | {
            "plugin_tables": tables,
            "secrets": frozenset({*self._secrets.found, sections["metrics"].token} - {""}),
            "warnings": tuple(self._warnings),
            "file": self._file,
            "conf_dir": self._conf_dir,
            "places": self._places(tables),
        }

    def _places(self, tables: Mapping[str, Mapping[str, Any]]) -> dict[tuple[str, str], str]:
        places = {setting: given.place for setting, given in self._given.items()}
        for name, table in tables.items():
            section = f"plugins.{name}"
            places |= {(section, key): self._place(section, key) for key in table}
        return places

    def _section(self, name: str) -> Value:
        given = {key: item for (section, key), item in self._given.items() if section == name}
        try:
            values = schema_of(SECTIONS[name]).load(
                {key: item.value for key, item in given.items()}
            )
        except ValidationError as exc:
            values = cast(dict[str, Any], exc.valid_data)
            for key, messages in exc.messages_dict.items():
                shown = redact(given[key].value, self._secrets.found)
                text = "; ".join(messages)
                self._complain(given[key].where, f"{text} (it is {shown!r})")
        for key, value in values.items():
            if isinstance(value, Path):
                values[key] = given[key].base / value
        return SECTIONS[name](**values)

    def _check_origins(self, server: ServerSettings) -> None:
        if "*" in server.allowed_origins and not server.dev:
            where = self._given["server", "allowed_origins"].where
            self._complain(where, "* is allowed with --dev only; list the origins")

    def _check_directory(self, directory: Path | None) -> None:
        if directory is not None and not directory.is_dir():
            self._complain(
                self._given["plugins", "dir"].where, f"there is no directory {directory}"
            )

    def _plugin_tables(self, enabled: tuple[str, ...]) -> dict[str, dict[str, Any]]:
        # The table of a plugin that is not enabled stays unread, so that disabling one is one line.
        without = [name for name in enabled if name not in self._tables]
        for name in self._tables.keys() - set(enabled):
            if found := difflib.get_close_matches(name, without, 1, 0.9):
                self._complain(f"[plugins.{name}] in {self._file}", f"did you mean {found[0]}?")
        return {name: self._plugin_table(name) for name in enabled}

    def _plugin_table(self, name: str) -> dict[str, Any]:
        table = self._tables.get(name, {})
        return {k: self._secrets.resolve(v, f"[plugins.{name}] {k}") for k, v in table.items()}

    def _complain(self, where: str, problem: str) -> None:
        self._problems.append(f"{where}: {problem}")


def suggestion(name: str, known: Iterable[str], closeness: float = 0.6) -> str:
    """Return a question that names what may have been meant, or nothing."""
    known = sorted(known)
    tail = name.removeprefix("CHATD_").removeprefix("LLM_").lower()
    found = [other for other in known if other.lower().endswith(f"_{tail}")]
    found = found or difflib.get_close_matches(name, known, 1, closeness)
    return f"; did you mean {found[0]}?" if found else ""
