"""What a person does in the page, and what the same person does elsewhere meanwhile."""

from __future__ import annotations

from typing import Any

import httpx
from playwright.sync_api import ConsoleMessage, Locator, Page, expect
from process import Process

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def is_bad(message: ConsoleMessage) -> bool:
    """Whether a console message is more than the browser's note of a status or a lost socket."""
    notes = ("Failed to load resource", "WebSocket connection to")
    return message.type == "error" and not message.text.startswith(notes)


def open_page(page: Page, server: Process, address: str = "") -> Page:
    """Open the page at an address behind `#` as somebody who signed in before."""
    page.add_init_script(f"localStorage.setItem('chatd.token', '{server.token}')")
    page.goto(f"{server.url}/{address}")
    connected(page)
    return page


def connected(page: Page) -> None:
    """Wait until the page says that it is connected."""
    expect(page.locator(".sidebar [role=status]")).to_have_text("Connected")


def paste(page: Page, token: str) -> None:
    """Sign in with a token."""
    page.get_by_role("textbox", name="Token").fill(token)
    page.get_by_role("button", name="Sign in").click()


def composer(page: Page) -> Locator:
    """The field where one writes."""
    return page.get_by_role("textbox", name="Message", exact=True)


def send(page: Page, text: str) -> None:
    """Write a message and send it."""
    composer(page).fill(text)
    composer(page).press("Enter")


def reply(page: Page) -> Locator:
    """The newest answer."""
    return page.locator("article.assistant").last


def listed(page: Page, title: str) -> Locator:
    """The links to sessions in the list that have this title."""
    return page.locator(".session-link").filter(has_text=title)


def choose(page: Page, menu: str, item: str) -> None:
    """Open a menu by its button's name, and take something in it."""
    page.get_by_role("button", name=menu).first.click(force=True)
    page.get_by_role("menuitem", name=item, exact=True).click()


class Deeds:
    """Sessions, messages and presets, made over REST."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Return the answer of a call that succeeds."""
        answer = self.client.request(method, path, json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def session(self, title: str, *messages: str) -> str:
        """Return the id of a new session with these messages and their answers."""
        made = self.call("POST", "sessions/", {"title": title})
        for message in messages:
            self.call("POST", f"sessions/{made['id']}/send_message/", {"message": message})
        return str(made["id"])
