"""What plugins cost a turn, of the server's processor, without any and with all: `... plugins`.

Two whole servers on SQLite stand side by side; they get the same long reply of the same model
server in turns, each time in a new session, so that `title` names every one of them. A session that
is asked about with `by = "model"` costs one call more, as large as the model makes it: that is a
turn of its own, and not in the figure.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.processes import NO_LIMITS, TOKEN, Server, pin, process
from benchmarks.servers import upstream
from benchmarks.sockets import open_chats

MODEL = "t10000-r0"
NONE = '[plugins]\nenabled = ["auth_token", "provider_openai"]\n'
# All of them at once. Credentials go by every other authenticator before auth_token knows them.
ALL = """
[plugins]
enabled = [
    "auth_header", "auth_jwt", "auth_anonymous", "auth_password", "auth_token",
    "provider_openai", "provider_ollama", "provider_anthropic", "provider_echo",
    "presets_store", "presets_file", "presets_http",
    "context_window", "redact", "quota", "title",
]
[plugins.auth_header]
networks = ["192.0.2.1"]
[plugins.auth_jwt]
issuer = "https://id.example.org"
audience = "chatd"
secret = "as long as a secret has to be for this"
[[plugins.provider_anthropic.instances]]
name = "anthropic"
url = "http://127.0.0.1:9"
key = "none"
[[plugins.presets_http.instances]]
url = "http://127.0.0.1:9/presets.json"
allow_private = true
[plugins.quota]
turns_per_day = 1000000
tokens_per_day = 1000000000000
[[plugins.redact.rules]]
pattern = '\\b\\d{4}-\\d{4}-\\d{4}-\\d{4}\\b'
[[plugins.redact.rules]]
pattern = '[\\w.+-]+@[\\w-]+\\.\\w+'
"""


class Round(NamedTuple):
    """Milliseconds of the server's processor for a turn without plugins, and with all."""

    without: float
    all: float


async def plugin_costs(rounds: int, turns: int, model: str = MODEL) -> AsyncIterator[Round]:
    """Yield the mean of so many turns of each server, after one that is not counted."""
    async with contextlib.AsyncExitStack() as stack:
        url = await stack.enter_async_context(upstream())
        servers = [
            await stack.enter_async_context(_chatd(url, name, text))
            for name, text in (("none", NONE), ("all", ALL))
        ]
        for server in servers:
            await _turns(server, model, turns)
        for number in range(rounds):
            found = {}
            # Who comes first changes: what the machine does at that moment hits both alike.
            for server in servers if number % 2 else servers[::-1]:
                found[server.name] = await _turns(server, model, turns)
            yield Round(found["none"], found["all"])


async def _turns(server: Server, model: str, turns: int) -> float:
    """Return the milliseconds of a turn, in sessions that are made and opened before."""
    chats = await open_chats(server, model, turns)
    before = server.cpu()
    for chat in chats:
        await chat.turn()
    used = server.cpu() - before
    for chat in chats:
        if chat.failures or chat.tokens == 0:
            raise RuntimeError(f"a turn failed: {chat.failures}")
        chat.aclose()
    return used / turns * 1000


@contextlib.asynccontextmanager
async def _chatd(model_server: str, name: str, config: str) -> AsyncIterator[Server]:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "chatd.toml"
        file.write_text(config, encoding="utf-8")
        arguments = ("serve", "--port", "0", "--data-dir", directory, "--config", str(file))
        settings = {"CHATD_TOKEN": TOKEN, "LLM_SERVER_URL": model_server}
        settings["CHATD_MODELS_SYNC_INTERVAL"] = "0"
        async with process("-m", "chatd", *arguments, **settings, **NO_LIMITS) as (pid, line):
            pin(pid, server=True)
            yield Server(name, line.partition("/?")[0], pid, "")
