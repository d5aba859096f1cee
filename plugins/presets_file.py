"""Presets in files that the operator writes: one .toml file each, the same for everybody."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import tomllib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from marshmallow import Schema, ValidationError, fields, validate

import chatd

logger = logging.getLogger(__name__)


DEFAULT_DIRECTORY = "presets"


class ConfigSchema(Schema):
    """[plugins.presets_file]"""

    directory = fields.String(
        load_default=DEFAULT_DIRECTORY,
        metadata={"description": "Directory of the presets, one .toml file each."},
    )


@chatd.hookimpl
def register_preset_sources(app: chatd.App) -> list[chatd.PresetSource]:
    """Add the presets in the directory. Raises ConfigError for a broken file."""
    name = app.plugin_config("presets_file")["directory"]
    directory = app.config.conf_dir / Path(name).expanduser()
    if name != DEFAULT_DIRECTORY and not directory.is_dir():
        raise chatd.ConfigError(f"[plugins.presets_file] directory: there is no {directory}.")
    return [FilePresets(directory, app.config.models.option_keys)]


class Settings(Schema):
    """The table `settings` of a file."""

    temperature = fields.Float(validate=validate.Range(0, 2))
    max_tokens = fields.Integer(strict=True, validate=validate.Range(min=1))
    enable_tools = fields.Boolean()
    options = fields.Dict(keys=fields.String())


class PresetFile(Schema):
    """What a file holds."""

    name = fields.String(required=True, validate=validate.Length(1, 200))
    description = fields.String()
    system_prompt = fields.String()
    model = fields.String(validate=validate.Length(1, 200))
    settings = fields.Nested(Settings)


class State(NamedTuple):
    """What tells a changed file from the one that was read."""

    modified: int
    size: int


class FilePresets(chatd.PresetSource):
    """The presets of a directory; a file that changed is read again before the next answer."""

    name = "presets_file"

    def __init__(self, directory: Path, option_keys: tuple[str, ...] = ()) -> None:
        """Read all files; raises ConfigError for a broken one."""
        self._directory = directory
        self._option_keys = option_keys
        self._read: dict[Path, tuple[State, chatd.Preset | None]]
        self._read = {path: (state, self._load(path, state)) for path, state in self._scan()}

    async def list(self, user: chatd.User) -> list[chatd.Preset]:
        """Return all presets: they are public."""
        await asyncio.to_thread(self._refresh)
        return [preset for _, preset in self._read.values() if preset]

    async def get(self, user: chatd.User, preset_id: str) -> chatd.Preset | None:
        """Return one of them."""
        return next((found for found in await self.list(user) if found.id == preset_id), None)

    def _refresh(self) -> None:
        # Replaced as a whole: another thread may be here at the same time.
        self._read = {path: (state, self._current(path, state)) for path, state in self._scan()}

    def _current(self, path: Path, state: State) -> chatd.Preset | None:
        """Return a file's preset; of a file that broke since, the last good one, if any."""
        last_state, last = self._read.get(path, (None, None))
        if state == last_state:
            return last
        try:
            return self._load(path, state)
        except chatd.ConfigError as exc:
            logger.warning("preset not changed: %s", exc)
            return last

    def _scan(self) -> Iterator[tuple[Path, State]]:
        for path in sorted(self._directory.glob("*.toml")):
            with contextlib.suppress(FileNotFoundError):  # gone since it was listed
                found = path.stat()
                yield path, State(found.st_mtime_ns, found.st_size)

    def _load(self, path: Path, state: State) -> chatd.Preset:
        content = self._parse(path)
        milliseconds = state.modified // 1_000_000
        modified = dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC)
        return chatd.Preset(
            id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.name}/{path.stem}")),
            **content,
            is_public=True,
            source=self.name,
            version=milliseconds,
            created_at=modified,
            updated_at=modified,
        )

    def _parse(self, path: Path) -> dict[str, Any]:
        try:
            content: dict[str, Any] = PresetFile().load(tomllib.loads(path.read_text("utf-8")))
        except ValidationError as exc:
            problems = "; ".join(f"{key}: {text}" for key, text in exc.messages_dict.items())
            raise chatd.ConfigError(f"The preset {path} is wrong: {problems}") from exc
        except (OSError, ValueError) as exc:
            raise chatd.ConfigError(f"The preset {path} cannot be read: {exc}") from exc
        unknown = content.get("settings", {}).get("options", {}).keys() - {*self._option_keys}
        if unknown:
            raise chatd.ConfigError(
                f"The preset {path} sets options that [models] option_keys does not allow:"
                f" {', '.join(sorted(unknown))}."
            )
        return content | {"system_prompt": content.get("system_prompt", "").strip()}
