"""JSON as chatd takes it from clients: what both stores and every client can keep, nothing else."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from chatd.errors import BadRequest

DEPTH = 32
LARGEST_INTEGER = 2**53


def parse(raw: bytes | str, *, depth: int = DEPTH) -> Any:
    """Decode JSON; raise BadRequest when it is not valid or cannot be accepted.

    Refused: NaN, infinities, integers beyond 2^53, lone surrogates, NUL, a name that an object has
    twice (readers differ in which one counts), more levels than `depth`.
    """
    try:
        value = _decode(raw if isinstance(raw, str) else raw.decode())
        _check(value, depth)
    except (ValueError, RecursionError) as exc:
        reason = str(exc) if isinstance(exc, _Refused) else "it is not valid"
        raise BadRequest(f"The JSON cannot be accepted: {reason}.") from exc
    return value


def check(value: Any, *, depth: int = DEPTH) -> None:
    """Raise BadRequest for what `parse` refuses, in a value that something else has decoded."""
    try:
        _check(value, depth)
    except (ValueError, RecursionError) as exc:
        raise BadRequest(f"The JSON cannot be accepted: {exc}.") from exc


class _Refused(ValueError):
    """JSON that is well-formed but not accepted."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise _Refused("an object has a name twice")
    return result


def _constant(name: str) -> NoReturn:
    raise _Refused(f"{name} is not a number")


_decode = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant).decode


def _check(value: Any, depth: int) -> None:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict | list):
        if not depth:
            raise _Refused("it has too many levels")
        for name in value if isinstance(value, dict) else ():
            _check_text(name)
        for item in value.values() if isinstance(value, dict) else value:
            _check(item, depth - 1)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise _Refused("a number is too large")
    elif isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        raise _Refused("an integer is beyond 2^53")


def _check_text(text: str) -> None:
    if "\0" in text:
        raise _Refused("a string has a NUL")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as exc:
            raise _Refused("a string has a lone surrogate") from exc
