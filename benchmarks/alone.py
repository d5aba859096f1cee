"""One chatd with a provider of the benchmarks' own, for what no peer can be compared in."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator

import httpx

from benchmarks.processes import NO_LIMITS, ROOT, TOKEN, Server, pin, process

SETTINGS = {
    "CHATD_TOKEN": TOKEN,
    "CHATD_PLUGINS_DIR": str(ROOT / "benchmarks" / "plugins"),
    "CHATD_PLUGINS_ENABLED": "auth_token,endless",
}


@contextlib.asynccontextmanager
async def chatd_alone() -> AsyncIterator[tuple[Server, httpx.AsyncClient]]:
    """Run it on SQLite; yield it and a client of REST."""
    with tempfile.TemporaryDirectory() as directory:
        arguments = ("-m", "chatd", "serve", "--port", "0", "--data-dir", directory)
        async with process(*arguments, **SETTINGS, **NO_LIMITS) as (pid, line):
            server = Server("chatd/sqlite", line.partition("/?")[0], pid, "")
            pin(pid, server=True)
            headers = {"Authorization": f"Token {TOKEN}"}
            async with httpx.AsyncClient(
                base_url=server.url, headers=headers, timeout=60, trust_env=False
            ) as http:
                yield server, http


async def new_session(http: httpx.AsyncClient, model: str) -> str:
    """Make a session of one of the models; return its id."""
    answer = await http.post("/ai-chat/api/sessions/", json={"model": f"endless/{model}"})
    return str(answer.raise_for_status().json()["id"])


def socket_url(server: Server, session_id: str, chunks: str) -> str:
    """Return the address of a session's socket."""
    url = server.url.replace("http", "ws")
    return f"{url}/ws/ai-chat/session/{session_id}/?token={TOKEN}&chunks={chunks}"
