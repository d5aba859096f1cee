"""How much chatd does for a chunk, a reply, a turn and a request: no more than allowed.toml says.

These are counts, so a busy machine changes nothing. A failure says what was measured, what is
allowed, and where to allow more.
"""

from __future__ import annotations

import asyncio
import json
import tomllib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from faces import configured
from gated import GatedModels
from harness import Chat, Client, Script, chatting
from probes import Commands, Counts, PluginCalls, Probe, Statements, least
from pymongo import monitoring
from rawsocket import TEXT, RawSocket, frame

import chatd
from benchmarks import enabled
from scripts.llm import LlmServer

FILE = Path(__file__).with_name("allowed.toml")
ALLOWED: dict[str, dict[str, float]] = tomllib.loads(FILE.read_text())

FEW, MANY = 10, 40  # chunks: what a reply costs whatever its length is taken out by the difference
PIECE = "0123456789"
WITHIN = 60.0  # seconds for a turn under the profiler, on a machine with much else to do


def check(what: str, measured: Counts | dict[str, float]) -> None:
    """Compare what was measured with what is allowed."""
    over = [
        f"{what}: measured {measured[name]:g} {name}, allowed {allowed:g}"
        for name, allowed in ALLOWED[what].items()
        if measured[name] > allowed
    ]
    assert not over, (
        "\n".join(over) + "\nIf it has to be more, say why in the commit, and allow it in"
        f" tests/counts/{FILE.name}, [{json.dumps(what)}]."
    )


class Paced(Script):
    """A provider whose next chunk comes when the last one has been received."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.chunks = 0

    def expect(self, chunks: int) -> None:
        """Yield so many in the next turn."""
        self.chunks = chunks
        self.gate.clear()

    async def stream(self, prompt: Any) -> Any:
        """Yield a chunk for each time that the gate is opened."""
        for _ in range(self.chunks):
            await self.gate.wait()
            self.gate.clear()
            yield PIECE


class Reader:
    """A client in a thread of its own, so that the server's thread does the server's work alone."""

    def __init__(self, chat: Chat, client: Client, session_id: str, chunks: str) -> None:
        port = int(chat.url.rpartition(":")[2])
        query = f"token={client.token}&chunks={chunks}"
        self.socket = RawSocket(port, f"/ws/ai-chat/session/{session_id}/?{query}", WITHIN)
        self.socket.receive()

    def turn(self, on_chunk: Callable[[], None] | None = None) -> Counts:
        """Send if there is something to do for each chunk, and follow; return what has come."""
        if on_chunk is not None:
            event = {"type": "send_message", "message": "hi"}
            self.socket.send(frame(0x80 | TEXT, json.dumps(event).encode()))
        counts: Counts = Counter()
        before = self.socket.received
        while True:
            got = json.loads(self.socket.receive().payload)
            counts["frames"] += 1
            if on_chunk is not None and got["type"] in ("ai_typing", "ai_message_chunk"):
                on_chunk()
            if got["type"] == "ai_message_complete":
                counts["bytes"] = self.socket.received - before
                return counts


@asynccontextmanager
async def reading(
    tmp_path: Path, provider: Script | None, *chunks: str, **settings: str
) -> AsyncIterator[tuple[Chat, list[Reader]]]:
    """Run a chatd with readers of one session."""
    async with chatting(tmp_path, *[provider] if provider else [], **settings) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session(**{} if provider else {"model": "gated"})
        readers = [await asyncio.to_thread(Reader, chat, alice, session_id, c) for c in chunks]
        try:
            yield chat, readers
        finally:
            for reader in readers:
                reader.socket.close()


async def _turn(readers: list[Reader], on_chunk: Callable[[], None]) -> Counts:
    """Have the first reader send, and all follow; return what the server did, and the first got."""
    with Probe().watching() as counts:
        others = [asyncio.to_thread(reader.turn) for reader in readers[1:]]
        got, *_ = await asyncio.gather(asyncio.to_thread(readers[0].turn, on_chunk), *others)
    return counts + got


@pytest.mark.parametrize(
    ("what", "chunks"),
    [
        ("a paced chunk, delta", ["delta"]),
        ("a paced chunk, full_content", ["full"]),
        ("a paced chunk, 10 readers", ["delta"] * 10),
    ],
)
async def test_a_paced_chunk(tmp_path: Path, what: str, chunks: list[str]) -> None:
    """A chunk of its own costs one encode, and for each reader one frame and one write."""
    provider = Paced()
    loop = asyncio.get_running_loop()

    def go() -> None:
        loop.call_soon_threadsafe(provider.gate.set)

    async with reading(tmp_path, provider, *chunks) as (_, readers):
        check(what, await _of_a_chunk(provider, readers, go))


async def test_a_paced_chunk_of_a_model_server(tmp_path: Path) -> None:
    """The whole way of a chunk: one read, one write, and nothing waits in between."""
    with GatedModels(PIECE) as models:
        settings = {
            "LLM_SERVER_URL": models.url,
            "CHATD_PLUGINS_ENABLED": "auth_token,provider_openai",
        }
        async with reading(tmp_path, None, "delta", **settings) as (_, readers):
            measured = await _of_a_chunk(models, readers, models.go)
    check("a paced chunk of a model server, delta", measured)


async def _of_a_chunk(
    source: Paced | GatedModels, readers: list[Reader], go: Callable[[], None]
) -> dict[str, float]:
    """Return what one chunk more costs; `go` lets the next one come."""
    counts: dict[int, list[Counts]] = {FEW: [], MANY: []}
    for _ in range(3):
        for number, found in counts.items():
            source.expect(number)
            found.append(await _turn(readers, go))
    few, many = (
        Counter({name: min(one[name] for one in found) for name in found[0]})
        for found in counts.values()
    )
    return {name: (many[name] - few[name]) / (MANY - FEW) for name in many}


@pytest.mark.parametrize("chunks", ["delta", "full"])
async def test_a_fast_reply(tmp_path: Path, chunks: str) -> None:
    """Of a reply that comes at once, what one wake-up brought is one frame and one write."""
    provider = Script(*[[PIECE] * 640 for _ in range(3)])
    async with reading(tmp_path, provider, chunks) as (_, readers):
        found = [await _turn(readers, lambda: None) for _ in range(3)]
    least_of = {name: min(one[name] for one in found) for name in found[0]}
    check(f"a reply of 640 chunks at once, {chunks}", least_of)


async def test_no_plugin_is_called_for_a_chunk(tmp_path: Path) -> None:
    """With every plugin enabled, many chunks call as much of the plugins as a few do."""
    told = Told()
    replies = [[PIECE] * number for number in (FEW, FEW, 64 * FEW, FEW, 64 * FEW)]
    environ = configured(tmp_path, enabled.ALL)
    found: list[float] = []
    async with chatting(tmp_path, Script(*replies), told, **environ) as chat:
        alice = await chat.client("alice")
        for _ in replies:
            session_id = await alice.new_session(title="named")
            told.ended.clear()
            with PluginCalls().watching() as counts:
                await alice.send(session_id)
                async with asyncio.timeout(WITHIN):
                    await told.ended.wait()
                for queue in chat.app.observations._queues:
                    await queue._queue.join()
            found.append(counts["calls"])
    _, few, many, few_again, many_again = found  # the first one imports what it needs
    assert few > 0
    assert min(many, many_again) <= max(few, few_again), found


class Told:
    """Takes note of the end of a turn."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    @chatd.hookimpl
    def observe(self, event: chatd.Observed) -> None:
        """Note it."""
        if event.type == "turn_ended":
            self.ended.set()


