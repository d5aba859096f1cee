"""What chatd writes to its log, and what it never does."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from harness import API, Script, chatting
from process import Process, serving
from websockets.asyncio.client import connect

import chatd
from scripts.llm import LlmServer

KEY = "sk-the-key-of-this-installation"
WORDS = "Rumpelstilzchen"
LINE = re.compile(r"(?m)^\S+ \S+ +(?P<level>[A-Z]+) +(?P<logger>[\w.]+): (?P<text>.*)$")
ID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@contextlib.asynccontextmanager
async def logged(tmp_path: Path, level: str) -> AsyncIterator[tuple[Process, httpx.AsyncClient]]:
    """A chatd in a process of its own that logs at a level, and a client of it."""
    async with LlmServer(key=KEY) as llm:
        config = tmp_path / "chatd.toml"
        config.write_text(
            f'[[plugins.provider_openai.instances]]\nname = "llm"\nurl = "{llm.url}"\n'
            f'key = "{KEY}"\n'
        )
        settings = {
            "CHATD_CONFIG": str(config),
            "CHATD_SERVER_LOG_LEVEL": level,
            "CHATD_PLUGINS_ENABLED": "auth_token,provider_openai",
        }
        async with serving(tmp_path / "data", **settings) as server:
            headers = {"Authorization": f"Token {server.token}"}
            async with httpx.AsyncClient(base_url=server.url, headers=headers) as http:
                yield server, http
                server.terminate()
                assert await server.ended() == 0


async def raw(url: str, request: str) -> bytes:
    """Send bytes that no client would, and return the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
    writer.write(request.encode())
    writer.write_eof()
    async with asyncio.timeout(60):
        answer = await reader.read()
    writer.close()
    return answer


async def try_socket(url: str, path: str, **options: Any) -> str:
    """Open a socket and return the type of the first event, or why there is none; close it."""
    try:
        async with connect(url.replace("http", "ws") + path, proxy=None, **options) as socket:
            return str(json.loads(await socket.recv())["type"])
    except Exception as exc:
        return repr(exc)


async def show_every_secret(url: str, token: str, sign_in_ticket: str) -> list[str]:
    """Send credentials wherever one could be put, right ones and wrong ones; return them all."""
    wrong = "chatd_wrong-but-perhaps-only-mistyped"
    secrets = [token, wrong, sign_in_ticket]
    async with httpx.AsyncClient(base_url=url) as http:
        for secret in secrets:
            for scheme in ("Token", "Bearer", "Basic", ""):
                headers = {"Authorization": f"{scheme} {secret}".strip()}
                await http.get(f"{API}/me/", headers=headers)
            for path in (f"{API}/me/", "/nowhere", "/", "/static/none", f"{API}/sessions/x/"):
                await http.get(f"{path}?token={secret}")
                await http.post(f"{path}?limit=%ff&%74oken={secret}&ticket={secret}")
            body = {"ticket": secret, "token": secret, "password": secret}
            signed_in = await http.post(f"{API}/sign_in/", json=body)
            secrets += [signed_in.json()["token"]] if signed_in.is_success else []
            for kind in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
                content = f"--x\r\ntoken={secret}&%zz"
                await http.post(f"{API}/me/", content=content, headers={"Content-Type": kind})
            for path in ("/ws/ai-chat/session/x/", "/ws/ai-chat/sessions/"):
                for name in ("token", "ticket", "%74oken", "t%6Fken", "token=&token"):
                    await try_socket(url, f"{path}?{name}={secret}")
                await try_socket(url, f"{path}?token={secret}", origin="http://evil.example")
                offers = ["chatd.v1", f"chatd.token.{secret}"]
                await try_socket(url, path, subprotocols=offers)
        headers = {"Authorization": f"Token {token}"}
        tickets = await http.post(f"{API}/ws_ticket/", headers=headers)
        secrets.append(tickets.json()["ticket"])
        for _ in range(2):
            await try_socket(url, f"/ws/ai-chat/sessions/?ticket={secrets[-1]}")
    return secrets


