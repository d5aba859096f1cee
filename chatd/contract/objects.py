"""The objects of the wire (PROTOCOL section 2), as the documents and the tests have them.

Handlers write values of `chatd.types` as they are, which is faster than any schema; these say what
comes out. A test holds every answer and every event of the test suite against them.
"""

from __future__ import annotations

import typing
from typing import Any

from marshmallow import EXCLUDE, Schema, fields, validate

from chatd.types import Role, Status

PART_TYPES = ("text", "reasoning", "tool_call", "tool_result")


def text(description: str = "", **kwargs: Any) -> fields.String:
    """A string that is always there."""
    return fields.String(required=True, metadata=_described(description), **kwargs)


def maybe(description: str = "", **kwargs: Any) -> fields.String:
    """A string or null, always there."""
    return text(description, allow_none=True, **kwargs)


def one_of(choices: Any, description: str = "", **kwargs: Any) -> fields.String:
    """One of these strings."""
    return text(description, validate=validate.OneOf(choices), **kwargs)


def count(description: str = "", *, low: int | None = 0, **kwargs: Any) -> fields.Integer:
    """A whole number that is always there."""
    check = validate.Range(low) if low is not None else None
    return fields.Integer(required=True, validate=check, metadata=_described(description), **kwargs)


def number(description: str = "", **kwargs: Any) -> fields.Float:
    """A number that is always there."""
    return fields.Float(required=True, metadata=_described(description), **kwargs)


def flag(description: str = "", **kwargs: Any) -> fields.Boolean:
    """A boolean; always there unless `required` says otherwise."""
    return fields.Boolean(metadata=_described(description), **{"required": True} | kwargs)


def time(description: str = "", **kwargs: Any) -> fields.AwareDateTime:
    """A time in UTC, always there."""
    metadata = {"pattern": "Z$"} | _described(description)
    return fields.AwareDateTime(required=True, metadata=metadata, **kwargs)


def uuid(description: str = "", **kwargs: Any) -> fields.UUID:
    """An id of ours, always there."""
    return fields.UUID(required=True, metadata=_described(description), **kwargs)


def mapping(description: str = "", **kwargs: Any) -> fields.Dict:
    """An object with any keys, always there."""
    return fields.Dict(
        keys=fields.String(), required=True, metadata=_described(description), **kwargs
    )


def nested(schema: Any, description: str = "", **kwargs: Any) -> fields.Nested:
    """An object of a schema; always there unless `required` says otherwise."""
    return fields.Nested(schema, metadata=_described(description), **{"required": True} | kwargs)


def several(schema: Any, description: str = "", **kwargs: Any) -> fields.List[Any]:
    """A list of such objects, always there."""
    inner = schema if isinstance(schema, fields.Field) else fields.Nested(schema)
    return fields.List(inner, required=True, metadata=_described(description), **kwargs)


def _described(description: str) -> dict[str, str]:
    return {"description": description} if description else {}


class Answer(Schema):
    """What clients get. They ignore fields that they do not know: there may be more of them."""

    class Meta:
        unknown = EXCLUDE


class ModelSettings(Answer):
    """How a session or preset asks its model; what is not set is not there."""

    temperature = fields.Float(validate=validate.Range(0, 2))
    max_tokens = fields.Integer(validate=validate.Range(1))
    enable_tools = fields.Boolean()
    options = fields.Dict(
        keys=fields.String(), metadata={"description": "Sampling keys that are allowed."}
    )


class Session(Answer):
    """A stored conversation."""

    id = uuid()
    title = text()
    model = maybe("An id or a bare name; resolved at each turn.")
    system_prompt = text()
    settings = nested(ModelSettings)
    preset_id = maybe("The preset it was made from.")
    is_active = flag("False when it is deleted; its messages are kept.")
    message_count = count()
    last_message_at = time(allow_none=True)
    head_id = uuid("The last message of the branch that is shown.", allow_none=True)
    version = count("The ETag. Turns do not change it.", low=1)
    metadata = mapping("The client's own.")
    created_at = time()
    updated_at = time()


class Usage(Answer):
    """What a generation cost in tokens."""

    prompt_tokens = count()
    completion_tokens = count()
    total_tokens = count()


class Part(Answer):
    """A piece of a reply that is more than text."""

    type = one_of(PART_TYPES)
    text = fields.String()
    tool_call_id = fields.String()
    name = fields.String()
    arguments = fields.String(metadata={"description": "The JSON text that the model wrote."})
    result = fields.Raw()
    is_error = fields.Boolean()


class MessageError(Answer):
    """Why a generation failed."""

    code = text("One of the error codes.")
    message = text()
    retryable = flag("Whether the same again can succeed.")


class Message(Answer):
    """One message of a session."""

    id = uuid()
    session_id = uuid()
    seq = count("Orders the messages of a session; never changes.", low=1)
    revision = count("Numbers the changes of a session's messages.", low=1)
    parent_id = uuid("The message before it in its branch.", allow_none=True)
    role = one_of(typing.get_args(Role))
    content = text()
    parts = several(Part, "The reply in pieces when it is more than text.")
    status = one_of(typing.get_args(Status), "Of a user's message: complete.")
    model = maybe("The id of the model that answered.")
    generation_id = uuid("The generation it belongs to.", allow_none=True)
    client_id = maybe("What the sender called it; makes a send repeatable.")
    usage = nested(Usage, allow_none=True)
    finish_reason = maybe("Why the model ended: stop, length, stopped, ...")
    error = nested(MessageError, allow_none=True)
    created_at = time()
    updated_at = time()


class Model(Answer):
    """A model that a provider offers, or offered at `last_seen_at`."""

    id = text("`provider/name`; percent-encoded in a path.")
    name = text()
    provider = text()
    context_length = count("In tokens.", low=None, allow_none=True)
    capabilities = several(fields.String())
    is_default = flag("The administrator's choice for who chose none.")
    is_active = flag("False when it vanished or was switched off.")
    last_seen_at = time(allow_none=True)


class Preset(Answer):
    """A named starting point for sessions."""

    id = text()
    name = text()
    description = text()
    system_prompt = text()
    model = maybe()
    settings = nested(ModelSettings)
    is_public = flag("Whether all users see it.")
    owner = maybe("The id of the user whose it is.")
    source = text("The plugin that keeps it.")
    editable = flag("Whether the caller may change it.")
    version = count("The ETag.", low=1)
    created_at = time()
    updated_at = time()


class UserPreferences(Answer):
    """What a user prefers."""

    default_model = maybe("The id or name of a model.")


class User(Answer):
    """Somebody who uses chatd."""

    id = uuid()
    name = text()
    roles = several(fields.String(), "`admin` may change models.")
    preferences = nested(UserPreferences)