@pytest.mark.usefixtures("each_store")
class TestStore:
    """What is asked of the store."""

    @pytest.fixture
    def commands(self) -> Iterator[Commands]:
        """Count what MongoDB is asked, from before a client is made."""
        listeners = monitoring._LISTENERS.command_listeners
        commands = Commands()
        monitoring.register(commands)
        yield commands
        listeners.remove(commands)

    async def _counting(self, chat: Chat, commands: Commands) -> tuple[str, Counts]:
        if not chat.app.config.store.url.startswith("sqlite"):
            return "MongoDB", commands.counts
        statements = Statements()
        await statements.watch(chat.app.store.database)
        return "SQLite", statements.counts

    async def test_requests(self, tmp_path: Path, commands: Commands) -> None:
        """A request asks the store for its credentials and for what it returns, and no more."""
        async with chatting(tmp_path, Script()) as chat:
            alice = await chat.client("alice")
            kind, counts = await self._counting(chat, commands)
            session_id = await alice.new_session()
            await alice.send(session_id)
            acts: dict[str, Callable[[], Awaitable[object]]] = {
                "GET sessions": lambda: alice.call("GET", "/sessions/"),
                "GET session": lambda: alice.call("GET", f"/sessions/{session_id}/"),
                "GET messages": lambda: alice.messages(session_id),
                "GET messages since": lambda: alice.messages(session_id, since=1),
                "GET me": lambda: alice.call("GET", "/me/"),
                "GET stats": lambda: alice.call("GET", "/health/stats/"),
                "POST session": alice.new_session,
                "open a socket": lambda: _open(alice, session_id),
                "come back since": lambda: _open(alice, session_id, since=1),
            }
            for name, act in acts.items():
                check(f"{kind}: {name}", await least(counts, act))

    async def test_turns(self, tmp_path: Path, commands: Commands) -> None:
        """A turn is two commits on SQLite; a repeat writes nothing."""
        async with chatting(tmp_path, Script()) as chat:
            alice = await chat.client("alice")
            kind, counts = await self._counting(chat, commands)
            session_id = await alice.new_session()
            await alice.send(session_id, client_id="c1")
            acts: dict[str, Callable[[], Awaitable[object]]] = {
                "a turn": lambda: alice.send(session_id),
                "a turn again": lambda: alice.send(session_id, client_id="c1"),
            }
            for name, act in acts.items():
                check(f"{kind}: {name}", await least(counts, act))


async def _open(alice: Client, session_id: str, **query: int) -> None:
    async with alice.socket(f"session/{session_id}", **query):
        pass


async def test_upstream_calls(tmp_path: Path) -> None:
    """A turn is one call of the model server, and a repeat is none."""
    async with LlmServer() as llm:
        settings = {
            "LLM_SERVER_URL": llm.url,
            "CHATD_PLUGINS_ENABLED": "auth_token,presets_store,provider_openai",
        }
        async with chatting(tmp_path, **settings) as chat:
            alice = await chat.client("alice")
            session_id = await alice.new_session(model="qwen3:8b")
            await alice.send(session_id, client_id="first")
            before = len(llm.calls)
            await alice.send(session_id, client_id="second")
            turn = len(llm.calls) - before
            await alice.send(session_id, client_id="second")
            again = len(llm.calls) - before - turn
    check("calls of the model server", {"turn": turn, "again": again})


def test_the_message_says_what_to_do() -> None:
    """A failure names what was measured, what is allowed, and the place that allows it."""
    with pytest.raises(AssertionError) as caught:
        check("calls of the model server", {"turn": 2, "again": 0})
    assert "measured 2 turn, allowed 1" in str(caught.value)
    assert 'allowed.toml, ["calls of the model server"]' in str(caught.value)
