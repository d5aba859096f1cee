"""The thread of a session in a real browser: what is said, how it streams, what becomes of it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import process
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

SCRIPTS = Path(__file__).parents[2] / "scripts"
CHROMIUM = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PAGE = Path(__file__).parents[2] / "chatd" / "static" / "page" / "index.html"
SLOW = "[words:3000][pace:30] on and on"  # a minute and a half: longer than any test

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="THE PAGE IS NOT BUILT: it is not tested")


class House:
    """A chatd with a model server, and a browser."""

    def __init__(self, browser: Browser, server: process.Process) -> None:
        self.browser, self.server = browser, server
        headers = {"Authorization": f"Token {server.token}"}
        self.api = httpx.Client(base_url=f"{server.url}/ai-chat/api/", headers=headers, timeout=60)

    def session(self) -> str:
        """Make a session; return its id."""
        answer = self.api.post("sessions/", json={"model": "qwen3:8b"})
        return str(answer.raise_for_status().json()["id"])

    def send(self, session_id: str, message: str) -> Any:
        """Send a message past the page; return the answer when it is whole."""
        answer = self.api.post(f"sessions/{session_id}/send_message/", json={"message": message})
        return answer.raise_for_status().json()

    def messages(self, session_id: str) -> list[dict[str, Any]]:
        """Return what is stored of the shown branch."""
        results: list[dict[str, Any]] = self.api.get(f"sessions/{session_id}/messages/").json()[
            "results"
        ]
        return results


@pytest.fixture(scope="module")
def llm() -> Iterator[str]:
    """Run a model server; return its URL."""
    command = [sys.executable, str(SCRIPTS / "llm_server.py"), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        yield running.stdout.readline().split()[-1]
        running.terminate()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Run Chromium."""
    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM
        )
        yield chromium
        chromium.close()


def settings(llm: str) -> dict[str, str]:
    """Return the environment of a chatd that asks a model server."""
    plugins = "auth_token,provider_openai,presets_store"
    return {"LLM_SERVER_URL": llm, "CHATD_PLUGINS_ENABLED": plugins}


