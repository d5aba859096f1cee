"""The sampling options that a client may set: which values each of them has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from marshmallow import Schema, fields

from chatd.fields import Number, Object, Text, TextOrTexts, Whole

# null removes an option.
_KNOWN: dict[str, Callable[[], fields.Field[Any]]] = {
    "top_p": lambda: Number(0, 1, allow_none=True),
    "min_p": lambda: Number(0, 1, allow_none=True),
    "top_k": lambda: Whole(-1, allow_none=True),  # 0 or -1 is all of them, as servers differ
    "stop": lambda: TextOrTexts(allow_none=True),
    "seed": lambda: Whole(allow_none=True),
    "presence_penalty": lambda: Number(-2, 2, allow_none=True),
    "frequency_penalty": lambda: Number(-2, 2, allow_none=True),
    "repeat_penalty": lambda: Number(0, allow_none=True),
    "repetition_penalty": lambda: Number(0, allow_none=True),
    "logit_bias": lambda: Object(values=Number(-100, 100), allow_none=True),
    "response_format": lambda: Object(allow_none=True),
    "reasoning_effort": lambda: Text(32, shortest=1, allow_none=True),
}


class _Options(Schema):
    error_messages = {"unknown": "Not an allowed option."}  # noqa: RUF012 - as marshmallow has it


def options_schema(keys: tuple[str, ...]) -> type[Schema]:
    """Return the schema of `settings.options`; an allowed key that is not known takes any value."""
    return _Options.from_dict(
        {key: _KNOWN.get(key, lambda: fields.Raw(allow_none=True))() for key in keys}
    )
