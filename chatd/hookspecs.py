"""The hooks: where plugins take part in what chatd does.

Every hook may be a plain or an async function and may take fewer arguments than shown, by these
names; arguments have no defaults, and there are no wrappers. The plugin listed first in the
configuration is asked first. Between two awaits a hook holds up the whole server: one that does so
for more than 100 ms is named in the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pluggy

from chatd.events import Observed
from chatd.preset import PresetSource
from chatd.provider import Prompt, Provider
from chatd.signed_in import SignedIn
from chatd.types import Request, Session, User

if TYPE_CHECKING:
    import click

    from chatd.app import App
    from chatd.handlers.route import RouteHandler

hookspec = pluggy.HookspecMarker("chatd")
hookimpl = pluggy.HookimplMarker("chatd")


@hookspec
def startup(app: App) -> None:
    """Begin your work: called once, when all of the App is open and before it takes requests.

    The store, the models and what the plugins register are there. For what needs the event loop: a
    client, a connection, a task. An exception ends the start; a ConfigError says why in its own
    sentence. Not called by commands such as `chatd plugins`.
    """


@hookspec
def shutdown(app: App) -> None:
    """End your work: called once, when no turn runs any more and the store is still open.

    The plugin listed last is called first. Called for every plugin that came through its `startup`,
    also when the start of another one failed. An exception is logged.
    """


@hookspec
def authenticate(app: App, request: Request) -> User | None:
    """Return the User who makes a request, or None if the credentials are not yours.

    Called for every request and again for every event of an open socket. Raise Unauthenticated for
    credentials you recognise but do not accept: nobody else is asked then. Any other exception is
    an internal error: nobody gets in.
    """


@hookspec
def sign_in(app: App, credentials: Mapping[str, Any], request: Request) -> User | SignedIn | None:
    """Return the User whose credentials these are, or None if they are not of your kind.

    Called with the body of POST sign_in/, and with the request for whoever counts tries by the
    address; the core then issues a token. A SignedIn is asked once more when that is there: for
    credentials whose change ends tokens. Raises as `authenticate`, and RateLimited.
    """


@hookspec
def register_providers(app: App) -> list[Provider]:  # type: ignore[empty-body]
    """Return the providers of models that you add. Called once, at start; an exception ends it."""


@hookspec
def register_preset_sources(app: App) -> list[PresetSource]:  # type: ignore[empty-body]
    """Return the sources of presets that you add. Called once, at start; an exception ends it."""


@hookspec
def register_routes(app: App) -> list[tuple[str, type[RouteHandler]]]:  # type: ignore[empty-body]
    """Return the paths that you serve, as (pattern, handler). Called once, at start.

    A pattern is a regular expression of the path behind `/x/<plugin>/`, without a slash at its
    start; `""` is that path itself, a slash at the end of a path is optional, and each group is an
    argument of the handler's methods. A handler is a subclass of chatd.RouteHandler, which has the
    caller in `self.user`, or says `is_public = True`. An exception ends the start.
    """


@hookspec
def register_commands(cli: click.Group) -> None:
    """Add commands to `chatd`: `@cli.command()`, with click.

    Called when somebody calls a command that chatd itself does not have, or `chatd plugins`, which
    lists them: `chatd --help` loads no plugin. What needs the store or the configuration calls
    chatd.with_app. No server runs in this process, and `startup` is not called. An exception fails
    the command.
    """


@hookspec
def prepare_prompt(app: App, user: User, session: Session, prompt: Prompt) -> Prompt | None:
    """Return the Prompt that is to be sent in place of this one, or None to leave it.

    Called for every turn before its provider is, and for what app.prompts.prepared is given; each
    plugin gets what the one before it made. The last message is the user's. What is stored does not
    change. When it raises, the turn fails with the code `prompt_failed`, and nothing is sent; the
    user is shown the sentence of a ChatdError whose status is below 500.
    """


@hookspec
def before_turn(app: App, user: User, session: Session, text: str) -> None:
    """Raise to refuse a turn; return to let it pass.

    Called once for every turn, after chatd's own limits and before anything is stored; `text` is
    the user's, of a regeneration the question that is to be answered again. A repeat of a turn that
    is there, by its client_id, is none. The session is locked meanwhile: all plugins together have
    10 s. The error is the answer: RateLimited with `retry_after` is a 429 with Retry-After over
    REST, an `error` event over WebSocket. What is no ChatdError is logged, and a 500.
    """


@hookspec
def observe(app: App, event: Observed) -> None:
    """Take note of something that happened: a turn, a message, a session, a connection.

    Called behind the back of it, one event after the other for each plugin: nothing waits for you.
    Whoever is 1,000 events late loses the next ones, which is counted and logged. An exception is
    logged and ignored. Only what happens in this process is told.
    """
