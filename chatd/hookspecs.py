"""The hooks: where plugins take part in what chatd does.

Every hook may be a plain or an async function and may take fewer arguments than shown. The plugin
listed first in the configuration is asked first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pluggy

from chatd.preset import PresetSource
from chatd.provider import Provider
from chatd.types import Request, User

if TYPE_CHECKING:
    from chatd.app import App

hookspec = pluggy.HookspecMarker("chatd")
hookimpl = pluggy.HookimplMarker("chatd")


@hookspec
def authenticate(app: App, request: Request) -> User | None:
    """Return the User who makes a request, or None if the credentials are not yours.

    Called for every request and again for every event of an open socket. Raise Unauthenticated for
    credentials you recognise but do not accept: nobody else is asked then. Any other exception is
    an internal error: nobody gets in.
    """


@hookspec
def sign_in(app: App, credentials: Mapping[str, Any]) -> User | None:
    """Return the User whose credentials these are, or None if they are not of your kind.

    Called with the body of POST sign_in/; the core then issues a token. Raises as `authenticate`.
    """


@hookspec
def register_providers(app: App) -> list[Provider]:  # type: ignore[empty-body]
    """Return the providers of models that you add. Called once, at start; an exception ends it."""


@hookspec
def register_preset_sources(app: App) -> list[PresetSource]:  # type: ignore[empty-body]
    """Return the sources of presets that you add. Called once, at start; an exception ends it."""
