"""A connection that is used again, whatever the request before has been answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from harness import API, Script, chatting

REQUESTS: dict[str, tuple[str, str, int, dict[str, Any]]] = {
    "unknown path": ("GET", "/nowhere", 404, {}),
    "unknown path, HEAD": ("HEAD", "/nowhere", 404, {}),
    "unknown path, body": ("POST", "/nowhere", 404, {"json": {"a": 1}}),
    "no credentials": ("GET", f"{API}/me/", 401, {}),
    "no credentials, body": ("POST", f"{API}/sessions/", 401, {"json": {}}),
    "foreign origin": ("GET", "/healthz", 403, {"headers": {"Origin": "http://evil.example"}}),
    "wrong method": ("DELETE", "/healthz", 405, {}),
    "wrong ticket": ("POST", f"{API}/sign_in/", 401, {"json": {"ticket": "x"}}),
    "good": ("GET", "/healthz", 200, {}),
}


@pytest.mark.parametrize("kind", REQUESTS)
async def test_a_connection_outlives_an_answer(tmp_path: Path, kind: str) -> None:
    """Nothing is closed behind a refusal: whoever signs in next does it on the same connection."""
    method, path, status, options = REQUESTS[kind]
    async with chatting(tmp_path, Script()) as chat:
        limits = httpx.Limits(max_connections=1)
        async with httpx.AsyncClient(base_url=chat.url, limits=limits) as http:
            ports = []
            for _ in range(3):
                answer = await http.request(method, path, **options)
                assert (answer.status_code, answer.headers.get("Connection")) == (status, None)
                stream = answer.extensions["network_stream"]
                ports.append(stream.get_extra_info("client_addr"))
    assert len(set(ports)) == 1
