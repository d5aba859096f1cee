"""Sessions that are named after their first turn."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from faces import configured
from harness import Client, Script, chatting

import chatd
from plugins.title import shortened

BY_WORDS = '[plugins]\nenabled = ["auth_token", "title"]\n'
BY_MODEL = f'{BY_WORDS}[plugins.title]\nby = "model"\n'


async def named(alice: Client, list_socket: Any) -> dict[str, Any]:
    """Return the first session that is told to have a title."""
    while True:
        event = await list_socket.receive()
        if event["type"] == "session_updated" and event["session"]["title"]:
            session: dict[str, Any] = event["session"]
            return session


@pytest.mark.usefixtures("each_store")
async def test_by_the_first_words(tmp_path: Path) -> None:
    """A session gets the first words of its user as title, and its place in the list stays."""
    async with chatting(tmp_path, Script(), **configured(tmp_path, BY_WORDS)) as chat:
        alice = await chat.client("alice")
        session_id, other = await alice.new_session(), await alice.new_session()
        async with alice.socket("sessions") as socket:
            await alice.send(session_id, "How do I boil\nan egg?")
            before = await alice.send(other)
            session = await named(alice, socket)
        assert session["id"] == session_id
        assert session["title"] == "How do I boil"
        listed = (await alice.call("GET", "/sessions/"))["results"]
        assert [one["id"] for one in listed] == [other, session_id]
        assert listed[0]["last_message_at"] == before["ai_message"]["created_at"]


async def test_a_title_of_the_users_stays(tmp_path: Path) -> None:
    """Who has named a session, before or since, keeps that name; a later turn names nothing."""
    async with chatting(tmp_path, Script(), **configured(tmp_path, BY_WORDS)) as chat:
        alice = await chat.client("alice")
        mine = await alice.new_session(title="mine")
        cleared = await alice.new_session()
        async with alice.socket("sessions") as socket:
            await alice.send(mine, "hello")
            await alice.send(cleared, "one")
            assert (await named(alice, socket))["id"] == mine
            assert (await named(alice, socket))["id"] == cleared
            await alice.call("PATCH", f"/sessions/{cleared}/", json={"title": ""})
            await alice.send(cleared, "two")
            marker = await alice.new_session()
            await alice.send(marker, "marker")
            while (session := await named(alice, socket))["title"] != "marker":
                assert session["id"] != cleared or session["title"] == "one"
        assert (await alice.call("GET", f"/sessions/{mine}/"))["title"] == "mine"
        assert (await alice.call("GET", f"/sessions/{cleared}/"))["title"] == ""


@pytest.mark.parametrize(
    ("reply", "title"),
    [
        (['"Boiling ', 'eggs."\n'], "Boiling eggs"),
        ([chatd.Reasoning(text="hm"), chatd.Text(text="# Eggs")], "Eggs"),
        ([chatd.ProviderBusy()], "How do I boil an egg?"),
        ([], "How do I boil an egg?"),
    ],
)
async def test_by_the_model(tmp_path: Path, reply: list[Any], title: str) -> None:
    """The session's model is asked behind the turn; without an answer the words are taken."""
    script = Script(["Boil it."], reply)
    async with chatting(tmp_path, script, **configured(tmp_path, BY_MODEL)) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket("sessions") as socket:
            await alice.send(session_id, "How do I boil an egg?")
            assert (await named(alice, socket))["title"] == title
        assert len(await alice.messages(session_id)) == 2
    assert script.prompts[1].model == "model"
    assert "Boil it." in script.prompts[1].messages[0].content


REDACTED = """
[plugins]
enabled = ["auth_token", "redact", "title"]
[plugins.title]
by = "model"
[[plugins.redact.rules]]
pattern = '\\b\\d{4}-\\d{4}\\b'
replacement = '<card>'
"""


async def test_what_is_redacted_does_not_get_to_the_model_with_the_title(tmp_path: Path) -> None:
    """Who asks for a title is given what a turn's prompt is, also where the text is cut."""
    script = Script(["You paid with 9876-5432."], ["Paying"])
    async with chatting(tmp_path, script, **configured(tmp_path, REDACTED)) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket("sessions") as socket:
            await alice.send(session_id, "pay with 1234-5678" + " " * 1975 + "or 4321-8765")
            assert (await named(alice, socket))["title"] == "Paying"
    (asked,) = [message.content for message in script.prompts[1].messages]
    assert "pay with <card>" in asked
    assert "You paid with <card>." in asked
    assert "4321" not in asked
    assert "1234" not in asked
    assert "9876" not in asked


class Refusing:
    """Fails the prompt of everything but the first turn."""

    def __init__(self) -> None:
        self.asked = 0

    @chatd.hookimpl
    def prepare_prompt(self) -> None:
        """Count, and fail."""
        self.asked += 1
        if self.asked > 1:
            raise chatd.Forbidden("This must not be sent.")


async def test_a_title_whose_prompt_fails_is_not_asked_for(tmp_path: Path) -> None:
    """When a plugin fails the prompt nothing is sent, and the words are taken."""
    script, refusing = Script(["Hi."], ["no"]), Refusing()
    async with chatting(tmp_path, script, refusing, **configured(tmp_path, BY_MODEL)) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket("sessions") as socket:
            await alice.send(session_id, "hello there")
            assert (await named(alice, socket))["title"] == "hello there"
    assert refusing.asked == 2
    assert len(script.prompts) == 1


class Noticed(Script):
    """Says when it is asked for a title."""

    def __init__(self, *replies: list[Any]) -> None:
        super().__init__(*replies)
        self.asked = asyncio.Event()

    async def stream(self, prompt: chatd.Prompt) -> AsyncGenerator[chatd.Chunk | str, None]:
        """Yield the next reply."""
        if "title" in prompt.messages[-1].content:
            self.asked.set()
        async with contextlib.aclosing(super().stream(prompt)) as chunks:
            async for chunk in chunks:
                yield chunk


async def test_a_slow_model_delays_no_turn(tmp_path: Path) -> None:
    """While a model thinks about a title, the session's next turn runs; its user names it first."""
    go = asyncio.Event()
    script = Noticed(["one"], [go, "Late"], ["two"])
    async with chatting(tmp_path, script, **configured(tmp_path, BY_MODEL)) as chat:
        alice = await chat.client("alice")
        session_id, marker = await alice.new_session(), await alice.new_session()
        await alice.send(session_id, "hello")
        async with asyncio.timeout(20):
            await script.asked.wait()
        await alice.send(session_id, "again")
        await alice.call("PATCH", f"/sessions/{session_id}/", json={"title": "mine"})
        go.set()
        async with alice.socket("sessions") as socket:
            await alice.send(marker, "marker")
            while (await named(alice, socket))["id"] != marker:
                pass
        assert (await alice.call("GET", f"/sessions/{session_id}/"))["title"] == "mine"


def test_a_title_is_short() -> None:
    """A title is one line, ends with a word, and has no more than 60 characters."""
    assert shortened("\n\n  a \t b.\nc") == "a b"
    long = shortened("word " * 30)
    assert len(long) <= 60
    assert long.endswith("word…")
    assert shortened("x" * 100) == "x" * 59 + "…"
    assert shortened(" \n ") == ""
