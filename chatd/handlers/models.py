"""Models over REST."""

from __future__ import annotations

from chatd.errors import Forbidden
from chatd.handlers.base import BaseHandler
from chatd.handlers.sessions import ACTIVE
from chatd.stores.cursors import decode_cursor, encode_cursor


class ModelsHandler(BaseHandler):
    """The list of models."""

    async def get(self) -> None:
        """List known models, without waiting for a provider."""
        is_active = self.query_choice("is_active", ACTIVE, True)
        limit, cursor = self.query_limit(), self.get_query_argument("cursor", "")
        models = await self.app.models.list()
        found = [m for m in models if is_active is None or m.is_active is is_active]
        start = decode_cursor(cursor, tuple[int])[0] if cursor else 0
        start = min(max(start, 0), len(found))
        end = start + limit
        prefix = {"limit": limit}
        page = {
            "next": {**prefix, "cursor": encode_cursor(end)} if end < len(found) else None,
            "previous": {**prefix, "cursor": encode_cursor(max(0, start - limit))}
            if start
            else None,
        }
        self.send_page(found[start:end], page, default=await self.app.models.default(self.user))


class SyncModelsHandler(BaseHandler):
    """Asking the providers."""

    async def post(self) -> None:
        """Ask every provider now, and say what changed."""
        self.send(await self.app.models.sync())


class OneModelHandler(BaseHandler):
    """One model."""

    async def patch(self, model_id: str) -> None:
        """Change it for everybody: the administrator's own."""
        if not self.user.is_admin:
            raise Forbidden("Only an administrator may change models.")
        changes = self.body(self.app.shapes.model)
        self.send(await self.app.models.update(model_id, changes))
