"""The list of sessions, and what is done with whole sessions."""

from __future__ import annotations

import json
import re
from pathlib import Path

from browsing import Deeds, choose, composer, connected, listed, open_page, reply, send
from playwright.sync_api import Page, Route, expect
from process import Process


def test_what_is_done_elsewhere_shows(signed_in: Page, deeds: Deeds) -> None:
    """A session that is made, renamed or deleted elsewhere does so in the list at once."""
    made = deeds.session("made elsewhere")
    expect(listed(signed_in, "made elsewhere")).to_be_visible()

    deeds.call("PATCH", f"sessions/{made}/", {"title": "named elsewhere"})
    listed(signed_in, "named elsewhere").click()
    expect(signed_in.get_by_role("heading", level=1)).to_have_text("named elsewhere")
    deeds.call("DELETE", f"sessions/{made}/")

    expect(signed_in.get_by_text("This session does not exist any more.")).to_be_visible()
    expect(listed(signed_in, "named elsewhere")).to_have_count(0)


def test_renaming_in_place(signed_in: Page, deeds: Deeds) -> None:
    """A title is changed where it stands, in the list and above the session; or not, by Escape."""
    made = deeds.session("first name")
    choose(signed_in, "Actions for first name", "Rename")
    signed_in.keyboard.type("second name")
    signed_in.keyboard.press("Enter")
    expect(listed(signed_in, "second name")).to_be_focused()
    signed_in.keyboard.press("Enter")
    title = signed_in.get_by_role("heading", level=1).get_by_role("button")

    title.click()
    signed_in.keyboard.type("no name")
    signed_in.keyboard.press("Escape")
    expect(title).to_be_focused()
    signed_in.keyboard.press("Enter")
    signed_in.keyboard.type("third name")
    signed_in.keyboard.press("Enter")

    expect(listed(signed_in, "third name")).to_be_visible()
    expect(signed_in).to_have_title("third name · chatd")
    assert deeds.call("GET", f"sessions/{made}/")["title"] == "third name"


def test_deleting_and_taking_it_back(signed_in: Page, deeds: Deeds) -> None:
    """Deleting leaves a moment to undo; then the trash has it, to restore or to erase for good."""
    made = deeds.session("to be deleted", "hello")
    listed(signed_in, "to be deleted").click()
    choose(signed_in, "Actions for to be deleted", "Delete")
    expect(listed(signed_in, "to be deleted")).to_have_count(0)
    signed_in.get_by_role("button", name="Undo").click()
    expect(listed(signed_in, "to be deleted")).to_be_visible()
    expect(signed_in.get_by_role("heading", level=1)).to_have_text("to be deleted")

    choose(signed_in, "Actions for to be deleted", "Delete")
    signed_in.get_by_role("link", name="Trash").click()
    signed_in.get_by_role("button", name="Restore to be deleted").click()
    expect(listed(signed_in, "to be deleted")).to_be_visible()
    choose(signed_in, "Actions for to be deleted", "Delete")
    signed_in.get_by_role("link", name="Settings").click()
    signed_in.get_by_role("link", name="Trash").click()
    signed_in.get_by_role("button", name="Erase to be deleted for good").click()
    signed_in.get_by_role("dialog").get_by_role("button", name="Erase for good").click()

    expect(signed_in.get_by_role("button", name="Erase to be deleted for good")).to_have_count(0)
    assert deeds.client.get(f"sessions/{made}/").status_code == 404


def test_searching_and_scrolling(page: Page, deeds: Deeds, server: Process) -> None:
    """The list grows as one scrolls, and finds titles that are not loaded."""
    deeds.session("a needle")
    for number in range(60):
        deeds.session(f"straw {number:02}")
    open_page(page, server)
    expect(listed(page, "straw 59")).to_be_visible()

    page.get_by_role("searchbox", name="Search titles").fill("needle")
    expect(listed(page, "straw")).to_have_count(0)
    expect(listed(page, "a needle")).to_be_visible()
    page.keyboard.press("Escape")
    expect(listed(page, "straw 59")).to_be_visible()
    page.locator(".sidebar-list").hover()
    page.mouse.wheel(0, 5_000)

    expect(listed(page, "a needle")).to_have_count(1)


