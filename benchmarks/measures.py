"""What is measured. Each measure yields rows of (what, figure, unit, target)."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator

import psutil

from benchmarks.clients import Chat, Direct, Getter

Row = tuple[str, float, str, str]
SESSIONS = 32
READERS = 16
TURNS_IN_A_SESSION = 5


async def first_chunk(chat_url: str, upstream: str, rounds: int) -> AsyncIterator[Row]:
    """Time to the first chunk, added by chatd to that of the model server, in turns with it.

    Sessions are short: the model server is asked alone with one message, and a long history would
    be measured as if chatd added what the model server takes to read it.
    """
    direct = Direct(upstream)
    await direct.open()
    without, through = [], []
    for _ in range(0, rounds + 20, TURNS_IN_A_SESSION):
        chat = Chat(chat_url)
        await chat.open()
        for _ in range(TURNS_IN_A_SESSION):
            without.append(await direct.first_chunk("[words:20] hi"))
            through.append(await chat.first_chunk("[words:20] hi"))
        await chat.aclose()
    await direct.aclose()
    base, total = (statistics.median(times[20:]) * 1000 for times in (without, through))
    slowest = statistics.quantiles(through[20:], n=100)[98] * 1000
    yield "first chunk, the model server alone", base, "ms", ""
    yield "first chunk added, one send at a time", total - base, "ms", "<= 3"
    yield "first chunk through chatd, 99th percentile", slowest, "ms", ""


async def turns(chat_url: str, pid: int, seconds: float) -> AsyncIterator[Row]:
    """Whole turns of one token, both writes durable, by 32 sessions at a time."""
    chats = [Chat(chat_url) for _ in range(SESSIONS)]
    await asyncio.gather(*(chat.open() for chat in chats))
    server = psutil.Process(pid)
    before, begun = sum(server.cpu_times()[:2]), time.monotonic()
    end = begun + seconds
    counts = await asyncio.gather(*(_turns_until(chat, end) for chat in chats))
    wall, cpu = time.monotonic() - begun, sum(server.cpu_times()[:2]) - before
    await asyncio.gather(*(chat.aclose() for chat in chats))
    yield f"turns of one token, {SESSIONS} sessions", sum(counts) / wall, "per s", ">= 600"
    yield "server CPU for one of them", cpu / sum(counts) * 1e6, "us", ""


async def _turns_until(chat: Chat, end: float) -> int:
    count = 0
    while time.monotonic() < end:
        await chat.first_chunk("[words:1] hi")
        count += 1
    return count


async def lists(chat_url: str, pid: int, seconds: float) -> AsyncIterator[Row]:
    """REST: the list of sessions, and the last fifty messages of one."""
    chat, server = Chat(chat_url), psutil.Process(pid)
    await chat.open()
    for _ in range(30):
        await chat.first_chunk("[words:5] hi")
    await chat.aclose()
    for what, path in (
        ("list of sessions", "/ai-chat/api/sessions/"),
        ("last 50 messages", f"/ai-chat/api/sessions/{chat.session_id}/messages/"),
    ):
        before, begun = sum(server.cpu_times()[:2]), time.monotonic()
        askers = [_ask_until(chat_url, path, begun + seconds) for _ in range(READERS)]
        count = sum(await asyncio.gather(*askers))
        wall, cpu = time.monotonic() - begun, sum(server.cpu_times()[:2]) - before
        yield what, count / wall, "per s", ">= 1500"
        yield "server CPU for one of them", cpu / count * 1e6, "us", ""


async def _ask_until(chat_url: str, path: str, end: float) -> int:
    client = Getter(chat_url)
    await client.open()
    count = 0
    while time.monotonic() < end:
        await client.get(path)
        count += 1
    await client.aclose()
    return count
