"""The client against a server: every call, every event, every way to fail."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from harness import Chat, Script, chatting

import chatd
from chatd import client as cc
from chatd import errors

QUICK = cc.Timing(ping_every=0.05, pong_within=2, retry_shortest=0.01, retry_longest=0.05)


@asynccontextmanager
async def connected(chat: Chat, name: str = "alice", **options: Any) -> AsyncIterator[cc.Client]:
    """Yield a client of a user."""
    user = await chat.client(name)
    async with cc.connect(chat.url, token=user.token, timing=QUICK, **options) as client:
        yield client


async def new_session(client: cc.Client) -> str:
    """Make a session of the scripted model."""
    return (await client.sessions.create(model="script/model")).id


@asynccontextmanager
async def conversing(chat: Chat, **options: Any) -> AsyncIterator[cc.ChatSession]:
    """Yield a live connection of a new session."""
    async with connected(chat, **options) as client:
        session_id = await new_session(client)
        async with client.chat(session_id) as session:
            yield session


async def listed(items: AsyncIterator[Any]) -> list[Any]:
    """Return what an iterator yields."""
    return [item async for item in items]


def test_importing_the_client_imports_no_server() -> None:
    """The client needs nothing of the server but errors, types and the parser of SSE."""
    code = (
        "import chatd.client, sys;"
        "print(*sorted(m for m in sys.modules if m.startswith('chatd.')"
        " and not m.startswith('chatd.client')));"
        "print(*{'tornado', 'marshmallow', 'pluggy', 'pymongo', 'aiohttp'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["chatd.errors chatd.sse chatd.types", ""]


async def test_a_turn_in_events(tmp_path: Path) -> None:
    """Iterating over a send yields its message, its start, its text piece by piece, its end."""
    script = Script([chatd.Reasoning(text="hm"), "hello ", "world"])
    async with chatting(tmp_path, script) as chat, conversing(chat) as session:
        turn = session.send("hi")
        events = await listed(turn)
        assert [type(event) for event in events[:2]] == [cc.UserMessage, cc.Started]
        assert "".join(e.content for e in events if isinstance(e, cc.Reasoning)) == "hm"
        assert "".join(e.content for e in events if isinstance(e, cc.Text)) == "hello world"
        assert isinstance(events[-1], cc.Complete)
        assert turn.text == events[-1].message.content == "hello world"
        assert await turn.reply() == events[-1].message
        assert (await session.ask("again")).status == "complete"


async def test_sends_wait_for_their_turn(tmp_path: Path) -> None:
    """Messages sent at once are answered one after another, also behind somebody else's."""
    go = asyncio.Event()
    script = Script(["one", go], ["two"], ["three"])
    async with chatting(tmp_path, script) as chat, connected(chat) as client:
        session_id = await new_session(client)
        async with client.chat(session_id) as other, client.chat(session_id) as mine:
            first = other.send("1")
            assert isinstance(await anext(first), cc.UserMessage)
            second, third = mine.send("2"), mine.send("3")
            go.set()
            replies = [await turn.reply() for turn in (first, second, third)]
    assert [reply.content for reply in replies] == ["one", "two", "three"]


async def test_what_waits_is_bounded_and_can_be_taken_back(tmp_path: Path) -> None:
    """Past the bound a send is refused here; what was not sent is withdrawn by stopping it."""
    go = asyncio.Event()
    script = Script(["one", go])
    async with chatting(tmp_path, script) as chat, conversing(chat, most_queued=2) as session:
        first, second = session.send("1"), session.send("2")
        with pytest.raises(cc.OutboxFull):
            session.send("3")
        second.stop()
        with pytest.raises(cc.Withdrawn):
            await second.reply()
        go.set()
        assert (await first.reply()).content == "one"


async def test_stopping(tmp_path: Path) -> None:
    """A stop ends the generation with what was seen; from another window too."""
    go = asyncio.Event()
    script = Script(["one ", go, "two"], ["three ", go, "four"])
    async with chatting(tmp_path, script) as chat, connected(chat) as client:
        session_id = await new_session(client)
        async with client.chat(session_id) as mine, client.chat(session_id) as other:
            turn = mine.send("1")
            async for event in turn:
                if isinstance(event, cc.Text):
                    mine.stop()
            reply = await turn.reply()
            assert (reply.status, reply.content) == ("stopped", "one ")
            turn = mine.send("2")
            while not isinstance(await anext(turn), cc.Text):
                pass
            events = other.events()
            while other.running is None or not other.running.text:
                await anext(events)
            other.stop()
            assert (await turn.reply()).content == "three "


