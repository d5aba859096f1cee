"""The OpenAPI document of REST (version 3.1), made from the operations and the schemas."""

from __future__ import annotations

import re
from typing import Any

from chatd import __version__
from chatd.contract.caller_operations import CALLER_OPERATIONS
from chatd.contract.catalog_operations import MODEL_OPERATIONS, PRESET_OPERATIONS
from chatd.contract.components import body_name, needed, ref
from chatd.contract.operation import JSON, PROBLEM, Answer, Operation, Parameter
from chatd.contract.server_operations import SERVER_OPERATIONS
from chatd.contract.session_operations import SESSION_OPERATIONS
from chatd.contract.turn_operations import TURN_OPERATIONS
from chatd.errors import ChatdError, RateLimited, Unauthenticated

OPERATIONS: list[Operation] = [
    *SESSION_OPERATIONS,
    *TURN_OPERATIONS,
    *MODEL_OPERATIONS,
    *PRESET_OPERATIONS,
    *CALLER_OPERATIONS,
    *SERVER_OPERATIONS,
]

TAGS = {
    "Sessions": "Stored conversations.",
    "Messages": "What stands in them.",
    "Turns": "A user's message and what answers it.",
    "Models": "What can answer.",
    "Presets": "Named starting points for sessions.",
    "Caller": "Signing in and out, tickets, preferences, numbers.",
    "Server": "Whether it works, its documents and its page.",
}

ABOUT = """\
Every path is served with and without its trailing slash. HEAD answers where GET does, OPTIONS
everywhere. Every answer has an `X-Request-Id`.

There may be more fields than those described here: ignore what you do not know. In requests an
unknown field is an error, as are an integer beyond 2^53 and a NUL in a string.

Errors are `application/problem+json` (RFC 9457): decide by their `code`. An unknown path is 404
`not_found`, a method that a path does not take 405 `method_not_allowed`."""

HEADERS: dict[str, tuple[str, Any]] = {
    "ETag": ("The version of what comes, for If-Match.", '"3"'),
    "Location": ("Where it is.", "/ai-chat/api/sessions/0192f3a4-7c10-7a51-9c0d-2e4b8f6a1c33/"),
    "Preference-Applied": ("`respond-async`", "respond-async"),
    "Retry-After": ("After how many seconds to try again.", 2),
    "WWW-Authenticate": ("Which credentials are taken.", "Token"),
    "X-Request-Id": ("Names the request in the log.", "0192f3a4-7d00-7f01-a0b1-c2d3e4f5a6b7"),
}

PLACEHOLDERS = {
    "session_id": "The id of a session.",
    "message_id": "The id of a message.",
    "model_id": "`provider/name`, percent-encoded.",
    "preset_id": "The id of a preset.",
    "file": "The name of a file.",
}

SECURITY = {
    "Token": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "`Authorization: Token <token>`",
    },
    "Bearer": {"type": "http", "scheme": "bearer", "description": "The same token."},
    "Ticket": {
        "type": "apiKey",
        "in": "query",
        "name": "ticket",
        "description": "Of sockets alone: what `POST ws_ticket/` gives opens one of them.",
    },
}


def make_openapi(components: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Return the document for paths with this prefix."""
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        methods = paths.setdefault(full_path(operation, prefix), {})
        methods[operation.method.lower()] = _operation(operation, components)
    problem = ref("Problem")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "chatd",
            "version": __version__,
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": about} for name, about in TAGS.items()],
        "security": [{"Token": []}, {"Bearer": []}],
        "paths": paths,
        "components": {
            "schemas": needed(components, paths, problem),
            "headers": {name: _header(name) for name in HEADERS},
            "securitySchemes": SECURITY,
        },
    }


def full_path(operation: Operation, prefix: str) -> str:
    """Return an operation's path on the server."""
    path = operation.path
    return path if path.startswith("/") else f"{prefix}/api/{path}"


def _operation(operation: Operation, components: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.title,
    }
    if operation.about:
        found["description"] = operation.about
    if operation.is_public:
        found["security"] = []
    names = re.findall(r"{(\w+)}", operation.path)
    parameters = [_placeholder(name) for name in names]
    parameters += [_parameter(parameter) for parameter in operation.parameters]
    if parameters:
        found["parameters"] = parameters
    if operation.body:
        name = body_name(operation.body)
        found["requestBody"] = {
            "required": bool(components[name].get("required")),
            "content": {JSON: {"schema": ref(name)}},
        }
    found["responses"] = _responses(operation)
    return found


def _placeholder(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": PLACEHOLDERS[name],
        "schema": {"type": "string"},
    }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    found = {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.about,
        "schema": parameter.schema,
        **({"required": True} if parameter.is_required else {}),
    }
    return found if parameter.example is None else found | {"example": parameter.example}


def _responses(operation: Operation) -> dict[str, Any]:
    found = {str(status): _answer(answer) for status, answer in operation.answers.items()}
    kinds = operation.can_fail()
    for status in sorted({kind.status for kind in kinds}):
        same = [kind for kind in kinds if kind.status == status]
        failure = _failure(same, operation.failure if status == 502 else "Problem")
        ours = found.setdefault(str(status), failure)
        if ours is not failure:  # an answer of this status is no error, but there are errors too
            ours["content"] |= failure["content"]
    return dict(sorted(found.items()))


def _answer(answer: Answer) -> dict[str, Any]:
    found: dict[str, Any] = {
        "description": answer.about,
        "headers": _headers(*answer.headers),
    }
    content = {JSON: {"schema": ref(answer.schema)}} if answer.schema else {}
    content |= {
        kind: {"schema": {"description": about} | ({} if kind == JSON else {"type": "string"})}
        for kind, about in answer.others.items()
    }
    return found | ({"content": content} if content else {})


def _failure(kinds: list[type[ChatdError]], schema: str) -> dict[str, Any]:
    """Return the answer of one status, with the codes that it can have."""
    headers = []
    if RateLimited in kinds:
        headers.append("Retry-After")
    if Unauthenticated in kinds:
        headers.append("WWW-Authenticate")
    codes = sorted({kind.code for kind in kinds})
    return {
        "description": "; ".join(
            f"`{kind.code}`: {' '.join((kind.__doc__ or '').split())}" for kind in kinds
        ),
        "headers": _headers(*headers),
        "content": {
            PROBLEM: {
                "schema": {
                    "allOf": [ref(schema), {"properties": {"code": {"enum": codes}}}],
                }
            }
        },
    }


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*names, "X-Request-Id")}


def _header(name: str) -> dict[str, Any]:
    about, example = HEADERS[name]
    kind = "integer" if isinstance(example, int) else "string"
    return {
        "description": about,
        "required": True,
        "schema": {"type": kind},
        "example": example,
    }
