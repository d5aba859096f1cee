"""What users do with their sessions, apart from turns.

REST, sockets and any later face call these methods. The store checks the owner on every call.
"""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakValueDictionary

from chatd.broker import Broker
from chatd.catalog import Presets
from chatd.errors import GenerationRunning, InvalidInput, NotFound
from chatd.events import Event
from chatd.generations import Generations
from chatd.histories import Histories
from chatd.hub import Hub
from chatd.log import Log
from chatd.observations import Observations
from chatd.pages import NewestPage, NewestPages
from chatd.store import Store
from chatd.stores.changes import merge_settings
from chatd.types import Head, Preset, Session, SessionPage, User, new_id, now

FROM_PRESET = ("model", "system_prompt", "settings")


class Sessions:
    """The sessions of all users, each reached only by its owner.

    The head of one in which a generation runs is the answer that is being written: its branch is
    the one that is shown. The store has it as head from the end of the turn on.
    """

    def __init__(
        self,
        store: Store,
        broker: Broker,
        hub: Hub,
        generations: Generations,
        presets: Presets,
        observations: Observations,
        histories: Histories,
    ) -> None:
        self._store = store
        self._histories = histories
        self._observations = observations
        self._broker = broker
        self._hub = hub
        self._generations = generations
        self._presets = presets
        self._pages = NewestPages(store)
        self._selecting: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def create(self, user: User, fields: dict[str, Any]) -> Session:
        """Make a session; what the fields leave out comes from the preset they name, if any."""
        preset = await self._preset_of(user, fields)
        if preset is not None:
            fields = _over(preset, fields)
        time = now()
        session = Session(id=new_id(), created_at=time, updated_at=time, **_without_nulls(fields))
        await self._store.add_session(user.id, session)
        self._tell_owner(user.id, "session_created", session)
        return session

    async def create_from_preset(self, user: User, preset_id: str, title: str | None) -> Session:
        """Make a session from a preset, named like it unless a title is given."""
        preset = await self._presets.get(user, preset_id)
        return await self.create(
            user, {"preset_id": preset.id, "title": preset.name if title is None else title}
        )

    async def _preset_of(self, user: User, fields: dict[str, Any]) -> Preset | None:
        """Return the preset that fields name. Raises InvalidInput for an unknown one."""
        if not fields.get("preset_id"):
            return None
        try:
            return await self._presets.get(user, fields["preset_id"])
        except NotFound as exc:
            errors = {"preset_id": [exc.message]}
            raise InvalidInput("Something is wrong with: preset_id.", errors=errors) from exc

    async def get(self, user: User, session_id: str) -> Session:
        """Return a session, also a deleted one. Raises NotFound."""
        return self._as_shown(await self._store.get_session(user.id, session_id))

    async def list(self, user: User, **query: Any) -> SessionPage:
        """Return a page of sessions, as `Store.list_sessions` does."""
        page = await self._store.list_sessions(user.id, **query)
        return page.replace(results=[self._as_shown(session) for session in page.results])

    async def head(self, user: User, session_id: str) -> Head:
        """Return a session with its newest revision and its slot. Raises NotFound."""
        head = await self._store.get_head(user.id, session_id)
        return head.replace(session=self._as_shown(head.session))

    async def newest(self, user: User, session_id: str, limit: int) -> NewestPage:
        """Return the newest messages of the shown branch. Raises NotFound."""
        return await self._pages.get(user.id, session_id, limit)

    def _as_shown(self, session: Session) -> Session:
        log = self._hub.running(session.id)
        return session if log is None else session.replace(head_id=log.message_id)

    async def update(
        self, user: User, session_id: str, changes: dict[str, Any], version: int | None = None
    ) -> Session:
        """Change fields; what changes nothing is told to nobody. Raises NotFound,
        PreconditionFailed."""
        await self._preset_of(user, changes)
        before = await self._store.get_session(user.id, session_id)
        if changes.get("is_active") is False:
            await self._stop_running(user, session_id, version)
        log = self._hub.running(session_id)
        session = await self._store.update_session(user.id, session_id, changes, version=version)
        if not session.is_active:
            # A turn may have begun since; no other can now.
            await self._stop_running(user, session_id, None)
        session = await self._shown_now(user, session, log)
        kind = "session_deleted" if changes.get("is_active") is False else "session_updated"
        if session.version != before.version:
            self._tell_all(user.id, kind, session)
        return session

    async def _shown_now(self, user: User, session: Session, log: Log | None) -> Session:
        """Return a session that was read while `log` ran, if any; read again if that has ended.

        Its end has told a newer head already.
        """
        while (running := self._hub.running(session.id)) is not log:
            log, session = running, await self._store.get_session(user.id, session.id)
        return self._as_shown(session)

    async def delete(self, user: User, session_id: str, version: int | None = None) -> Session:
        """Stop a running generation, then hide the session; everything is kept."""
        return await self.update(user, session_id, {"is_active": False}, version)

    async def restore(self, user: User, session_id: str) -> Session:
        """Undo a delete."""
        return await self.update(user, session_id, {"is_active": True})

    async def select(self, user: User, session_id: str, message_id: str) -> Session:
        """Show the branch of a message. Raises NotFound, SessionDeleted, GenerationRunning."""
        # One after the other: what is told last must be what is shown, and no version says it.
        async with self._selecting.setdefault(session_id, asyncio.Lock()):
            session = await self._store.select_message(user.id, session_id, message_id)
            self._tell_all(user.id, "session_updated", session)
        return session

    async def purge(self, user: User, session_id: str, version: int | None = None) -> None:
        """Stop a running generation, then erase the session and its messages."""
        session = await self._store.get_session(user.id, session_id)
        while await self._stop_running(user, session_id, version):
            try:
                await self._store.purge_session(user.id, session_id, version=version)
                break
            except GenerationRunning:
                continue  # another turn came in between
        else:
            raise GenerationRunning("A turn of this session is being mended; try again soon.")
        self._pages.forget(session_id)
        self._histories.forget(session_id)
        self._tell_all(user.id, "session_deleted", session.replace(is_active=False))

    async def _stop_running(self, user: User, session_id: str, version: int | None) -> bool:
        """Stop what runs in a session; return False if something does that we cannot stop."""
        head = await self._store.get_head(user.id, session_id)
        if version is not None and head.session.version != version:
            return True  # the change itself will fail; nothing must be stopped for it
        return head.slot is None or await self._generations.stop(head.slot.generation_id)

    def _tell_owner(self, user_id: str, kind: str, session: Session) -> None:
        self._broker.publish(f"user:{user_id}", Event(type=kind, payload={"session": session}))
        self._observations.tell(kind, user_id, session=session)

    def _tell_all(self, user_id: str, kind: str, session: Session) -> None:
        self._broker.publish(session.id, Event(type=kind, payload={"session": session}))
        self._tell_owner(user_id, kind, session)


def _over(preset: Preset, fields: dict[str, Any]) -> dict[str, Any]:
    """Return fields with what a preset has below them; settings lie over its key by key."""
    of_preset = {name: getattr(preset, name) for name in FROM_PRESET}
    if fields.get("settings") is not None:
        fields = {**fields, "settings": merge_settings(preset.settings, fields["settings"])}
    return of_preset | fields


def _without_nulls(fields: dict[str, Any]) -> dict[str, Any]:
    """Return fields with what is null left to its default; in settings a null means nothing set."""
    kept = {name: value for name, value in fields.items() if value is not None}
    if "settings" in kept:
        kept["settings"] = {k: v for k, v in kept["settings"].items() if v is not None}
    return kept
