"""The newest messages of sessions as the list of them shows them, encoded, and remembered.

A message never changes once it has ended, and its parent neither, so what the shown branch ends
with says what stands before it. The store is asked for that each time: whoever has changed
something, here or in another process, is seen by the next who asks.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

import msgspec

from chatd.store import Store
from chatd.types import Tip

MOST_BYTES = 16_000_000  # of all that is remembered together
LARGEST = 1_000_000  # a page with more is not

_encode = msgspec.json.Encoder().encode


class NewestPage(NamedTuple):
    """The newest messages as a JSON array; `before` is the first one's seq if more are before."""

    results: msgspec.Raw
    before: int | None = None


class NewestPages:
    """The newest messages of the sessions that were asked for lately."""

    def __init__(self, store: Store, *, most_bytes: int = MOST_BYTES) -> None:
        self._store = store
        self._most_bytes = most_bytes
        self._bytes = 0
        self._forgotten = 0  # how often something was
        # By session and limit, the latest last.
        self._known: OrderedDict[tuple[str, int], tuple[Tip, NewestPage, int]] = OrderedDict()

    async def get(self, user_id: str, session_id: str, limit: int) -> NewestPage:
        """Return the newest `limit` messages of the shown branch. Raises NotFound."""
        key, forgotten = (session_id, limit), self._forgotten
        tip = await self._store.get_tip(user_id, session_id)
        known = self._known.get(key)
        if known is not None and known[0] == tip:
            self._known.move_to_end(key)
            return known[1]
        found = await self._store.list_messages(user_id, session_id, limit=limit)
        before = found.results[0].seq if found.more_before else None
        page = NewestPage(msgspec.Raw(_encode(found.results)), before)
        # Read after the tip, a page may end with something newer; on a new primary of MongoDB's,
        # which does not yet know what a majority has, with something older.
        is_of_tip = tip is not None and found.results and found.results[-1].id == tip.head_id
        if tip is not None and is_of_tip and forgotten == self._forgotten:
            self._remember(key, tip, page)
        return page

    def forget(self, session_id: str) -> None:
        """Forget a session that was erased: another may get its id, and its messages' ids."""
        self._forgotten += 1
        for key in [key for key in self._known if key[0] == session_id]:
            self._drop(key)

    def _remember(self, key: tuple[str, int], tip: Tip, page: NewestPage) -> None:
        self._drop(key)
        size = len(bytes(page.results))
        if size > LARGEST:
            return
        self._known[key] = tip, page, size
        self._bytes += size
        while self._bytes > self._most_bytes:
            self._drop(next(iter(self._known)))

    def _drop(self, key: tuple[str, int]) -> None:
        known = self._known.pop(key, None)
        if known is not None:
            self._bytes -= known[2]
