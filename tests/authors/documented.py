"""The documentation for authors of plugins, read: its pages, its files, and a chatd with one."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
from faces import PLAIN
from transcripts import files

from chatd import hookspecs
from chatd.testing import Server, serving

DOCS = Path(__file__).parents[2] / "docs" / "plugins"
PAGES = sorted(DOCS.rglob("*.md"))
HOOKS = sorted(name for name, hook in vars(hookspecs).items() if hasattr(hook, "chatd_spec"))
# Those whose files belong together are read by a test of their own.
APART = ("tutorial.md", "testing.md")
PLUGINS = {
    Path(name).stem: text
    for page in PAGES
    if page.name not in APART
    for name, text in files(page).items()
    if name.endswith(".py")
}


def section(page: str, heading: str) -> str:
    """Return what stands under a heading of the second level."""
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", (DOCS / page).read_text(), re.M | re.S)
    assert found, f"{page} has no heading {heading}"
    return found[1]


@contextlib.asynccontextmanager
async def having(
    tmp_path: Path, name: str, *others: object, config: str = "", **settings: str
) -> AsyncIterator[Server]:
    """Run a chatd with a plugin of the documentation."""
    directory = tmp_path / "plugins"
    write(directory, name)
    data = tmp_path / "data"
    async with serving(
        data, name, *others, config=config, directory=directory, **settings
    ) as server:
        yield server


def write(directory: Path, name: str) -> None:
    """Write a plugin as its page shows it."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{name}.py").write_text(PLUGINS[name])


async def ask(server: Server, method: str, path: str, **options: Any) -> httpx.Response:
    """Return the answer to a request below the API, or to a plugin's path."""
    path = path if path.startswith("/x/") else f"{server.app.config.server.prefix}/api{path}"
    async with httpx.AsyncClient(base_url=server.url, verify=PLAIN, timeout=20) as http:
        return await http.request(method, path, **options)


async def answer(server: Server, text: str = "hi", model: str = "script/model") -> str:
    """Return what alice is answered in a new session."""
    alice = await server.client("alice")
    session = await alice.sessions.create(model=model)
    sent = await alice.turns.send(session.id, text)
    return str(sent.ai_message.content)


async def kept(server: Server, plugin: str) -> list[Any]:
    """Return the values that a plugin keeps in the store, as soon as there are any."""
    async with asyncio.timeout(20):
        while True:
            found = await server.app.store.list_data(plugin)
            if found:
                return [datum.value for datum in found]
            await asyncio.sleep(0)
