"""What a reload in the middle of a reply costs the server, by the reply's length: `... joins`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from websockets.asyncio.client import connect

from benchmarks.alone import chatd_alone, new_session, socket_url
from benchmarks.plugins.endless import LENGTHS


async def joins(rounds: int) -> AsyncIterator[tuple[int, str, float, int]]:
    """Yield (entries, chunks, milliseconds of the server's processor, bytes) for a join.

    Connecting, the greeting, the snapshot in one frame and closing; what the generation takes
    meanwhile by itself is measured and taken off.
    """
    loop = asyncio.get_running_loop()
    async with chatd_alone() as (server, http):
        for length in LENGTHS:
            session_id = await new_session(http, str(length))
            own = socket_url(server, session_id, "delta")
            async with connect(own, max_size=None) as socket:
                await socket.send(json.dumps({"type": "send_message", "message": "hi"}))
                while json.loads(await socket.recv()).get("prev", 0) < length:
                    pass
            for chunks in ("full", "delta"):
                url = socket_url(server, session_id, chunks)
                before, begun = server.cpu(), loop.time()
                sizes = [await _join(url) for _ in range(rounds)]
                used, seconds = server.cpu() - before, loop.time() - begun
                before = server.cpu()
                await asyncio.sleep(seconds)
                used -= server.cpu() - before
                yield length, chunks, used / rounds * 1000, max(sizes)
            await http.post(f"/ai-chat/api/sessions/{session_id}/stop/", json={})


async def _join(url: str) -> int:
    """Connect, and return how large the snapshot is."""
    async with connect(url, max_size=None, compression=None) as socket:
        while True:
            event = await socket.recv(decode=False)
            if event.startswith(b'{"type":"ai_message_chunk"'):
                return len(event)