async def test_following_what_somebody_else_started(tmp_path: Path) -> None:
    """Who comes in the middle of a reply gets all of it, as a turn of its own."""
    go = asyncio.Event()
    script = Script(["one ", go, "two"])
    async with chatting(tmp_path, script) as chat, connected(chat) as client:
        session_id = await new_session(client)
        async with client.chat(session_id) as other:
            assert other.follow() is None
            turn = other.send("1")
            while not isinstance(await anext(turn), cc.Text):
                pass
            async with client.chat(session_id) as session:
                events = session.events()
                while session.running is None or not session.running.text:
                    await anext(events)
                followed = session.follow()
                assert followed is not None
                assert (await anext(followed)).content == "one "
                go.set()
                pieces = [e.content async for e in followed if isinstance(e, cc.Text)]
                assert pieces == ["two"]
                assert followed.text == "one two"


async def test_the_same_client_id_is_the_same_turn(tmp_path: Path) -> None:
    """A repeat gets the first answer, over a socket and over REST; with another text, Conflict."""
    async with chatting(tmp_path, Script(["one"])) as chat, connected(chat) as client:
        session_id = await new_session(client)
        async with client.chat(session_id) as session:
            first = await session.ask("1", client_id="c")
            assert await session.ask("1", client_id="c") == first
            with pytest.raises(errors.Conflict):
                await session.ask("2", client_id="c")
        again = await client.turns.send(session_id, "1", client_id="c")
        assert again.duplicate
        assert again.ai_message == first


async def test_a_failed_generation(tmp_path: Path) -> None:
    """TurnFailed has the reason as the error of its code, and what there is of the reply."""
    failing = ["some", chatd.ProviderTimeout("too slow")]
    async with chatting(tmp_path, Script(*[failing] * 3)) as chat, connected(chat) as client:
        session_id = await new_session(client)
        async with client.chat(session_id) as session:
            with pytest.raises(cc.TurnFailed) as caught:
                await session.ask("1")
        assert isinstance(caught.value.error, errors.ProviderTimeout)
        assert (caught.value.reply.status, caught.value.reply.content) == ("error", "some")
        for _ in range(2):  # a repeat is told what the first was told
            with pytest.raises(cc.TurnFailed, match="too slow") as caught:
                await client.turns.send(session_id, "2", client_id="c")
            assert isinstance(caught.value.error, errors.ProviderTimeout)
        with pytest.raises(cc.TurnFailed, match="too slow"):
            await listed(client.turns.stream(session_id, "3"))


async def test_refusals(tmp_path: Path) -> None:
    """What the server refuses is raised as the error of its code, with its details."""
    async with chatting(tmp_path, Script()) as chat, connected(chat) as client:
        session_id = await new_session(client)
        async with client.chat(session_id) as session:
            with pytest.raises(errors.InvalidInput) as caught:
                await session.ask("")
            assert "message" in (caught.value.errors or {})
            assert (await session.ask("fine")).status == "complete"
        with pytest.raises(errors.InvalidInput):
            await client.sessions.create(colour="red")
        with pytest.raises(errors.NotFound):
            await client.sessions.get("00000000-0000-7000-8000-000000000000")
        with pytest.raises(errors.NotFound):
            async with client.chat("00000000-0000-7000-8000-000000000000"):
                pass


async def test_a_message_too_large_for_a_frame(tmp_path: Path) -> None:
    """It is refused, not sent again and again; the connection comes back for the next one."""
    async with (
        chatting(tmp_path, Script(["one"]), CHATD_LIMITS_FRAME_BYTES="1000") as chat,
        conversing(chat) as session,
    ):
        large, next_one = session.send("x" * 1000), session.send("1")
        async with asyncio.timeout(60):
            with pytest.raises(errors.TooLarge):
                await large.reply()
            assert (await next_one.reply()).content == "one"


async def test_a_message_that_is_no_unicode(tmp_path: Path) -> None:
    """It is refused here, before it is queued: nothing behind it has to wait for it."""
    async with chatting(tmp_path, Script(["one"])) as chat, conversing(chat) as session:
        with pytest.raises(UnicodeEncodeError):
            session.send("\udcff")
        async with asyncio.timeout(60):
            assert (await session.ask("1")).content == "one"


