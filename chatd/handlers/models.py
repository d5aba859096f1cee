"""Models over REST."""

from __future__ import annotations

from chatd.errors import BadRequest, Forbidden
from chatd.handlers.base import BaseHandler
from chatd.handlers.paging import Pager
from chatd.handlers.sessions import ACTIVE
from chatd.types import Model


class ModelsHandler(BaseHandler):
    """The list of models."""

    async def get(self) -> None:
        """List known models, without waiting for a provider."""
        is_active = self.query_choice("is_active", ACTIVE, True)
        limit, cursor = self.query_limit(), self.get_query_argument("cursor", "")
        models = await self.app.models.list()
        found = [m for m in models if is_active is None or m.is_active is is_active]
        page = _pager(models).page(found, limit, cursor)
        links = self.links("is_active", next=page.next, previous=page.previous)
        self.send_page(page.results, links, default=await self.app.models.default(self.user))


def _pager(models: list[Model]) -> Pager[Model]:
    """Return the pager of models in this order: one is never forgotten, so each has a place."""
    places = {(model.id,): place for place, model in enumerate(models)}

    def rank(key: tuple[str, ...]) -> int:
        if key not in places:
            raise BadRequest("This cursor is not one of ours.")
        return places[key]

    return Pager("models", lambda model: (model.id,), rank)


class SyncModelsHandler(BaseHandler):
    """Asking the providers."""

    async def post(self) -> None:
        """Ask every provider now, and say what changed."""
        self.no_body()
        self.send(await self.app.models.sync())


class OneModelHandler(BaseHandler):
    """One model."""

    async def patch(self, model_id: str) -> None:
        """Change it for everybody: the administrator's own."""
        if not self.user.is_admin:
            raise Forbidden("Only an administrator may change models.")
        changes = self.body(self.app.shapes.model)
        self.send(await self.app.models.update(model_id, changes))
