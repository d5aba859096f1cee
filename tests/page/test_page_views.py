"""The views beside the chat, the keyboard, and what everybody can use."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from browsing import Deeds, choose, composer, connected, listed, open_page, reply
from playwright.sync_api import Page, expect
from process import Process

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"


def test_presets(signed_in: Page, deeds: Deeds) -> None:
    """A preset is made, shared, changed, started from and deleted."""
    signed_in.get_by_role("link", name="Presets").click()
    signed_in.get_by_role("button", name="New preset").click()
    dialog = signed_in.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Pirate")
    dialog.get_by_label("System prompt").fill("Speak as a pirate.")
    dialog.get_by_role("button", name="Save").click()
    card = signed_in.get_by_role("listitem").filter(has=signed_in.get_by_role("heading"))
    expect(card).to_contain_text("Speak as a pirate.")
    choose(signed_in, "Actions for Pirate", "Share with everybody")
    expect(card.get_by_text("Shared")).to_be_visible()
    choose(signed_in, "Actions for Pirate", "Edit preset")
    dialog.get_by_label("Description").fill("Arr")
    dialog.get_by_role("button", name="Save").click()
    expect(card).to_contain_text("Arr")

    card.get_by_role("link", name="Start a session").click()
    expect(signed_in.get_by_text("Starts from the preset “Pirate”.")).to_be_visible()
    composer(signed_in).fill("ahoy")
    composer(signed_in).press("Enter")
    expect(reply(signed_in)).to_contain_text("ahoy")
    made = deeds.call("GET", "sessions/?q=ahoy")["results"][0]
    assert made["system_prompt"] == "Speak as a pirate."

    signed_in.get_by_role("link", name="Presets").click()
    choose(signed_in, "Actions for Pirate", "Delete")
    dialog.get_by_role("button", name="Delete").click()
    expect(signed_in.get_by_text("There is no preset yet.")).to_be_visible()


def test_full_text_search(signed_in: Page, deeds: Deeds) -> None:
    """A word in a message is found and leads there; the way back leads to what was found.

    What is typed stays as it is while the address follows it, a space at its end too.
    """
    made = deeds.session("haystack", "one needle among <b>straws</b>")
    signed_in.get_by_role("searchbox", name="Search titles").fill("needle")
    signed_in.get_by_role("link", name="Search in all messages").click()
    found = signed_in.locator(".found").first
    expect(found.locator("mark")).to_have_text("needle")
    expect(found).to_contain_text("<b>straws</b>")

    found.click()
    expect(signed_in.get_by_role("heading", level=1)).to_have_text("haystack")
    assert f"#/session/{made}?message=" in signed_in.url
    signed_in.go_back()

    expect(found.locator("mark")).to_have_text("needle")
    expect(signed_in).to_have_title("Search messages · chatd")
    field = signed_in.get_by_role("searchbox", name="Search messages")
    field.fill("")
    expect(signed_in).to_have_url(re.compile(r"#/search$"))
    field.press_sequentially("one ")
    expect(signed_in).to_have_url(re.compile(r"\?q=one$"))
    field.press_sequentially("needle")
    expect(field).to_have_value("one needle")
    signed_in.keyboard.press("Control+k")
    signed_in.keyboard.type("hayst")
    signed_in.keyboard.press("Enter")  # no waiting for what the server finds
    expect(signed_in.get_by_role("heading", level=1)).to_have_text("haystack")


def test_statistics(signed_in: Page, deeds: Deeds) -> None:
    """One's numbers are plots, and tables for who does not see those."""
    deeds.session("counted", "hello")
    signed_in.get_by_role("link", name="Statistics").click()

    plot = signed_in.get_by_role("figure", name="Answers by model")
    expect(plot.locator("svg")).to_be_visible()
    plot.get_by_text("As a table").click()
    stats = deeds.call("GET", "health/stats/")
    row = plot.get_by_role("row").filter(has_text="echo/echo")
    expect(row).to_contain_text(str(stats["models"]["echo/echo"]))


def test_theme_and_language(signed_in: Page) -> None:
    """A theme and a language are chosen at once and for good, and known before the first paint."""
    light = signed_in.evaluate("getComputedStyle(document.body).backgroundColor")
    signed_in.get_by_role("link", name="Settings").click()
    signed_in.get_by_text("Dark", exact=True).click()
    signed_in.get_by_label("Language").select_option("de")
    expect(signed_in.get_by_role("heading", level=1)).to_have_text("Einstellungen")

    signed_in.reload()

    expect(signed_in.get_by_role("heading", level=1)).to_have_text("Einstellungen")
    assert signed_in.evaluate("document.documentElement.lang") == "de"
    assert signed_in.evaluate("getComputedStyle(document.body).backgroundColor") != light


