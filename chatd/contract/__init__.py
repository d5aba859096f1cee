"""The contract with clients as documents: OpenAPI, AsyncAPI, and a page of both.

Made when they are first asked for, which takes a moment: nothing of it is imported at the start.
"""

from __future__ import annotations

import hashlib
import threading
from typing import Any

import msgspec

from chatd.schemas import Shapes


class Document:
    """An encoded document, and the tag that changes with it."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'


class Contract:
    """The documents for one configuration."""

    def __init__(self, shapes: Shapes, prefix: str) -> None:
        self._shapes, self._prefix = shapes, prefix
        self._lock = threading.Lock()
        self._documents: dict[str, Document] = {}

    def document(self, name: str) -> Document:
        """Return `openapi`, `asyncapi` or `docs`; the first call makes all of them."""
        with self._lock:
            if not self._documents:
                self._documents = self._make()
            return self._documents[name]

    def _make(self) -> dict[str, Document]:
        from chatd.contract.page import make_page

        openapi, asyncapi = self.specifications()
        encode = msgspec.json.Encoder().encode
        return {
            "openapi": Document(encode(openapi)),
            "asyncapi": Document(encode(asyncapi)),
            "docs": Document(make_page(openapi, asyncapi).encode()),
        }

    def specifications(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return both documents, as Python has them."""
        from chatd.contract.asyncapi import make_asyncapi
        from chatd.contract.components import make_components
        from chatd.contract.openapi import make_openapi

        components = make_components(self._shapes)
        commands = tuple(self._shapes.events)
        return (
            make_openapi(components, self._prefix),
            make_asyncapi(components, self._prefix, commands),
        )
