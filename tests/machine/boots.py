"""A chatd that can be ended as a crash ends it, and started again on the same store."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from harness import QUICK

import chatd
from chatd.app import App
from chatd.config import load_config
from chatd.server import listening

# What a turn stores, in its order: the call after which a process may die. In SQLite two of the
# four are one transaction, so that it dies before it or after it.
WINDOWS = {
    "slot": ("take_slot", "begin_turn", False),
    "messages": ("add_messages", "begin_turn", True),
    "end": ("end_message", "end_turn", False),
    "free": ("free_slot", "end_turn", True),
}


class Call:
    """One call of the provider: it says what it is told, when it is told."""

    def __init__(self, prompt: chatd.Prompt) -> None:
        self.prompt = prompt
        self.is_closed = False
        self._told: asyncio.Queue[list[Any] | BaseException | None] = asyncio.Queue()
        self._is_idle = asyncio.Event()

    async def chunks(self) -> AsyncGenerator[chatd.Chunk | str, None]:
        """Yield what it is told, burst by burst."""
        try:
            while True:
                self._is_idle.set()
                told = await self._told.get()
                if told is None:
                    return
                if isinstance(told, BaseException):
                    raise told
                for chunk in told:
                    yield chunk
        finally:
            self.is_closed = True

    def tell(self, what: list[Any] | BaseException | None) -> None:
        """Have it say a burst, fail, or finish."""
        self._is_idle.clear()
        self._told.put_nowait(what)

    async def idle(self) -> None:
        """Return when a burst has been said and taken."""
        await self._is_idle.wait()
        await asyncio.sleep(0)


class Stepped(chatd.Provider):
    """A provider whose calls are stepped from outside."""

    name = "script"

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._called = asyncio.Condition()

    @chatd.hookimpl
    def register_providers(self) -> list[chatd.Provider]:
        """Add itself."""
        return [self]

    async def models(self) -> list[chatd.ModelInfo]:
        """Return one model."""
        return [chatd.ModelInfo(name="model", context_length=8192)]

    async def stream(self, prompt: chatd.Prompt) -> AsyncGenerator[chatd.Chunk | str, None]:
        """Begin a call."""
        call = Call(prompt)
        async with self._called:
            self.calls.append(call)
            self._called.notify_all()
        async with contextlib.aclosing(call.chunks()) as chunks:
            async for chunk in chunks:
                yield chunk

    async def next_call(self, number: int) -> Call:
        """Wait for a call."""
        async with asyncio.timeout(30), self._called:
            await self._called.wait_for(lambda: len(self.calls) > number)
        return self.calls[number]


class Boot:
    """One run of chatd that listens."""

    def __init__(self, data_dir: Path, **settings: str) -> None:
        environ = QUICK | {"CHATD_DATA_DIR": str(data_dir), "CHATD_METRICS_ENABLED": "false"}
        environ |= {"CHATD_STORE": os.environ.get("CHATD_TEST_STORE", "")} | settings
        self.provider = Stepped()
        self.app = App(load_config(None, environ, {}), plugins=[self.provider])
        self._stack = contextlib.AsyncExitStack()

    async def open(self) -> None:
        """Open the App and listen."""
        await self._stack.enter_async_context(self.app)
        port = await self._stack.enter_async_context(listening(self.app))
        self.url = f"http://127.0.0.1:{port}"

    async def close(self) -> None:
        """Stop in order."""
        await self._stack.aclose()

    async def crash(self, *asking: asyncio.Task[Any]) -> None:
        """End without any of the work that an orderly stop does: nothing more is stored.

        The store goes first. What runs then cannot write a last word; then there is nothing left
        for an orderly stop to do but to free what a process has, which the kernel does for a dead
        one.
        """
        await self.app.store.aclose()
        generations = self.app.generations
        tasks = [
            *asking,
            *generations._tasks,
            *(run._producer for run in generations._runs.values()),
        ]
        for task in tasks:
            if task is not None:
                task.cancel()
        await asyncio.gather(*filter(None, tasks), return_exceptions=True)
        generations._runs.clear()
        await self.close()

    def hold(self, window: str) -> Hold:
        """Hold up the next turn between two of its writes."""
        in_steps, in_one, is_after = WINDOWS[window]
        store = self.app.store
        is_sqlite = self.app.config.store.url.startswith("sqlite")
        if is_sqlite:
            return Hold(store, in_one, is_after, is_one_write=True)
        return Hold(store, in_steps, True, is_one_write=False)


class Hold:
    """Holds one call of a store up for ever: before it does something, or after."""

    def __init__(self, store: Any, name: str, is_after: bool, *, is_one_write: bool) -> None:
        self._store, self._name, self._is_after = store, name, is_after
        self.is_one_write = is_one_write
        self._call = getattr(store, name)
        self.reached = asyncio.Event()
        setattr(store, name, self._pass)

    async def _pass(self, *arguments: Any, **more: Any) -> Any:
        setattr(self._store, self._name, self._call)
        if self._is_after:
            await self._call(*arguments, **more)
        self.reached.set()
        await asyncio.get_running_loop().create_future()
