"""The configuration: read once, from a file, the environment and flags, and checked whole."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec
from marshmallow import ValidationError

from chatd import environment
from chatd.errors import ConfigError
from chatd.secrets import SecretReader, redact
from chatd.settings import (
    SECTIONS,
    BrokerSettings,
    DataSettings,
    LimitSettings,
    LlmSettings,
    LogSettings,
    MetricsSettings,
    ModelSettings,
    PluginSettings,
    ServerSettings,
    StoreSettings,
    TokenSettings,
    schema_of,
)
from chatd.types import Value

DEFAULT_FILE = Path("conf/chatd.toml")

_FLAGS = {
    "server.host": "--host",
    "server.port": "--port",
    "server.dev": "--dev",
    "log.format": "--log-format",
    "data.dir": "--data-dir",
}


class Config(Value, frozen=True, kw_only=True):
    """The settings of a chatd process. Its repr shows no secret.

    `plugin_tables` are the tables of the enabled plugins with `{ env = ... }` and `{ file = ... }`
    replaced, to be checked by each plugin's own schema; `secrets` are the texts put in there.
    `file` is the file that was read, `conf_dir` its directory, `warnings` what the log should have.
    """

    server: ServerSettings = ServerSettings()
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()
    data: DataSettings = msgspec.field(default_factory=DataSettings)
    store: StoreSettings = StoreSettings()
    broker: BrokerSettings = BrokerSettings()
    llm: LlmSettings = LlmSettings()
    models: ModelSettings = ModelSettings()
    limits: LimitSettings = LimitSettings()
    tokens: TokenSettings = TokenSettings()
    plugins: PluginSettings = PluginSettings()
    plugin_tables: Mapping[str, dict[str, Any]] = {}
    secrets: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()
    file: Path | None = None
    conf_dir: Path = DEFAULT_FILE.parent

    def __post_init__(self) -> None:
        if not self.store.url:
            url = f"sqlite:///{self.data.dir / 'chatd.db'}"
            msgspec.structs.force_setattr(self, "store", StoreSettings(url=url))

    @property
    def data_dir(self) -> Path:
        """The directory of the database and of the node's id."""
        return self.data.dir

    def redacted(self) -> dict[str, Any]:
        """Return the settings of every section and plugin with *** in place of secrets."""
        sections = {name: msgspec.structs.asdict(getattr(self, name)) for name in SECTIONS}
        shown: dict[str, Any] = redact(sections, self.secrets, by_name=False)
        for name, table in self.plugin_tables.items():
            shown[f"plugins.{name}"] = redact(table, self.secrets)
        return shown

    def __repr__(self) -> str:
        return f"Config({self.redacted()!r}, file={self.file!r}, conf_dir={self.conf_dir!r})"


def load_config(
    path: Path | None, environ: Mapping[str, str], overrides: Mapping[str, Any]
) -> Config:
    """Read the file, then the environment, then `overrides`: {"server.port": 8000}.

    Without a path: the file that CHATD_CONFIG names, else conf/chatd.toml if it exists. A value
    None in `overrides` is as if it were not there. Raises ConfigError saying all that is wrong.
    """
    file = _find_file(path, environ)
    reading = _Reading(file, environ)
    reading.take_file()
    reading.take_environment(environ)
    reading.take_overrides(overrides)
    return reading.finish()


