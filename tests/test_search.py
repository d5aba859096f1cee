"""Search over REST: results, snippets, pages, and what is refused."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from harness import API, Script, chatting
from hypothesis import given
from hypothesis import strategies as st
from routes import check_problem

from chatd.search import SNIPPET, cut_snippet
from chatd.words import phrases


@pytest.mark.usefixtures("each_store")
async def test_a_search(tmp_path: Path) -> None:
    """A result has the message, its session's name, and a snippet with the hits marked."""
    async with chatting(tmp_path, Script(["The Café is <b>closed</b>."])) as chat:
        alice, bob = await chat.client("alice"), await chat.client("bob")
        session_id = await alice.new_session(title="Where to go")
        turn = await alice.send(session_id, "Is the cafe open?")
        page = await alice.call("GET", "/search/", params={"q": "CAFE the"})
        others = await bob.call("GET", "/search/?q=cafe")
        closed = await alice.call("GET", "/search", params={"q": "<b>closed"})
    assert {found["message"]["id"]: found["message"] for found in page["results"]} == {
        turn["user_message"]["id"]: turn["user_message"],
        turn["ai_message"]["id"]: turn["ai_message"],
    }
    for found in page["results"]:
        assert found["session"] == {"id": session_id, "title": "Where to go"}
        assert found["snippet"] == found["message"]["content"]
        hits = [found["snippet"][start:end].casefold() for start, end in found["highlights"]]
        assert sorted(hits) in (["cafe", "the"], ["café", "the"])
        assert found["rank"] > 0
    assert (page["next"], page["previous"]) == (None, None)
    assert others == {"results": [], "next": None, "previous": None}
    assert [found["highlights"] for found in closed["results"]] == [[[13, 21]]]


@pytest.mark.usefixtures("each_store")
async def test_pages_and_sessions(tmp_path: Path) -> None:
    """Links lead through all results and back; deleted sessions are searched when asked for."""
    async with chatting(tmp_path, Script(*[["an answer"]] * 3)) as chat:
        alice = await chat.client("alice")
        ids = [await alice.new_session() for _ in range(2)]
        for number in range(3):
            await alice.send(ids[number % 2], f"fox {number}")
        await alice.call("DELETE", f"/sessions/{ids[1]}/", 204)
        assert len((await alice.call("GET", "/search/?q=fox"))["results"]) == 2
        assert len((await alice.call("GET", "/search/?q=fox&is_active=false"))["results"]) == 1

        pages = [await alice.call("GET", "/search/?q=fox&limit=1&is_active=all")]
        while link := pages[-1]["next"]:
            pages.append((await alice.http.get(link)).json())
        assert [len(page["results"]) for page in pages] == [1, 1, 1]
        seen = [page["results"][0]["message"]["content"] for page in pages]
        assert sorted(seen) == ["fox 0", "fox 1", "fox 2"]
        back = (await alice.http.get(pages[2]["previous"])).json()
        assert back["results"] == pages[1]["results"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("q=", 400),
        ("q=%20%0A", 400),
        ("q=" + "x" * 10_001, 400),
        ("q=x&limit=0", 400),
        ("q=x&is_active=perhaps", 400),
        ("q=x&cursor=nonsense", 400),
        ("q=" + "%22" * 10_000, 200),
        ("q=" + "a+" * 5_000, 200),
        ("q=" + "%E4%B8%80" * 256, 200),
        ("q=" + "%E4%B8%80" * 257, 400),
        ("q=" + "+".join(map(str, range(257))), 400),
        ("q=NEAR(x*)+AND+%22-y:", 200),
        ("q=%27%22%5C;--", 200),
    ],
)
async def test_queries(tmp_path: Path, query: str, status: int) -> None:
    """A query must be there; what it holds is words and never a language of the store's."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        answer = await alice.http.get(f"{API}/search/?{query}")
        if status == 400:
            check_problem(answer, 400)
        assert answer.status_code == status


def test_the_snippet_of_a_long_text() -> None:
    """A snippet is cut around the first hit, between words, and says where it was cut."""
    text = "word " * 1000 + "here is the needle, again the needle " + "word " * 1000
    snippet, highlights = cut_snippet(text, phrases("needle"))
    assert len(snippet) <= SNIPPET + 2
    assert snippet.startswith("…word ")
    assert snippet.endswith("…")
    assert [snippet[start:end] for start, end in highlights] == ["needle", "needle"]


def test_a_query_of_very_long_phrases() -> None:
    """However long the phrases and the text are, a snippet takes a moment."""
    text = "一" * 30_000 + "二" + "一" * 200
    begun = time.process_time()
    snippet, highlights = cut_snippet(
        text, phrases(" ".join("二" + "一" * n for n in range(1, 139)))
    )
    assert time.process_time() - begun < 2  # it has taken 20
    assert snippet[slice(*highlights[0])] == "二" + "一" * 32


@given(st.text(max_size=400), st.text(min_size=1, max_size=20))
def test_highlights_are_in_the_snippet(text: str, query: str) -> None:
    """Whatever is looked for in whatever text, highlights are words of the snippet, in order."""
    wanted = phrases(query)
    snippet, highlights = cut_snippet(text, wanted) if wanted else (text, [])
    ends = [0]
    for start, end in highlights:
        assert ends[-1] <= start < end <= len(snippet)
        ends.append(end)
    assert len(snippet) <= max(SNIPPET + 2, len(text) if not wanted else 0)
