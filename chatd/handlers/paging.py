"""Pages of lists that are in memory.

A cursor names the item that a page begins behind, or ends before: what is added or removed
meanwhile moves nothing else from one page to another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from chatd.errors import BadRequest
from chatd.stores.cursors import decode_cursor, encode_cursor

T = TypeVar("T")
Key = tuple[str, ...]


class Page(NamedTuple, Generic[T]):
    """A page, and the cursors of its neighbours."""

    results: list[T]
    next: str | None
    previous: str | None


class Cursor(NamedTuple):
    """The items of a list behind or before one of them."""

    kind: str
    direction: Literal["next", "previous"]
    key: Key


class Pager(Generic[T]):
    """How a list is cut: `key` names an item, `rank` says where what a key names stands."""

    def __init__(
        self, kind: str, key: Callable[[T], Key], rank: Callable[[Key], Any] = lambda key: key
    ) -> None:
        self._kind, self._key, self._rank = kind, key, rank

    def page(self, items: Sequence[T], limit: int, text: str) -> Page[T]:
        """Return a page of items, which are in order. Raises BadRequest for a foreign cursor."""
        if not text:
            return self._page(items[:limit], "", "next" if len(items) > limit else "")
        cursor = decode_cursor(text, Cursor)
        if cursor.kind != self._kind:
            raise BadRequest("This cursor is not one of ours.")
        place = self._rank(cursor.key)
        if cursor.direction == "next":
            found = [item for item in items if self._rank(self._key(item)) > place]
            return self._page(found[:limit], "previous", "next" if len(found) > limit else "")
        found = [item for item in items if self._rank(self._key(item)) < place]
        return self._page(found[-limit:], "previous" if len(found) > limit else "", "next")

    def _page(self, found: Sequence[T], before: str, behind: str) -> Page[T]:
        return Page(
            results=list(found),
            next=self._cursor(behind, found[-1:]),
            previous=self._cursor(before, found[:1]),
        )

    def _cursor(self, direction: str, edge: Sequence[T]) -> str | None:
        if not (direction and edge):
            return None
        return encode_cursor(self._kind, direction, self._key(edge[0]))