def _find_file(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    if path is None and environ.get("CHATD_CONFIG"):
        path = Path(environ["CHATD_CONFIG"])
    if path is None:
        return DEFAULT_FILE if DEFAULT_FILE.is_file() else None
    if not path.is_file():
        raise ConfigError(f"There is no configuration file {path}.")
    return path


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as exc:
        raise ConfigError(f"{path} cannot be read: {exc.strerror}.") from exc
    except ValueError as exc:
        raise ConfigError(f"{path} is not TOML: {exc}.") from exc


class _Given(NamedTuple):
    """A value as it was found, where, and the directory that a relative path in it starts from."""

    value: Any
    where: str
    base: Path


class _Reading:
    """What was read so far, the later source over the earlier, and all that was wrong with it."""

    def __init__(self, file: Path | None, environ: Mapping[str, str]) -> None:
        self._file = file
        self._conf_dir = (file or DEFAULT_FILE).absolute().parent
        self._secrets = SecretReader(environ, file or DEFAULT_FILE)
        self._given: dict[tuple[str, str], _Given] = {}
        self._tables: dict[str, dict[str, Any]] = {}
        self._problems: list[str] = []
        self._warnings: list[str] = []

    def take_file(self) -> None:
        """Take what the file sets."""
        for section, table in (_parse(self._file) if self._file else {}).items():
            if section not in SECTIONS or not isinstance(table, dict):
                asked = _suggestion(section, SECTIONS)
                self._complain(f"[{section}] in {self._file}", f"there is no such section{asked}")
                continue
            for key, value in table.items():
                self._take_key(section, key, value)

    def _take_key(self, section: str, key: str, value: Any) -> None:
        keys = SECTIONS[section].__struct_fields__
        where = f"[{section}] {key} in {self._file}"
        if key in keys:
            value = self._secrets.resolve(value, f"[{section}] {key}")
            self._given[section, key] = _Given(value, where, self._conf_dir)
        elif section == "plugins" and isinstance(value, dict):
            self._tables[key] = value
        else:
            self._complain(where, f"there is no such key{_suggestion(key, keys)}")

    def take_environment(self, environ: Mapping[str, str]) -> None:
        """Take what the environment sets."""
        if foreign := environment.of_postgresql(environ):
            self._problems.append(
                f"{foreign} is PostgreSQL's, which chatd does not use: unset the DB_ variables to "
                "keep everything in SQLite, or say where with CHATD_STORE"
            )
        for setting, (text, name) in environment.read(environ).items():
            self._given[setting] = _Given(text, f"{name} in the environment", Path.cwd())
        known = {*environment.variables().values(), *environment.COMMAND_LINE}
        for name in environment.unknown(environ):
            asked = _suggestion(name, known)
            self._complain(f"{name} in the environment", f"there is no such setting{asked}")

        for name in environment.foreign(environ):
            if asked := _suggestion(name, known, 0.8):
                self._warnings.append(f"{name} in the environment is not read{asked}")

    def take_overrides(self, overrides: Mapping[str, Any]) -> None:
        """Take what was given on the command line."""
        for name, value in overrides.items():
            section, _, key = name.partition(".")
            if section not in SECTIONS or key not in SECTIONS[section].__struct_fields__:
                raise KeyError(name)
            if value is not None:
                value = str(value) if isinstance(value, Path) else value
                self._given[section, key] = _Given(value, _FLAGS.get(name, name), Path.cwd())

    def finish(self) -> Config:
        """Return the whole, with defaults where nothing was given. Raises ConfigError."""
        sections: dict[str, Any] = {name: self._section(name) for name in SECTIONS}
        self._check_origins(sections["server"])
        self._check_directory(sections["plugins"].dir)
        tables = self._plugin_tables(sections["plugins"].enabled)
        if problems := self._problems + self._secrets.problems:
            raise ConfigError("\n".join(problems))
        return Config(
            **sections,
            plugin_tables=tables,
            secrets=frozenset({*self._secrets.found, sections["metrics"].token} - {""}),
            warnings=tuple(self._warnings),
            file=self._file,
            conf_dir=self._conf_dir,
        )

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


def _suggestion(name: str, known: Iterable[str], closeness: float = 0.6) -> str:
    """Return a question that names what may have been meant, or nothing."""
    known = sorted(known)
    tail = name.removeprefix("CHATD_").removeprefix("LLM_").lower()
    found = [other for other in known if other.lower().endswith(f"_{tail}")]
    found = found or difflib.get_close_matches(name, known, 1, closeness)
    return f"; did you mean {found[0]}?" if found else ""
