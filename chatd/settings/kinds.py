"""What a setting can be, where the type alone does not say enough: fields and validators."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from marshmallow import ValidationError, fields
from marshmallow.validate import Range

# Keys that say where a call goes, what it asks or who pays; never sampling.
REDIRECTING = re.compile(
    r"(api|base|extra|stream|tool|function|custom|max|enable)_?\w*"
    r"|model|messages|prompt|input|headers|metadata|proxy|timeout|organization|user|n|temperature"
)


class Words(fields.Field[Any]):
    """A list of strings; in the environment, words between commas."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> tuple[str, ...]:
        if isinstance(value, str):
            value = [word.strip() for word in value.split(",") if word.strip()]
        if not isinstance(value, list | tuple) or not all(isinstance(word, str) for word in value):
            raise self.make_error("invalid")
        return tuple(value)


class Origins(Words):
    """Origins, written as browsers write them: lower case, without the scheme's own port."""

    _PATTERN = re.compile(r"[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?")
    _OWN_PORT = re.compile(r"^(http://.*):80$|^(https://.*):443$")

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> tuple[str, ...]:
        origins = [text.lower() for text in super()._deserialize(value, attr, data, **kwargs)]
        for text in origins:
            if text != "*" and not self._PATTERN.fullmatch(text):
                raise ValidationError(f"expected scheme://host[:port] without a path, not {text}")
        return tuple(self._OWN_PORT.sub(r"\1\2", text) for text in origins)


class Whole(fields.Integer):
    """A whole number, also as text; a fraction is not cut off."""

    def _validated(self, value: Any) -> int:
        if isinstance(value, float):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


class FilePath(fields.String):
    """A path; `~` is the home directory."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not text or "\0" in text:
            raise self.make_error("invalid")
        return Path(text).expanduser()


class Level(fields.String):
    """The name of a log level, in any case."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        return super()._deserialize(value, attr, data, **kwargs).upper()


def between(low: float, high: float | None = None) -> Range:
    """Return a validator that says what it expected."""
    expected = f"expected {low} or more" if high is None else f"expected {low} to {high}"
    return Range(min=low, max=high, error=expected)


def sampling_only(keys: tuple[str, ...]) -> None:
    """Refuse keys that could redirect a call."""
    for key in keys:
        if REDIRECTING.fullmatch(key):
            raise ValidationError(f"{key} could redirect a call and cannot be allowed")


def supported_store(url: str) -> None:
    """Refuse the URL of a store that does not exist."""
    if not re.fullmatch(r"sqlite:///.+|mongodb(\+srv)?://.+", url):
        raise ValidationError("expected sqlite:///PATH or mongodb://HOST/NAME")


def supported_broker(url: str) -> None:
    """Refuse the URL of a broker that does not exist."""
    if url == "redis" or url.startswith(("redis://", "rediss://", "unix://")):
        raise ValidationError(
            "this version of chatd cannot use Redis yet: unset it and run a single chatd process"
        )
    if url != "memory":
        raise ValidationError("expected memory")