async def test_strangers(tmp_path: Path) -> None:
    """A wrong token is Unauthenticated, over REST and on both sockets."""
    async with (
        chatting(tmp_path, Script()) as chat,
        cc.connect(chat.url, token="chatd_wrong") as stranger,
    ):
        with pytest.raises(errors.Unauthenticated):
            await stranger.me()
        with pytest.raises(errors.Unauthenticated):
            async with stranger.watch():
                pass


async def test_no_server(tmp_path: Path) -> None:
    """Where nobody listens, both faces say so."""
    timing = cc.Timing(open=0.2, retry_shortest=0.01, retry_longest=0.02)
    async with cc.connect("http://127.0.0.1:1", timing=timing) as client:
        with pytest.raises(cc.Unreachable, match="cannot be reached"):
            await client.me()
        with pytest.raises(cc.Unreachable, match=r"^The server [a-z ]+: Connection refused\.$"):
            async with client.chat("x"):
                pass
    with pytest.raises(ValueError, match="http"):
        cc.connect("localhost:8000")


async def test_a_deleted_session_ends_its_chat(tmp_path: Path) -> None:
    """Its events end with NotFound, and nothing more can be sent."""
    async with chatting(tmp_path, Script()) as chat, connected(chat) as client:
        session_id = await new_session(client)
        async with client.chat(session_id) as session:
            events = session.events()
            await client.sessions.delete(session_id)
            assert isinstance(await anext(events), cc.SessionDeleted)
            with pytest.raises(errors.NotFound):
                await anext(events)
            with pytest.raises(errors.NotFound):
                session.send("hello?")
        with pytest.raises(cc.Closed):
            client.chat(session_id).send("not entered")


async def test_sessions(tmp_path: Path) -> None:
    """The life of a session over REST; a stale version is told."""
    async with chatting(tmp_path, Script()) as chat, connected(chat) as client:
        made = [await client.sessions.create(title=f"s{n}") for n in range(120)]
        assert [s.id for s in await listed(client.sessions.list())] == [s.id for s in made][::-1]
        one = await client.sessions.update(made[0].id, title="new", version=made[0].version)
        assert (await client.sessions.get(one.id)).title == "new"
        with pytest.raises(errors.PreconditionFailed):
            await client.sessions.update(one.id, title="newer", version=made[0].version)
        await client.sessions.delete(one.id)
        assert [s.id for s in await listed(client.sessions.list(is_active=False))] == [one.id]
        assert (await client.sessions.restore(one.id)).is_active
        await client.sessions.purge(one.id)
        assert len(await listed(client.sessions.list(is_active=None))) == 119
        found = await listed(client.sessions.list(query="s11"))
        assert [session.title for session in found][:2] == ["s119", "s118"]


async def test_messages_and_turns(tmp_path: Path) -> None:
    """The three shapes of a send, and the messages they leave, page by page."""
    async with chatting(tmp_path, Script(*[["x"]] * 60)) as chat, connected(chat) as client:
        session_id = await new_session(client)
        for number in range(52):
            await client.turns.send(session_id, str(number))
        events = await listed(client.turns.stream(session_id, "52"))
        assert isinstance(events[-1], cc.Complete)
        accepted = await client.turns.start(session_id, "53")
        async with client.chat(session_id) as session:
            followed = session.follow()
            if followed is not None:
                assert (await followed.reply()).id == accepted.generation_id
        assert await client.turns.stop(session_id) is False
        messages = await listed(client.messages.list(session_id))
        assert [m.content for m in messages if m.role == "user"] == [str(n) for n in range(54)]
        assert await client.messages.newest(session_id, limit=3) == messages[-3:]
        assert (
            await listed(client.messages.list(session_id, since=messages[-3].revision))
            == (messages[-2:])
        )


