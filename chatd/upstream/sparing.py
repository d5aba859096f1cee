"""What a call may be made without, when a server refuses it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

REFUSED = (400, 422)


class Sparing:
    """Asks with something that not all servers take; one that refuses is asked once more without.

    Who has answered without it is asked so at once from then on.
    """

    def __init__(self) -> None:
        self._without: set[Hashable] = set()

    async def ask(
        self, who: Hashable, post: Callable[[bool], Awaitable[httpx.Response]]
    ) -> httpx.Response:
        """Return the answer. `post` is told whether it is to ask with it; `who` is remembered."""
        if who in self._without:
            return await post(False)
        response = await post(True)
        if response.status_code in REFUSED:
            await response.aclose()
            response = await post(False)
            if response.is_success:
                self._without.add(who)
        return response
