"""What a plugin serves under its own path, by the rules of the core."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from marshmallow import INCLUDE, Schema

from chatd.app import App
from chatd.errors import ConfigError
from chatd.handlers.base import BaseHandler
from chatd.handlers.credentials import read_request
from chatd.types import Request

ANYTHING = Schema(unknown=INCLUDE)


class RouteHandler(BaseHandler):
    """A handler of a plugin's path. Its methods are `get`, `post`, `put`, `patch` and `delete`.

    They may be async and get the groups of the pattern as texts. `self.user` is the caller, whom
    the core has let in as for its own paths, unless the class says `is_public = True`; `self.app`
    is the App. Origins, CORS, OPTIONS, HEAD and the limit of the body are the core's. Raise a
    ChatdError to answer with it; anything else is logged and answered with 500. `self.body(schema)`
    is the JSON body, checked, `self.send(value, status)` answers with JSON, and what Tornado's
    RequestHandler has is there too.
    """

    def credentials(self) -> Request:
        """Return the request as `authenticate` gets it: with its token and the socket's peer."""
        return read_request(self)

    def body(self, schema: Schema | None = None) -> dict[str, Any]:
        """Return the JSON object of the body, as a marshmallow schema has it, else any.

        An empty body is an empty object. Raises InvalidInput, which names the fields, BadRequest,
        UnsupportedMediaType.
        """
        return super().body(schema or ANYTHING)


def plugin_routes(app: App) -> list[tuple[str, type[RouteHandler]]]:
    """Return the paths of all plugins, whole, with their handlers. Raises ConfigError."""
    routes: list[tuple[str, type[RouteHandler]]] = []
    for plugin, route in app.routes:
        pattern, handler = _checked(app, plugin, route)
        path = _path(plugin, pattern)
        if path in dict(routes):
            raise _wrong(app, plugin, f"registers the path {path} twice.")
        routes.append((path, handler))
    return routes


def _path(plugin: str, pattern: str) -> str:
    # In a group when there is a choice in it, whose ends would be those of the whole path else.
    own = f"(?:{pattern})" if "|" in pattern else pattern
    return f"/x/{re.escape(plugin)}/{own}".rstrip("/")


def _checked(app: App, plugin: str, route: Sequence[Any]) -> tuple[str, type[RouteHandler]]:
    if len(route) != 2 or not isinstance(route[0], str):
        raise _wrong(app, plugin, f"registers {route!r}, which is no (pattern, handler).")
    pattern, handler = route
    try:
        re.compile(pattern)
        re.compile(_path(plugin, pattern))
    except re.error as exc:
        raise _wrong(app, plugin, f"registers the wrong pattern {pattern!r}: {exc}.") from exc
    if pattern.startswith(("/", "^")):
        raise _wrong(app, plugin, f"registers {pattern!r}: a pattern begins behind /x/{plugin}/.")
    if not (isinstance(handler, type) and issubclass(handler, RouteHandler)):
        raise _wrong(
            app, plugin, f"registers {handler!r}, which is no subclass of chatd.RouteHandler."
        )
    return pattern, handler


def _wrong(app: App, plugin: str, what: str) -> ConfigError:
    return ConfigError(f"Plugin {app.plugins.place(plugin)} {what}")
