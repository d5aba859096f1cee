"""What users find in what they and their models have said."""

from __future__ import annotations

import asyncio
import bisect
import itertools
from collections.abc import Iterator, Sequence

from chatd.store import Store
from chatd.store.messages import Found
from chatd.types import Message, User, Value
from chatd.words import phrases, words

SNIPPET, BEFORE = 240, 60  # characters of a snippet, and of these at most before its first hit
LOOKED_AT = 100_000  # characters of a message in which hits are looked for, most of them in the
SOON = 2000  # first ones
IN_ALL = 1_000_000  # characters of all messages of a page
MARKED = 32  # phrases of a query at most whose hits are looked for

Phrases = Sequence[tuple[str, ...]]
Span = tuple[int, int]


class FoundSession(Value, frozen=True, kw_only=True):
    """What a result tells of its session."""

    id: str
    title: str


class Result(Value, frozen=True, kw_only=True):
    """A message that was found, and a part of its text.

    `highlights` are the hits in the snippet: [start, end) in code points. So it needs no markup.
    """

    message: Message
    session: FoundSession
    snippet: str
    highlights: list[Span]
    rank: float


class ResultPage(Value, frozen=True, kw_only=True):
    """A page of results; `next` and `previous` are cursors."""

    results: list[Result]
    next: str | None = None
    previous: str | None = None


async def search(
    store: Store,
    user: User,
    query: str,
    *,
    is_active: bool | None = True,
    limit: int = 50,
    cursor: str = "",
) -> ResultPage:
    """Return a page of the user's messages in which a query occurs, the best match first."""
    page = await store.search(user.id, query, is_active=is_active, limit=limit, cursor=cursor)
    # Long messages take their time: others must not wait for it.
    results = await asyncio.to_thread(_results, page.results, phrases(query))
    return ResultPage(results=results, next=page.next, previous=page.previous)


def _results(found: Sequence[Found], wanted: Phrases) -> list[Result]:
    results = []
    look_at = min(LOOKED_AT, IN_ALL // max(len(found), 1))
    for one in found:
        snippet, highlights = cut_snippet(one.message.content, wanted, look_at)
        results.append(
            Result(
                message=one.message,
                session=FoundSession(id=one.message.session_id, title=one.title),
                snippet=snippet,
                highlights=highlights,
                rank=one.rank,
            )
        )
    return results


def cut_snippet(text: str, wanted: Phrases, look_at: int = LOOKED_AT) -> tuple[str, list[Span]]:
    """Return the part of a text around the first hit, and the hits in it."""
    wanted = wanted[:MARKED]
    first = _first_hit(text, wanted, look_at)
    start = max(first - BEFORE, 0)
    if start:  # not within a word
        begins = (word.start for word in words(text[start - 1 : first]) if word.start)
        start += next(begins, BEFORE + 1) - 1
    cut = text[start : start + SNIPPET]
    highlights = list(_hits(cut, wanted))
    left, right = ("…" if start else ""), ("…" if start + SNIPPET < len(text) else "")
    shift = len(left)
    return left + cut + right, _joined((begin + shift, end + shift) for begin, end in highlights)


def _first_hit(text: str, wanted: Phrases, look_at: int) -> int:
    """Return where the first hit begins, 0 for none; most are soon found."""
    for length in (SOON, look_at):
        hits = _hits(text[:length], wanted, every=False)
        first = min((hit for hit in hits if hit[1] < length), default=None)
        if first is not None:
            return first[0]
    return 0


def _hits(text: str, wanted: Phrases, *, every: bool = True) -> Iterator[Span]:
    """Yield where phrases stand in a text: of each phrase all places, or the first one.

    What is looked for is a text in a text, so that phrases of many words cost no more than others.
    """
    found = list(words(text))
    line = "".join([" ", *(f"{word.text} " for word in found)])
    places = list(itertools.accumulate((len(word.text) + 1 for word in found), initial=0))
    for phrase in wanted:
        piece = f" {' '.join(phrase)} "
        at = line.find(piece)
        while at >= 0:
            number = bisect.bisect_left(places, at)
            yield found[number].start, found[number + len(phrase) - 1].end
            at = line.find(piece, at + 1) if every else -1


def _joined(spans: Iterator[Span]) -> list[Span]:
    """Return spans in order, those that overlap as one."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
