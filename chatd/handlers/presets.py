"""Presets over REST."""

from __future__ import annotations

from chatd.handlers.base import BaseHandler
from chatd.handlers.paging import Pager
from chatd.handlers.sessions import SessionHandler
from chatd.types import Preset, new_id, now

PAGER: Pager[Preset] = Pager("presets", lambda preset: (preset.name.casefold(), preset.id))


class PresetHandler(BaseHandler):
    """What all handlers that answer with one preset share."""

    def send_preset(self, preset: Preset, status: int = 200) -> None:
        """Answer with a preset and its version as ETag."""
        self.set_header("ETag", f'"{preset.version}"')
        if status == 201:
            prefix = self.app.config.server.prefix
            self.set_header("Location", f"{prefix}/api/presets/{preset.id}/")
        self.send(preset, status)


class PresetsHandler(PresetHandler):
    """The list of presets."""

    async def get(self) -> None:
        """List own presets, public ones, and those of every source, by name."""
        limit, cursor = self.query_limit(), self.get_query_argument("cursor", "")
        page = PAGER.page(await self.app.presets.list(self.user), limit, cursor)
        self.send_page(page.results, self.links(next=page.next, previous=page.previous))

    async def post(self) -> None:
        """Keep a new preset of the caller."""
        fields = self.body(self.app.shapes.new_preset)
        time = now()
        preset = Preset(id=new_id(), owner=self.user.id, created_at=time, updated_at=time, **fields)
        self.send_preset(await self.app.presets.create(self.user, preset), 201)


class OnePresetHandler(PresetHandler):
    """One preset."""

    async def get(self, preset_id: str) -> None:
        """Return it."""
        self.send_preset(await self.app.presets.get(self.user, preset_id))

    async def patch(self, preset_id: str) -> None:
        """Change some fields of an own preset."""
        changes = self.body(self.app.shapes.preset)
        version = await self.expected_version(self.app.presets.get, preset_id)
        self.send_preset(await self.app.presets.update(self.user, preset_id, changes, version))

    async def delete(self, preset_id: str) -> None:
        """Erase an own preset."""
        version = await self.expected_version(self.app.presets.get, preset_id)
        await self.app.presets.delete(self.user, preset_id, version)
        self.set_status(204)


class SessionFromPresetHandler(SessionHandler):
    """Starting from a preset."""

    async def post(self, preset_id: str) -> None:
        """Make a session with the preset's model, system prompt and settings."""
        title = self.body(self.app.shapes.from_preset).get("title")
        session = await self.app.sessions.create_from_preset(self.user, preset_id, title)
        self.send_session(session, 201)
