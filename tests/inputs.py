"""Every field that a client can send, with values that it takes and values that it does not."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from marshmallow import Schema, fields

ABSENT = object()


class Kind(NamedTuple):
    """What a field takes."""

    good: list[Any]
    bad: list[Any]


def text(most: int, *, least: int = 0, null: bool = False, blank: bool = True) -> Kind:
    """A string of so many characters: not bytes, and not UTF-16 units."""
    bad: list[Any] = [1, 1.5, True, [], {}, ["x"], "x" * (most + 1), "😀" * (most + 1)]
    bad += [] if null else [None]
    bad += [] if blank else [" ", "\n\t\u00a0"]
    bad += [""] if least or not blank else []
    good: list[Any] = ["x" * most, "😀" * most, "\u2028\x7f\ufeff\ufffe", "x"]
    return Kind(good + ([None] if null else []), bad)


def identifier(*, null: bool = True) -> Kind:
    """The id of something; these are of nothing, so that only bad ones can be tried."""
    return Kind([], text(128, least=1, null=null).bad)


def flag(*, null: bool = False) -> Kind:
    """A boolean."""
    return Kind([True, False], [0, 1, "true", "", [], {}] + ([] if null else [None]))


def number(low: float, high: float | None, *, null: bool = True) -> Kind:
    """A number between bounds."""
    bad: list[Any] = ["1", "", True, [], {}, low - 0.001]
    bad += [] if high is None else [high + 0.001]
    good: list[Any] = [low, low + 1] if high is None else [low, high, (low + high) / 2]
    return Kind(good + ([None] if null else []), bad + ([] if null else [None]))


def whole(low: int | None, *, null: bool = True) -> Kind:
    """A whole number."""
    bad: list[Any] = ["1", True, 1.5, 2.0**60, [], {}] + ([] if low is None else [low - 1])
    good: list[Any] = [2**53, 2.0, 1 if low is None else low] + ([-(2**53)] if low is None else [])
    return Kind(good + ([None] if null else []), bad + ([] if null else [None]))


def mapping(most: int | None = None, *, null: bool = False) -> Kind:
    """An object of so many bytes: `{"k":"..."}` has eight besides its text."""
    good: list[Any] = [{}, {"$where": {"a.b": [1, None, "é"]}}]
    bad: list[Any] = [1, "x", True, [], [["a", 1]]] + ([] if null else [None])
    if most is not None:
        good += [{"k": "x" * (most - 8)}, {"k": "é" * ((most - 8) // 2)}]
        bad += [{"k": "x" * (most - 7)}, {"k": "é" * ((most - 8) // 2 + 1)}]
    return Kind(good, bad)


def anything() -> Kind:
    """Any JSON that can be kept."""
    return Kind([None, 0, "x", [], {"a": [1.5, False]}], [])


FIELDS = {
    "title": text(200),
    "name": text(200, blank=False),
    "description": text(2000),
    "model": text(200, least=1, null=True),
    "system_prompt": text(100_000),
    "preset_id": identifier(),
    "metadata": mapping(16_384),
    "is_active": flag(),
    "is_default": flag(),
    "is_public": flag(),
    "settings": Kind([{}], [1, "x", True, [], None, {"nonsense": 1}, {"model": "other"}]),
    "settings.temperature": number(0, 2),
    "settings.max_tokens": whole(1),
    "settings.enable_tools": flag(null=True),
    "settings.options": Kind(
        [{}, None, {"stop": "x" * (16_384 - 11)}],
        [1, "x", True, [], {"stop": "x" * (16_384 - 10)}]
        + [{key: "x"} for key in ("model", "messages", "api_base", "base_url", "stream", "tools")]
        + [{key: "x"} for key in ("api_key", "extra_body", "n", "user", "max_tokens", "", "$set")],
    ),
    "settings.options.top_p": number(0, 1),
    "settings.options.min_p": number(0, 1),
    "settings.options.top_k": whole(-1),
    "settings.options.stop": Kind(
        ["x", ["x", "y"], [], None], [1, True, {}, [1], ["x", None], [["x"]]]
    ),
    "settings.options.seed": whole(None),
    "settings.options.presence_penalty": number(-2, 2),
    "settings.options.frequency_penalty": number(-2, 2),
    "settings.options.repeat_penalty": number(0, None),
    "settings.options.repetition_penalty": number(0, None),
    "settings.options.logit_bias": Kind(
        [{"50256": -100, "1": 1.5}, None], [1, "x", [], {"1": "x"}, {"1": 101}, {"1": None}]
    ),
    "settings.options.response_format": Kind([{"type": "json_object"}, None], [1, "json", []]),
    "settings.options.reasoning_effort": text(32, least=1, null=True),
    "preferences": Kind([{}], [1, "x", True, [], None, {"nonsense": 1}]),
    "preferences.default_model": text(200, least=1, null=True),
    "message": text(100_000, blank=False),
    "content": text(100_000, blank=False),
    "message_id": identifier(),
    "client_id": text(128, least=1, null=True),
    "generation_id": identifier(),
    "seen_seq": whole(0),
    "after_seq": whole(0, null=False),
    "ticket": Kind([], [1, 1.5, True, [], {}, ["x"]]),
    "t": anything(),
}

# In place of any value: JSON that is not valid, or that is and cannot be accepted.
UNACCEPTABLE = (
    *(b"NaN", b"-Infinity", b"1e400", b"9007199254740993", b"-9007199254740993", b"undefined"),
    *(rb'"\ud800"', rb'{"x\udc00": 1}', rb'"a\u0000b"', b'{"a": 1, "a": 2}'),
    *(b"[" * 32 + b"]" * 32, b'{"a":' * 32 + b"1" + b"}" * 32),
)
NOT_JSON = (
    *(b"Infinity", b"-1e400", b"1" + b"0" * 400, b"1" * 5000, b"0x1", b"01", b"+1", b"1.", b".1"),
    *(rb'"\udc00x"', rb'"x\ud800\ud800"', rb'{"\u0000": 1}', rb'"\x"', b"'x'", b'"x', b""),
    *(b'"\x00"', b'"\x01"', b'"\n"', b"[1,]", b"{,}", b"None", b"/**/1", b"1//", b"[" * 100_000),
    *(b"\xef\xbb\xbf1", b'"\xf4\x90\x80\x80"', b"\xff\xfe1\x00", b'[{"a": {"b": 1, "b": 1}}]'),
)
NOT_UTF8 = (b'"\xff"', b'"\xed\xa0\x80"')


def fields_of(schema: Schema, above: str = "") -> list[str]:
    """Return the names of all fields, those of an object inside with its name before them."""
    found = []
    for name, field in schema.fields.items():
        found.append(f"{above}{name}")
        if isinstance(field, fields.Nested):
            found += fields_of(field.schema, f"{above}{name}.")
    return found


def required(schema: Schema) -> dict[str, Any]:
    """Return a good value of each field that must be there."""
    return {
        name: (FIELDS[name].good or ["x"])[-1]
        for name, field in schema.fields.items()
        if field.required
    }


def body(base: dict[str, Any], path: str, value: Any) -> bytes:
    """Return a body with one field set; a value of bytes is put in as it is."""
    *above, name = path.split(".")
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    inner = {**base, name: "@"} if not above else {name: "@"}
    for outer in reversed(above):
        inner = {outer: inner}
    whole_body = {**base, **inner}
    return json.dumps(whole_body).encode().replace(b'"@"', raw)


def named(errors: Any, path: str) -> bool:
    """Return whether errors name a field, or an object that it is in."""
    assert all(isinstance(text, str) for texts in errors.values() for text in texts), errors
    return any(f"{path}.".startswith(f"{name}.") or name.startswith(f"{path}.") for name in errors)