async def show_in_broken_requests(url: str, secret: str) -> None:
    """Send a secret in what is no request, or none that can be answered."""
    for line in (f"GET /?token={secret}", f"GET /?token={secret} HTTP/9.9", secret):
        await raw(url, f"{line}\r\nHost: x\r\n\r\n")
    scheme = f"Authorization: Token {secret}"
    for header in (f"{scheme}\x01", scheme.replace(":", ""), f"Content-Length: {secret}"):
        first = f"POST {API}/me/?token={secret} HTTP/1.1"
        await raw(url, f"{first}\r\nHost: x\r\n{header}\r\n\r\n")


async def test_no_secret_is_logged_by_the_server(tmp_path: Path) -> None:
    """At DEBUG the log of `chatd serve` has no token and no ticket, wherever they were put."""
    async with logged(tmp_path, "DEBUG") as (server, http):
        (ticket,) = parse_qs(urlsplit(server.ticket_url).query)["ticket"]
        secrets = await show_every_secret(server.url, server.token, ticket)
        await show_in_broken_requests(server.url, server.token)
        session = await http.post(f"{API}/sessions/", json={"model": "llm/500-html"})
        path = f"{API}/sessions/{session.json()['id']}/send_message/"
        answer = await http.post(path, json={"message": "hello"})
    assert answer.status_code == 502
    assert len(secrets) == 5, "signing in has failed"
    assert [secret for secret in [*secrets, KEY] if secret in server.log] == []
    assert "/?token=*** " in server.log
    assert "?limit=%ff&%74oken=***&ticket=*** " in server.log


