"""Every route and every method: what they have in common, and how they fail."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import API, Script, chatting
from routes import (
    ALL_METHODS,
    HANDSHAKE,
    WITH_BODY,
    administrator,
    api_routes,
    below_api,
    check_problem,
    exchange,
    routes,
)
from websockets.asyncio.client import connect

import chatd

# Section 3 of the protocol: what there is, with its methods. Public ones have a star.
TABLE = {
    "/sessions": "GET POST",
    "/sessions/{}": "DELETE GET PATCH",
    "/sessions/{}/restore": "POST",
    "/sessions/{}/send_message": "POST",
    "/sessions/{}/messages": "GET",
    "/sessions/{}/messages/{}": "PATCH",
    "/sessions/{}/messages/{}/select": "POST",
    "/sessions/{}/regenerate": "POST",
    "/sessions/{}/stop": "POST",
    "/sessions/{}/stream": "GET",
    "/models": "GET",
    "/models/sync_models": "POST",
    "/models/{}": "PATCH",
    "/presets": "GET POST",
    "/presets/{}": "DELETE GET PATCH",
    "/presets/{}/create_session_from_preset": "POST",
    "/health/llm_server": "* GET",
    "/health/stats": "GET",
    "/search": "GET",
    "/me": "GET PATCH",
    "/sign_in": "* POST",
    "/sign_out": "POST",
    "/ws_ticket": "POST",
    "/metrics": "* GET",
    "/healthz": "* GET",
    "/readyz": "* GET",
    "/api/openapi.json": "* GET",
    "/api/asyncapi.json": "* GET",
    "/docs": "* GET",
    "/ws/ai-chat/session/{}": "GET",
    "/ws/ai-chat/sessions": "GET",
    "/": "* GET",
    "/static/{}": "* GET",
}


async def test_the_table_is_what_is_served(tmp_path: Path) -> None:
    """There are the routes, methods and public paths of the protocol, and no others."""
    async with chatting(tmp_path, Script()) as chat:
        found = {
            below_api(route.path): ("* " if route.is_public else "")
            + " ".join(sorted(route.methods))
            for route in routes(chat)
        }
    assert found == TABLE


async def test_with_and_without_trailing_slash(tmp_path: Path) -> None:
    """A path answers the same with and without its trailing slash, and never redirects."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        for route in api_routes(chat):
            for method in sorted(route.methods):
                path = route.at("nobody")
                plain = await alice.http.request(method, path)
                if path == f"{API}/sign_out":
                    alice = await chat.client("alice")
                slash = await alice.http.request(method, f"{path}/")
                if path == f"{API}/sign_out":
                    alice = await chat.client("alice")
                assert plain.status_code == slash.status_code, path
                assert not 300 <= plain.status_code < 400, path


@pytest.mark.parametrize("prefix", ["/a", "/a.b/c~d-e"])
async def test_the_prefix_is_a_setting(tmp_path: Path, prefix: str) -> None:
    """Everything is below the prefix, as it is written, and says so in Location and links."""
    async with chatting(tmp_path, Script(), CHATD_SERVER_PREFIX=prefix) as chat:
        alice = await chat.client("alice")
        for _ in range(2):
            made = await alice.http.post(f"{prefix}/api/sessions/", json={})
        place = f"{prefix}/api/sessions/{made.json()['id']}/"
        assert (made.status_code, made.headers["Location"]) == (201, place)
        page = (await alice.http.get(f"{prefix}/api/sessions/?limit=1")).json()
        assert (await alice.http.get(page["next"])).json()["next"] is None
        url = f"{chat.url.replace('http', 'ws')}/ws{prefix}/sessions/?token={alice.token}"
        async with connect(url) as connection:
            assert "connection_established" in str(await connection.recv())
        check_problem(await alice.http.get(f"{API}/sessions/"), 404)
        check_problem(await alice.http.get(f"{prefix.replace('.', 'x')}x/api/sessions/"), 404)


async def test_without_a_token(tmp_path: Path) -> None:
    """What is not public is 401 without credentials, says which it takes, and does nothing."""
    async with chatting(tmp_path, Script()) as chat:
        nobody = chat.anonymous()
        for route in api_routes(chat):
            for method in sorted(route.methods):
                answer = await nobody.http.request(method, route.at())
                if route.is_public and route.path != f"{API}/sign_in":
                    assert answer.status_code == 200, route.path
                else:
                    check_problem(answer, 401, "unauthorized")
                    assert answer.headers["WWW-Authenticate"] == "Token"


@pytest.mark.parametrize(
    "header",
    ["Token", "Token x", "Basic eDp5", "Bearer", "x", "Token x y", "Token \xff", "", "Token  ,"],
)
async def test_credentials_that_are_none(tmp_path: Path, header: str) -> None:
    """Credentials of another kind, empty or unknown are 401; REST takes none from its query."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        answer = await alice.http.get(
            f"{API}/me/",
            headers={"Authorization": header.encode("latin-1")},
            params={"token": alice.token},
        )
        check_problem(answer, 401, "unauthorized")


@pytest.mark.parametrize("scheme", ["Token", "Bearer", "token", "BEARER"])
async def test_schemes(tmp_path: Path, scheme: str) -> None:
    """`Token` and `Bearer` are the same, in any case."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        headers = {"Authorization": f"{scheme} {alice.token}"}
        answer = await alice.http.get(f"{API}/me/", headers=headers)
        assert answer.json()["name"] == "alice"