async def test_models_presets_and_the_caller(tmp_path: Path) -> None:
    """Everything else that REST has."""
    async with chatting(tmp_path, Script()) as chat, connected(chat) as client:
        assert (await client.models.sync()).providers["script"].ok
        assert [m.id for m in await listed(client.models.list())] == ["script/model"]
        with pytest.raises(errors.Forbidden):
            await client.models.update("script/model", is_default=True)
        preset = await client.presets.create("Poet", system_prompt="Rhyme.")
        assert (await client.presets.update(preset.id, name="Bard")).name == "Bard"
        assert [p.name for p in await listed(client.presets.list())] == ["Bard"]
        session = await client.presets.create_session(preset.id, title="Rhymes")
        assert (session.title, session.preset_id) == ("Rhymes", preset.id)
        await client.presets.delete(preset.id)
        with pytest.raises(errors.NotFound):
            await client.presets.get(preset.id)
        assert (await client.me()).name == "alice"
        user = await client.set_preferences(default_model="script/model")
        assert user.preferences == {"default_model": "script/model"}
        assert await client.models.default() == "script/model"
        assert (await client.llm_health()).status == "healthy"
        assert (await client.stats()).sessions["total"] == 1
        assert (await client.ws_ticket()).ticket.startswith("chatd_")
        await client.sign_out()
        with pytest.raises(errors.Unauthenticated):
            await client.me()


async def test_signing_in(tmp_path: Path) -> None:
    """A ticket is exchanged for a token, which is used from then on."""
    async with chatting(tmp_path, Script()) as chat, cc.connect(chat.url) as client:
        alice = await chat.client("alice")
        from chatd.accounts import create_ticket

        ticket, _ = await create_ticket(chat.app.store, alice.user, "sign_in_ticket", 60)
        signed_in = await client.sign_in(ticket=ticket)
        assert signed_in.user.name == "alice"
        assert client.token == signed_in.token
        assert (await client.me()).name == "alice"


async def test_the_session_list(tmp_path: Path) -> None:
    """The live list tells what happens in all sessions, and has them in order."""
    async with chatting(tmp_path, Script()) as chat, connected(chat) as client:
        first = await new_session(client)
        async with client.watch() as watch:
            assert [session.id for session in watch.sessions] == [first]
            events = watch.events()
            second = await new_session(client)
            await client.turns.send(first, "hi")
            seen: list[type[cc.Event]] = []
            while cc.SessionUpdated not in seen or cc.GenerationEnded not in seen:
                seen.append(type(await anext(events)))
            assert seen[:2] == [cc.SessionCreated, cc.GenerationStarted]
            assert not watch.running
            assert [session.id for session in watch.sessions] == [first, second]
            await client.sessions.delete(second)
            while not isinstance(await anext(events), cc.SessionDeleted):
                pass
            assert [session.id for session in watch.sessions] == [first]


async def test_typing(tmp_path: Path) -> None:
    """The other windows of a session are told that somebody types."""
    async with chatting(tmp_path, Script()) as chat, connected(chat) as client:
        session_id = await new_session(client)
        async with client.chat(session_id) as one, client.chat(session_id) as other:
            events = other.events()
            one.typing()
            event = await anext(events)
            assert isinstance(event, cc.UserTyping)
            assert (event.name, event.is_typing) == ("alice", True)


async def test_branches(tmp_path: Path) -> None:
    """Answering anew and editing, over a socket and over REST; both branches stay, one is shown."""
    replies = [[word] for word in ("one", "two", "three", "four", "five")]
    async with chatting(tmp_path, Script(*replies)) as chat, connected(chat) as client:
        session_id = await new_session(client)
        async with client.chat(session_id) as session:
            first = await session.ask("1")
            second = await session.regenerate(client_id="c").reply()
            assert (second.content, second.parent_id) == ("two", first.parent_id)
            assert (await session.regenerate(client_id="c").reply()) == second
            assert first.parent_id is not None
            third = await session.edit(first.parent_id, "1, but better").reply()
            assert third.content == "three"
        assert (await client.turns.regenerate(session_id)).ai_message.content == "four"
        edited = await client.turns.edit(session_id, first.parent_id, "1, again")
        assert edited.ai_message.content == "five"
        assert edited.user_message.content == "1, again"
        await client.messages.select(session_id, first.id)
        shown = await listed(client.messages.list(session_id))
        assert [message.content for message in shown] == ["1", "one"]
        everything = await listed(client.messages.list(session_id, all_branches=True))
        assert len(everything) == 8


async def test_searching(tmp_path: Path) -> None:
    """What was said is found, with where it is and the words that matched."""
    script = Script(["the walrus said"])
    async with chatting(tmp_path, script) as chat, connected(chat) as client:
        session = await client.sessions.create(model="script/model", title="Oysters")
        await client.turns.send(session.id, "what now?")
        (found,) = await listed(client.search("walrus"))
        assert found.session.title == "Oysters"
        assert found.message.role == "assistant"
        start, end = found.highlights[0]
        assert found.snippet[start:end] == "walrus"
