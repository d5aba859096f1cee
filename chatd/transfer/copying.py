"""A copy of one store in another, kind by kind, that can be cut off and gone on with.

Records are put by their ids, so that putting one twice changes nothing; how far it has come is kept
in the target. At the end both stores are read again and compared. Until then the target is marked,
and no server runs on it; then it gets an epoch of its own, so that no client takes up there what it
knows of the source.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from chatd.errors import ConfigError, Conflict
from chatd.failpoints import failpoint
from chatd.store import Store
from chatd.store.transfer import (
    COLLECTIONS,
    Collection,
    CopyMark,
    Record,
    RecordPage,
    StoredSession,
)
from chatd.types import Token, now

PAGE = 1000
MARGIN = dt.timedelta(minutes=1)  # longer than a store takes to erase what has expired

# Called with what is being done, how many records are done, and of how many; None: not known.
Report = Callable[[str, int, int | None], None]

_encode = msgspec.json.Encoder(order="deterministic").encode


class Total(NamedTuple):
    """The records of a collection: how many, and their checksum in no order."""

    records: int = 0
    checksum: int = 0

    @property
    def shown(self) -> str:
        """The checksum as it is printed."""
        return f"{self.checksum:032x}"


async def copy_store(source: Store, target: Store, report: Report) -> dict[Collection, Total]:
    """Copy everything, or go on with it; return what both then hold.

    No server may run on either meanwhile. Tickets are left out: they are good once, in one place.
    Raises ConfigError when the target is not empty, Conflict when something wrote to either store.
    """
    mark = await _begin(source, target)
    for collection in COLLECTIONS[COLLECTIONS.index(mark.collection) :]:
        after = mark.after if collection == mark.collection else ""
        await _copy(source, target, mark.replace(collection=collection, after=after), report)
    totals = await _compare(source, target, mark, report)
    await target.end_copy()
    return totals


async def _begin(source: Store, target: Store) -> CopyMark:
    """Return where to begin, and mark the target. Raises ConfigError."""
    if source.epoch == target.epoch:
        raise ConfigError("FROM and TO are one store: name another one to copy it to.")
    for name, store in (("FROM", source), ("TO", target)):
        if await store.is_generating():
            raise ConfigError(
                f"A server runs on {name}: stop it, and wait 15 seconds if it was killed."
            )
    if await source.get_copy_mark() is not None:
        raise ConfigError("FROM is an unfinished copy itself: finish that one first.")
    if await _first_held(source) is None:
        raise ConfigError("FROM holds nothing at all: is that its name?")
    mark = await target.get_copy_mark()
    if mark is None:
        held = await _first_held(target)
        if held is not None:
            raise ConfigError(
                f"TO holds {held} already: a copy needs an empty store; name another."
            )
        mark = CopyMark(source=source.epoch)
        await target.set_copy_mark(mark)
    elif mark.source != source.epoch:
        raise ConfigError("TO is the unfinished copy of another store: empty it, or name another.")
    return mark


async def _first_held(store: Store) -> Collection | None:
    """Return the first collection that is not empty."""
    for collection in COLLECTIONS:
        if (await store.read_records(collection, limit=1)).records:
            return collection
    return None


async def _copy(source: Store, target: Store, mark: CopyMark, report: Report) -> None:
    """Copy a collection from a place on; the next page is read while one is written."""
    collection = mark.collection
    total = await source.count_records(collection)
    done = 0
    await target.set_copy_mark(mark)
    page = await source.read_records(collection, after=mark.after, limit=PAGE)
    while page.records:
        reading = asyncio.ensure_future(_read(source, collection, page.next))
        try:
            await target.put_records(collection, _lasting(page.records))
        finally:
            following = await reading
        await target.set_copy_mark(mark.replace(after=page.next))
        failpoint("copy_page")
        done += len(page.records)
        # What an earlier run has copied is not counted again: nobody knows how much it was.
        report(f"copying {collection}", done, None if mark.after else total)
        page = following


async def _read(store: Store, collection: Collection, after: str) -> RecordPage:
    return await store.read_records(collection, after=after, limit=PAGE)


def _lasting(records: list[Record]) -> list[Record]:
    """Return records without tickets, and without tokens that end before somebody can use them.

    A store erases those by itself, sooner or later: two stores would differ.
    """
    end = now() + MARGIN
    return [r for r in records if not isinstance(r, Token) or _is_lasting(r, end)]


def _is_lasting(token: Token, end: dt.datetime) -> bool:
    return token.kind == "token" and (token.expires_at is None or token.expires_at > end)


async def _compare(
    source: Store, target: Store, mark: CopyMark, report: Report
) -> dict[Collection, Total]:
    """Return what both stores hold. Raises Conflict when that differs."""
    totals: dict[Collection, Total] = {}
    different: list[str] = []
    for collection in COLLECTIONS:
        one, other = await asyncio.gather(
            add_up(source, collection, report), add_up(target, collection, _silent)
        )
        totals[collection] = one
        if one != other:
            different.append(f"{collection} ({one.records} and {other.records})")
    if different:
        # The next run copies everything again, over what is there.
        await target.set_copy_mark(CopyMark(source=mark.source))
        raise Conflict(
            f"The copy differs from its source in {', '.join(different)}: something wrote to one of"
            " them meanwhile. Run this again; if it comes to the same, empty TO first."
        )
    return totals


def _silent(what: str, done: int, total: int | None) -> None:
    """Report nothing."""


def _canonical(record: Record) -> bytes:
    """Return the one JSON of a record: names sorted, no spaces."""
    if isinstance(record, StoredSession):  # numbers of branches are names
        return _encode(msgspec.to_builtins(record, str_keys=True))
    return _encode(record)


async def add_up(store: Store, collection: Collection, report: Report) -> Total:
    """Read a collection to its end; return how many records it has, and their checksum.

    That is the sum of the BLAKE2b hashes of each record's canonical JSON, modulo 2^128.
    """
    count = checksum = 0
    total = await store.count_records(collection)
    page = await _read(store, collection, "")
    while page.records:
        reading = asyncio.ensure_future(_read(store, collection, page.next))
        try:
            for record in _lasting(page.records):
                digest = hashlib.blake2b(_canonical(record), digest_size=16).digest()
                checksum += int.from_bytes(digest)
                count += 1
        finally:
            page = await reading
        report(f"comparing {collection}", count, total)
    return Total(count, checksum % 2**128)
