"""The configuration: read once, from a file, the environment and flags, and checked whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from chatd.reading import DEFAULT_FILE, Reading, find_file
from chatd.secrets import redact
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
)
from chatd.types import Value


class Config(Value, frozen=True, kw_only=True):
    """The settings of a chatd process. Its repr shows no secret.

    `plugin_tables` are the tables of the enabled plugins with `{ env = ... }` and `{ file = ... }`
    replaced, to be checked by each plugin's own schema; `secrets` are the texts put in there.
    `file` is the file that was read, `conf_dir` its directory, `warnings` what the log should have.
    `places` says where each setting was found that has not its default: {("server", "port"):
    "conf/chatd.toml:3"}, the name of a variable, or a flag.
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
    places: Mapping[tuple[str, str], str] = {}

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
    file = find_file(path, environ)
    reading = Reading(file, environ)
    reading.take_file()
    reading.take_environment(environ)
    reading.take_overrides(overrides)
    return Config(**reading.finish())