def test_default_model(signed_in: Page, deeds: Deeds) -> None:
    """The default model is kept with the account."""
    signed_in.get_by_role("link", name="Settings").click()
    signed_in.get_by_label("Default model").select_option("echo/echo")
    expect(signed_in.get_by_text("Saved.")).to_be_visible()

    assert deeds.call("GET", "me/")["preferences"]["default_model"] == "echo/echo"


def test_keyboard_only(signed_in: Page, deeds: Deeds) -> None:
    """Everything is reached without a mouse: by shortcuts, the palette, arrows, and skipping."""
    keys = signed_in.keyboard
    deeds.session("by keyboard")
    keys.type("hello")
    keys.press("Enter")
    expect(reply(signed_in)).to_contain_text("hello")
    keys.press("Control+k")
    palette = signed_in.get_by_role("dialog", name="Go to")
    expect(palette).to_be_visible()
    keys.type("by keyb")
    option = palette.get_by_role("option", name="by keyboard", exact=True)
    expect(option).to_have_attribute("aria-selected", "true")
    keys.press("Enter")
    expect(signed_in.get_by_role("heading", level=1)).to_have_text("by keyboard")

    keys.press("Control+b")
    expect(signed_in.get_by_label("Sessions", exact=True)).to_be_hidden()
    keys.press("Control+b")
    expect(signed_in.get_by_label("Sessions", exact=True)).to_be_visible()
    keys.press("Control+Shift+o")
    expect(composer(signed_in)).to_be_focused()

    signed_in.locator(".session-menu").first.focus()
    keys.press("?")
    expect(signed_in.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    keys.press("Escape")
    expect(signed_in.get_by_role("dialog")).to_have_count(0)
    keys.press("Enter")
    expect(signed_in.get_by_role("menuitem", name="Rename")).to_be_focused()
    keys.press("ArrowDown")
    expect(signed_in.get_by_role("menuitem", name="Delete")).to_be_focused()
    keys.press("Escape")
    expect(signed_in.locator(".session-menu").first).to_be_focused()
    keys.press("/")
    expect(composer(signed_in)).to_be_focused()
    signed_in.get_by_role("link", name="Skip to the content").focus()
    keys.press("Enter")
    expect(signed_in.locator("main")).to_be_focused()


def test_on_a_phone(page: Page, server: Process, deeds: Deeds) -> None:
    """On a phone the sidebar is a drawer that opens and closes, and nothing is too wide."""
    deeds.session("in the pocket, with a title that is much too long for the width of a phone")
    page.set_viewport_size({"width": 390, "height": 844})
    open_page(page, server)
    sessions = page.get_by_label("Sessions", exact=True)
    expect(sessions).to_be_hidden()
    page.get_by_role("button", name="Show the sidebar").click()
    expect(sessions).to_be_visible()
    page.keyboard.press("Escape")
    expect(sessions).to_be_hidden()
    page.get_by_role("button", name="Show the sidebar").click()
    listed(page, "in the pocket").click()

    expect(sessions).to_be_hidden()
    expect(page.get_by_role("heading", level=1)).to_contain_text("in the pocket")
    for view in ("session", "presets", "statistics", "settings", "search", "trash"):
        if view != "session":
            page.goto(f"{server.url}/#/{view}")
        connected(page)
        assert page.evaluate("document.documentElement.scrollWidth") == 390, view


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe(page: Page, server: Process, deeds: Deeds, scheme: str) -> None:
    """axe finds nothing to complain of, in any view, light and dark."""
    if not AXE.exists():
        pytest.skip("scripts/test has not installed web/")
    made = deeds.session("seen by all", "hello")
    deeds.call("POST", "presets/", {"name": f"Preset {scheme}", "is_public": True})
    page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
    page.goto(server.url)
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    complaints = axe(page, "sign-in")
    open_page(page, server)
    complaints += axe(page, "new")
    for view, sign in (
        (f"session/{made}", "article.assistant"),
        ("presets", ".card"),
        ("statistics", ".plot svg"),
        ("settings", ".rows"),
        ("search?q=hello", ".found"),
        ("trash", ".view"),
    ):
        page.goto(f"{server.url}/#/{view}")
        expect(page.locator(sign).first).to_be_visible()
        complaints += axe(page, view)
    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog", name="Go to")).to_be_visible()
    complaints += axe(page, "palette")
    assert complaints == []


def axe(page: Page, view: str) -> list[str]:
    """Return what axe finds in what is shown."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run().then(({ violations }) => violations)")
    return [
        f"{view}: {violation['id']}: {node['html']} {node['failureSummary']}"
        for violation in found
        for node in violation["nodes"]
    ]
