"""The page at `/`, in a real browser against a real server."""

from __future__ import annotations

import json
import re
import shutil

import process
import pytest
from playwright.sync_api import expect, sync_playwright

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
SESSION_SOCKET = re.compile(r"/ws/ai-chat/session/")
COMPLETE = re.compile(r"\bcomplete\b")
WORDS = " ".join(f"word{n}" for n in range(30))


@pytest.fixture(scope="module")
def browser():
    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=ARGUMENTS
        )
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser):
    """A new browser window; a script error or a breach of the content policy fails the test."""
    context = browser.new_context()
    page = context.new_page()
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if is_bad(message) else None)
    yield page
    context.close()
    assert complaints == []


def is_bad(message):
    """Whether a console message is more than the browser's note of a status or a lost socket."""
    notes = ("Failed to load resource", "WebSocket connection to")
    return message.type == "error" and not message.text.startswith(notes)


@pytest.fixture
def signed_in(page, server):
    """The page after signing in, with the echo model chosen for a new session."""
    sign_in(page, server)
    return page


def sign_in(page, server):
    page.goto(server.url)
    paste(page, server.token)
    connected(page)


def connected(page):
    """Wait until the page says that it is connected."""
    expect(page.locator(".sidebar [role=status]")).to_have_text("Connected")


def paste(page, token):
    page.get_by_label("Token").last.fill(token)
    page.get_by_role("button", name="Sign in").click()


def send(page, text):
    page.get_by_label("Message", exact=True).fill(text)
    page.keyboard.press("Enter")


def reply(page):
    return page.locator("article.assistant").last


def test_nobody_has_to_sign_in(page, tmp_path):
    """Where the server knows its callers without a token, the page does not ask for one."""
    plugins = "auth_anonymous,provider_echo,presets_store"
    with process.running(tmp_path / "data", CHATD_PLUGINS_ENABLED=plugins) as server:
        page.goto(server.url)
        expect(page.get_by_label("Message", exact=True)).to_be_focused()
        connected(page)


def test_ticket_signs_in(page, server):
    """The URL that `chatd serve` prints signs in for good, and its ticket leaves the address."""
    page.goto(server.ticket_url)
    connected(page)
    assert "ticket" not in page.url

    page.reload()

    connected(page)


def test_used_ticket_is_ignored_when_signed_in(signed_in, server):
    """A ticket that does not work any more changes nothing for who is signed in."""
    signed_in.goto(f"{server.url}?ticket=used")

    connected(signed_in)
    assert "ticket" not in signed_in.url


def test_used_ticket_asks_for_a_token(page, server):
    """A ticket that does not work leads to the form, with the reason."""
    page.goto(f"{server.url}?ticket=used")

    expect(page.get_by_role("alert").first).to_have_text("This link is used or too old.")


def test_wrong_token_is_refused(page, server):
    """A token that the server does not know leaves the form open and says so."""
    page.goto(server.url)

    paste(page, "wrong")

    expect(page.get_by_role("alert")).to_have_text("This token is not valid.")
    expect(page.get_by_label("Sessions", exact=True)).to_have_count(0)


def test_revoked_token_asks_for_another(page, server):
    """A token that was revoked elsewhere leads back to the form."""
    page.goto(server.url)
    page.evaluate("localStorage.setItem('chatd.token', 'revoked')")

    page.reload()

    expect(page.get_by_label("Token").last).to_be_visible()


def test_reply_streams_and_is_stored(signed_in):
    """A sent message and the streamed reply are shown, and again after a reload."""
    send(signed_in, WORDS)
    expect(reply(signed_in)).to_have_class(COMPLETE)
    expect(reply(signed_in)).to_contain_text(WORDS)
    text = reply(signed_in).locator(".text").text_content()

    signed_in.reload()

    expect(signed_in.locator("article.user .text")).to_have_text(WORDS)
    assert reply(signed_in).locator(".text").text_content() == text


def test_shown_text_is_always_a_prefix(signed_in):
    """While a reply streams, what is shown is the beginning of what it becomes."""
    signed_in.evaluate("""
        window.shown = [];
        new MutationObserver(() => {
          const text = document.querySelector("article.streaming .text");
          if (text) shown.push(text.textContent);
        }).observe(document.querySelector("#content"),
          { subtree: true, childList: true, characterData: true });
    """)

    send(signed_in, WORDS)
    expect(reply(signed_in)).to_have_class(COMPLETE)

    text = reply(signed_in).locator(".text").text_content()
    shown = signed_in.evaluate("shown")
    assert shown
    assert [part for part in shown if not text.startswith(part)] == []


