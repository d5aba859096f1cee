"""Presets from catalogues on the web: JSON documents that are fetched again and again."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import hashlib
import logging
import os
import random
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import marshmallow as ma
import msgspec

import chatd

logger = logging.getLogger(__name__)

PROBLEMS = 20  # of a catalogue, how many are logged each
FIRST_RETRY = 5.0  # seconds; it doubles up to `refresh`


def _web_url(value: str) -> None:
    try:
        parts = urlsplit(value)
        is_good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        raise ma.ValidationError("Must be http://... or https://...")


class InstanceSchema(ma.Schema):
    """One of [[plugins.presets_http.instances]]."""

    name = ma.fields.String(
        load_default="presets_http", validate=ma.validate.Regexp(r"[^/\s]{1,64}\Z")
    )
    url = ma.fields.String(required=True, validate=_web_url)
    key = ma.fields.String(validate=ma.validate.Regexp(r"[\x21-\x7e]*\Z"))
    refresh = ma.fields.Float(validate=ma.validate.Range(min=1))
    timeout = ma.fields.Float(validate=ma.validate.Range(min=0, min_inclusive=False))
    max_bytes = ma.fields.Integer(validate=ma.validate.Range(min=1))
    max_presets = ma.fields.Integer(validate=ma.validate.Range(min=1))
    allow_private = ma.fields.Boolean()


class ConfigSchema(ma.Schema):
    """The table [plugins.presets_http]."""

    instances = ma.fields.List(
        ma.fields.Nested(InstanceSchema), required=True, validate=ma.validate.Length(min=1)
    )


@chatd.hookimpl
async def register_preset_sources(app: chatd.App) -> list[chatd.PresetSource]:
    """Add a source for each catalogue; they begin to fetch, and the start does not wait."""
    directory = app.config.data_dir / "presets_http"
    sources = [
        HttpPresets(directory=directory, shape=app.shapes.new_preset, **instance)
        for instance in app.plugin_config("presets_http")["instances"]
    ]
    for source in sources:
        await source.open()
    return [*sources]


class Unreadable(Exception):
    """A catalogue, or an entry of it, is not of the form; the message is for the log."""


class Kept(msgspec.Struct):
    """A catalogue as it lies on the disk, for a start while its server is away."""

    url: str
    etag: str
    fetched_at: dt.datetime
    body: bytes


class HttpPresets(chatd.PresetSource):
    """The presets of one catalogue: the last list that was good, however long ago that was."""

    def __init__(
        self,
        *,
        name: str,
        url: str,
        directory: Path,
        shape: ma.Schema,
        refresh: float = 300,
        timeout: float = 10,
        max_bytes: int = 1024 * 1024,
        max_presets: int = 1000,
        **options: Any,
    ) -> None:
        """Take where the last list is kept, and the shape of a preset as users make them."""
        self.name = name
        self._url, self._shape = url, shape
        self._document = chatd.fetching.Document(
            url, timeout=timeout, max_bytes=max_bytes, **options
        )
        self._pause, self._most = refresh, max_presets
        self._file = directory / f"{quote(name, safe='')}.json"
        self._presets: dict[str, chatd.Preset] = {}
        self._etag = ""
        self._told: set[str] = set()
        self._failures, self._away = 0, ""
        self._has_tried = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Take the list that was kept, and begin to fetch."""
        with contextlib.suppress(OSError, msgspec.MsgspecError, Unreadable):
            data = await asyncio.to_thread(self._file.read_bytes)
            kept = msgspec.json.decode(data, type=Kept)
            if kept.url == self._url:
                self._take(kept.body, kept.fetched_at)
                self._etag = kept.etag
                self._has_tried.set()
        self._task = asyncio.create_task(self._run(), name=f"presets of {self.name}")

    async def aclose(self) -> None:
        """Stop fetching."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def list(self, user: chatd.User) -> list[chatd.Preset]:
        """Return all presets: they are public. Only a first start waits for the first attempt."""
        await self._has_tried.wait()
        return [*self._presets.values()]

    async def get(self, user: chatd.User, preset_id: str) -> chatd.Preset | None:
        """Return one of them."""
        await self._has_tried.wait()
        return self._presets.get(preset_id)

    async def refresh(self) -> None:
        """Fetch the catalogue; what goes wrong is logged once, and the list stays as it was."""
        try:
            fetched = await self._document.fetch(self._etag)
            if fetched is not None:
                fetched_at = chatd.now()
                self._take(fetched.body, fetched_at)
                self._etag = fetched.etag
                kept = Kept(self._url, fetched.etag, fetched_at, fetched.body)
                await asyncio.to_thread(self._keep, msgspec.json.encode(kept))
        except (chatd.fetching.Unusable, Unreadable, OSError) as exc:
            self._failures += 1
            if str(exc) != self._away:
                logger.warning("the presets of %s were not refreshed: %s", self.name, exc)
            self._away = str(exc)
        else:
            if self._away:
                logger.info("the presets of %s are refreshed again", self.name)
            self._failures, self._away = 0, ""
        finally:
            self._has_tried.set()

    async def _run(self) -> None:
        while True:
            try:
                await self.refresh()
            except Exception:
                logger.exception("the catalogue of %s could not be read", self.name)
                self._failures += 1
            pause = self._pause
            if self._failures:
                pause = min(pause, FIRST_RETRY * 2.0 ** min(self._failures - 1, 16))
            await asyncio.sleep(pause * random.uniform(0.9, 1))

    def _take(self, body: bytes, fetched_at: dt.datetime) -> None:
        """Replace the list. Raises Unreadable when the document is no catalogue."""
        presets: dict[str, chatd.Preset] = {}
        problems: list[str] = []
        entries = _entries(body)
        for number, entry in enumerate(entries[: self._most]):
            try:
                preset = self._preset(entry, fetched_at)
                if preset.id in presets:
                    raise Unreadable("its id stands there twice")
                presets[preset.id] = preset
            except Unreadable as exc:
                problems.append(f"entry {number} of {self.name} was skipped: {exc}")
        if len(entries) > self._most:
            problems.append(f"{self.name} has more than {self._most} presets; the rest was skipped")
        self._presets = presets
        self._tell(problems)

    def _preset(self, entry: Any, fetched_at: dt.datetime) -> chatd.Preset:
        """Return the preset of an entry. Raises Unreadable."""
        key = entry.get("id") if isinstance(entry, dict) else None
        if not chatd.upstream.is_word(key):
            raise Unreadable("it has no id")
        try:
            content = self._shape.load({**entry, "is_public": True}, unknown=ma.EXCLUDE)
        except ma.ValidationError as exc:
            raise Unreadable(f"{key}: {str(exc.messages)[:200]}") from exc
        encoded = msgspec.json.encode(content, order="sorted")
        if b"\\u0000" in encoded:
            raise Unreadable(f"{key}: it has a NUL, which no store takes")
        # An ETag: it changes with what the preset says.
        version = int.from_bytes(hashlib.sha256(encoded).digest()[:6])
        preset_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.name}/{key}"))
        last = self._presets.get(preset_id)
        if last is not None and last.version == version:
            return last
        return chatd.Preset(
            id=preset_id,
            **content,
            source=self.name,
            version=version,
            created_at=last.created_at if last else fetched_at,
            updated_at=fetched_at,
        )

    def _tell(self, problems: Sequence[str]) -> None:
        """Log what was not wrong the last time."""
        new = [problem for problem in problems if problem not in self._told]
        for problem in new[:PROBLEMS]:
            logger.warning("%s", problem)
        if len(new) > PROBLEMS:
            logger.warning("%s has %s more such problems", self.name, len(new) - PROBLEMS)
        self._told = {*problems}

    def _keep(self, data: bytes) -> None:
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Written whole or not at all.
        beside = self._file.with_suffix(".new")
        beside.write_bytes(data)
        os.replace(beside, self._file)


def _entries(body: bytes) -> list[Any]:
    try:
        document = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
        raise Unreadable("it is not JSON") from exc
    entries = document.get("presets") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise Unreadable('it is no object with a list of "presets"')
    return entries
