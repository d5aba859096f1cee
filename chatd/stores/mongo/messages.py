"""Reading messages from MongoDB."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Literal, NamedTuple

from chatd.errors import NotFound
from chatd.provider import PromptMessage
from chatd.stores.branches import LAST, Segment, kind_of, segments
from chatd.stores.mongo.database import Database
from chatd.stores.mongo.documents import MESSAGE, Spoken, message_of, messages_of, spoken_of
from chatd.stores.mongo.driver import Document
from chatd.types import Message, MessagePage, Slot, Turn

Order = Literal["ASC", "DESC"]
ORDERS = {"ASC": 1, "DESC": -1}
EVERYTHING = Segment(0, 0, LAST)
SMALLEST_BATCH, GROWTH = 16, 4
FEWEST_RANGES = 2  # in one query: mostly a page needs the shown branch, and the one it leaves


class Range(NamedTuple):
    """The messages of a branch between two seqs."""

    branch: int
    low: int
    high: int

    @property
    def seqs(self) -> Document:
        """The condition on their seqs."""
        return {"$gt": self.low, "$lt": self.high}


class _Ranges(NamedTuple):
    """Messages of a session: of all branches, or of one by its segments, the newest first."""

    database: Database
    session_id: str
    segments: Iterable[Segment]
    all_branches: bool

    async def first(self, after: int, before: int, order: Order, limit: int) -> list[Message]:
        """Return the first `limit` messages between two seqs in this order, sorted by seq."""
        found: list[Document] = []
        ranges, size = self._ranges(after, before, order), FEWEST_RANGES
        while len(found) < limit and (batch := [*islice(ranges, size)]):
            found += await self.fetch(batch, order, limit - len(found))
            size *= GROWTH
        if order == "DESC":
            found.reverse()
        return messages_of(found)

    def _ranges(self, after: int, before: int, order: Order) -> Iterator[Range]:
        for segment in self.segments if order == "DESC" else reversed([*self.segments]):
            low, high = max(segment.after, after), min(segment.upto + 1, before)
            if high - low > 1:
                yield Range(segment.branch, low, high)

    async def fetch(self, ranges: Sequence[Range], order: Order, limit: int) -> list[Document]:
        """Return documents of ranges that follow each other in this order."""
        wanted: Document = {"session_id": self.session_id}
        if self.all_branches:
            wanted["seq"] = ranges[0].seqs
        else:
            wanted["status"] = {"$ne": "streaming"}
            each = [{"branch": range.branch, "seq": range.seqs} for range in ranges]
            wanted |= {"$or": each} if len(each) > 1 else each[0]
        index = "by_seq" if self.all_branches else "by_branch"
        # Left to itself the server may remember, from a short session, the other index.
        cursor = self.database.messages.find(wanted, MESSAGE, hint=index)
        return await cursor.sort("seq", ORDERS[order]).limit(limit).to_list(None)


class _Shown:
    """The segments of a shown branch, each found when it is come to: a page needs the newest."""

    def __init__(self, document: Document) -> None:
        self._branch: int = document["branch"]
        self._parents = _Parents(document.get("branches", {}))

    def __iter__(self) -> Iterator[Segment]:
        return segments(self._branch, self._parents)


class _Parents(Mapping[int, tuple[int, int]]):
    """The parents of branches as they are stored, by numbers that are texts."""

    def __init__(self, stored: Mapping[str, Sequence[int]]) -> None:
        self._stored = stored

    def __getitem__(self, branch: int) -> tuple[int, int]:
        parent, after = self._stored[str(branch)]
        return parent, after

    def __contains__(self, branch: object) -> bool:
        return str(branch) in self._stored

    def __iter__(self) -> Iterator[int]:
        return map(int, self._stored)

    def __len__(self) -> int:
        return len(self._stored)


async def _shown(database: Database, user_id: str, session_id: str) -> Iterable[Segment]:
    """Return the segments of a session's shown branch."""
    found = await database.find_shown.find(session_id)
    if found is None or found["user_id"] != user_id:
        raise NotFound
    return _Shown(found)


def branches_of(document: Document) -> dict[int, tuple[int, int]]:
    """Return the parents of a session's branches."""
    return {int(branch): (p, a) for branch, (p, a) in document.get("branches", {}).items()}


