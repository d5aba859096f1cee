"""What the tests of the page share: a browser, and a window that complains."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from browsing import ARGUMENTS, Deeds, is_bad, open_page
from playwright.sync_api import Browser, Page, expect, sync_playwright
from process import Process

INDEX = Path(__file__).parents[2] / "chatd" / "static" / "page" / "index.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium for the tests of a module."""
    if not INDEX.exists():
        pytest.skip("THE PAGE IS NOT BUILT: install Node.js with npm and run scripts/page")
    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=ARGUMENTS
        )
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A new browser window; a script error or a breach of the content policy fails the test."""
    context = browser.new_context(reduced_motion="reduce", locale="en-US")
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if is_bad(message) else None)
    yield page
    context.close()
    assert complaints == []


@pytest.fixture
def signed_in(page: Page, server: Process) -> Page:
    """The page with a new session, its owner signed in."""
    return open_page(page, server)


@pytest.fixture
def deeds(server: Process) -> Iterator[Deeds]:
    """What the same user does elsewhere, over REST."""
    headers = {"Authorization": f"Token {server.token}"}
    with httpx.Client(base_url=f"{server.url}/ai-chat/api/", headers=headers, timeout=60) as client:
        yield Deeds(client)
