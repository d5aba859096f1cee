"""What is measured: each measure takes a running server and returns one figure of it.

A run asks all servers in turns, several rounds of it: what else the machine does meets each.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple

from benchmarks.clients import Direct, Getter
from benchmarks.processes import Server
from benchmarks.sockets import Chat, join, make_sessions, open_chats
from benchmarks.upstream import TOKEN_CHARS

READERS = 16
SESSIONS = 32
PER_SECOND = 50  # tokens of a paced stream
PACED = f"t1000-r{PER_SECOND}"
SAID = 200  # tokens of a generation when its memory is measured, about
BATCHES = 3  # of idle sockets
WARM_UP = 2.0  # seconds behind the last start of a paced measurement, which do not count
STARTS = 97  # streams a second; no two of them keep time with each other at fifty tokens a second


class Load(NamedTuple):
    """How much to do for one figure."""

    seconds: float
    streams: int
    sockets: int


class Paced(NamedTuple):
    """What became of streams at fifty tokens a second each."""

    delivered: float  # percent, within the time
    p50: float  # milliseconds from the model server's write to the client's read
    p99: float
    cores: float
    cpu: float  # microseconds of the server for a delivered token


@contextlib.asynccontextmanager
async def chats(
    server: Server, model: str, count: int, query: str = "&chunks=delta"
) -> AsyncIterator[list[Chat]]:
    """Connect to that many new sessions, until the block ends. A failed turn fails the run."""
    opened = await open_chats(server, model, count, query)
    try:
        yield opened
    finally:
        for chat in opened:
            chat.aclose()
    failures = [failure for chat in opened for failure in chat.failures]
    if failures:
        raise RuntimeError(f"{server.name}: {len(failures)} turns failed: {failures[0]}")


async def _turns_until(chat: Chat, end: float) -> None:
    while time.monotonic() < end:
        await chat.turn()


async def fast_streams(server: Server, load: Load) -> float:
    """Microseconds of server CPU for a delivered token: replies of 200, 32 sessions at a time."""
    async with chats(server, "t200-r0", SESSIONS) as opened:
        await asyncio.gather(*(chat.turn() for chat in opened))
        tokens, cpu = sum(chat.tokens for chat in opened), server.cpu()
        end = time.monotonic() + load.seconds
        await asyncio.gather(*(_turns_until(chat, end) for chat in opened))
        return (server.cpu() - cpu) / (sum(chat.tokens for chat in opened) - tokens) * 1e6


@contextlib.asynccontextmanager
async def turning(opened: list[Chat]) -> AsyncIterator[None]:
    """Begin a turn of each, one after the other, and leave all of them behind the block.

    Sent at once, tokens would come in bursts: the last of each waits for all others, and a server
    that begins turns fast would look slow.
    """
    turns = []
    for chat in opened:
        turns.append(asyncio.create_task(chat.turn()))
        await asyncio.sleep(1 / STARTS)
    yield
    for turn in turns:
        turn.cancel()
    await asyncio.gather(*turns, return_exceptions=True)


async def paced_streams(server: Server, load: Load) -> Paced:
    """Streams at fifty tokens a second each, the server on one core."""
    async with chats(server, PACED, load.streams) as opened, turning(opened):
        await asyncio.sleep(WARM_UP)
        begun, cpu = time.monotonic(), server.cpu()
        for chat in opened:
            chat.latencies = []
        await asyncio.sleep(load.seconds)
        wall, cores = time.monotonic() - begun, server.cpu() - cpu
        latencies = [latency for chat in opened for latency in chat.latencies or ()]
    await _stop(server, opened)
    points = statistics.quantiles(latencies, n=100) if len(latencies) > 1 else [float("nan")] * 99
    wanted = load.streams * PER_SECOND * wall
    delivered = min(100.0, 100 * len(latencies) / wanted)
    cpu = cores / len(latencies) * 1e6 if latencies else float("nan")
    return Paced(delivered, points[49] / 1000, points[98] / 1000, cores / wall, cpu)


async def few_paced_streams(server: Server, load: Load) -> Paced:
    """A quarter as many: also a machine that is too slow for all of them shows what one costs."""
    return await paced_streams(server, load._replace(streams=max(1, load.streams // 4)))


async def _stop(server: Server, opened: list[Chat]) -> None:
    """Wait until the server works no more on what nobody reads: chatd goes on, as it promises."""
    if server.is_chatd:
        async with Getter(server.url) as client:
            for chat in opened:
                await client.post(f"/ai-chat/api/sessions/{chat.session_id}/stop/")
    await idle(server)


async def idle(server: Server) -> None:
    """Wait until the server has nothing left to do."""
    while True:
        cpu = server.cpu()
        await asyncio.sleep(0.2)
        if server.cpu() - cpu < 0.04:
            return


async def first_chunk(server: Server, load: Load) -> float:
    """Milliseconds from a send to the first chunk, one session at a time, both writes durable."""
    times = []
    end = time.monotonic() + load.seconds
    while time.monotonic() < end or len(times) < 10:
        # Sessions are short: what a long history costs a model server is not the server's doing.
        async with chats(server, "t20-r0", 1) as (chat,):
            times += [await chat.turn() for _ in range(5)][1:]
    return statistics.median(times) * 1000


async def first_chunk_of_many(server: Server, load: Load) -> float:
    """Milliseconds from a send to the first chunk, 32 sessions sending at once; replies of 200."""
    times: list[float] = []
    async with chats(server, "t200-r0", SESSIONS) as opened:
        await asyncio.gather(*(chat.turn() for chat in opened))
        end = time.monotonic() + load.seconds
        while time.monotonic() < end or not times:
            times += await asyncio.gather(*(chat.turn() for chat in opened))
    return statistics.median(times) * 1000


async def stops(server: Server, load: Load) -> tuple[float, float]:
    """Milliseconds from a stop in mid-reply to when the model server sees its connection closed.

    The median of all, and the longest.
    """
    times: list[float] = []
    end = time.monotonic() + load.seconds
    async with Direct(server.model_server) as model_server:
        while time.monotonic() < end or len(times) < 10:
            async with chats(server, PACED, 1) as (chat,):
                chat.stops = True
                for _ in range(5):
                    before, _ = await model_server.cuts()
                    await chat.turn()
                    cuts = before
                    while cuts == before:
                        cuts, cut_at = await model_server.cuts()
                    times.append(((cut_at - chat.stopped_at) & 0xFFFFFFFF) / 1000)
    return statistics.median(times), max(times)


async def turns(server: Server, load: Load) -> float:
    """Turns of one token a second, 32 sessions at a time, both writes durable."""
    async with chats(server, "t1-r0", SESSIONS) as opened:
        await asyncio.gather(*(chat.turn() for chat in opened))
        before, begun = sum(chat.turns for chat in opened), time.monotonic()
        await asyncio.gather(*(_turns_until(chat, begun + load.seconds) for chat in opened))
        wall = time.monotonic() - begun
        return (sum(chat.turns for chat in opened) - before) / wall


async def _rate(server: Server, path: str, seconds: float) -> float:
    end, begun = time.monotonic() + seconds, time.monotonic()

    async def ask() -> int:
        count = 0
        async with Getter(server.url) as client:
            while time.monotonic() < end:
                await client.get(path)
                count += 1
        return count

    counts = await asyncio.gather(*(ask() for _ in range(READERS)))
    return sum(counts) / (time.monotonic() - begun)


async def list_of_sessions(server: Server, load: Load) -> float:
    """Answers a second to GET sessions/."""
    return await _rate(server, "/ai-chat/api/sessions/", load.seconds)


async def last_messages(server: Server, load: Load) -> float:
    """Answers a second to GET messages/ of a session of 10,000: the last fifty."""
    path = f"/ai-chat/api/sessions/{server.long_session}/messages/"
    return await _rate(server, path, load.seconds)


async def idle_sockets(server: Server, load: Load) -> tuple[float, float]:
    """Connects a second, and KiB for each idle socket, each of a session of its own.

    Three times that many, the earlier ones held: a server that let go of some would take the
    next out of the memory that they left.
    """
    ids = await make_sessions(server, "t1-r0", BATCHES * load.sockets)
    await idle(server)
    opened: list[Chat] = []
    rates, sizes = [], []
    for start in range(0, len(ids), load.sockets):
        memory, begun = server.memory(), time.monotonic()
        opened += await _connect(server, ids[start : start + load.sockets])
        rates.append(load.sockets / (time.monotonic() - begun))
        sizes.append((server.memory() - memory) / load.sockets / 1024)
    for chat in opened:
        chat.aclose()
    await idle(server)
    return statistics.median(rates), statistics.median(sizes)


async def _connect(server: Server, ids: list[str]) -> list[Chat]:
    gate = asyncio.Semaphore(64)

    async def connect(session_id: str) -> Chat:
        async with gate:
            return await join(server, session_id)

    return list(await asyncio.gather(*(connect(session_id) for session_id in ids)))


async def running_generations(server: Server, load: Load) -> float:
    """KiB for each running generation, its socket open before, after four seconds of it."""
    async with chats(server, "t20-r0", SESSIONS) as opened:
        await asyncio.gather(*(chat.turn() for chat in opened))  # loads what all of them share
    async with chats(server, PACED, load.streams) as opened:
        memory = server.memory()
        async with turning(opened):
            await asyncio.sleep(SAID / PER_SECOND)
            taken = server.memory() - memory
    await _stop(server, opened)
    return taken / load.streams / 1024


async def full_content(server: Server, load: Load) -> float:
    """Bytes on the wire for each of the text, `full_content` on: replies of 1,000 tokens."""
    async with chats(server, "t1000-r0", 8, "") as opened:
        before = sum(chat.bytes for chat in opened)
        await asyncio.gather(*(chat.turn() for chat in opened))
        text = sum(chat.turns for chat in opened) * 1000 * TOKEN_CHARS
        return (sum(chat.bytes for chat in opened) - before) / text


async def model_server_alone(url: str, load: Load) -> float:
    """Milliseconds from a request to the first piece of text, without any server between."""
    direct = Direct(url)
    await direct.open()
    times = [await direct.first_chunk("t20-r0") for _ in range(int(100 * load.seconds))]
    await direct.aclose()
    return statistics.median(times) * 1000


Measure = Callable[[Server, Load], Awaitable[object]]
if sys.platform != "win32":
    _, _most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(_most, 65536), _most))