def test_model_and_settings(signed_in: Page, deeds: Deeds) -> None:
    """A session's model and settings are changed from its head; errors show in their place."""
    made = deeds.session("tuned")
    listed(signed_in, "tuned").click()
    signed_in.get_by_role("button", name="Choose a model").click()
    signed_in.get_by_role("menuitemradio", name="echo", exact=True).click()
    choose(signed_in, "Actions for this session", "Session settings")
    dialog = signed_in.get_by_role("dialog", name="Session settings")
    dialog.get_by_label("System prompt").fill("Be brief.")
    dialog.get_by_label("Temperature").fill("0.5")
    dialog.get_by_label("Further options").fill('{"top_p": 7}')
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.locator(".field-trouble")).not_to_be_empty()
    dialog.get_by_label("Further options").fill('{"top_p": 0.5}')
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)

    session = deeds.call("GET", f"sessions/{made}/")
    assert session["model"] == "echo/echo"
    assert session["system_prompt"] == "Be brief."
    assert session["settings"] == {"temperature": 0.5, "options": {"top_p": 0.5}}


def test_exporting(signed_in: Page, deeds: Deeds, tmp_path: Path) -> None:
    """A session is exported whole, as Markdown and as JSON, and its tokens are counted above it."""
    deeds.session("Kept for later", *(f"number {n}" for n in range(3)))
    listed(signed_in, "Kept for later").click()
    expect(signed_in.locator(".token-count")).to_have_text(re.compile(r"^\d+ tokens$"))
    files = []
    for form in ("Markdown", "JSON"):
        with signed_in.expect_download() as downloading:
            choose(signed_in, "Actions for this session", f"Export as {form}")
        files.append(tmp_path / downloading.value.suggested_filename)
        downloading.value.save_as(files[-1])

    assert [file.name for file in files] == ["Kept-for-later.md", "Kept-for-later.json"]
    text = files[0].read_text()
    assert text.startswith("# Kept for later\n")
    assert text.count("## You") == text.count("## echo/echo") == 3
    kept = json.loads(files[1].read_text())
    assert kept["session"]["title"] == "Kept for later"
    assert [message["seq"] for message in kept["messages"]] == list(range(1, 7))


def test_two_tabs(signed_in: Page) -> None:
    """What is said in one tab appears in another one that shows the same session."""
    send(signed_in, "first")
    expect(reply(signed_in)).to_contain_text("first")
    other = signed_in.context.new_page()
    other.goto(signed_in.url)
    connected(other)
    expect(reply(other)).to_contain_text("first")

    send(signed_in, "second")

    expect(reply(other)).to_contain_text("second")
    expect(other.locator("article")).to_have_count(4)


def test_without_a_model_server(page: Page, server: Process) -> None:
    """Who starts without a model server is told what answers, and what to set."""
    page.route(
        "**/health/llm_server/",
        lambda route: route.fulfill(
            status=503, json={"status": "unhealthy", "code": "provider_unavailable"}
        ),
    )
    open_page(page, server)

    expect(page.get_by_text("No model server answers")).to_contain_text("LLM_SERVER_URL")
    expect(page.get_by_role("button", name="Choose a model, now echo")).to_be_visible()


def send_held(page: Page, message: str) -> list[Route]:
    """Send the first message of a session; return the request for that session, held up."""
    held: list[Route] = []
    page.route(
        lambda url: url.endswith("/api/sessions/"),
        lambda route: held.append(route) if route.request.method == "POST" else route.continue_(),
    )
    with page.expect_request(lambda request: request.method == "POST"):
        send(page, message)
    return held


def test_two_messages_while_the_first_makes_the_session(signed_in: Page) -> None:
    """While a session is being made another message makes no second one; it stays to be sent."""
    held = send_held(signed_in, "this begins it")
    send(signed_in, "too early")
    expect(composer(signed_in)).to_have_value("too early")

    for route in held:
        route.continue_()
    expect(signed_in.get_by_role("heading", level=1)).to_have_text("this begins it")
    assert len(held) == 1
    signed_in.get_by_role("link", name="New session").first.click()
    expect(composer(signed_in)).to_have_value("too early")


def test_a_first_message_that_fails_behind_its_author(signed_in: Page) -> None:
    """Who has left while no session could be made finds the words again where they were written."""
    held = send_held(signed_in, "words of weight")
    signed_in.get_by_role("link", name="Settings").first.click()
    expect(composer(signed_in)).to_have_count(0)

    for route in held:
        route.abort()
    expect(signed_in.locator(".notices")).not_to_be_empty()
    signed_in.get_by_role("link", name="New session").first.click()
    expect(composer(signed_in)).to_have_value("words of weight")
