"""How a route is documented: one Operation for each method of each path."""

from __future__ import annotations

from typing import Any

from chatd.errors import (
    BadRequest,
    ChatdError,
    Forbidden,
    InvalidInput,
    NotFound,
    PreconditionFailed,
    StoreUnavailable,
    TooLarge,
    Unauthenticated,
    UnsupportedMediaType,
)
from chatd.types import Value

JSON = "application/json"
PROBLEM = "application/problem+json"
SSE = "text/event-stream"


class Parameter(Value, frozen=True, kw_only=True):
    """A part of the query, or a header, that a request may have."""

    name: str
    about: str
    schema: dict[str, Any]
    place: str = "query"
    example: Any = None
    is_required: bool = False


class Answer(Value, frozen=True, kw_only=True):
    """An answer that is no error. `schema` names a class of `answers` or `objects`, None: no body.

    `others` are descriptions of bodies that are not JSON, by content type; `headers` are names in
    `chatd.contract.openapi.HEADERS`.
    """

    about: str
    schema: str | None = None
    headers: tuple[str, ...] = ()
    others: dict[str, str] = {}  # noqa: RUF012 - msgspec copies it


class Operation(Value, frozen=True, kw_only=True):
    """One method of one path.

    `path` is below the API's prefix, or of the whole server when it begins with a slash. `body`
    names an attribute of `chatd.schemas.Shapes`. `errors` are those of its own: `can_fail` adds
    what every operation, or every one with a body, a query or a placeholder, can fail with.
    `failure` is the schema of a 502.
    """

    method: str
    path: str
    id: str
    tag: str
    title: str
    about: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: str | None = None
    answers: dict[int, Answer]
    errors: tuple[type[ChatdError], ...] = ()
    failure: str = "Problem"
    is_public: bool = False
    is_file: bool = False

    def can_fail(self) -> list[type[ChatdError]]:
        """Return every error that this can answer with, by status and code."""
        found: set[type[ChatdError]] = {ChatdError, *self.errors}
        if not self.is_file:
            found |= {Forbidden, TooLarge}
        if not self.is_public:
            found |= {Unauthenticated, StoreUnavailable}
        if "{" in self.path:
            found.add(NotFound)
        if self.body:
            found |= {BadRequest, InvalidInput, UnsupportedMediaType}
        if any(parameter.place == "query" for parameter in self.parameters):
            found.add(InvalidInput)
        if any(parameter.name == "cursor" for parameter in self.parameters):
            found.add(BadRequest)
        if any(parameter.name == "If-Match" for parameter in self.parameters):
            found.add(PreconditionFailed)
        return sorted(found, key=lambda kind: (kind.status, kind.code))


def query(name: str, about: str, schema: dict[str, Any], example: Any = None) -> Parameter:
    """Return a parameter of the query."""
    return Parameter(name=name, about=about, schema=schema, example=example)


def header(name: str, about: str, example: Any = None) -> Parameter:
    """Return a header of the request."""
    return Parameter(
        name=name, about=about, schema={"type": "string"}, place="header", example=example
    )


LIMIT = query(
    "limit",
    "How many results a page may have.",
    {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
)
CURSOR = query(
    "cursor", "Where a page begins: only what `next` and `previous` hold.", {"type": "string"}
)
IS_ACTIVE = query(
    "is_active",
    "`true`: those in use; `false`: the others.",
    {"enum": ["true", "false", "all"], "default": "true"},
)
SEARCHED = query(
    "q",
    "What to look for, not blank: 256 words at most.",
    {"type": "string", "minLength": 1, "maxLength": 10_000, "pattern": r"\S"},
    "capital",
).replace(is_required=True)
IF_MATCH = header("If-Match", "The ETag that the object must still have; else 412.", '"3"')
