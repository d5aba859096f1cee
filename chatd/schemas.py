"""The wire shapes of what clients send: what is accepted at the door, and nothing else.

`parse` checks the JSON itself, the schemas check its fields. Unknown fields are refused over REST
and ignored on sockets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate, validates_schema

from chatd.errors import BadRequest, InvalidInput

DEPTH = 32
LARGEST_INTEGER = 2**53


def parse(raw: bytes | str, *, depth: int = DEPTH) -> Any:
    """Decode JSON that both stores and every client can keep; raise BadRequest for any other.

    Refused: NaN, infinities, integers beyond 2^53, lone surrogates, NUL, more levels than `depth`.
    """
    try:
        value = msgspec.json.decode(raw)
        _check(value, depth)
    except (ValueError, RecursionError, msgspec.MsgspecError) as exc:
        reason = str(exc) if isinstance(exc, _Refused) else "it is not valid"
        raise BadRequest(f"The JSON cannot be accepted: {reason}.") from exc
    return value


Shape = dict[str, fields.Field[Any]]


class _Refused(ValueError):
    """JSON that is well-formed but not accepted."""


def _check(value: Any, depth: int) -> None:
    if depth < 0:
        raise _Refused("it has too many levels")
    if isinstance(value, dict):
        for key, item in value.items():
            _check(key, depth)
            _check(item, depth - 1)
    elif isinstance(value, list):
        for item in value:
            _check(item, depth - 1)
    elif isinstance(value, str):
        if "\0" in value:
            raise _Refused("a string has a NUL")
    elif isinstance(value, int) and not -LARGEST_INTEGER <= value <= LARGEST_INTEGER:
        raise _Refused("an integer is beyond 2^53")


def load(schema: Schema, value: Any) -> dict[str, Any]:
    """Return the checked fields; raise InvalidInput with the messages of each field."""
    if not isinstance(value, Mapping):
        raise BadRequest("A JSON object is expected.")
    try:
        loaded: dict[str, Any] = schema.load(value)
    except ValidationError as exc:
        errors = _messages(exc)
        if set(errors) == {"_schema"}:
            raise BadRequest(" ".join(errors["_schema"])) from exc
        names = ", ".join(sorted(errors))
        raise InvalidInput(f"Something is wrong with: {names}.", errors=errors) from exc
    return loaded


def _messages(error: ValidationError) -> dict[str, Any]:
    messages: dict[str, Any] = error.normalized_messages()  # type: ignore[no-untyped-call]
    return messages


class Text(fields.String):
    """A JSON string of at most so many characters; 0 is no limit."""

    def __init__(self, longest: int, *, shortest: int = 0, **kwargs: Any) -> None:
        super().__init__(validate=validate.Length(shortest, longest or None), **kwargs)


class Words(Text):
    """A text that says something."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text: str = super()._deserialize(value, attr, data, **kwargs)  # type: ignore[no-untyped-call]
        if not text.strip():
            raise ValidationError("Must not be blank.")
        return text


class Number(fields.Float):
    """A JSON number: neither a string nor a boolean."""

    def _validated(self, value: Any) -> float:
        if isinstance(value, (str, bool)):
            raise self.make_error("invalid")
        result = super()._validated(value)
        assert result is not None
        return result


class Whole(fields.Integer):
    """A JSON integer: neither a string nor a boolean nor a fraction."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strict=True, **kwargs)

    def _validated(self, value: Any) -> int:
        if isinstance(value, (str, bool)):
            raise self.make_error("invalid")
        result = super()._validated(value)
        assert result is not None
        return result


class Flag(fields.Boolean):
    """A JSON boolean, nothing that looks like one."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return value


class Object(fields.Dict):
    """A JSON object whose encoded form has at most so many bytes."""

    def __init__(self, most_bytes: int, **kwargs: Any) -> None:
        super().__init__(keys=fields.String(), **kwargs)
        self._most_bytes = most_bytes

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        result = super()._deserialize(value, attr, data, **kwargs)
        if self._most_bytes and len(msgspec.json.encode(result)) > self._most_bytes:
            raise ValidationError(f"Larger than {self._most_bytes} bytes.")
        return result


