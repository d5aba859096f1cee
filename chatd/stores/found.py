"""Pages of what a search has found: the same for every store."""

from __future__ import annotations

from typing import Literal, NamedTuple

from chatd.store.messages import Found, FoundPage
from chatd.stores.cursors import decode_cursor, encode_cursor


class Place(NamedTuple):
    """A message among those found, by rank and id, and where to go from it."""

    direction: Literal["next", "previous"]
    rank: float
    id: str


_FIRST = Place("next", 1e300, "")  # no rank is higher


def place_of(cursor: str) -> Place:
    """Return the place that a cursor names, the start for none. Raises BadRequest."""
    return decode_cursor(cursor, Place) if cursor else _FIRST


def found_page(found: list[Found], place: Place, limit: int) -> FoundPage:
    """Return the page at a place, of what was found beyond it, in the order in which it was asked.

    That is `limit` and one more if there is.
    """
    is_forward = place.direction == "next"
    has_more = len(found) > limit
    found = found[:limit]
    if not is_forward:
        found.reverse()
    has_next, has_previous = (has_more, place != _FIRST) if is_forward else (True, has_more)
    return FoundPage(
        results=found,
        next=_cursor("next", found[-1]) if found and has_next else None,
        previous=_cursor("previous", found[0]) if found and has_previous else None,
    )


def _cursor(direction: str, found: Found) -> str:
    return encode_cursor(direction, found.rank, found.message.id)
