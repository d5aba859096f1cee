"""The documentation says what the code does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from harness import API, chatting
from routes import routes

from chatd.errors import ChatdError, ConfigError
from scripts import settings_page

DOCS = Path(__file__).parent.parent / "docs"


def kinds_of(kind: type[ChatdError]) -> Iterator[type[ChatdError]]:
    """Yield a kind of error and all below it that can be on the wire."""
    if kind is not ConfigError:
        yield kind
    for below in kind.__subclasses__():
        yield from kinds_of(below)


def test_every_error_code_is_in_the_table() -> None:
    """The table of codes has a row for every error, with its status, and no other."""
    rows = [
        f"| `{kind.code}` | {kind.status} | {'yes' if kind.retryable else 'no'} |"
        f" {' '.join((kind.__doc__ or '').split())} |"
        for kind in kinds_of(ChatdError)
    ]
    lines = (DOCS / "errors.md").read_text().splitlines()
    assert [line for line in lines if line.startswith("| `")] == rows


def test_a_code_has_one_status() -> None:
    """No two errors share a code, so that a code alone says what happened."""
    codes = [kind.code for kind in kinds_of(ChatdError)]
    assert len(set(codes)) == len(codes)


def test_every_setting_is_in_the_tables() -> None:
    """The page of settings is what the settings themselves say, for all of them."""
    page = settings_page.PAGE.read_text()
    assert page == settings_page.filled(page), "run python scripts/settings_page.py"


async def test_every_route_is_described(tmp_path: Path) -> None:
    """Each method of each path is in a heading of the page about REST, and no other."""
    headings = re.findall(r"^### ([A-Z, ]+/.*)", (DOCS / "rest.md").read_text(), re.MULTILINE)
    described = set()
    for heading in headings:
        for part in re.findall(r"(?:[A-Z]+(?:, (?=[A-Z]+[, ]))?)+ /\S+", heading):
            methods, _, path = part.rpartition(" ")
            path = re.sub(r"\{\w+\}", "{}", path.rstrip("/,"))
            described |= {(method.strip(), path) for method in methods.split(",")}
    async with chatting(tmp_path) as chat:
        served = {
            (method, route.path)
            for route in routes(chat)
            if route.is_api and not route.path.startswith(("/api/", "/docs"))
            for method in route.methods
        }
    assert {path for _, path in served if path.startswith(API)} <= {p for _, p in described}
    assert served <= described
    assert described - served == set()


async def test_every_event_is_described(tmp_path: Path) -> None:
    """Each event that a client may send is in the table of the page about WebSocket."""
    page = (DOCS / "websocket.md").read_text()
    async with chatting(tmp_path) as chat:
        assert [kind for kind in chat.app.shapes.events if f"`{kind}`" not in page] == []


def test_links_of_the_readme_lead_somewhere() -> None:
    """The README leads to the documentation, and every file that it names is there."""
    links = re.findall(r"\]\(([^)#:]+)[^)]*\)", (DOCS.parent / "README.md").read_text())
    assert "docs/index.md" in links
    assert [link for link in links if not (DOCS.parent / link).exists()] == []