async def test_no_secret_is_logged_by_tornado(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Tornado's own loggers have none either, though nobody has told them to be quiet."""
    caplog.set_level(logging.DEBUG)
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        secrets = await show_every_secret(chat.url, alice.token, "no ticket")
    names = ("chatd", "tornado", "asyncio", "aiohttp", "root")
    lines = [f"{r.name}: {r.getMessage()}" for r in caplog.records if r.name.startswith(names)]
    assert len(lines) > 50
    assert [line for line in lines if any(secret in line for secret in secrets)] == []


async def test_texts_are_not_logged(tmp_path: Path) -> None:
    """What users and models write stays out of the log at INFO, also when something fails."""
    async with logged(tmp_path, "INFO") as (server, http):
        fields = {"title": WORDS, "system_prompt": WORDS, "metadata": {WORDS: WORDS}}
        for model, wrong in (("llm/qwen3:8b", {}), ("llm/500-html", {}), (WORDS, {WORDS: 1})):
            session = await http.post(f"{API}/sessions/", json=fields | {"model": model})
            path = f"{API}/sessions/{session.json()['id']}/send_message/"
            answer = await http.post(path, json={"message": WORDS} | wrong)
            assert WORDS in answer.text
    assert "ended complete" in server.log
    assert "ended error" in server.log
    assert WORDS not in server.log


async def test_a_line_for_each_connection(tmp_path: Path) -> None:
    """A socket has one line when it opens and one when it closes, with the same id."""
    async with logged(tmp_path, "INFO") as (server, _):
        path = f"{server.url.replace('http', 'ws')}/ws/ai-chat/sessions/?token={server.token}"
        async with connect(path, proxy=None) as one, connect(path, proxy=None) as two:
            await one.recv()
            await two.recv()
            two.transport.abort()
        assert await try_socket(server.url, "/ws/ai-chat/sessions/?token=wrong") == "error"
    lines = texts(server.log, "chatd.handlers.sockets")
    opened = [line.split()[0] for line in lines if " opened by owner: " in line]
    refused = [line.split()[0] for line in lines if line.endswith(" refused: unauthorized")]
    closed = [line.split()[0] for line in lines if " closed, code " in line]
    assert (len(opened), len(refused), len(lines)) == (2, 1, 6)
    assert sorted(closed) == sorted(opened + refused)
    assert len(set(closed)) == 3


async def test_a_client_that_leaves_at_once_is_no_error(tmp_path: Path) -> None:
    """Whoever goes away while the socket opens is not news, and no refusal."""
    async with logged(tmp_path, "INFO") as (server, _):
        path = f"{server.url.replace('http', 'ws')}/ws/ai-chat/sessions/?token={server.token}"
        for _ in range(20):
            async with connect(path, proxy=None) as socket:
                socket.transport.abort()
    lines = texts(server.log, "chatd.handlers.sockets")
    assert sum(" closed, code None" in line for line in lines) == 20
    assert [line for line in lines if " opened by " not in line and " closed, " not in line] == []


async def test_a_line_for_each_turn(tmp_path: Path) -> None:
    """A turn has one line, at its end, with the id of the request or socket it came from."""
    async with logged(tmp_path, "INFO") as (server, http):
        session = await http.post(f"{API}/sessions/", json={"model": "llm/qwen3:8b"})
        session_id = session.json()["id"]
        ids = []
        for headers in ({}, {"Accept": "text/event-stream"}):
            path = f"{API}/sessions/{session_id}/send_message/"
            answer = await http.post(path, json={"message": "[words:2000] a"}, headers=headers)
            ids.append(answer.headers["X-Request-Id"])
        query = f"/ws/ai-chat/session/{session_id}/?token={server.token}"
        async with connect(server.url.replace("http", "ws") + query, proxy=None) as socket:
            await socket.send(json.dumps({"type": "send_message", "message": "a"}))
            while json.loads(await socket.recv())["type"] != "ai_message_complete":
                pass
    (opened,) = [line for line in texts(server.log, "chatd.handlers.sockets") if " opened " in line]
    turns = texts(server.log, "chatd.generations")
    assert [turn.partition(":")[0] for turn in turns] == [*ids, opened.split()[0]]
    assert all(re.search(rf": turn {ID} in session {session_id} ended", turn) for turn in turns)


async def test_a_line_for_each_request(tmp_path: Path) -> None:
    """A request has one line, with the id that its answer has, its path and its status."""
    async with logged(tmp_path, "INFO") as (server, http):
        paths = [f"{API}/me/", "/nowhere", f"{API}/sessions/x/", f"{API}/messages/?limit=x"]
        answers = [await http.get(path) for path in paths]
        answers.append(await http.get("/healthz"))  # probes come every second: DEBUG alone
    lines = texts(server.log, "chatd.access")
    assert [line.rsplit(" ", 3)[0] for line in lines] == [
        f"{answer.headers['X-Request-Id']} GET {path} {answer.status_code}"
        for answer, path in zip(answers, paths, strict=False)
    ]


class Broken:
    """A plugin with a bug."""

    @chatd.hookimpl
    def authenticate(self, request: chatd.Request) -> None:
        """Fail."""
        raise RuntimeError("out of order")


async def test_a_line_for_each_bug(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An unexpected exception is one line with the request's id and a traceback."""
    async with chatting(tmp_path, Script(), Broken()) as chat:
        alice = await chat.client("alice")
        problem = await alice.call("GET", f"/me/?token={alice.token}", 500)
        (record,) = errors(caplog)
        assert problem["request_id"] in record.getMessage()
        assert "out of order" in (record.exc_text or "")
        caplog.clear()
        path = f"/ws/ai-chat/sessions/?token={alice.token}"
        assert "InvalidStatus" in await try_socket(chat.url, path)
        (record,) = errors(caplog)
        assert re.fullmatch(rf"{ID} failed", record.getMessage())
    assert alice.token not in caplog.text


async def test_a_line_for_each_refused_command(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A socket's command that is refused is one line with the socket's id and the error's code."""
    caplog.set_level(logging.INFO)
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session(model="nobody/has-this")
        async with alice.socket(f"session/{session_id}") as socket:
            for fields in ({"type": "nonsense"}, {"type": "send_message", "message": WORDS}):
                await socket.send(**fields)
                await socket.until("error")
    lines = [r.getMessage() for r in caplog.records if r.name == "chatd.handlers.sockets"]
    opened = lines[0].split()[0]
    assert lines[1:3] == [
        f"{opened}: a command was refused: unknown_event",
        f"{opened}: a command was refused: model_unavailable",
    ]


def texts(log: str, logger: str) -> list[str]:
    """Return what one logger has written."""
    return [line["text"] for line in LINE.finditer(log) if line["logger"] == logger]


def errors(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """Return the records of errors."""
    return [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_failure_with_a_name_is_no_error_of_ours(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A client cannot fill the log of errors: a turn of a model that nobody has is a warning."""
    async with chatting(tmp_path) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session(model="llm/nobody-has-it")
        body = {"message": "hi"}
        await alice.call("POST", f"/sessions/{session_id}/send_message/", 503, json=body)
    assert not errors(caplog)
    assert "llm/nobody-has-it" in caplog.text
