"""Pages of the list of sessions: the same for every store, whatever finds their rows."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

import msgspec

from chatd.stores.branches import LAST
from chatd.stores.cursors import decode_cursor, encode_cursor
from chatd.types import Session, SessionPage


class Cursor(NamedTuple):
    """A place in the list of sessions, and where to go from it."""

    direction: Literal["next", "previous"]
    activity_at: Annotated[int, msgspec.Meta(ge=-LAST, le=LAST)]  # before 1970, too
    id: str


_FIRST = Cursor("next", LAST, "")


def place_of(cursor: str) -> Cursor:
    """Return the place that a cursor names, the start of the list for none. Raises BadRequest."""
    return decode_cursor(cursor, Cursor) if cursor else _FIRST


def session_page(found: list[Session], place: Cursor, limit: int) -> SessionPage:
    """Return the page at a place, of sessions found beyond it: `limit` and one more if there is."""
    is_forward = place.direction == "next"
    found = sorted(found, key=_key, reverse=is_forward)
    has_more = len(found) > limit
    del found[limit:]
    if not is_forward:
        found.reverse()
    has_next, has_previous = (has_more, place != _FIRST) if is_forward else (True, has_more)
    return SessionPage(
        results=found,
        next=encode_cursor("next", *_key(found[-1])) if found and has_next else None,
        previous=encode_cursor("previous", *_key(found[0])) if found and has_previous else None,
    )


def _key(session: Session) -> tuple[int, str]:
    activity_at = session.last_message_at or session.created_at
    return round(activity_at.timestamp() * 1000), session.id
