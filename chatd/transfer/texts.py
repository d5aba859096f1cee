"""Text out of files: made such that every store and every client can keep it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

REPLACEMENT = "\ufffd"  # what Unicode has for a character that cannot be shown
_UNKEPT = re.compile("[\0\ud800-\udfff]")


def clean_text(text: str) -> str:
    """Return a text with U+FFFD in place of NUL and lone surrogates."""
    return _UNKEPT.sub(REPLACEMENT, text)


def clean(value: Any) -> Any:
    """Return a value of JSON with all its texts and names clean."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [clean(item) for item in value]
    if isinstance(value, dict):
        return {clean_text(name): clean(item) for name, item in value.items()}
    return value


def decode(raw: bytes, fast: Callable[[bytes], T], form: type[T]) -> T | str:
    """Return a JSON text as a value of a form, or the reason why it is none.

    What no store can keep in it is replaced: bytes that are not UTF-8, NUL, lone surrogates.
    """
    try:
        if b"\\u0000" not in raw:
            return fast(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        pass
    try:
        value = clean(json.loads(raw.decode("utf-8", "replace")))
        return msgspec.convert(value, form)
    except msgspec.ValidationError as exc:
        return str(exc)
    except (ValueError, RecursionError) as exc:
        return f"it is not valid JSON: {exc}"
