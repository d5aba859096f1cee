"""The wire shapes of what clients send: what is accepted at the door, and nothing else.

Unknown fields are refused over REST and ignored on sockets.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from marshmallow import EXCLUDE, INCLUDE, Schema, ValidationError, fields, post_load

from chatd.errors import BadRequest, InvalidInput
from chatd.fields import AtMost, Flag, Number, Object, Text, Whole, Words
from chatd.options import options_schema

ID = 128  # more than any id of ours has
MODEL = 200
DESCRIPTION = 2000
SHOWN = 20  # of the fields that are wrong, how many an answer names

Shape = dict[str, fields.Field[Any]]


def load(schema: Schema, value: Any) -> dict[str, Any]:
    """Return the checked fields; raise InvalidInput with the messages of each field."""
    if not isinstance(value, Mapping):
        raise BadRequest("A JSON object is expected.")
    try:
        loaded: dict[str, Any] = schema.load(value)
    except ValidationError as exc:
        errors = dict(list(flat_messages(exc).items())[:SHOWN])
        names = ", ".join(sorted(errors))
        raise InvalidInput(f"Something is wrong with: {names[:200]}.", errors=errors) from exc
    return loaded


def flat_messages(error: ValidationError) -> dict[str, list[str]]:
    """Return {field: its messages}; one inside another is named with dots: settings.options.x."""
    messages: dict[str, Any] = error.normalized_messages()  # type: ignore[no-untyped-call]
    found: dict[str, list[str]] = {}
    for path, texts in _leaves(messages, ""):
        found.setdefault(path, []).extend(texts)
    return found


def _leaves(messages: Mapping[Any, Any], above: str) -> Iterator[tuple[str, list[str]]]:
    for name, found in messages.items():
        # "_schema" is what is wrong with an object as a whole.
        inside = f"{above}.{name}" if above else str(name)
        path = above if name == "_schema" and above else inside
        if isinstance(found, Mapping):
            yield from _leaves(found, path)
        else:
            yield path, [str(text) for text in (found if isinstance(found, list) else [found])]


class Strict(Schema):
    """A REST body: an unknown field is an error."""


class Tolerant(Schema):
    """A socket event: unknown fields are ignored."""

    class Meta:
        unknown = EXCLUDE


class Credentials(Schema):
    """What signs in: a ticket of ours, or any fields that an authentication plugin takes."""

    class Meta:
        unknown = INCLUDE

    ticket = fields.String(allow_none=True)


class Preferences(Strict):
    """What a user prefers; null removes a preference."""

    default_model = Text(MODEL, shortest=1, allow_none=True)


class Settings(Strict):
    """How a session or preset asks its model; null removes a setting."""

    temperature = Number(0, 2, allow_none=True)
    max_tokens = Whole(1, allow_none=True)
    enable_tools = Flag(allow_none=True)


class NewSettings(Settings):
    """The settings of what is made now: there is nothing yet that null could remove."""

    @post_load
    def drop_nulls(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Keep what is set."""
        if data.get("options"):
            data["options"] = _set(data["options"])
        return _set(data)


def _set(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _optional_id() -> Text:
    return Text(ID, shortest=1, load_default=None, allow_none=True)


class Shapes:
    """All input schemas, with the limits of one configuration."""

    def __init__(
        self,
        limits: Any,
        option_keys: tuple[str, ...],
        *,
        refused: Callable[[str], None] | None = None,
    ) -> None:
        """Take the limits, and whom to tell the name of one that has refused a value."""

        def limit(name: str) -> dict[str, Any]:
            return {"on_refusal": functools.partial(refused, name) if refused else None}

        title = Text(limits.title_chars, **limit("title_chars"))
        small = AtMost(limits.metadata_bytes, **limit("metadata_bytes"))
        options: Shape = {
            "options": fields.Nested(options_schema(option_keys), validate=small, allow_none=True)
        }
        shared: Shape = {
            "model": Text(MODEL, shortest=1, allow_none=True),
            "system_prompt": Text(limits.system_prompt_chars, **limit("system_prompt_chars")),
        }
        new: Shape = shared | {"settings": fields.Nested(NewSettings.from_dict(options))}
        changed: Shape = shared | {"settings": fields.Nested(Settings.from_dict(options))}
        session: Shape = {
            "title": title,
            "preset_id": Text(ID, shortest=1, allow_none=True),
            "metadata": Object(validate=small),
        }
        preset: Shape = {"description": Text(DESCRIPTION), "is_public": Flag()}
        name = functools.partial(Words, limits.title_chars, **limit("title_chars"))
        self.nothing = _strict()
        self.credentials = Credentials()
        self.new_session = _strict(**new, **session)
        self.session = _strict(**changed, **session, is_active=Flag())
        self.new_preset = _strict(**new, **preset, name=name(required=True))
        self.preset = _strict(**changed, **preset, name=name())
        self.from_preset = _strict(title=title)
        self.me = _strict(preferences=fields.Nested(Preferences))
        self.model = _strict(is_default=Flag(), is_active=Flag())
        text = Words(limits.message_chars, required=True, **limit("message_chars"))
        turns = _turns(text)
        self.send, self.stop = _strict(**turns["send"]), _strict(**turns["stop"])
        self.regenerate = _strict(**turns["regenerate"])
        self.edit = _strict(content=text, client_id=_optional_id())
        self.events = _events(turns)


def _strict(**shape: fields.Field[Any]) -> Schema:
    return Strict.from_dict(dict(shape))()


def _turns(text: Words) -> dict[str, Shape]:
    """Return what a send, a regeneration and a stop have."""
    return {
        "send": {"message": text, "client_id": _optional_id()},
        "regenerate": {"message_id": _optional_id(), "client_id": _optional_id()},
        "stop": {
            "generation_id": _optional_id(),
            "seen_seq": Whole(0, load_default=None, allow_none=True),
        },
    }


def _events(turns: dict[str, Shape]) -> dict[str, Schema]:
    """Return the events of the sockets; they have the same fields as REST."""
    shapes: dict[str, Shape] = {
        "send_message": turns["send"],
        "regenerate": turns["regenerate"],
        "edit_message": turns["send"] | {"message_id": Text(ID, shortest=1, required=True)},
        "typing": {},
        "stop_typing": {},
        "ping": {"t": fields.Raw(allow_none=True)},
        "stop_generation": turns["stop"],
        "resume": {
            "generation_id": Text(ID, shortest=1, required=True),
            "after_seq": Whole(0, required=True),
        },
    }
    return {kind: Tolerant.from_dict(shape)() for kind, shape in shapes.items()}
