"""Bounds what a user may have in a day: turns, and tokens as the model servers count them.

The day is that of UTC. What was used is kept in the store: it survives restarts, and servers that
share a store share it. Turns are counted before they begin, also several at once; tokens are known
when an answer has ended, so turns that run at that time may go above. A count is written a moment
later, with others: a crash loses that moment, and so long other servers do not see it.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import weakref
from collections import Counter

import marshmallow as ma

import chatd

logger = logging.getLogger(__name__)

NAME = "quota"
BYTES_PER_TOKEN = 3  # of what no server has counted
WRITE_AFTER = 0.25  # seconds; a write of its own for each count is half of what a short turn costs


class ConfigSchema(ma.Schema):
    """The table [plugins.quota]; 0 is no bound."""

    turns_per_day = ma.fields.Integer(load_default=0, validate=ma.validate.Range(min=0))
    tokens_per_day = ma.fields.Integer(load_default=0, validate=ma.validate.Range(min=0))
    # Who has one of these roles has no bound.
    exempt_roles = ma.fields.List(ma.fields.String(), load_default=list)


_ledgers: weakref.WeakKeyDictionary[chatd.App, Ledger] = weakref.WeakKeyDictionary()


@chatd.hookimpl
def startup(app: chatd.App) -> None:
    """Begin to count."""
    _ledgers[app] = Ledger(app)


@chatd.hookimpl
async def shutdown(app: chatd.App) -> None:
    """Write what has been counted."""
    await _ledgers.pop(app).aclose()


@chatd.hookimpl
async def before_turn(app: chatd.App, user: chatd.User) -> None:
    """Count a turn, or refuse it until tomorrow."""
    config = app.plugin_config(NAME)
    if not {*user.roles}.isdisjoint(config["exempt_roles"]):
        return
    day, ledger = Day(), _ledgers[app]
    most_turns, most_tokens = config["turns_per_day"], config["tokens_per_day"]
    if most_tokens and await ledger.used(day.key(user.id, "tokens")) >= most_tokens:
        raise day.used_up(f"{most_tokens} tokens")
    if most_turns:
        key = day.key(user.id, "turns")
        if await ledger.used(key) >= most_turns:
            raise day.used_up(f"{most_turns} turns")
        ledger.add(key, 1, day)  # no await in between: of several at once each sees the others


@chatd.hookimpl
def observe(app: chatd.App, event: chatd.Observed) -> None:
    """Count the tokens of a turn that has ended, and of what a plugin has asked beside it."""
    if not app.plugin_config(NAME)["tokens_per_day"]:
        return
    if event.type == "turn_ended" and event.message is not None:
        answer = event.message
        # Not what is stored: who stops an answer says how much of it is kept, and has read it all.
        said = max(event.detail.get("said", 0), len(answer.content.encode()))
        asked = event.detail.get("asked", 0)
        if answer.status in ("error", "interrupted") and not said:
            asked = 0  # it failed before the model had begun
        used = tokens(answer.usage, asked, said)
    elif event.type == "model_asked":
        usage, said = event.detail["usage"], event.detail["said"]
        used = tokens(usage, event.detail["asked"] if usage or said else 0, said)
    else:
        return
    if used:
        day = Day(event.at)
        _ledgers[app].add(day.key(event.user_id, "tokens"), used, day)


class Ledger:
    """What users have used: what the store has, and what is to be written there."""

    def __init__(self, app: chatd.App) -> None:
        self._store = app.store
        self._writing, self._writes = asyncio.Lock(), 0
        self._new: Counter[str] = Counter()
        self._forgotten: dict[str, dt.datetime] = {}
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def used(self, key: str) -> int:
        """Return a count, as it is at the moment when this returns."""
        while True:
            async with self._writing:
                writes = self._writes
            kept = await self._store.get_datum(NAME, key)
            # What is written meanwhile would count in neither place, or in both.
            if writes == self._writes and not self._writing.locked():
                return (kept.value if kept else 0) + self._new.get(key, 0)

    def add(self, key: str, number: int, day: Day) -> None:
        """Add to a count; it is written soon."""
        self._new[key] += number
        self._forgotten[key] = day.forgotten
        if self._task is None:
            self._task = asyncio.create_task(self._write_soon(), name=NAME)

    async def _write_soon(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WRITE_AFTER):
                await self._closing.wait()
        await self._write()
        self._task = None
        if self._new and not self._closing.is_set():
            self._task = asyncio.create_task(self._write_soon(), name=NAME)

    async def _write(self) -> None:
        async with self._writing:
            new = {key: (by, self._forgotten[key]) for key, by in self._new.items() if by}
            adding = [
                self._store.add_to_count(NAME, key, by, expires_at=expires_at)
                for key, (by, expires_at) in new.items()
            ]
            self._writes += 1
            results = await asyncio.gather(*adding, return_exceptions=True)
            for (key, (by, _)), result in zip(new.items(), results, strict=True):
                if isinstance(result, BaseException):
                    logger.warning("a quota is written later: %s", result)
                    continue
                self._new[key] -= by
                if not self._new[key]:  # what came meanwhile is written next
                    del self._new[key], self._forgotten[key]

    async def aclose(self) -> None:
        """Write everything."""
        self._closing.set()
        if self._task is not None:
            await self._task
        await self._write()


def tokens(usage: chatd.Usage | None, asked: int, said: int) -> int:
    """Return what the server counted; what it did not, by the bytes of the prompt or the answer.

    A server counts at the end, so of a turn that was stopped nothing is counted there.
    """
    usage = usage or chatd.Usage()
    counted = usage.total_tokens, usage.prompt_tokens, usage.completion_tokens
    total, prompt, completion = (max(0, count) for count in counted)
    return total or (prompt or asked // BYTES_PER_TOKEN) + (completion or said // BYTES_PER_TOKEN)


class Day:
    """The day of a time, by default of now."""

    def __init__(self, time: dt.datetime | None = None) -> None:
        self.time = time or chatd.now()
        self.end = dt.datetime.combine(
            self.time.date() + dt.timedelta(days=1), dt.time(), tzinfo=dt.UTC
        )
        self.forgotten = self.end + dt.timedelta(days=1)

    def key(self, user_id: str, what: str) -> str:
        """Return the key of what a user has used in this day."""
        return f"{self.time.date()}/{user_id}/{what}"

    def used_up(self, what: str) -> chatd.RateLimited:
        """Return the error that says so, and when the next day begins."""
        wait = (self.end - self.time).total_seconds()
        return chatd.RateLimited(
            f"You may have {what} a day; the next day begins at midnight UTC.", retry_after=wait
        )
