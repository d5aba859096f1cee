"""The client of docs/reconnecting.md, as it is printed there, on a connection that is cut."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import Client, Script, chatting
from transcripts import blocks

PAGE = Path(__file__).parent.parent / "docs" / "reconnecting.md"
WORDS = [f"word{number} " for number in range(40)]


class Proxy:
    """Passes bytes on until it is told to cut."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self.connections = 0

    async def open(self) -> int:
        """Listen; return the port."""
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", self._port)
        self.connections += 1
        self._writers += [writer, there[1]]
        await asyncio.gather(self._copy(reader, there[1]), self._copy(there[0], writer))

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
            writer.close()

    def cut(self) -> None:
        """End all connections without a handshake."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def aclose(self) -> None:
        """Stop."""
        self.cut()
        self._server.close()
        await self._server.wait_closed()


def watched(kind: Any) -> Any:
    """Return a client of a kind that tells when it has processed an event."""

    class Watched(kind):  # type: ignore[misc]
        changed = asyncio.Condition()

        async def process(self, event: dict[str, Any]) -> None:
            await super().process(event)
            async with self.changed:
                self.changed.notify_all()

        async def until(self, condition: Callable[[], bool]) -> None:
            async with asyncio.timeout(60), self.changed:
                await self.changed.wait_for(condition)

    return Watched


async def test_the_client_of_the_page_misses_nothing(tmp_path: Path) -> None:
    """Cut at every stage of a turn, it sends once and shows what is stored."""
    gates = [asyncio.Event() for _ in WORDS]
    reply = [part for pair in zip(gates, WORDS, strict=True) for part in pair]
    async with chatting(tmp_path, Script(reply)) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        proxy = Proxy(int(chat.url.rpartition(":")[2]))
        port = await proxy.open()
        names: dict[str, Any] = {}
        exec(blocks(PAGE, "python")[0], names)
        path = f"/ws/ai-chat/session/{session_id}/?token={alice.token}"
        client = watched(names["Session"])(f"ws://127.0.0.1:{port}{path}")
        running = asyncio.create_task(client.run())
        await client.until(lambda: client.epoch is not None)

        await client.send("c-1", "Hello")
        proxy.cut()  # the send may have arrived, or not
        await client.until(lambda: client.generation is not None)
        assert client.unsent == {}
        for number, gate in enumerate(gates[:-1]):
            gate.set()
            if number in (5, 20):
                proxy.cut()
            elif number in (3, 19, 38):
                await client.until(lambda n=number: client.text == "".join(WORDS[: n + 1]))
        proxy.cut()
        gates[-1].set()  # the end comes while nobody is connected
        await client.until(lambda: len(client.messages) == 2 and client.generation is None)

        shown = sorted(client.messages.values(), key=lambda message: message["seq"])
        assert shown == await stored(alice, session_id)
        assert shown[1]["content"] == "".join(WORDS)
        assert proxy.connections >= 4
        running.cancel()
        await asyncio.wait({running})
        await proxy.aclose()


async def stored(client: Client, session_id: str) -> list[dict[str, Any]]:
    """Return the messages of a session."""
    return await client.messages(session_id)


async def test_the_client_of_the_page_stops_when_it_is_told_to(tmp_path: Path) -> None:
    """With a wrong token it does not come back for ever."""
    names: dict[str, Any] = {}
    exec(blocks(PAGE, "python")[0], names)
    async with chatting(tmp_path) as chat:
        session_id = await (await chat.client("alice")).new_session()
        url = f"{chat.url.replace('http', 'ws')}/ws/ai-chat/session/{session_id}/?token=wrong"
        client = names["Session"](url)
        async with asyncio.timeout(60):
            await client.run()
        assert client.socket.close_code == 4501


async def test_the_client_of_the_page_does_not_repeat_what_is_too_large(tmp_path: Path) -> None:
    """A frame that the server does not take would end every further connection."""
    names: dict[str, Any] = {}
    exec(blocks(PAGE, "python")[0], names)
    async with chatting(tmp_path, CHATD_LIMITS_FRAME_BYTES="1000") as chat:
        alice = await chat.client("alice")
        path = f"/ws/ai-chat/session/{await alice.new_session()}/?token={alice.token}"
        client = watched(names["Session"])(f"{chat.url.replace('http', 'ws')}{path}")
        running = asyncio.create_task(client.run())
        await client.until(lambda: client.epoch is not None)
        await client.send("c-1", "x" * 1000)
        async with asyncio.timeout(60):
            await running
    assert client.socket.close_code == 1009
