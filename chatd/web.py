"""Every URL of chatd on one screen."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from urllib.parse import unquote_plus

from tornado.web import Application, RequestHandler, url

from chatd.app import App
from chatd.contract import Contract
from chatd.handlers import (
    account,
    contract,
    health,
    messages,
    metrics,
    models,
    page,
    presets,
    search,
    sessions,
)
from chatd.handlers.base import UnknownPath
from chatd.handlers.keeper import Keeper
from chatd.handlers.list_socket import SessionListSocket
from chatd.handlers.origins import Origins
from chatd.handlers.route import plugin_routes
from chatd.handlers.session_socket import SessionSocket
from chatd.metrics import OTHER

access_logger = logging.getLogger("chatd.access")

PROBES = ("/healthz", "/readyz")
SECRETS = ("token", "ticket")  # in a query; never in a log
NAMES = {
    SessionSocket: "/ws/session",
    SessionListSocket: "/ws/sessions",
    page.IndexHandler: "/",
    page.PageHandler: "/",
}
FRAME_FACTOR = 4  # a frame up to so many times too large is read, so that its sender learns why


def make_application(app: App, keeper: Keeper) -> Application:
    """Return the Tornado application that serves an App."""
    server = app.config.server
    prefix = re.escape(server.prefix)
    api, sockets = f"{prefix}/api", f"/ws{prefix}"
    one = r"([^/]+)"
    routes: list[tuple[str, type[RequestHandler]]] = [
        (f"{api}/sessions", sessions.SessionsHandler),
        (f"{api}/sessions/{one}", sessions.OneSessionHandler),
        (f"{api}/sessions/{one}/restore", sessions.RestoreHandler),
        (f"{api}/sessions/{one}/send_message", messages.SendMessageHandler),
        (f"{api}/sessions/{one}/messages", messages.MessagesHandler),
        (f"{api}/sessions/{one}/messages/{one}", messages.OneMessageHandler),
        (f"{api}/sessions/{one}/messages/{one}/select", sessions.SelectHandler),
        (f"{api}/sessions/{one}/regenerate", messages.RegenerateHandler),
        (f"{api}/sessions/{one}/stop", messages.StopHandler),
        (f"{api}/sessions/{one}/stream", messages.StreamHandler),
        (f"{api}/models", models.ModelsHandler),
        (f"{api}/models/sync_models", models.SyncModelsHandler),
        (f"{api}/models/{one}", models.OneModelHandler),
        (f"{api}/presets", presets.PresetsHandler),
        (f"{api}/presets/{one}", presets.OnePresetHandler),
        (f"{api}/presets/{one}/create_session_from_preset", presets.SessionFromPresetHandler),
        (f"{api}/health/llm_server", health.LlmServerHealthHandler),
        (f"{api}/health/stats", health.StatsHandler),
        (f"{api}/search", search.SearchHandler),
        (f"{api}/me", account.MeHandler),
        (f"{api}/sign_in", account.SignInHandler),
        (f"{api}/sign_out", account.SignOutHandler),
        (f"{api}/ws_ticket", account.SocketTicketHandler),
        *([("/metrics", metrics.MetricsHandler)] if app.metrics is not None else []),
        ("/healthz", health.AliveHandler),
        ("/readyz", health.ReadyHandler),
        ("/api/openapi.json", contract.OpenApiHandler),
        ("/api/asyncapi.json", contract.AsyncApiHandler),
        ("/docs", contract.DocsHandler),
        *plugin_routes(app),
    ]
    shared = {"app": app}
    names = {handler: path.removeprefix(prefix).replace(one, "{id}") for path, handler in routes}
    return Application(
        [
            # First: thousands of them connect at once, when a server has been started again.
            url(f"{sockets}/session/{one}/?", SessionSocket, {**shared, "keeper": keeper}),
            url(f"{sockets}/sessions/?", SessionListSocket, {**shared, "keeper": keeper}),
            *(url(f"{path}/?", handler, shared) for path, handler in routes),
            url(r"/()", page.IndexHandler, {**page.FILES, "prefix": server.prefix}),
            url(r"/static/(.+)", page.PageHandler, page.FILES),
        ],
        default_handler_class=UnknownPath,
        default_handler_args=shared,
        log_function=_on_answer(app, names),
        origins=Origins(server.allowed_origins, dev=server.dev),
        keeper=keeper,
        contract=Contract(app.shapes, server.prefix),
        websocket_max_message_size=app.config.limits.frame_bytes * FRAME_FACTOR or 2**62,
        websocket_ping_interval=0,  # the keeper pings
    )


def _on_answer(
    app: App, names: dict[type[RequestHandler], str]
) -> Callable[[RequestHandler], None]:
    """Return what Tornado calls for every request that has been answered."""
    log = log_request if app.config.server.access_log else _log_nothing
    metrics, traces, names = app.metrics, app.traces, {**NAMES, **names}

    def answered(handler: RequestHandler) -> None:
        request, status = handler.request, handler.get_status()
        route = names.get(type(handler), OTHER)
        if metrics is not None:
            metrics.answered(request.method, route, status, request.request_time())
        if traces is not None and hasattr(handler, "span"):
            traces.end_request(handler.span, route, status)
        log(handler)

    return answered


def log_request(handler: RequestHandler) -> None:
    """Write the access line of a request; a token in its query is not shown."""
    request = handler.request
    level = logging.DEBUG if request.path in PROBES else logging.INFO
    if not access_logger.isEnabledFor(level):
        return
    access_logger.log(
        level,
        "%s %s %s %d %.1f ms %s",
        getattr(handler, "request_id", "-"),
        request.method,
        _without_secrets(request.uri or ""),
        handler.get_status(),
        request.request_time() * 1000,
        request.remote_ip,
    )


def _without_secrets(uri: str) -> str:
    """Return a URI with *** for every secret in its query, however its name is written."""
    path, question, query = uri.partition("?")
    pairs = [pair.partition("=") for pair in query.split("&")]
    shown = [
        f"{name}=***" if unquote_plus(name) in SECRETS else f"{name}{equals}{value}"
        for name, equals, value in pairs
    ]
    return f"{path}{question}{'&'.join(shown)}"


def _log_nothing(handler: RequestHandler) -> None:
    return None
