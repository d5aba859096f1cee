"""What users find in what they and their models have said."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from chatd.store import Store
from chatd.store.messages import Found
from chatd.types import Message, User, Value
from chatd.words import Word, phrases, words

SNIPPET, BEFORE = 240, 60  # characters of a snippet, and of these at most before its first hit
LOOKED_AT = 100_000  # characters of a message in which hits are looked for

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
    for one in found:
        snippet, highlights = cut_snippet(one.message.content, wanted)
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


def cut_snippet(text: str, wanted: Phrases) -> tuple[str, list[Span]]:
    """Return the part of a text around the first hit, and the hits in it."""
    first = next(_hits(text[:LOOKED_AT], wanted), (0, 0))
    start = max(first[0] - BEFORE, 0)
    if start:  # not within a word
        begins = (word.start for word in words(text[start - 1 : first[0]]) if word.start)
        start += next(begins, BEFORE + 1) - 1
    cut = text[start : start + SNIPPET]
    highlights = list(_hits(cut, wanted))
    left, right = ("…" if start else ""), ("…" if start + SNIPPET < len(text) else "")
    shift = len(left)
    return left + cut + right, _joined((begin + shift, end + shift) for begin, end in highlights)


def _hits(text: str, wanted: Phrases) -> Iterator[Span]:
    """Yield where phrases stand in a text, in the order of their ends."""
    lengths = sorted({len(phrase) for phrase in wanted})
    is_wanted = set(wanted)
    last: list[Word] = []
    for word in words(text):
        last = [*last[-lengths[-1] + 1 :], word] if lengths[-1] > 1 else [word]
        for length in lengths:
            tail = last[-length:]
            if tuple(w.text for w in tail) in is_wanted:
                yield tail[0].start, tail[-1].end


def _joined(spans: Iterator[Span]) -> list[Span]:
    """Return spans in order, those that overlap as one."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
