"""Lines of the log as text and as JSON, with the request they belong to."""

from __future__ import annotations

import io
import json
import logging
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness import API
from process import DidNotStart, Process, serving

from chatd import tracing
from chatd.loglines import JsonLine, RequestId, TextLine
from scripts.llm import LlmServer

ID = "0198c1de-0000-7000-8000-000000000001"
OTHER = "0198c1de-0000-7000-8000-000000000002"


def line_of(formatter: logging.Formatter, message: str, *args: Any, **options: Any) -> str:
    """Return what one record becomes."""
    logger, stream = logging.Logger("chatd.test"), io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RequestId())
    handler.setFormatter(formatter)
    logger.addHandler(handler)
    logger.warning(message, *args, **options)
    return stream.getvalue()


@pytest.fixture
def request_id() -> Any:
    """Work for a request."""
    token = tracing.request_id.set(ID)
    yield ID
    tracing.request_id.reset(token)


def test_text_names_the_request_once(request_id: str) -> None:
    """The id of the request ends a line, unless the line begins with one, its own or another."""
    assert line_of(TextLine(), "it failed").endswith(f"chatd.test: it failed [{ID}]\n")
    assert line_of(TextLine(), "%s: it failed", ID).endswith(f"chatd.test: {ID}: it failed\n")
    assert line_of(TextLine(), "%s closed", OTHER).endswith(f"chatd.test: {OTHER} closed\n")


def test_text_without_a_request() -> None:
    """A line that belongs to no request names none."""
    assert line_of(TextLine(), "it failed").endswith("chatd.test: it failed\n")


def test_no_text_breaks_a_line_or_reaches_the_terminal() -> None:
    """Control characters are escaped: those of ASCII, those above it, Unicode's ends of lines."""
    text = line_of(TextLine(), "GET /%s 404", "a\nb\x1b[2J\x9b31m\u2028é")
    assert text.endswith(r"chatd.test: GET /a\nb\x1b[2J\x9b31m\u2028é 404" + "\n")
    assert text.count("\n") == 1


def test_a_traceback_keeps_its_lines() -> None:
    """It is the one thing that has more lines than one."""
    try:
        raise RuntimeError("five")
    except RuntimeError:
        text = line_of(TextLine(), "it failed", exc_info=sys.exc_info())
    assert text.splitlines()[-1] == "RuntimeError: five"


def test_json_names_the_request(request_id: str) -> None:
    """A line that begins with an id has that one as its request, any other that of its task."""
    assert json.loads(line_of(JsonLine(), "it failed"))["request_id"] == ID
    assert json.loads(line_of(JsonLine(), "%s closed", OTHER))["request_id"] == OTHER


def test_no_text_breaks_a_json_line() -> None:
    """Line feeds, lone surrogates and tracebacks stay within the one line of their object."""
    message = 'one\ntwo\u2028three\ud800 "four"'
    try:
        raise RuntimeError("five\nsix")
    except RuntimeError:
        text = line_of(JsonLine(), "%s", message, exc_info=sys.exc_info())
    assert text.isascii()
    assert text.count("\n") == 1
    line = json.loads(text)
    assert line["message"] == message
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("RuntimeError: five\nsix")
    assert "request_id" not in line


def lines(server: Process) -> list[dict[str, Any]]:
    """Return the objects that a server has logged."""
    return [json.loads(line) for line in server.log.splitlines()]


async def failed_turn(server: Process) -> str:
    """Send a message that a model server fails on; return the id of the request."""
    headers = {"Authorization": f"Token {server.token}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers) as http:
        made = await http.post(f"{API}/sessions/", json={"model": "llm/500-html"})
        path = f"{API}/sessions/{made.json()['id']}/send_message/"
        answer = await http.post(path, json={"message": "hello"})
    assert answer.status_code == 502
    return answer.headers["X-Request-Id"]


@pytest.mark.parametrize("how", ["flag", "environment"])
async def test_a_server_logs_json(tmp_path: Path, how: str) -> None:
    """Every line of `chatd serve --log-format json` is an object; a turn's have its request."""
    arguments = ["--log-format", "json"] if how == "flag" else []
    settings = {"CHATD_LOG_FORMAT": "json"} if how == "environment" else {}
    async with LlmServer() as llm:
        settings |= {"LLM_SERVER_URL": llm.url}
        async with serving(tmp_path / "data", *arguments, **settings) as server:
            request_id = await failed_turn(server)
            server.terminate()
            assert await server.ended() == 0
    found = lines(server)
    assert all(line.keys() >= {"time", "level", "logger", "message"} for line in found)
    of_turn = {line["logger"] for line in found if line.get("request_id") == request_id}
    assert of_turn == {"chatd.upstream", "chatd.generations", "chatd.access"}
    assert found[-1]["message"] == "stopped"
    assert "request_id" not in found[-1]


async def test_text_is_the_default(tmp_path: Path) -> None:
    """A warning of the model server's call ends with the id of the request it was made for."""
    async with LlmServer() as llm, serving(tmp_path / "data", LLM_SERVER_URL=llm.url) as server:
        request_id = await failed_turn(server)
        (warning,) = [line for line in server.log.splitlines() if "llm answered 500" in line]
    assert warning.endswith(f" WARNING chatd.upstream: llm answered 500 [{request_id}]")


async def test_another_format_stops_the_start(tmp_path: Path) -> None:
    """A format that does not exist is refused with what there is."""
    with pytest.raises(DidNotStart, match="expected text or json"):
        async with serving(tmp_path / "data", CHATD_LOG_FORMAT="xml"):
            pass
