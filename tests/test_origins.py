"""Which pages may talk to this server, and what their browsers are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from harness import API, Chat, Script, chatting
from routes import WITH_BODY, api_routes, check_problem
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

ALLOWED = "https://chat.example.com,http://localhost:5173"
PAGES = {"CHATD_ALLOWED_ORIGINS": ALLOWED}
EXPOSED = {"ETag", "Location", "Retry-After"}
SENT = {"Authorization", "Content-Type", "If-Match", "Last-Event-ID", "Prefer"}
FOREIGN = [
    *("https://evil.example.com", "null", "", "https://chat.example.com.evil.com", "file://"),
    *("http://chat.example.com", "https://chat.example.com:444", "https://xchat.example.com"),
    *("https://chat.example.com/", "https://chat.example.com@evil.com", "chat.example.com"),
    *(
        "https://evil.com/https://chat.example.com",
        "https://chat.example.co",
        "https://chatXexample.com",
    ),
    *("http://localhost:51730", "http://localhost", "http://127.0.0.1", "http://127.0.0.1:1"),
    *(
        "https://chat.example.com, http://localhost:5173",
        "*",
        "https://chat.example.com\thttps://x",
    ),
]


def names(value: str) -> set[str]:
    """Return the parts of a header that is a list."""
    return {part.strip() for part in value.split(",")}


def own(chat: Chat) -> list[str]:
    """Return the origins of the server itself: TLS may end in front of it."""
    return [chat.url, chat.url.replace("http", "https"), chat.url.upper()]


async def test_allowed_origins(tmp_path: Path) -> None:
    """Pages of the server itself and of listed origins may call, and read what they need."""
    async with chatting(tmp_path, Script(), **PAGES) as chat:
        alice = await chat.client("alice")
        for origin in (*ALLOWED.split(","), *own(chat)):
            answer = await alice.http.post(f"{API}/sessions/", json={}, headers={"Origin": origin})
            assert answer.status_code == 201
            assert answer.headers["Access-Control-Allow-Origin"] == origin
            assert names(answer.headers["Access-Control-Expose-Headers"]) == EXPOSED
            assert "Origin" in names(answer.headers["Vary"])
            assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_foreign_origins(tmp_path: Path) -> None:
    """Pages of any other origin are refused, however similar, and nothing is done for them."""
    async with chatting(tmp_path, Script(), **PAGES) as chat:
        alice = await chat.client("alice")
        for origin in FOREIGN:
            for method in ("GET", "POST", "OPTIONS"):
                headers = {"Origin": origin}
                answer = await alice.http.request(method, f"{API}/sessions/", headers=headers)
                check_problem(answer, 403, "forbidden")
                assert "Access-Control-Allow-Origin" not in answer.headers, origin
        assert (await alice.call("GET", "/sessions/"))["results"] == []


async def test_not_a_browser(tmp_path: Path) -> None:
    """A request without an origin is not of a page: it is served, without CORS headers."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        answer = await alice.http.get(f"{API}/me/")
        assert answer.status_code == 200
        assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_every_route(tmp_path: Path) -> None:
    """Every route refuses foreign pages before anything else, public ones too."""
    async with chatting(tmp_path, Script(), **PAGES) as chat:
        alice = await chat.client("alice")
        for route in api_routes(chat):
            for method in sorted(route.methods):
                body: Any = {} if method in WITH_BODY else None
                headers = {"Origin": "https://evil.example.com"}
                answer = await alice.http.request(method, route.at(), json=body, headers=headers)
                check_problem(answer, 403, "forbidden")


async def test_preflight(tmp_path: Path) -> None:
    """A preflight is answered without credentials, with the methods of the route."""
    async with chatting(tmp_path, Script(), **PAGES) as chat:
        nobody = chat.anonymous()
        origin = ALLOWED.partition(",")[0]
        headers = {
            "Origin": origin,
            "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "authorization,content-type",
        }
        for route in api_routes(chat):
            answer = await nobody.http.options(route.at(), headers=headers)
            assert (answer.status_code, answer.content) == (204, b"")
            assert answer.headers["Access-Control-Allow-Origin"] == origin
            allowed = names(answer.headers["Access-Control-Allow-Methods"])
            assert allowed - {"HEAD", "OPTIONS"} == route.methods
            assert names(answer.headers["Access-Control-Allow-Headers"]) == SENT
            assert int(answer.headers["Access-Control-Max-Age"]) > 0