@pytest.fixture(scope="module")
def house(browser: Browser, llm: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Run a chatd for all tests here."""
    data_dir = tmp_path_factory.mktemp("house") / "data"
    with process.running(data_dir, **settings(llm)) as server:
        house = House(browser, server)
        yield house
        house.api.close()


def signed_in(browser: Browser, server: process.Process) -> BrowserContext:
    """Open a window of somebody who is signed in."""
    token = {"name": "chatd.token", "value": server.token}
    origins = [{"origin": server.url, "localStorage": [token]}]
    return browser.new_context(
        viewport={"width": 1280, "height": 800}, storage_state={"cookies": [], "origins": origins}
    )


@pytest.fixture
def context(house: House) -> Iterator[BrowserContext]:
    """A window of somebody who is signed in; an error of a script in it fails the test."""
    context = signed_in(house.browser, house.server)
    errors: list[str] = []
    context.on("weberror", lambda error: errors.append(str(error.error)))
    yield context
    context.close()
    assert errors == []


Show = Callable[..., Page]


@pytest.fixture
def show(house: House, context: BrowserContext) -> Show:
    """Show a session in a new tab."""

    def show(session_id: str, query: str = "") -> Page:
        page = context.new_page()
        page.goto(f"{house.server.url}/#/session/{session_id}{query}")
        expect(field(page)).to_be_visible()
        return page

    return show


def field(page: Page) -> Any:
    """Return where one writes."""
    return page.get_by_label("Message", exact=True)


def say(page: Page, text: str) -> None:
    """Send a message as one does."""
    field(page).fill(text)
    page.keyboard.press("Enter")


def answer(page: Page) -> Any:
    """Return the last answer."""
    return page.locator("article.assistant").last


def whole(page: Page) -> Any:
    """Wait for the last answer to be whole; return it."""
    expect(answer(page)).to_have_class(re.compile(r"\bcomplete\b"))
    return answer(page)


def distance(page: Page) -> float:
    """Return how far from its end the thread is scrolled."""
    thread = "document.querySelector('.thread-scroll')"
    return float(page.evaluate(f"(t => t.scrollHeight - t.scrollTop - t.clientHeight)({thread})"))


def test_an_answer_streams_with_what_it_cost(house: House, show: Show) -> None:
    """A message is answered; under the answer are its model and its tokens."""
    page = show(house.session())

    say(page, "[words:60][reasoning] Tell me")

    expect(page.locator("article.user .text")).to_have_text("[words:60][reasoning] Tell me")
    body = whole(page)
    expect(body.locator(".facts")).to_contain_text("qwen3:8b")
    expect(body.locator(".facts")).to_contain_text("tokens")
    body.locator("summary").click()
    expect(body.locator(".fold-content")).to_be_visible()
    expect(field(page)).to_have_value("")


def test_escape_stops(house: House, show: Show) -> None:
    """Escape stops the answer; what was seen of it stays, and another turn can begin.

    The one that closes the drawer with the list of sessions does only that.
    """
    session_id = house.session()
    page = show(session_id)
    say(page, SLOW)
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
    expect(answer(page).locator(".text")).to_contain_text("word25")
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_role("button", name="Show the sidebar").click()
    page.keyboard.press("Escape")
    expect(page.locator(".veil")).to_have_count(0)
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()

    field(page).focus()
    page.keyboard.press("Escape")

    expect(page.get_by_text("Stopped.", exact=True)).to_be_visible()
    kept = house.messages(session_id)[-1]
    assert kept["status"] == "stopped"
    assert kept["content"].strip()
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()


def test_regenerating_and_going_back(house: House, show: Show) -> None:
    """Another answer stands beside the first; arrows lead to either, here and after a reload."""
    page = show(house.session())
    say(page, "[words:5] hello")
    whole(page)

    page.get_by_role("button", name="Regenerate").click()

    place = page.locator(".branches")
    expect(place).to_have_text("2/2")
    whole(page)
    page.get_by_role("button", name="Previous version").click()
    expect(place).to_have_text("1/2")
    page.reload()
    expect(place).to_have_text("1/2")
    page.get_by_role("button", name="Next version").click()
    expect(place).to_have_text("2/2")


def test_editing_a_message(house: House, show: Show) -> None:
    """An edited message stands beside the old one, and gets an answer of its own."""
    page = show(house.session())
    say(page, "[echo] first")
    expect(whole(page)).to_contain_text("first")

    page.locator("article.user").hover()
    page.get_by_role("button", name="Edit").click()
    page.get_by_label("Edit your message").fill("[echo] second")
    page.keyboard.press("Enter")

    expect(answer(page).locator(".text")).to_have_text("second")
    expect(page.locator("article.user .text")).to_have_text("[echo] second")
    expect(page.locator("article.user .branches")).to_have_text("2/2")
    expect(field(page)).to_be_focused()
    page.locator("article.user").get_by_role("button", name="Previous version").click()
    expect(answer(page).locator(".text")).to_have_text("first")


def test_reload_in_mid_stream_and_a_second_tab(house: House, show: Show) -> None:
    """An answer goes on after a reload, and in another tab, and both end with the same text."""
    session_id = house.session()
    page = show(session_id)
    say(page, "[words:150][pace:20] on and on")
    expect(answer(page).locator(".text")).to_contain_text("word25")

    page.reload()
    other = show(session_id)

    texts = [whole(each).locator(".text").text_content() for each in (page, other)]
    assert texts[0] == texts[1]
    stored = house.messages(session_id)[-1]["content"]
    assert "".join(texts[0].split()) == "".join(stored.split())
    field(other).press_sequentially("I ty")
    expect(page.locator(".typing")).to_contain_text("is typing")


def test_the_end_is_followed_unless_one_reads_elsewhere(house: House, show: Show) -> None:
    """A growing answer stays in view, until its reader goes up; a button leads back."""
    page = show(house.session())
    say(page, "[words:900][pace:5] on and on")
    expect(answer(page).locator(".text")).to_contain_text("word301")
    assert distance(page) < 80

    page.mouse.move(700, 300)
    page.mouse.wheel(0, -150)
    button = page.get_by_role("button", name="Latest")
    expect(button).to_be_visible()
    top = page.evaluate("document.querySelector('.thread-scroll').scrollTop")
    page.keyboard.press("Escape")
    expect(page.get_by_text("Stopped.", exact=True)).to_be_attached()

    assert page.evaluate("document.querySelector('.thread-scroll').scrollTop") == top
    button.click()
    expect(button).to_have_count(0)


def test_older_messages_come_without_a_jump(house: House, show: Show) -> None:
    """Going up loads what is older, and what one reads stays in place; a search leads there."""
    session_id = house.session()
    for number in range(40):
        house.send(session_id, f"[echo] number {number}")
    oldest = house.messages(session_id)[0]["id"]
    page = show(session_id)
    expect(page.get_by_text("[echo] number 39")).to_be_visible()
    mark = page.get_by_text("[echo] number 16", exact=True)
    expect(mark).to_be_attached()
    page.evaluate(WATCH, "[echo] number 16")

    mark.scroll_into_view_if_needed()
    expect(page.get_by_text("[echo] number 0", exact=True)).to_be_attached()

    assert page.evaluate("window.jumps") == []
    page.goto(f"{house.server.url}/#/session/{session_id}?message={oldest}")
    page.reload()
    expect(page.locator("article[data-marked]")).to_be_in_viewport()


# Remembers when a message moves though nobody has scrolled so far: what comes before it is
# thousands of pixels high, and on a busy machine a frame may have a line's scrolling in it.
WATCH = """(text) => {
  window.jumps = [];
  const thread = document.querySelector(".thread-scroll");
  const article = [...document.querySelectorAll("article")].find((one) => one.textContent === text);
  const place = () => article.getBoundingClientRect().top;
  let [count, before] = [document.querySelectorAll("article").length, place()];
  const look = () => {
    const now = document.querySelectorAll("article").length;
    if (now !== count && Math.abs(place() - before) > 200) window.jumps.push([before, place()]);
    [count, before] = [now, place()];
    requestAnimationFrame(look);
  };
  look();
}"""


def test_what_is_written_is_kept(house: House, show: Show) -> None:
    """A draft survives leaving the session and closing the page, and belongs to its session."""
    one, other = house.session(), house.session()
    page = show(one)
    field(page).fill("half a thou")
    page.goto(f"{house.server.url}/#/session/{other}")
    expect(field(page)).to_have_value("")

    page.goto(f"{house.server.url}/#/session/{one}")
    expect(field(page)).to_have_value("half a thou")
    page.reload()

    expect(field(page)).to_have_value("half a thou")


def test_enter_of_an_input_method_sends_nothing(house: House, show: Show) -> None:
    """Enter takes the suggestion of an input method, and is not the message's end."""
    page = show(house.session())
    field(page).fill("にほん")

    field(page).evaluate(
        "field => field.dispatchEvent(new KeyboardEvent('keydown',"
        " {key: 'Enter', isComposing: true, bubbles: true, cancelable: true}))"
    )

    expect(field(page)).to_have_value("にほん")
    expect(page.locator("article")).to_have_count(0)


def test_an_answer_is_announced_at_its_end(house: House, show: Show) -> None:
    """A screen reader is told the sentences of an answer and that it has ended; not each token."""
    page = show(house.session())

    say(page, "[echo] It is **so**. And [this](https://example.org) too.")

    whole(page)
    said = page.locator("p[role=status]", has_text="End of the answer.")
    expect(said).to_have_text("It is so . And this too. End of the answer.")


def test_server_killed_in_mid_stream(browser: Browser, llm: str, tmp_path: Path) -> None:
    """The page says that there is no connection, and then that the answer was interrupted; what was
    sent meanwhile is sent once."""
    with process.running(tmp_path / "data", **settings(llm)) as first:
        house = House(browser, first)
        session_id = house.session()
        context = signed_in(browser, first)
        page = context.new_page()
        page.goto(f"{first.url}/#/session/{session_id}")
        say(page, SLOW)
        expect(answer(page).locator(".text")).to_contain_text("word35")
        first.kill()
        expect(page.get_by_text("No connection.")).to_be_visible()
        port = first.url.rpartition(":")[2]
        say(page, "[echo] are you back?")
        expect(page.get_by_text("Waits for a connection")).to_be_visible()

        with process.running(tmp_path / "data", "--port", port, **settings(llm)):
            expect(page.get_by_text("The answer was interrupted.", exact=True)).to_be_visible()
            expect(whole(page).locator(".text")).to_have_text("are you back?")
            sent = [each["content"] for each in house.messages(session_id)]
            assert sent.count("[echo] are you back?") == 1
        context.close()
        house.api.close()
