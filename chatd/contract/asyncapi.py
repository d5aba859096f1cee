"""The AsyncAPI document of the sockets (version 3.0), made from the events and the schemas."""

from __future__ import annotations

from typing import Any

from chatd import __version__
from chatd.contract.components import command_name, needed, ref
from chatd.contract.events import CLOSE_CODES, FROM_CLIENT, FROM_LIST, FROM_SESSION, TO_LIST
from chatd.contract.objects import Answer

ABOUT = """\
A frame is one event: a JSON object with a `type`. Ignore events and fields
that you do not know; the server ignores fields that it does not know.

Missing nothing takes two numbers. `revision` numbers the durable changes of a session: connect with
`since` and what you missed comes again. `seq` numbers the entries of one generation's log: of a
frame with `prev` and `seq` drop it when `seq` is not above what you have; append it when `prev` is
what you have; with `prev` 0 clear, then append; else send `resume`."""

CREDENTIALS: dict[str, Any] = {
    "token": {"type": "string", "description": "A token. Never in a log of the server."},
    "ticket": {"type": "string", "description": "What POST ws_ticket/ gave: opens one socket."},
}
SESSION_QUERY: dict[str, Any] = CREDENTIALS | {
    "since": {
        "type": "integer",
        "minimum": 0,
        "description": "The last `revision` the client has: what changed after it comes again.",
    },
    "epoch": {
        "type": "string",
        "description": "The `epoch` that `since` is of; another one answers with `reload`.",
    },
    "chunks": {
        "enum": ["full", "delta"],
        "default": "full",
        "description": "`delta` leaves `full_content` out.",
    },
}
SECURITY = {
    "Token": {
        "type": "httpApiKey",
        "in": "header",
        "name": "Authorization",
        "description": "`Authorization: Token <token>`; `Bearer` is the same.",
    },
    "QueryToken": {"type": "httpApiKey", "in": "query", "name": "token"},
    "Ticket": {"type": "httpApiKey", "in": "query", "name": "ticket"},
    "Subprotocol": {
        "type": "httpApiKey",
        "in": "header",
        "name": "Sec-WebSocket-Protocol",
        "description": "Offer `chatd.v1` and `chatd.token.<token>`; the first is selected.",
    },
}


def make_asyncapi(
    components: dict[str, Any], prefix: str, commands: tuple[str, ...]
) -> dict[str, Any]:
    """Return the document for paths with this prefix; commands are what a session's takes."""
    session = _channel(
        f"/ws{prefix}/session/{{session_id}}/",
        "One session",
        "Everything that happens in a session, and what the caller does there.",
        SESSION_QUERY,
        _messages(commands, FROM_SESSION),
    )
    session["parameters"] = {"session_id": {"description": "The id of a session."}}
    sessions = _channel(
        f"/ws{prefix}/sessions/",
        "The session list",
        "What happens to all sessions of the caller.",
        CREDENTIALS,
        _messages(TO_LIST, FROM_LIST),
    )
    channels = {"session": session, "sessions": sessions}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "chatd",
            "version": __version__,
            "description": ABOUT,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "chatd": {
                "host": "{host}",
                "protocol": "ws",
                "description": "wss behind a proxy that ends TLS.",
                "variables": {"host": {"default": "localhost:8000"}},
                "security": [{"$ref": f"#/components/securitySchemes/{name}"} for name in SECURITY],
            }
        },
        "channels": channels,
        "operations": {
            **_operations("session", commands, FROM_SESSION),
            **_operations("sessions", TO_LIST, FROM_LIST),
        },
        "components": {"schemas": needed(components, channels), "securitySchemes": SECURITY},
    }


def _channel(
    address: str, title: str, about: str, query: dict[str, Any], messages: dict[str, Any]
) -> dict[str, Any]:
    return {
        "address": address,
        "title": title,
        "description": about,
        "messages": messages,
        "bindings": {
            "ws": {
                "bindingVersion": "0.1.0",
                "method": "GET",
                "query": {"type": "object", "properties": query},
            }
        },
        "x-close-codes": {str(code): about for code, about in CLOSE_CODES.items()},
    }


def _messages(commands: tuple[str, ...], events: dict[str, type[Answer]]) -> dict[str, Any]:
    """Return the messages of a channel: of the client as `client.<type>`, else by type."""
    found = {
        f"client.{kind}": _message(kind, FROM_CLIENT[kind], command_name(kind)) for kind in commands
    }
    for kind, schema in events.items():
        found[kind] = _message(kind, " ".join((schema.__doc__ or "").split()), schema.__name__)
    return found


def _message(kind: str, about: str, schema: str) -> dict[str, Any]:
    return {"name": kind, "summary": about, "payload": ref(schema)}


def _operations(
    channel: str, commands: tuple[str, ...], events: dict[str, type[Answer]]
) -> dict[str, Any]:
    """Return what the server does on a channel: it receives commands and sends events."""
    received = [f"client.{kind}" for kind in commands]
    both = {"receive": (received, "What clients send."), "send": (events, "What clients get.")}
    return {
        f"{channel}.{action}": {
            "action": action,
            "channel": {"$ref": f"#/channels/{channel}"},
            "summary": about,
            "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in names],
        }
        for action, (names, about) in both.items()
    }
