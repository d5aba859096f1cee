"""Files of the page: what is there is given, and nothing else is even hinted at."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import Script, chatting
from routes import exchange

PATHS = (
    ".",
    "..",
    "./",
    "../",
    "../..",
    "%2e",
    "%2e%2e",
    "%2E%2E/",
    "..%2f",
    "x/..",
    "%2e%2e/app.py",
)


@pytest.mark.parametrize("path", PATHS)
async def test_what_is_no_file_is_not_found(tmp_path: Path, path: str) -> None:
    """A directory, and whatever is outside of ours, is 404 as any other unknown path."""
    async with chatting(tmp_path, Script()) as chat:
        request = f"GET /static/{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        answer = await exchange(chat, request.encode())
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b'"code":"not_found"' in answer
