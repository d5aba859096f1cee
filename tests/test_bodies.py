"""What every route does with a body that it cannot take."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from harness import Chat, Client, Script, chatting
from routes import WITH_BODY, Route, administrator, api_routes, check_problem, exchange

LIMIT = 2000


async def with_bodies(chat: Chat) -> AsyncIterator[tuple[Client, str, Route]]:
    """Yield every method of every route that takes a body, with a client that may call it."""
    admin = await administrator(chat)
    for route in api_routes(chat):
        for method in sorted(route.methods.intersection(WITH_BODY)):
            yield admin, method, route


async def test_wrong_content_type(tmp_path: Path) -> None:
    """A body that is not said to be JSON in UTF-8, or is compressed, is 415 on every route."""
    wrong = (
        *({}, {"Content-Type": "text/plain"}, {"Content-Type": "application/jsonx"}),
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    )
    async with chatting(tmp_path, Script()) as chat:
        async for client, method, route in with_bodies(chat):
            for headers in wrong:
                answer = await client.http.request(
                    method, route.at(), content=b"{}", headers=headers
                )
                check_problem(answer, 415, "unsupported_media_type")


async def test_right_content_type(tmp_path: Path) -> None:
    """JSON may say its charset, in any case; a body that is not there needs no type."""
    right = (
        "application/json; charset=utf-8;",
        "application/json;v=1",
        "application/json",
        "application/json; charset=utf-8",
        'Application/JSON;charset="UTF-8"',
    )
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        for kind in right:
            await alice.call(
                "POST", "/sessions/", 201, content=b"{}", headers={"Content-Type": kind}
            )
        await alice.call("POST", "/sessions/", 201)


async def test_what_is_not_a_json_object(tmp_path: Path) -> None:
    """Bad JSON, and JSON that is not an object, is 400 on every route and changes nothing."""
    bad = (b"{", b"nonsense", b"{}{}", b" ", b"\xff", b"\xef\xbb\xbf{}", b"'{}'", b"{a: 1}",
           b'{"a": 1, "a": 2}', b"[" * 100_000, b'{"a": NaN}', "{}".encode("utf-16"))  # fmt: skip
    other = (b"null", b"true", b"1", b'"x"', b"[]", b"[{}]")
    headers = {"Content-Type": "application/json"}
    async with chatting(tmp_path, Script()) as chat:
        async for client, method, route in with_bodies(chat):
            for content in (*bad, *other):
                answer = await client.http.request(
                    method, route.at(), content=content, headers=headers
                )
                check_problem(answer, 400, "bad_request")


async def test_unknown_field(tmp_path: Path) -> None:
    """A field that a route does not know is 400 and named; sign-in leaves that to plugins."""
    async with chatting(tmp_path, Script()) as chat:
        async for client, method, route in with_bodies(chat):
            answer = await client.http.request(method, route.at(), json={"nonsense": 1})
            if route.path.endswith("/sign_in"):
                check_problem(answer, 401, "unauthorized")
            else:
                errors = check_problem(answer, 400, "invalid_input")["errors"]
                assert errors["nonsense"] == ["Unknown field."]


async def test_too_large(tmp_path: Path) -> None:
    """A body that is too large is 413 on every route, whether its length is announced or not."""
    large = b'{"x": "' + b"x" * LIMIT + b'"}'
    headers = {"Content-Type": "application/json"}

    async def chunked() -> AsyncIterator[bytes]:
        yield large[:1000]
        yield large[1000:]

    async with chatting(tmp_path, Script(), CHATD_LIMITS_BODY_BYTES=str(LIMIT)) as chat:
        client = await administrator(chat)
        for route in api_routes(chat):
            for method in sorted(route.methods):
                for content in (large, chunked()):
                    answer = await client.http.request(
                        method, route.at(), content=content, headers=headers
                    )
                    check_problem(answer, 413, "too_large")


async def test_much_too_large(tmp_path: Path) -> None:
    """Whoever sends ten megabytes too many gets the answer, not a reset connection."""
    large = b"x" * 10_000_000

    async def chunked() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield large[:100_000]

    async with chatting(tmp_path, Script(), CHATD_LIMITS_BODY_BYTES=str(LIMIT)) as chat:
        alice = await chat.client("alice")
        for content in (large, chunked()):
            check_problem(await alice.http.post("/ai-chat/api/sessions/", content=content), 413)
        assert (await alice.call("GET", "/sessions/"))["results"] == []


async def test_refused_before_its_body_was_read(tmp_path: Path) -> None:
    """Whoever may not do something learns so however large the body is, and then may go on."""
    async with chatting(tmp_path, Script()) as chat:
        nobody = chat.anonymous()
        for size in (100, 9_000_000):
            answer = await nobody.http.post("/ai-chat/api/sessions/", content=b"x" * size)
            check_problem(answer, 401, "unauthorized")
        check_problem(await nobody.http.post("/nothing", content=b"x" * 9_000_000), 404)
        check_problem(await nobody.http.post("/", content=b"x" * 9_000_000), 405)
        path = "/ws/ai-chat/sessions/"
        check_problem(await nobody.http.post(path, content=b"x" * 9_000_000), 405)
        assert len(nobody.http._transport._pool.connections) == 1  # type: ignore[attr-defined]


async def test_announced_but_not_sent(tmp_path: Path) -> None:
    """A length that is too large is refused at once, before a byte of the body has come."""
    head = "POST /ai-chat/api/sessions/ HTTP/1.1\r\nHost: x\r\nAuthorization: Token {}\r\n"
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        start = head.format(alice.token).encode()
        port = int(chat.url.rpartition(":")[2])
        for rest in (b"", b"Expect: 100-continue\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(start + rest + b"Content-Length: 99999999999\r\n\r\n")
            async with asyncio.timeout(60):
                status = await reader.readline()
            assert status.startswith(b"HTTP/1.1 413"), rest
            writer.close()
        with contextlib.suppress(ConnectionError):
            many = b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n"
            assert b" 413 " in (await exchange(chat, start + b"Expect: 100-continue\r\n" + many))


async def test_expect_continue(tmp_path: Path) -> None:
    """A client that asks first is told to go on, and one that may not learns it instead."""
    body = b'{"title": "asked first"}'
    request = (
        "POST /ai-chat/api/sessions/ HTTP/1.1\r\nHost: x\r\nAuthorization: Token {}\r\n"
        "Expect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: {}\r\n"
        "Connection: close\r\n\r\n"
    )
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        good = await exchange(chat, request.format(alice.token, len(body)).encode(), body)
        bad = await exchange(chat, request.format("wrong", len(body)).encode())
    assert good.startswith(b"HTTP/1.1 100 ") and b"HTTP/1.1 201 " in good
    assert bad.startswith(b"HTTP/1.1 401 ") and bad.count(b"HTTP/1.1") == 1


async def test_a_client_that_goes_away_while_it_sends(tmp_path: Path) -> None:
    """Half a body stores nothing, and leaves no handler behind that waits for the rest."""
    request = (
        "POST /ai-chat/api/sessions/ HTTP/1.1\r\nHost: x\r\nAuthorization: Token {}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
    )
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        before = len(asyncio.all_tasks())
        port = int(chat.url.rpartition(":")[2])
        writers = []
        for _ in range(20):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request.format(alice.token).encode())
            writers.append(writer)
        assert (await alice.call("GET", "/sessions/"))["results"] == []
        for writer in writers:
            writer.close()
            await writer.wait_closed()
        for _ in range(1000):
            await asyncio.sleep(0)
        assert (await alice.call("GET", "/sessions/"))["results"] == []
        assert len(asyncio.all_tasks()) <= before + 2


async def test_fields_inside_others_are_named_with_dots(tmp_path: Path) -> None:
    """`errors` maps each field to a list of sentences; one inside another has a dotted name."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        settings = {"temperature": 3, "options": {"api_base": "x", "logit_bias": {"1": 101}}}
        for body, fields in (
            (
                {"settings": settings},
                {"temperature", "options.api_base", "options.logit_bias.1.value"},
            ),
            ({"settings": 1}, {""}),
            ({"settings": {"options": {"stop": "x" * 20_000}}}, {"options"}),
        ):
            answer = await alice.http.post("/ai-chat/api/sessions/", json=body)
            errors = check_problem(answer, 400, "invalid_input")["errors"]
            assert errors.keys() == {f"settings.{name}".rstrip(".") for name in fields}
            assert all(isinstance(text, str) for texts in errors.values() for text in texts)
