"""The list of sessions: its order, its filters, and its pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from harness import API, Client, Script, chatting
from routes import check_problem

from chatd.stores.cursors import encode_cursor

pytestmark = pytest.mark.usefixtures("each_store")


async def titles(client: Client, path: str) -> list[str]:
    """Return the titles of one page."""
    page = await client.call("GET", path)
    return [session["title"] for session in page["results"]]


async def walk(client: Client, path: str, link: str = "next") -> list[dict[str, Any]]:
    """Return all pages from a path on, following a link."""
    pages = [await client.call("GET", path)]
    while (url := pages[-1][link]) is not None:
        assert url.startswith(f"{API}/sessions/?")
        pages.append(await client.call("GET", url.removeprefix(API)))
    return pages


def joined(pages: list[dict[str, Any]]) -> list[str]:
    """Return the titles of pages."""
    return [session["title"] for page in pages for session in page["results"]]


async def test_the_latest_activity_is_first(tmp_path: Path) -> None:
    """Sessions come by their last message, or else by when they were made, the latest first."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        ids = {name: await alice.new_session(title=name) for name in ("a", "b", "c")}
        assert await titles(alice, "/sessions/") == ["c", "b", "a"]
        await alice.send(ids["a"])
        assert await titles(alice, "/sessions/") == ["a", "c", "b"]
        await alice.call("PATCH", f"/sessions/{ids['b']}/", json={"metadata": {"x": 1}})
        assert await titles(alice, "/sessions/") == ["a", "c", "b"], "a change is no activity"


async def test_the_shape_of_a_list(tmp_path: Path) -> None:
    """A list is results, next and previous; both are null when all is on one page."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        empty = {"results": [], "next": None, "previous": None}
        assert await alice.call("GET", "/sessions/") == empty
        session_id = await alice.new_session()
        page = await alice.call("GET", "/sessions/?limit=1")
        assert page.keys() == empty.keys()
        assert page["results"] == [await alice.call("GET", f"/sessions/{session_id}/")]
        assert page["next"] is page["previous"] is None


async def test_active_deleted_or_all(tmp_path: Path) -> None:
    """`is_active` chooses; without it deleted ones are left out."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        for name in ("a", "b", "c"):
            session_id = await alice.new_session(title=name)
            if name == "b":
                await alice.call("DELETE", f"/sessions/{session_id}/", 204)
        assert await titles(alice, "/sessions/") == ["c", "a"]
        assert await titles(alice, "/sessions/?is_active=true") == ["c", "a"]
        assert await titles(alice, "/sessions/?is_active=false") == ["b"]
        assert await titles(alice, "/sessions/?is_active=all") == ["c", "b", "a"]


async def test_title_search(tmp_path: Path) -> None:
    """`q` finds text in titles in any case, and has no special characters."""
    names = ["Straße", "50% off", "a_b", "axb", "DÜSSELDORF", "[x]*", "back\\slash", "it's"]
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        for name in names:
            await alice.new_session(title=name)
        cases = {"düssel": names[4:5], "STRASSE": names[:1], "%": names[1:2], "_": names[2:3]}
        cases |= {
            "[x]*": names[5:6],
            "\\": names[6:7],
            "it's": names[7:],
            ".*": [],
            "": names[::-1],
        }
        for query, found in cases.items():
            page = await alice.call("GET", "/sessions/", params={"q": query})
            assert [one["title"] for one in page["results"]] == found, query


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
async def test_pages_both_ways(tmp_path: Path, limit: int) -> None:
    """Following `next` shows each session once, following `previous` leads all the way back."""
    names = [f"{n}" for n in range(7)]
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        for name in names:
            await alice.new_session(title=name)
        pages = await walk(alice, f"/sessions/?limit={limit}")
        assert joined(pages) == names[::-1]
        assert pages[0]["previous"] is None
        assert all(len(page["results"]) == limit for page in pages[:-1])
        if len(pages) > 1:
            back = await walk(alice, pages[-1]["previous"].removeprefix(API), "previous")
            assert joined(back[::-1]) == joined(pages[:-1])


async def test_links_keep_the_filters(tmp_path: Path) -> None:
    """A page's links keep q, is_active and limit, whatever they hold, and the slash or not."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        for n in range(6):
            session_id = await alice.new_session(title=f"a&b=ü {n}" if n % 2 else f"other {n}")
            await alice.call("DELETE", f"/sessions/{session_id}/", 204)
        query = "q=A%26B%3D%C3%BC&is_active=false&limit=1"
        pages = await walk(alice, f"/sessions/?{query}")
        assert joined(pages) == ["a&b=ü 5", "a&b=ü 3", "a&b=ü 1"]
        back = await walk(alice, pages[-1]["previous"].removeprefix(API), "previous")
        assert joined(back) == ["a&b=ü 3", "a&b=ü 5"]
        page = await alice.call("GET", f"/sessions?{query}")
        assert page["next"].startswith(f"{API}/sessions?")


async def test_sessions_made_while_paging(tmp_path: Path) -> None:
    """What is made or used between two pages neither hides nor repeats what is behind them."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        ids = [await alice.new_session(title=str(n)) for n in range(6)]
        first = await alice.call("GET", "/sessions/?limit=2")
        await alice.new_session(title="new")
        await alice.send(ids[5])
        await alice.call("DELETE", f"/sessions/{ids[4]}/", 204)
        rest = await walk(alice, first["next"].removeprefix(API))
        assert joined([first]) == ["5", "4"]
        assert joined(rest) == ["3", "2", "1", "0"]
        back = await walk(alice, rest[0]["previous"].removeprefix(API), "previous")
        assert joined(back[::-1]) == ["5", "new"]


async def test_a_cursor_of_another_list(tmp_path: Path) -> None:
    """A cursor that this list did not give is 400: made up, cut, or another list's."""
    wrong = ["x", "é", "W10", "e30", "bnVsbA", "[]", "a" * 5000, encode_cursor(1),
             encode_cursor("next", -(2**60), "x"), encode_cursor("next", 2**60, "x"),
             encode_cursor("up", 1, "x"), encode_cursor("next", "1", "x"),
             encode_cursor("next", 1, "x", "y"), encode_cursor("next", None, "x")]  # fmt: skip
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        for n in range(3):
            await alice.new_session(title=str(n))
            await alice.call("POST", "/presets/", 201, json={"name": str(n)})
        given = {
            path: (await alice.call("GET", f"{path}?limit=1"))["next"].rpartition("cursor=")[2]
            for path in ("/sessions/", "/presets/")
        }
        for path in ("/sessions/", "/presets/", "/models/"):
            others = [cursor for other, cursor in given.items() if other != path]
            for cursor in (*wrong, *others):
                answer = await alice.http.get(f"{API}{path}?cursor={cursor}")
                check_problem(answer, 400, "bad_request")


async def test_another_users_cursor(tmp_path: Path) -> None:
    """A cursor is a place, not a right: with another user's one sees one's own sessions only."""
    async with chatting(tmp_path, Script()) as chat:
        alice, bob = await chat.client("alice"), await chat.client("bob")
        for n in range(3):
            await bob.new_session(title=f"bob {n}")
            await alice.new_session(title=f"alice {n}")
        following = (await alice.call("GET", "/sessions/?limit=1"))["next"]
        found = await titles(bob, following.removeprefix(API))
        assert found and all(title.startswith("bob") for title in found)
