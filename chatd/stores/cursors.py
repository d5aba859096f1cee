"""The opaque form of a page's key."""

from __future__ import annotations

import base64
import binascii
from typing import Any, TypeVar

import msgspec

from chatd.errors import BadRequest

T = TypeVar("T")


def encode_cursor(*key: Any) -> str:
    """Return the opaque form of a page's key."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).rstrip(b"=").decode()


def decode_cursor(cursor: str, form: type[T]) -> T:
    """Return the key of a page, checked against its form. Raises BadRequest."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        return msgspec.json.decode(raw, type=form)
    except (binascii.Error, ValueError, msgspec.MsgspecError) as exc:
        raise BadRequest("This cursor is not one of ours.") from exc
