"""What fields of client input may hold: the values of JSON, and nothing that looks like one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from marshmallow import ValidationError, fields, validate

from chatd.strict_json import LARGEST_INTEGER

Refusal = Callable[[], None]  # tells that a limit of the operator's has refused something


class Length(validate.Length):
    """A validator of a text's length, which tells of one that is too long."""

    def __init__(self, shortest: int, longest: int, on_refusal: Refusal | None) -> None:
        super().__init__(shortest, longest or None)
        self._on_refusal = on_refusal

    def __call__(self, value: Any) -> Any:
        if self._on_refusal is not None and self.max is not None and len(value) > self.max:
            self._on_refusal()
        return super().__call__(value)


class Text(fields.String):
    """A JSON string of at most so many characters; 0 is no limit."""

    def __init__(
        self, longest: int, *, shortest: int = 0, on_refusal: Refusal | None = None, **kwargs: Any
    ) -> None:
        super().__init__(validate=Length(shortest, longest, on_refusal), **kwargs)


class Words(Text):
    """A text that says something."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if not text.strip():
            raise ValidationError("Must not be blank.")
        return text


class Number(fields.Float):
    """A JSON number: neither a string nor a boolean."""

    def __init__(self, low: float | None = None, high: float | None = None, **kwargs: Any) -> None:
        super().__init__(validate=validate.Range(low, high), **kwargs)

    def _validated(self, value: Any) -> float:
        if isinstance(value, (str, bool)):
            raise self.make_error("invalid")
        return super()._validated(value)


class Whole(fields.Integer):
    """A JSON integer: neither a string nor a boolean; 1.0 is one too, as JSON Schema has it."""

    def __init__(self, low: float | None = None, **kwargs: Any) -> None:
        super().__init__(strict=True, validate=validate.Range(low), **kwargs)

    def _validated(self, value: Any) -> int:
        if isinstance(value, (str, bool)):
            raise self.make_error("invalid")
        if isinstance(value, float) and value.is_integer() and abs(value) <= LARGEST_INTEGER:
            value = int(value)
        return super()._validated(value)


class Flag(fields.Boolean):
    """A JSON boolean, nothing that looks like one."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return value


class TextOrTexts(fields.Field[Any]):
    """A JSON string, or a list of them."""

    default_error_messages = {"invalid": "Not a string or a list of strings."}  # noqa: RUF012

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        texts = value if isinstance(value, list) else [value]
        if not all(isinstance(text, str) for text in texts):
            raise self.make_error("invalid")
        return value


class Object(fields.Dict):
    """A JSON object."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(keys=fields.String(), **kwargs)


class AtMost:
    """A validator of a value whose encoded form has at most so many bytes; 0 is no limit."""

    def __init__(self, most_bytes: int, on_refusal: Refusal | None = None) -> None:
        self.most_bytes = most_bytes
        self._on_refusal = on_refusal

    def __call__(self, value: Any) -> None:
        if self.most_bytes and len(msgspec.json.encode(value)) > self.most_bytes:
            if self._on_refusal is not None:
                self._on_refusal()
            raise ValidationError(f"Larger than {self.most_bytes} bytes.")