async def list_messages(
    database: Database,
    user_id: str,
    session_id: str,
    *,
    before: int | None = None,
    after: int | None = None,
    since: int | None = None,
    all_branches: bool = False,
    limit: int = 50,
) -> MessagePage:
    """Return messages of the shown branch or of all, in ascending order."""
    shown = await _shown(database, user_id, session_id)
    if since is not None:
        return await _changed(database, session_id, since, limit)
    found = _Ranges(database, session_id, [EVERYTHING] if all_branches else shown, all_branches)
    low, high = after or 0, LAST if before is None else before
    order: Order = "DESC" if after is None else "ASC"
    messages = await found.first(low, high, order, limit + 1)
    is_cut = len(messages) > limit
    is_left = after is not None and bool(await found.first(0, low + 1, "DESC", 1))
    is_right = before is not None and bool(await found.first(high - 1, LAST, "ASC", 1))
    return MessagePage(
        results=messages[:limit] if order == "ASC" else messages[-limit:],
        more_before=is_left or (is_cut and order == "DESC"),
        more_after=is_right or (is_cut and order == "ASC"),
    )


async def _changed(database: Database, session_id: str, since: int, limit: int) -> MessagePage:
    wanted = {"session_id": session_id, "revision": {"$gt": since}}
    cursor = database.messages.find(wanted, MESSAGE).sort("revision", 1).limit(limit + 1)
    messages = messages_of(await cursor.to_list(None))
    return MessagePage(results=messages[:limit], more_after=len(messages) > limit)


async def get_message(
    database: Database, user_id: str, session_id: str, message_id: str
) -> Message:
    """Return one message."""
    wanted = {"_id": message_id, "session_id": session_id, "user_id": user_id}
    found = await database.messages.find_one(wanted, MESSAGE)
    if found is None:
        raise NotFound
    return message_of(found)


async def of_slot(database: Database, session_id: str, slot: Slot) -> list[Message]:
    """Return the messages of a slot that are stored: user's, then assistant's."""
    ids = [slot.user_message_id, slot.assistant_message_id]
    wanted = {"_id": {"$in": ids}, "session_id": session_id, "document": {"$exists": True}}
    found = await database.messages.find(wanted, MESSAGE).to_list(None)
    return sorted(messages_of(found), key=lambda message: message.seq)


async def history(
    database: Database, user_id: str, session_id: str, *, max_chars: int
) -> list[PromptMessage]:
    """Return the newest messages of a prompt within max_chars, oldest first."""
    shown = await _shown(database, user_id, session_id)
    found: list[PromptMessage] = []
    async for message in _newest(database, session_id, shown):
        max_chars -= len(message.content)
        if max_chars < 0 and found:
            break
        role: Literal["user", "assistant"] = "user" if message.role == "user" else "assistant"
        found.append(PromptMessage(role=role, content=message.content))
    found.reverse()
    return found


async def _newest(
    database: Database, session_id: str, shown: Iterable[Segment]
) -> AsyncIterator[Spoken]:
    """Yield what a prompt may hold, newest first, read in batches that grow."""
    found, size = _Ranges(database, session_id, shown, False), SMALLEST_BATCH
    for branch, after, upto in shown:
        before, is_more = upto + 1, True
        while is_more:
            batch = spoken_of(await found.fetch([Range(branch, after, before)], "DESC", size))
            for message in batch:
                if message.role == "user" or (message.role == "assistant" and message.content):
                    yield message
            is_more = len(batch) == size
            before, size = (batch[-1].seq if batch else 0), size * GROWTH


async def find_turn(
    database: Database, user_id: str, session_id: str, client_id: str
) -> Turn | None:
    """Return the message with a client_id, and the answer that follows a user's."""
    wanted = {"session_id": session_id, "client_id": client_id}
    found = await database.messages.find_one(wanted, {**MESSAGE, "user_id": 1, "branch": 1})
    if found is None or found["user_id"] != user_id:
        await _shown(database, user_id, session_id)
        return None
    message, branch = message_of(found), found["branch"]
    if message.role != "user":
        return Turn(kind=kind_of(message.role, branch, is_first=True), message=message)
    following = {"session_id": session_id, "seq": message.seq + 1}
    found = await database.messages.find_one(following, MESSAGE)
    answer = message_of(found) if found else None
    is_answered = answer is not None and answer.role == "assistant"
    earlier = {"session_id": session_id, "branch": branch, "seq": {"$lt": message.seq}}
    is_first = bool(branch) and await database.messages.find_one(earlier, {"_id": 1}) is None
    kind = kind_of(message.role, branch, is_first=is_first)
    return Turn(kind=kind, message=message, answer=answer if is_answered else None)
