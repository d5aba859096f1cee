"""How one gets into the page, and out of it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import process
from browsing import composer, connected, open_page, paste
from playwright.sync_api import Page, WebSocketRoute, expect
from process import Process

PASSWORD = "correct horse battery"


def test_the_printed_link_leads_to_an_answer(page: Page, server: Process) -> None:
    """Whoever opens the printed link writes and presses Enter: two actions to an answer."""
    page.goto(server.ticket_url)
    expect(composer(page)).to_be_focused()
    assert "ticket" not in page.url

    page.keyboard.type("hello there")
    page.keyboard.press("Enter")

    expect(page.locator("article.assistant").last).to_contain_text("hello there")
    page.reload()
    connected(page)
    expect(page.locator("article.assistant").last).to_contain_text("hello there")


def test_a_used_link(page: Page, server: Process) -> None:
    """A link that does not work any more leads to the form with the reason, or in if one is in."""
    page.goto(f"{server.url}/?ticket=used")
    expect(page.get_by_role("alert").first).to_have_text("This link is used or too old.")

    paste(page, server.token)
    connected(page)
    page.goto(f"{server.url}/?ticket=used")

    connected(page)
    assert "ticket" not in page.url


def test_a_wrong_token(page: Page, server: Process) -> None:
    """A token that the server does not know leaves the form open and says so."""
    page.goto(server.url)

    paste(page, "wrong")

    expect(page.get_by_role("alert")).to_have_text("This token is not valid.")
    expect(page.get_by_label("Sessions", exact=True)).to_have_count(0)


def test_a_token_that_ends(signed_in: Page, server: Process) -> None:
    """A token that is revoked while the page is open leads back to the form, which says why."""
    # Without its header the server answers this call as it answers one with a token that has ended.
    signed_in.route("**/ai-chat/api/health/stats/", lambda route: route.continue_(headers={}))

    signed_in.get_by_role("link", name="Statistics").click()

    expect(signed_in.get_by_role("alert").first).to_contain_text("no longer valid")
    assert signed_in.evaluate("localStorage.getItem('chatd.token')") is None


def test_signing_out(page: Page, server: Process) -> None:
    """Signing out forgets a pasted token, here and in other tabs; it stays valid elsewhere.

    What was being written is forgotten too: the next one here may be somebody else.
    """
    page.goto(server.url)
    paste(page, server.token)
    connected(page)
    other = page.context.new_page()
    other.goto(server.url)
    connected(other)
    composer(other).fill("dear diary")

    page.get_by_role("link", name="Settings").click()
    page.get_by_role("button", name="Sign out").click()

    for tab in (page, other):
        expect(tab.get_by_text("You are signed out.")).to_be_visible()
    assert "dear diary" not in page.evaluate("JSON.stringify(localStorage)")
    paste(page, server.token)
    connected(page)
    connected(other)
    expect(composer(other)).to_have_value("")


def test_nobody_has_to_sign_in(page: Page, tmp_path: Path) -> None:
    """Where the server knows its callers without a token, the page does not ask for one."""
    plugins = "auth_anonymous,provider_echo,presets_store"
    prefix = {"CHATD_SERVER_PREFIX": "/elsewhere"}
    with process.running(tmp_path / "data", CHATD_PLUGINS_ENABLED=plugins, **prefix) as server:
        page.goto(server.url)
        expect(composer(page)).to_be_focused()
        connected(page)


def test_name_and_password(page: Page, tmp_path: Path) -> None:
    """With a name and a password one gets in, and out again; a wrong one is refused in words."""
    plugins = "auth_token,auth_password,provider_echo,presets_store"
    settings = {"CHATD_PLUGINS_ENABLED": plugins}
    data = tmp_path / "data"
    for words, text in ((["users", "add", "ada"], ""), (["password", "ada"], PASSWORD)):
        command = [sys.executable, "-m", "chatd", *words]
        environ = process.environment(CHATD_DATA_DIR=str(data), **settings)
        done = subprocess.run(
            command, cwd=tmp_path, env=environ, input=text, text=True, capture_output=True
        )
        assert done.returncode == 0, done.stderr
    with process.running(data, **settings) as server:
        page.goto(server.url)
        page.get_by_text("Password", exact=True).click()
        page.get_by_role("textbox", name="Name").fill("ada")
        page.get_by_role("textbox", name="Password").fill("wrong horse battery")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong.")

        page.get_by_role("textbox", name="Password").fill(PASSWORD)
        page.keyboard.press("Enter")

        expect(page.get_by_text("Hello ada.")).to_be_visible()


def test_a_lost_connection_is_shown(page: Page, server: Process) -> None:
    """The indicator tells a lost connection, and the page reconnects, at once if one wants it."""
    is_away = False

    def pass_on(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        if is_away:
            socket.close(code=1012)
        else:
            socket.connect_to_server()

    sockets: list[WebSocketRoute] = []
    page.route_web_socket(re.compile("/ws/ai-chat/sessions/"), pass_on)
    page.add_init_script("Math.random = () => 0.99")  # the longest waits
    open_page(page, server)

    is_away = True
    sockets[0].close(code=1012)
    expect(page.locator(".connection-words")).to_have_text(re.compile(r"Reconnecting in [2-9] s"))
    is_away = False
    page.get_by_role("button", name="Connect now").click()

    connected(page)