def test_hostile_text_is_text(signed_in):
    """Markup in a title, a message or a reply is shown as it is written, and never runs."""
    hostile = "<img src=x onerror=\"document.title='owned'\"><script>alert(1)</script>"
    signed_in.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))

    send(signed_in, hostile)

    expect(reply(signed_in)).to_have_class(COMPLETE)
    expect(reply(signed_in).locator(".text")).to_contain_text(hostile)
    expect(signed_in.locator("article.user .text")).to_have_text(hostile)
    assert signed_in.locator("article img, article script, nav img, h2 img").count() == 0
    assert "owned" not in signed_in.title().split("<")[0]


def test_new_line_and_enter(signed_in):
    """Shift+Enter makes a new line, Enter sends."""
    field = signed_in.get_by_label("Message", exact=True)
    field.fill("one")
    signed_in.keyboard.press("Shift+Enter")
    signed_in.keyboard.type("two")
    assert field.input_value() == "one\ntwo"

    signed_in.keyboard.press("Enter")

    expect(signed_in.locator("article.user .text")).to_have_text("one\ntwo")
    assert field.input_value() == ""


def test_unacknowledged_message_is_sent_again(page, server):
    """A message whose socket died is sent again with its client_id, and is stored once."""
    attempts = []

    def lose_the_first(socket):
        upstream = socket.connect_to_server()

        def forward(text):
            frame = json.loads(text)
            if frame["type"] == "send_message":
                attempts.append(frame["client_id"])
                if len(attempts) == 1:
                    return socket.close(code=4008)
            upstream.send(text)

        socket.on_message(forward)

    page.route_web_socket(SESSION_SOCKET, lose_the_first)
    sign_in(page, server)

    send(page, "once")

    expect(reply(page)).to_have_class(COMPLETE)
    assert len(attempts) == 2
    assert len(set(attempts)) == 1
    page.reload()
    expect(page.locator("article.user")).to_have_count(1)


def test_lost_frames_are_asked_for(page, server):
    """A hole in the stream is noticed by its numbers: the rest is asked for, no text is lost."""
    asked = []

    def lose_a_chunk(socket):
        upstream = socket.connect_to_server()
        is_lost = []

        def to_page(text):
            frame = json.loads(text)
            if frame["type"] == "ai_message_chunk" and frame["prev"] > 0 and not is_lost:
                is_lost.append(frame)
            elif not (is_lost and not asked and frame["type"] == "ai_message_complete"):
                socket.send(text)

        def to_server(text):
            if json.loads(text)["type"] == "resume":
                asked.append(is_lost[0]["prev"])
            upstream.send(text)

        upstream.on_message(to_page)
        socket.on_message(to_server)

    page.route_web_socket(SESSION_SOCKET, lose_a_chunk)
    sign_in(page, server)

    send(page, WORDS)

    expect(reply(page)).to_have_class(COMPLETE)
    expect(reply(page)).to_contain_text(WORDS)
    assert asked


def test_session_made_elsewhere_appears(signed_in, server):
    """A session that is made elsewhere appears in the list at once."""
    title = "made elsewhere"

    signed_in.request.post(
        f"{server.url.rstrip('/')}/ai-chat/api/sessions/",
        headers={"Authorization": f"Token {server.token}"},
        data={"title": title},
    )

    expect(signed_in.locator(".session-link", has_text=title).first).to_be_visible()


def test_the_page_of_the_contract(page, server):
    """/docs is readable at any width, dark or light, breaches no policy and asks no other host."""
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    papers = []
    for scheme, width in (("light", 1280), ("dark", 1280), ("light", 360)):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(f"{server.url}/docs#sendMessage")
        expect(page.get_by_role("heading", name="Send a message")).to_be_in_viewport()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        papers.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert papers[0] == papers[2] != papers[1]
    assert all(url.startswith(server.url) for url in asked)

    page.locator("nav").get_by_role("link", name="Error codes").click()

    expect(page.get_by_role("heading", name="Error codes")).to_be_in_viewport()


def test_a_token_in_a_subprotocol(page, server):
    """A page can open a socket without a token in its URL: the browser takes the answer."""
    page.goto(f"{server.url}/docs")

    opened = page.evaluate(
        """token => new Promise(resolve => {
            const url = new URL("/ws/ai-chat/sessions/", location.origin.replace("http", "ws"));
            const socket = new WebSocket(url, ["chatd.v1", `chatd.token.${token}`]);
            socket.onmessage = ({ data }) => resolve([socket.protocol, JSON.parse(data).type]);
            socket.onclose = ({ code }) => resolve([code]);
        })""",
        server.token,
    )

    assert opened == ["chatd.v1", "connection_established"]