async def test_errors_can_be_read(tmp_path: Path) -> None:
    """A page can read errors as well: they have the same headers."""
    async with chatting(tmp_path, Script(), **PAGES) as chat:
        alice, nobody = await chat.client("alice"), chat.anonymous()
        headers = {"Origin": ALLOWED.partition(",")[0]}
        for client, path, status in (
            (nobody, f"{API}/me/", 401),
            (alice, f"{API}/sessions/x/", 404),
            (alice, "/nothing", 404),
            (alice, f"{API}/sessions/?limit=x", 400),
        ):
            answer = await client.http.get(path, headers=headers)
            check_problem(answer, status)
            assert answer.headers["Access-Control-Allow-Origin"] == headers["Origin"]
            assert names(answer.headers["Access-Control-Expose-Headers"]) == EXPOSED


async def test_any_origin_in_development(tmp_path: Path) -> None:
    """With `*`, which development alone can have, pages of all origins may call."""
    settings = {"CHATD_ALLOWED_ORIGINS": "*", "CHATD_SERVER_DEV": "true"}
    async with chatting(tmp_path, Script(), **settings) as chat:
        alice = await chat.client("alice")
        for origin in ("https://evil.example.com", "null"):
            answer = await alice.http.get(f"{API}/me/", headers={"Origin": origin})
            assert answer.headers["Access-Control-Allow-Origin"] == origin


async def test_local_origins_in_development(tmp_path: Path) -> None:
    """With dev alone pages of any port of this machine may call, and of nothing else."""
    async with chatting(tmp_path, Script(), CHATD_SERVER_DEV="true") as chat:
        alice = await chat.client("alice")
        for origin in ("http://localhost:5173", "http://127.0.0.1:3000", "http://localhost"):
            answer = await alice.http.get(f"{API}/me/", headers={"Origin": origin})
            assert answer.headers["Access-Control-Allow-Origin"] == origin
        for origin in (
            *("https://evil.example.com", "http://localhost.evil.com", "http://localhost:5173.x"),
            *("http://localhost:", "http://127.0.0.1.evil.com:80", "http://xlocalhost:80", "null"),
        ):
            answer = await alice.http.get(f"{API}/me/", headers={"Origin": origin})
            check_problem(answer, 403, "forbidden")


async def test_configured_origins_in_development(tmp_path: Path) -> None:
    """With dev and configured origins those alone are allowed."""
    async with chatting(tmp_path, Script(), CHATD_SERVER_DEV="true", **PAGES) as chat:
        alice = await chat.client("alice")
        headers = {"Origin": "http://localhost:3000"}
        check_problem(await alice.http.get(f"{API}/me/", headers=headers), 403, "forbidden")


async def test_a_refused_origin_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says once for each refused origin which setting would allow it."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        for origin in ("http://a.example", "http://b.example") * 3:
            await alice.http.get(f"{API}/me/", headers={"Origin": origin})
    lines = [r.getMessage() for r in caplog.records if "CHATD_ALLOWED_ORIGINS" in r.getMessage()]
    assert len(lines) == 2
    assert "'http://a.example'" in lines[0]


async def test_sockets_of_allowed_pages(tmp_path: Path) -> None:
    """A socket of an allowed page, or of no page, opens."""
    async with chatting(tmp_path, Script(), **PAGES) as chat:
        alice = await chat.client("alice")
        url = f"{chat.url.replace('http', 'ws')}/ws/ai-chat/sessions/?token={alice.token}"
        for origin in (None, *ALLOWED.split(","), *own(chat)):
            async with connect(url, origin=origin) as connection:  # type: ignore[arg-type]
                assert "connection_established" in str(await connection.recv())


async def test_sockets_of_foreign_pages(tmp_path: Path) -> None:
    """A socket of another page is refused before the upgrade with 403, token or not."""
    async with chatting(tmp_path, Script(), **PAGES) as chat:
        alice = await chat.client("alice")
        base = f"{chat.url.replace('http', 'ws')}/ws/ai-chat"
        paths = ("sessions/", f"session/{await alice.new_session()}/", "session/x/")
        urls = [f"{base}/{path}{q}" for path in paths for q in (f"?token={alice.token}", "")]
        for origin in FOREIGN:
            for url in urls:
                with pytest.raises(InvalidStatus) as refused:
                    async with connect(url, additional_headers={"Origin": origin}):
                        pass
                assert refused.value.response.status_code == 403, origin
                assert b'"code":"forbidden"' in (refused.value.response.body or b"")
