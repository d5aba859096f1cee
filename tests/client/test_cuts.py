"""The client through a proxy that cuts, stalls and half-closes connections at random bytes."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random
from typing import Any
from urllib.parse import urlsplit

from cutting import CuttingProxy
from process import Process

import chatd.client
from chatd.client import Complete, Text, Timing, Turn

SEED = 20261122
HASTY = Timing(
    connect=0.4,
    open=20,
    request=2,
    ping_every=0.1,
    pong_within=0.15,
    retry_shortest=0.004,
    retry_longest=0.02,
)


def proxy_of(server: Process, seed: int = SEED, **options: Any) -> CuttingProxy:
    """Return a proxy in front of a server."""
    port = urlsplit(server.url).port
    assert port is not None
    return CuttingProxy(port, Random(seed), **options)


def words(name: str, count: int) -> str:
    """Return a message whose words are all different."""
    return " ".join([name, *(f"w{number}é🙂" for number in range(count))])


async def read(turn: Turn) -> tuple[str, str]:
    """Return the pieces of a turn's text, joined, and the text at its end."""
    pieces, end = "", ""
    async for event in turn:
        if isinstance(event, Text):
            pieces += event.content
        elif isinstance(event, Complete):
            end = event.message.content
    return pieces, end


async def converse(url: str, session_id: str, token: str, turns: int, random: Random) -> None:
    """Send one message after another, and some at once, through bad connections."""
    connecting = chatd.client.connect(url, token=token, timing=HASTY)
    async with connecting as client, client.chat(session_id) as chat:
        sent = 0
        while sent < turns:
            batch = random.choice([1, 1, 2, 3])
            texts = [words(f"m{sent + n}", random.randrange(5, 60)) for n in range(batch)]
            started = [chat.send(text) for text in texts]
            sent += batch
            for text, turn in zip(texts, started, strict=True):
                pieces, end = await read(turn)
                assert end == text
                assert pieces == text, "a piece came twice, or one is missing"


async def stored(server: Process, session_id: str) -> list[chatd.Message]:
    """Return what the store has, asked for directly."""
    async with chatd.client.connect(server.url, token=server.token) as client:
        return [message async for message in client.messages.list(session_id, all_branches=True)]


async def new_sessions(server: Process, count: int) -> list[str]:
    """Make sessions of the echo model."""
    async with chatd.client.connect(server.url, token=server.token) as client:
        return [(await client.sessions.create(model="echo/echo")).id for _ in range(count)]


async def test_every_text_arrives_and_every_send_is_stored_once(slow_server: Process) -> None:
    """After hundreds of cuts all texts are those of the store, and no message is there twice."""
    sessions = await new_sessions(slow_server, 8)
    async with proxy_of(slow_server).running() as proxy, asyncio.TaskGroup() as group:
        for number, session_id in enumerate(sessions):
            random = Random(SEED + number)
            group.create_task(converse(proxy.url, session_id, slow_server.token, 8, random))
    assert proxy.fates.total() >= 200, proxy.fates
    assert all(proxy.fates[fate] for fate in ("cut", "reset", "stall", "half_to_client"))
    for session_id in sessions:
        messages = await stored(slow_server, session_id)
        asked = [m for m in messages if m.role == "user"]
        answers = [m for m in messages if m.role == "assistant"]
        assert len(asked) >= 8
        assert Counter(m.client_id for m in asked).most_common(1)[0][1] == 1
        assert len({m.content for m in asked}) == len(asked)
        assert [m.content for m in asked] == [m.content for m in answers]


async def test_rest_over_bad_connections(slow_server: Process) -> None:
    """Sends over REST, waiting and streaming, are repeated until they are answered, once each."""
    sessions = await new_sessions(slow_server, 4)

    async def wait(client: chatd.client.Client, session_id: str) -> None:
        for number in range(4):
            text = words(f"wait {number}", 8)
            assert (await patiently(client, session_id, text)).content == text

    async def stream(client: chatd.client.Client, session_id: str) -> None:
        for number in range(4):
            text, pieces, end = words(f"stream {number}", 25), "", ""
            async for event in client.turns.stream(session_id, text):
                if isinstance(event, Text):
                    pieces += event.content
                elif isinstance(event, Complete):
                    end = event.message.content
            assert end == text
            assert pieces == text

    async with proxy_of(slow_server, SEED + 1, limits=(1200, 20_000, 20_000)).running() as proxy:
        connecting = chatd.client.connect(proxy.url, token=slow_server.token, timing=HASTY)
        async with asyncio.timeout(100), connecting as client, asyncio.TaskGroup() as group:
            for number, session_id in enumerate(sessions):
                group.create_task((wait, stream)[number % 2](client, session_id))
    assert proxy.fates.total() >= 10, proxy.fates
    for session_id in sessions:
        asked = [m for m in await stored(slow_server, session_id) if m.role == "user"]
        assert len(asked) == 4


async def patiently(client: chatd.client.Client, session_id: str, text: str) -> chatd.Message:
    """Send until it is answered; the client itself gives up after a few tries."""
    client_id = chatd.new_id()
    while True:
        try:
            reply = await client.turns.send(session_id, text, client_id=client_id)
        except chatd.client.Unreachable:
            continue
        return reply.ai_message


async def test_a_stop_gets_through(slow_server: Process) -> None:
    """A turn that is stopped over bad connections ends, stopped, with a prefix of its text."""
    (session_id,) = await new_sessions(slow_server, 1)
    text = "so long " * 1000  # 8 seconds
    async with proxy_of(slow_server, SEED + 2, limits=(600, 15_000, 30_000)).running() as proxy:
        connecting = chatd.client.connect(proxy.url, token=slow_server.token, timing=HASTY)
        async with connecting as client, client.chat(session_id) as chat:
            for _ in range(4):
                turn = chat.send(text)
                async for event in turn:
                    if isinstance(event, Text):
                        turn.stop()
                reply = await turn.reply()
                assert reply.status == "stopped"
                assert text.startswith(reply.content)
                assert len(reply.content) < len(text)
    assert proxy.fates.total() >= 5, proxy.fates
