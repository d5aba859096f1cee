"""The benchmarks: what they measure with must measure rightly; no figure is checked here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from benchmarks import enabled, here, measures, servers, speed, upstream
from benchmarks.filling import Session, SqliteFiller, owner_of
from benchmarks.measures import Load
from chatd.stores import open_store

LITTLE = Load(seconds=0.3, streams=8, sockets=8)


@asynccontextmanager
async def model_server() -> AsyncIterator[httpx.AsyncClient]:
    """Run the model server that costs next to nothing; yield a client of it."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(upstream.Upstream, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        yield client
    server.close()
    await server.wait_closed()


async def reply(client: httpx.AsyncClient, model: str) -> tuple[list[str], dict[str, int]]:
    """Return the tokens of a reply, and what it says of its usage."""
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": True}
    answer = await client.post("/v1/chat/completions", json=body)
    *lines, done = [line[6:] for line in answer.text.split("\n\n") if line]
    assert done == "[DONE]"
    events = [json.loads(line) for line in lines]
    assert events[-1]["choices"][0]["finish_reason"] == "stop"
    return [event["choices"][0]["delta"]["content"] for event in events[:-1]], events[-1]["usage"]


async def test_the_model_server_sends_what_its_name_says() -> None:
    """A fast reply has as many tokens as the name says, each of eight characters."""
    async with model_server() as client:
        tokens, usage = await reply(client, "t203-r0")
    assert len(tokens) == usage["completion_tokens"] == 203
    assert {len(token) for token in tokens} == {upstream.TOKEN_CHARS}


async def test_a_paced_reply_carries_the_time_of_each_token() -> None:
    """At a hundred a second the times are ten milliseconds apart, or more."""
    async with model_server() as client:
        tokens, _ = await reply(client, "t5-r100")
    times = [int(token, 16) for token in tokens]
    assert (times[-1] - times[0]) & 0xFFFFFFFF >= 40_000 - 1_000  # of the clock, 1 ms


async def test_models_are_listed() -> None:
    """As a model server of OpenAI's protocol lists them."""
    async with model_server() as client:
        listed = (await client.get("/v1/models")).json()["data"]
    assert {model["id"] for model in listed} >= {"t1-r0", "t1000-r50"}


async def test_every_measure_measures_a_chatd(tmp_path: Path) -> None:
    """Each gives figures above zero on a chatd that it has started itself."""
    async with (
        servers.upstream() as url,
        servers.servers(url, tmp_path, ("chatd/sqlite",)) as (server,),
    ):
        assert await measures.model_server_alone(url, LITTLE) > 0
        for measure, lines in speed.LINES.items():
            found = await measure(server, LITTLE)
            figures = found if isinstance(found, tuple) else (found,)
            assert len(figures) == len(lines)
            # A machine that is busy enough brings no token in so short a time: that is no number.
            assert not any(figure < 0 for figure in figures), measure


async def test_a_filled_store_is_as_if_it_had_been_written(tmp_path: Path) -> None:
    """A session's head is its last message: else nothing that the head is read for is measured."""
    filler = SqliteFiller(f"sqlite:///{tmp_path}/chatd.db")
    owner = await owner_of(filler.url, "token")
    await filler.sample()
    ids = filler.fill([Session(owner.id, 20), Session(owner.id, 10, branches=5)])
    store = open_store(filler.url)
    await store.open()
    try:
        for session_id, count in zip(ids, (20, 10), strict=True):
            session = await store.get_session(owner.id, session_id)
            page = await store.list_messages(owner.id, session_id)
            assert [message.seq for message in page.results] == list(range(1, count + 1))
            assert session.head_id == page.results[-1].id
            assert session.message_count == count
    finally:
        await store.aclose()


def test_targets_are_told_at_the_speed_of_the_machine() -> None:
    """Where the peer is half as fast, half a rate is wanted; a row without it takes the median."""
    rates = {"fastapi": (600.0, 600.0, 600.0), "chatd/sqlite": (800.0, 800.0, 800.0)}
    times = {"fastapi": (20.0, 19.0, 21.0), "chatd/mongodb": (13.0, 12.0, 14.0)}
    rows = [
        speed.Row("lists", "per s", dict.fromkeys(speed.NAMES[:2], ">= 1500"), rates, True, 1200),
        speed.Row("chunk", "ms", dict.fromkeys(speed.NAMES[:2], "<= 3"), times, True, 5),
        speed.Row("turns", "per s", dict.fromkeys(speed.NAMES[:2], ">= 600"), rates, True),
        speed.Row("memory", "KiB", dict.fromkeys(speed.NAMES[:2], "<= 18"), rates),
    ]
    head, _, lists, chunk, turns = here.lines(rows)
    assert "3.0 times slower" in head
    assert " 800 (wanted >= 750)" in lists
    assert "NOT 13 (wanted <= 12)" in chunk
    assert " 800 (wanted >= 200)" in turns
    assert list(here.lines([row for row in rows if row.what == "memory"])) == []


async def test_what_plugins_cost_is_measured() -> None:
    """A chatd with all plugins and one without both answer, in sessions of their own."""
    found = [row async for row in enabled.plugin_costs(1, 2, "t20-r0")]
    assert len(found) == 1
    assert all(milliseconds >= 0 for milliseconds in found[0])


def test_a_missed_target_is_marked() -> None:
    """And a reached one is not; servers that were not measured have a dash."""
    figures = {"chatd/sqlite": (2.5, 2.0, 3.0), "chatd/mongodb": (3.5, 3.5, 3.5)}
    targets = {"chatd/sqlite": "<= 3", "chatd/mongodb": "<= 3"}
    line = speed.line(speed.Row("first chunk", "ms", targets, figures))
    assert "2.5 (2-3)" in line
    assert "not <= 3 3.5" in line
    assert line.count(" -") == 3
    assert speed.is_reached(">= 600", 600)
    assert not speed.is_reached(">= 600", 599)
