"""A lighthouse: a model that flashes, a keeper who is let in, a preset, a path and a command."""

from __future__ import annotations

import asyncio
import datetime as dt
import secrets
from collections.abc import AsyncGenerator
from typing import Any

import click
import marshmallow as ma

import chatd

NAME = "lighthouse"
BUILT = dt.datetime(1811, 2, 1, tzinfo=dt.UTC)


class ConfigSchema(ma.Schema):
    """The table [plugins.lighthouse]."""

    lamp = ma.fields.String(required=True, validate=ma.validate.Length(min=8))
    flashes = ma.fields.Integer(load_default=3, validate=ma.validate.Range(1, 60))


@chatd.hookimpl
def register_providers(app: chatd.App) -> list[chatd.Provider]:
    """Add the model lighthouse/beacon."""
    return [Lighthouse(app.plugin_config(NAME)["flashes"])]


class Lighthouse(chatd.Provider):
    """Answers with flashes; what it was asked does not matter."""

    name = NAME

    def __init__(self, flashes: int) -> None:
        self.flashes = flashes

    async def models(self) -> list[chatd.ModelInfo]:
        """Return the one model."""
        return [chatd.ModelInfo(name="beacon", context_length=1000)]

    async def stream(self, prompt: chatd.Prompt) -> AsyncGenerator[chatd.Chunk | str, None]:
        """Flash as often as the configuration says."""
        system = [m.content for m in prompt.messages if m.role == "system"]
        word = "FLASH" if "loud" in " ".join(system) else "flash"
        for _ in range(self.flashes):
            yield f"{word} "
            await asyncio.sleep(0)
        yield chatd.Usage(completion_tokens=self.flashes, total_tokens=self.flashes)
        yield chatd.Finish(reason="stop")


@chatd.hookimpl
async def authenticate(app: chatd.App, request: chatd.Request) -> chatd.User | None:
    """Let in the keeper, who has the lamp."""
    lamp = request.headers.get("X-Lamp")
    if lamp is None:
        return None
    if not secrets.compare_digest(lamp.encode(), app.plugin_config(NAME)["lamp"].encode()):
        raise chatd.Unauthenticated("This lamp is not ours.")
    return await chatd.outside_user(app.store, NAME, "keeper")


@chatd.hookimpl
def register_preset_sources() -> list[chatd.PresetSource]:
    """Add one preset."""
    return [Logbook()]


class Logbook(chatd.PresetSource):
    """The preset of stormy nights."""

    name = NAME
    storm = chatd.Preset(
        id=f"{NAME}-storm",
        name="Storm",
        system_prompt="Be loud.",
        is_public=True,
        source=name,
        created_at=BUILT,
        updated_at=BUILT,
    )

    async def list(self, user: chatd.User) -> list[chatd.Preset]:
        """Return the one preset."""
        return [self.storm]

    async def get(self, user: chatd.User, preset_id: str) -> chatd.Preset | None:
        """Return it by its id."""
        return self.storm if preset_id == self.storm.id else None


@chatd.hookimpl
def register_routes() -> list[Any]:
    """Serve /x/lighthouse/ships."""
    return [("ships", Ships)]


class Ships(chatd.RouteHandler):
    """Ships that have passed, counted in the store."""

    async def post(self) -> None:
        """Count one."""
        number = await self.app.store.add_to_count(NAME, "ships")
        self.send({"ships": number, "seen_by": self.user.name}, 201)


@chatd.hookimpl
def register_commands(cli: click.Group) -> None:
    """Add `chatd ships`."""

    @cli.command()
    def ships() -> None:
        """Say how many ships have passed."""
        chatd.with_app(show)


async def show(app: chatd.App) -> None:
    """Print what is counted."""
    ships = await app.store.get_datum(NAME, "ships")
    click.echo(f"{ships.value if ships else 0} ships")