class Strict(Schema):
    """A REST body: an unknown field is an error."""


class Tolerant(Schema):
    """A socket event: unknown fields are ignored."""

    class Meta:
        unknown = EXCLUDE


def client_id(**kwargs: Any) -> Text:
    """Return the field for a client's own id of a turn."""
    return Text(128, shortest=1, load_default=None, allow_none=True, **kwargs)


class Shapes:
    """All input schemas, with the limits of one configuration."""

    def __init__(self, limits: Any, option_keys: tuple[str, ...]) -> None:
        text = Words(limits.message_chars, required=True)
        title = Text(limits.title_chars)
        system_prompt = Text(limits.system_prompt_chars)
        model = Text(200, shortest=1, allow_none=True)
        metadata = Object(limits.metadata_bytes)
        settings: fields.Field[Any] = fields.Nested(_settings(limits.metadata_bytes, option_keys))
        shared: Shape = {"model": model, "system_prompt": system_prompt, "settings": settings}
        session: Shape = {"title": title, "metadata": metadata, **shared}
        preset: Shape = {"description": Text(2000), "is_public": Flag(), **shared}
        name = Words(limits.title_chars)
        required_name = Words(limits.title_chars, required=True)

        def make(base: type[Schema], **shape: fields.Field[Any]) -> Schema:
            return base.from_dict(dict(shape))()

        self.new_session = make(Strict, preset_id=Text(200, allow_none=True), **session)
        self.session = make(
            Strict, is_active=Flag(), preset_id=Text(200, allow_none=True), **session
        )
        self.new_preset = make(Strict, name=required_name, **preset)
        self.preset = make(Strict, name=name, **preset)
        self.from_preset = make(Strict, title=title)
        self.me = make(Strict, preferences=fields.Nested(_preferences()))
        self.model = make(Strict, is_default=Flag(), is_active=Flag())
        self.send = make(Strict, message=text, client_id=client_id())
        self.edit = make(Strict, content=text, client_id=client_id())
        stop: Shape = {
            "generation_id": Text(128, load_default=None, allow_none=True),
            "seen_seq": Whole(load_default=None, allow_none=True, validate=validate.Range(min=0)),
        }
        again: Shape = {"message_id": Text(128, load_default=None, allow_none=True)}
        self.stop = make(Strict, **stop)
        self.regenerate = make(Strict, **again, client_id=client_id())
        self.events = {
            "send_message": make(Tolerant, message=text, client_id=client_id()),
            "typing": make(Tolerant),
            "stop_typing": make(Tolerant),
            "ping": make(Tolerant, t=fields.Raw(allow_none=True)),
            "stop_generation": make(Tolerant, **stop),
            "regenerate": make(Tolerant, **again, client_id=client_id()),
            "edit_message": make(
                Tolerant,
                message_id=Text(128, required=True),
                message=text,
                client_id=client_id(),
            ),
            "resume": make(
                Tolerant,
                generation_id=Text(128, required=True),
                after_seq=Whole(required=True, validate=validate.Range(min=0)),
            ),
        }


def _settings(most_bytes: int, option_keys: tuple[str, ...]) -> type[Schema]:
    class Settings(Strict):
        temperature = Number(validate=validate.Range(0, 2), allow_none=True)
        max_tokens = Whole(validate=validate.Range(min=1), allow_none=True)
        enable_tools = Flag(allow_none=True)
        options = Object(most_bytes)

        @validates_schema
        def only_allowed_options(self, data: dict[str, Any], **kwargs: Any) -> None:
            """Refuse a key that is not known to be harmless: it could redirect the call."""
            unknown = sorted(set(data.get("options") or ()) - set(option_keys))
            if unknown:
                allowed = ", ".join(option_keys)
                raise ValidationError(
                    {"options": [f"Not allowed: {', '.join(unknown)}. Allowed: {allowed}."]}
                )

    return Settings


def _preferences() -> type[Schema]:
    class Preferences(Strict):
        default_model = Text(200, shortest=1, allow_none=True)

    return Preferences
