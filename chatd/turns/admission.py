"""How a turn begins that plugins may refuse: they are asked while it holds the session's slot.

Then only one turn of a session is asked for at a time, and a refused one has stored nothing. A
transaction cannot wait for a plugin, so here the slot and the messages are two writes also where a
store could make them one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from chatd.errors import ChatdError, Unavailable
from chatd.failpoints import failpoint
from chatd.plugins import Plugins
from chatd.store import Store
from chatd.store.generations import MakeMessages
from chatd.types import Head, Message, Slot, User

logger = logging.getLogger(__name__)

HOOK = "before_turn"
ASK_WITHIN = 10.0  # seconds for all plugins: less than the lease of the slot


class Refused(Exception):
    """A plugin has refused a turn: whatever its error is, the turn is not tried again."""

    def __init__(self, error: ChatdError) -> None:
        super().__init__(str(error))
        self.error = error


class Admission:
    """Begins turns, having asked the plugins if there are any to ask."""

    def __init__(self, store: Store, plugins: Plugins, app: object) -> None:
        self._store, self._plugins, self._app = store, plugins, app
        self._calls = plugins.calls(HOOK)

    async def begin(
        self,
        user: User,
        session_id: str,
        slot: Slot,
        make: MakeMessages,
        *,
        text: str,
        lease: float,
        fork_after: int | None,
    ) -> tuple[Head, Sequence[Message]]:
        """Do `Store.begin_turn`; raises also Refused, and then nothing is stored."""
        where: dict[str, Any] = {"lease": lease, "fork_after": fork_after}
        if not self._calls:
            return await self._store.begin_turn(user.id, session_id, slot, make, **where)
        head = await self._store.take_slot(user.id, session_id, slot, **where)
        failpoint("after_slot")
        try:
            messages = make(head)  # before the plugins: they are asked once, when all else is well
            await self._ask({"user": user, "session": head.session, "text": text})
        except BaseException:
            await self._store.give_back(session_id, slot.generation_id)
            raise
        return head, await self._store.add_or_give_back(session_id, slot, messages)

    async def _ask(self, arguments: dict[str, Any]) -> None:
        asked = ""
        try:
            async with asyncio.timeout(ASK_WITHIN):
                for call in self._calls:
                    asked = call.plugin
                    await self._plugins.ask(HOOK, call, {"app": self._app} | arguments)
        except TimeoutError as exc:
            logger.error("plugin %s took too long in %s", self._plugins.place(asked), HOOK)
            raise Unavailable from exc
        except ChatdError as exc:
            raise Refused(exc) from exc
