"""The main job of the page, against a real server: what is sent, what comes, and what gets lost."""

from __future__ import annotations

import json
import re

import pytest
from browsing import open_page, reply, send
from playwright.sync_api import expect

SESSION_SOCKET = re.compile(r"/ws/ai-chat/session/")
COMPLETE = re.compile(r"\bcomplete\b")
WORDS = " ".join(f"word{n}" for n in range(30))


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
    open_page(page, server)

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
    open_page(page, server)

    send(page, WORDS)

    expect(reply(page)).to_have_class(COMPLETE)
    expect(reply(page)).to_contain_text(WORDS)
    assert asked


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