async def test_wrong_method(tmp_path: Path) -> None:
    """A method that a path does not take is 405, with just the methods that it does."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        for route in routes(chat):
            is_socket = route.path.startswith("/ws/")
            allowed = route.methods | ({"OPTIONS"} if route.is_api else set())
            allowed |= {"HEAD"} if "GET" in route.methods and not is_socket else set()
            for method in {*ALL_METHODS, "TRACE", "PROPFIND"} - allowed:
                answer = await alice.http.request(method, route.at())
                assert set(answer.headers["Allow"].split(", ")) == allowed
                check_problem(answer, 405, "method_not_allowed")


UNKNOWN = (
    *("/nothing", "/ai-chat", "/ai-chat/api/", f"{API}/nothing/", f"{API}/sessions/x/y/z/"),
    *(f"{API}//sessions/", f"{API}/models/a/b/", "/ai-chat/apix/sessions/", "/aiXchat/api/me/"),
    *("/ws/ai-chat/", "/%00", "/%ff", "/healthz/x", "//healthz", "/static", "/static/"),
)


async def test_unknown_path(tmp_path: Path) -> None:
    """A path that nobody takes is 404 as a problem, to every method and to anybody."""
    async with chatting(tmp_path, Script()) as chat:
        nobody = chat.anonymous()
        for path in UNKNOWN:
            for method in (*ALL_METHODS, "TRACE", "NONSENSE"):
                url = f"{chat.url}{path}"
                check_problem(await nobody.http.request(method, url), 404, "not_found")


@pytest.mark.parametrize(
    "name", ["nothing.js", "../app.py", "%2e%2e/app.py", ".", "%00", "%ff", "a" * 5000]
)
async def test_unknown_file(tmp_path: Path, name: str) -> None:
    """A file that the page does not have is a problem, and nothing outside of it is served."""
    async with chatting(tmp_path, Script()) as chat:
        request = b"GET /static/%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        answer = await exchange(chat, request % name.encode())
        assert answer.startswith((b"HTTP/1.1 403", b"HTTP/1.1 404"))
        assert b"application/problem+json" in answer


async def test_head(tmp_path: Path) -> None:
    """HEAD answers as GET does: status, type and length, but no body."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        for route in routes(chat):
            if "GET" in route.methods and not route.path.startswith("/ws/"):
                path = route.at("page.js" if route.is_page else session_id)
                get, head = await alice.http.get(path), await alice.http.head(path)
                assert (head.status_code, head.content) == (get.status_code, b""), path
                if "/health/llm_server" not in path and path != "/metrics":  # they tell times
                    assert head.headers.get("Content-Length") == get.headers.get("Content-Length")


BODIES = {
    "/sessions/{}/send_message": {"message": "hi"},
    "/sessions/{}/messages/{}": {"content": "hi"},
}
JUNK = ("%00", "%ff", "%ed%a0%80", "%20", "%25", "%f0%9f%92%a9", "a" * 5000, "'--", "%7b%24ne%7d")


async def test_junk_in_place_of_an_id(tmp_path: Path) -> None:
    """An id that cannot be one answers as one that does not exist."""
    async with chatting(tmp_path, Script()) as chat:
        admin = await administrator(chat)
        for route in api_routes(chat):
            for method in sorted(route.methods) if "{}" in route.path else ():
                name = below_api(route.path)
                body = BODIES.get(name, {}) if method in WITH_BODY else None
                for junk in JUNK:
                    answer = await admin.http.request(method, route.at(junk), json=body)
                    check_problem(answer, 404, "not_found")


class Failing:
    """A plugin that fails when it is asked who somebody is."""

    @chatd.hookimpl
    def authenticate(self, request: chatd.Request) -> None:
        """Fail, with something that nobody may see."""
        if request.token == "fail":
            raise ValueError("the secret is 42")


async def test_an_exception_stays_inside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An exception is 500 with a request id that is in the log, and tells nothing else."""
    async with chatting(tmp_path, Failing(), Script()) as chat:
        http = chat.anonymous().http
        headers = {"Authorization": "Token fail"}
        for route in routes(chat):
            if route.is_public:
                continue
            for method in sorted(route.methods):
                upgrade = HANDSHAKE if route.path.startswith("/ws/") else {}
                body = {"a": "b" * 200_000} if method in WITH_BODY else None
                answer = await http.request(
                    method, route.at(), headers=headers | upgrade, json=body
                )
                problem = check_problem(answer, 500, "internal")
                assert "42" not in answer.text.replace(problem["request_id"], "")
                assert "ValueError" not in answer.text
                assert problem["request_id"] == answer.headers["X-Request-Id"]
                assert problem["request_id"] in caplog.text


async def test_what_is_no_handshake(tmp_path: Path) -> None:
    """A socket's path answers what is no WebSocket handshake with a problem, never with text."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        url = f"/ws/ai-chat/sessions/?token={alice.token}"
        for missing in HANDSHAKE:
            for value in (None, "x", "8"):  # 8 is a draft's version
                headers = {name: text for name, text in HANDSHAKE.items() if name != missing}
                headers |= {missing: value} if value else {}
                if missing != "Sec-WebSocket-Key" or value is None:
                    check_problem(await alice.http.get(url, headers=headers), 400, "bad_request")
