"""The JSON Schemas of everything that the documents name, made from the marshmallow schemas."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema, fields
from marshmallow.validate import Range

from chatd.contract import answers, events, objects
from chatd.contract.examples import EXAMPLES
from chatd.contract.notes import add_notes
from chatd.fields import AtMost, TextOrTexts, Whole, Words
from chatd.schemas import Shapes
from chatd.strict_json import LARGEST_INTEGER

PLACE = "#/components/schemas/"

# How the documents call what clients send; another shape is called as its attribute is.
NAMES = {
    "session": "SessionChanges",
    "preset": "PresetChanges",
    "me": "UserChanges",
    "model": "ModelChanges",
    "send": "SendMessage",
    "edit": "EditMessage",
    "stop": "StopGeneration",
    "from_preset": "SessionFromPreset",
}


def camel(name: str) -> str:
    """Return `SendMessage` for `send_message`."""
    return "".join(word.capitalize() for word in name.split("_"))


def body_name(shape: str) -> str:
    """Return the name of a body's schema."""
    return NAMES.get(shape, camel(shape))


def command_name(kind: str) -> str:
    """Return the name of the schema of an event that clients send."""
    return f"{camel(kind)}Command"


def make_components(shapes: Shapes) -> dict[str, Any]:
    """Return all schemas by name; every reference in them stands for one of them."""
    plugin = MarshmallowPlugin(schema_name_resolver=_name_of)
    spec = APISpec("", "", "3.1.0", plugins=[plugin])
    plugin.converter.add_attribute_function(_own_attributes)  # type: ignore[union-attr]
    _add_inputs(spec, shapes)
    for module in (objects, answers, events):
        _add_answers(spec, module)
    found: dict[str, Any] = spec.components.schemas
    for table in (events.FROM_SESSION, events.FROM_LIST):
        for kind_name, kind in table.items():
            _add_type(found[kind.__name__], kind_name)
    for kind_name in shapes.events:
        _add_type(found[command_name(kind_name)], kind_name)
    for name, schema in found.items():
        if name in EXAMPLES:
            schema["examples"] = EXAMPLES[name]
    return found


def _add_inputs(spec: APISpec, shapes: Shapes) -> None:
    for name, schema in _bodies(shapes):
        spec.components.schema(name, schema=schema)
    for made in spec.components.schemas.values():
        add_notes(made)


def _add_answers(spec: APISpec, module: Any) -> None:
    for kind in _answers_of(module):
        if kind.__name__ not in spec.components.schemas:  # else another one has it inside
            spec.components.schema(kind.__name__, schema=kind)


def _bodies(shapes: Shapes) -> Iterator[tuple[str, Schema]]:
    for attribute, schema in vars(shapes).items():
        if isinstance(schema, Schema):
            yield body_name(attribute), schema
    for kind, schema in shapes.events.items():
        yield command_name(kind), schema


def _answers_of(module: Any) -> Iterator[type[Schema]]:
    for kind in vars(module).values():
        is_ours = inspect.isclass(kind) and kind.__module__ == module.__name__
        if is_ours and issubclass(kind, objects.Answer) and kind is not objects.Answer:
            yield kind


def _name_of(schema: Any) -> str:
    """Return what the documents call a schema; one that was made for the limits, as its base."""
    kind = schema if inspect.isclass(schema) else type(schema)
    if kind.__name__ == "GeneratedSchema":
        kind = kind.__mro__[1]
    return str(kind.__name__).lstrip("_")


def _own_attributes(self: Any, field: fields.Field[Any], **kwargs: Any) -> dict[str, Any]:
    """Return what apispec cannot know of our own kinds of fields."""
    found: dict[str, Any] = {}
    if isinstance(field, Words):
        found["pattern"] = r"\S"
    if isinstance(field, Whole):
        found["maximum"] = LARGEST_INTEGER
        if all(check.min is None for check in field.validators if isinstance(check, Range)):
            found["minimum"] = -LARGEST_INTEGER
    if isinstance(field, TextOrTexts):
        text = {"type": "string"}
        kinds: list[dict[str, Any]] = [text, {"type": "array", "items": text}]
        found["anyOf"] = [*kinds, {"type": "null"}] if field.allow_none else kinds
    for check in field.validators:
        if isinstance(check, AtMost) and check.most_bytes:
            found["description"] = f"At most {check.most_bytes} bytes of JSON."
    return found


def _add_type(schema: dict[str, Any], kind: str) -> None:
    schema["properties"] = {"type": {"const": kind}} | schema["properties"]
    schema["required"] = ["type", *(n for n in schema.get("required", ()) if n != "type")]


def needed(components: dict[str, Any], *roots: Any) -> dict[str, Any]:
    """Return those schemas that something refers to, directly or through others, by name."""
    todo, found = list(roots), set[str]()
    while todo:
        for name in references(todo.pop()):
            if name not in found:
                found.add(name)
                todo.append(components[name])
    return {name: components[name] for name in sorted(found)}


def references(value: Any) -> Iterator[str]:
    """Yield the names of the schemas that a part of a document refers to."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "$ref" and isinstance(inner, str) and inner.startswith(PLACE):
                yield inner.removeprefix(PLACE)
            elif key != "examples":
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def ref(name: str) -> dict[str, str]:
    """Return a reference to a schema."""
    return {"$ref": PLACE + name}
