"""The documents of the contract, and the page that shows them."""

from __future__ import annotations

import asyncio

from chatd.contract import Contract
from chatd.handlers.base import BaseHandler
from chatd.handlers.page import POLICY

TYPES = {
    "openapi": "application/json; charset=utf-8",
    "asyncapi": "application/json; charset=utf-8",
    "docs": "text/html; charset=utf-8",
}


class DocumentHandler(BaseHandler):
    """A document. Public: it says nothing of anybody, and clients are generated from it."""

    is_public = True
    name = ""

    async def get(self) -> None:
        """Return it, or 304 to whoever has it already. The first one to ask has it made."""
        contract: Contract = self.settings["contract"]
        document = await asyncio.to_thread(contract.document, self.name)
        self.set_header("Cache-Control", "no-cache")
        self.set_header("ETag", document.etag)
        if self.check_etag_header():
            self.set_status(304)
            return
        self.set_header("Content-Type", TYPES[self.name])
        self.write(document.content)


class OpenApiHandler(DocumentHandler):
    """REST."""

    name = "openapi"


class AsyncApiHandler(DocumentHandler):
    """The sockets."""

    name = "asyncapi"


class DocsHandler(DocumentHandler):
    """Both, for people."""

    name = "docs"

    def set_default_headers(self) -> None:
        """Let nothing of another host in."""
        super().set_default_headers()
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("Referrer-Policy", "no-referrer")
