"""What a socket may do and how long it lives: rates, pings, typing."""

from __future__ import annotations

import asyncio
from pathlib import Path

from harness import Script, chatting
from rawsocket import PING, RawSocket
from test_keeper import ahead, kept

from chatd.handlers.keeper import Keeper
from chatd.handlers.patience import REFUSALS


async def test_who_goes_on_sending_is_closed(tmp_path: Path) -> None:
    """Sends above the rate are told when to try again; who does not wait is closed with 4029."""
    limits = {"CHATD_LIMITS_SENDS_PER_MINUTE": "1", "CHATD_LIMITS_SENDS_BURST": "1"}
    async with chatting(tmp_path, Script(), **limits) as chat:
        alice = await chat.client("alice")
        path = f"session/{await alice.new_session()}"
        async with alice.socket(path) as other, alice.socket(path) as socket:
            await socket.send("send_message", message="hi")
            await socket.until("ai_message_complete")
            for number in range(REFUSALS):
                kind = ("send_message", "regenerate")[number % 2]
                fields = {"message": "hi"} if kind == "send_message" else {}
                await socket.send(kind, client_id=str(number), **fields)
                error = await socket.receive()
                assert (error["code"], error["retryable"]) == ("rate_limited", True)
                assert (error["client_id"], error["retry_after"] > 0) == (str(number), True)
            await socket.send("ping", t="not counted")
            assert (await socket.receive())["type"] == "pong"
            await socket.send("send_message", message="hi")
            assert await socket.close_code() == 4029
            await other.until("ai_message_complete")
            await other.send("ping", t="not its fault")
            assert (await other.receive())["type"] == "pong"
        async with alice.socket(path):
            pass
        assert chat.app.metrics is not None
        refused = chat.app.metrics.refused.sample().values
        closed = chat.app.metrics.closed.sample().values
    assert refused == {("sends_per_minute",): REFUSALS + 1, ("refusals",): 1}
    assert closed["session", "4029"] == 1


async def test_pings_and_dead_peers(tmp_path: Path) -> None:
    """A peer is pinged after 25 s, and dropped when it says nothing for 20 s more."""
    keeper = Keeper(most=0, most_per_user=0)
    async with chatting(tmp_path, Script()) as outer, kept(outer, keeper) as chat:
        alice = await chat.client("alice")
        port, target = (
            int(chat.url.rpartition(":")[2]),
            f"/ws/ai-chat/sessions/?token={alice.token}",
        )
        dead = await asyncio.to_thread(RawSocket, port, target)
        await asyncio.to_thread(dead.receive)
        begun = ahead(0)
        async with alice.socket("sessions") as living:
            keeper.sweep(begun + 24)
            keeper.sweep(begun + 26)
            while ahead(0) < begun + 1:  # it answers
                await living.send("ping", t=1)
                assert (await living.receive())["type"] == "pong"
            keeper.sweep(begun + 45.5)
            frames = await asyncio.to_thread(dead.rest)
            await living.send("ping", t=2)
            assert (await living.receive())["t"] == 2
        dead.close()
    assert [frame.opcode for frame in frames] == [PING]  # no close frame: it would not be read


async def test_typing_expires(tmp_path: Path) -> None:
    """Who types and says no more is forgotten after 5 s; above 5 a second is dropped."""
    loop = asyncio.get_running_loop()
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        path = f"session/{await alice.new_session()}"
        async with alice.socket(path) as other, alice.socket(path) as typist:
            await asyncio.gather(*(typist.send("typing") for _ in range(50)))
            await typist.send("ping")
            assert (await typist.receive())["type"] == "pong"
            begun = loop.time()
            await other.send("ping")
            told = [event["is_typing"] for event in (await other.until("pong"))[:-1]]
            assert told
            ended = await other.receive()
            seconds = loop.time() - begun
    assert len(told) < 50
    assert set(told) == {True}
    assert ended["is_typing"] is False
    assert seconds > 4
