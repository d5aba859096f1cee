"""Takes pictures of the page, with a real server and a real browser: scripts/screenshots."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import httpx
from browsing import ARGUMENTS, Deeds, composer, open_page
from playwright.sync_api import Browser, Page, expect, sync_playwright
from process import Process

HERE = Path(__file__).parent
DESKTOP, PHONE = (1280, 800), (390, 844)
QUESTION = "Who are the three best paid people of each team, with SQL?"
NEXT = "And how far is each above the average?"
TITLES = (
    "A name for a cat",
    "Bread without kneading",
    "How does TLS 1.3 resume?",
    "Refactor the billing job",
    "Haiku about rain",
    "Übersetzung des Briefs",
    "Plans for the summer",
    "Regex for ISO dates",
)
SETTINGS = {
    "CHATD_PLUGINS_ENABLED": "auth_token,sample,presets_store",
    "CHATD_PLUGINS_DIR": str(HERE),
    "LLM_DEFAULT_MODEL": "qwen3:8b",
}
PRESETS = (
    {"name": "Editor", "description": "Makes a text shorter without changing what it says"},
    {"name": "SQL reviewer", "description": "Finds what is slow, and what is wrong"},
    {"name": "Tutor", "description": "Asks back instead of answering", "is_public": True},
)


class View(NamedTuple):
    """What is to be seen in a picture."""

    name: str
    address: str
    size: tuple[int, int] = DESKTOP
    prepare: Callable[[Page], None] = lambda page: None


def main() -> None:
    """Take all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    directory: Path = parser.parse_args().directory
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data:
        server = Process(Path(data) / "chatd", **SETTINGS)
        try:
            server.wait_for_url()
            session_id = fill(server)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=shutil.which("chromium"), args=ARGUMENTS
                )
                take_all(browser, server, session_id, directory)
                browser.close()
        finally:
            server.kill()


def fill(server: Process) -> str:
    """Make what is shown; return the session that is in the middle of it."""
    headers = {"Authorization": f"Token {server.token}"}
    base = f"{server.url}/ai-chat/api/"
    with httpx.Client(base_url=base, headers=headers, timeout=60) as client:
        deeds = Deeds(client)
        for preset in PRESETS:
            deeds.call("POST", "presets/", {"system_prompt": "Be brief.", **preset})
        for title in TITLES:
            deeds.session(title, f"Please help me: {title}")
        return deeds.session("The best paid of each team", QUESTION)


def take_all(browser: Browser, server: Process, session_id: str, directory: Path) -> None:
    """Take each view in light and in dark."""
    session = f"#/session/{session_id}"
    views = (
        View("chat", session, prepare=to_be_done),
        View("new", "#/new"),
        View("presets", "#/presets"),
        View("statistics", "#/statistics"),
        View("phone", session, PHONE, to_be_done),
    )
    for view in views:
        for scheme in ("light", "dark"):
            width, height = view.size
            context = browser.new_context(
                color_scheme="light" if scheme == "light" else "dark",
                viewport={"width": width, "height": height},
                device_scale_factor=2 if view.size == PHONE else 1,
                reduced_motion="reduce",
                locale="en-US",
            )
            page = open_page(context.new_page(), server, view.address)
            view.prepare(page)
            page.wait_for_load_state("networkidle")
            page.evaluate("document.fonts.ready.then(() => true)")
            path = directory / f"{view.name}-{scheme}.png"
            page.screenshot(path=path)
            print(path)
            context.close()


def to_be_done(page: Page) -> None:
    """Wait for colours and formulas, which are loaded when they are needed."""
    expect(page.locator("article.assistant pre [class^=code-]").first).to_be_visible()
    expect(page.locator("article.assistant .katex").first).to_be_visible()
    expect(composer(page)).to_be_visible()


main()
