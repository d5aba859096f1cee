"""What a hostile model writes, in a real browser, whole and cut at every place: nothing of it runs.

The page is built for this alone, from web/app/test/trial: the component that shows messages, a
corpus, and what looks for anything that runs, loads or leads where it must not. It is delivered
with the policy of the real one.
"""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from chatd.handlers.page import POLICY

APP = Path(__file__).parents[2] / "web" / "app"
CHROMIUM = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files, with the headers that the real page has."""

    def end_headers(self) -> None:
        """Add the policy."""
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Build the page and serve it. Skips without npm, or with what it installs missing."""
    npx = shutil.which("npx")
    if npx is None or not (APP.parent / "node_modules" / "vite").is_dir():
        pytest.skip("THERE IS NO NPM: hostile text is not tried in a browser")
    directory = tmp_path_factory.mktemp("trial")
    build = [npx, "vite", "build", "-c", "vite.trial.config.ts", "--logLevel", "error"]
    subprocess.run(build, cwd=APP, env=os.environ | {"TRIAL": str(directory)}, check=True)
    handler = functools.partial(Handler, directory=str(directory))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def page(url: str) -> Iterator[Page]:
    """The page, in a browser that lets nothing out and remembers what wanted to go."""
    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM
        )
        page = browser.new_page()
        page.set_default_timeout(100_000)
        wanted = []
        page.on("request", lambda request: wanted.append(request.url))
        page.on("dialog", lambda dialog: (wanted.append("a dialog"), dialog.dismiss()))
        page.goto(url)
        yield page
        browser.close()
        assert [what for what in wanted if not what.startswith(url)] == []


def alarms(page: Page) -> list[str]:
    """Return what has run, and what the browser had to forbid."""
    found: list[str] = page.evaluate("trial.alarms")
    return found


def test_hostile_text_is_shown_and_nothing_else(page: Page) -> None:
    """Of the whole corpus no element, attribute or address comes into the page that could run."""
    shown = page.evaluate("trial.whole()")
    # Formulas are drawn and code is coloured by and by: what they make is looked at too.
    settled = page.evaluate("trial.settled()")

    assert shown["count"] > 250
    assert shown["faults"] == []
    assert settled["faults"] == []
    assert alarms(page) == []


def test_hostile_text_that_streams(page: Page) -> None:
    """Cut at every place and streamed, none of the corpus runs at any moment either."""
    count = page.evaluate("trial.count")
    for start in range(0, count, 20):
        assert page.evaluate("([from, to]) => trial.cut(from, to)", [start, start + 20]) == []

    assert alarms(page) == []
