"""The same client for programs without an event loop.

    with chatd.client.blocking.connect("http://localhost:8000", token=...) as client:
        session = client.sessions.create(title="Hello")
        with client.chat(session.id) as chat:
            for event in chat.send("Hello"):
                ...

It is no second client: a Blocking has everything that the object behind it has, runs it on a loop
in a thread of its own, and waits: `async with` and `async for` are `with` and `for`.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self

from chatd.client.catalog import Models, Presets
from chatd.client.chat import ChatSession
from chatd.client.client import Client
from chatd.client.client import connect as connect_async
from chatd.client.live import Events
from chatd.client.sessions import Messages, Sessions
from chatd.client.turn import Turn
from chatd.client.turns import Turns
from chatd.client.watch import SessionList

FACES = (Client, ChatSession, SessionList, Turn, Events, Sessions, Messages, Turns, Models, Presets)
_END = object()


class Thread:
    """An event loop in a thread, for calls from other threads."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self.loop.run_forever, name="chatd client", daemon=True
        )
        self._thread.start()

    def start(self, work: Callable[[], Any]) -> Future[Any]:
        """Call `work` on the loop; the future has what it returned, or what that came to."""

        async def run() -> Any:
            result = work()
            return await result if inspect.isawaitable(result) else result

        return asyncio.run_coroutine_threadsafe(run(), self.loop)

    def run(self, work: Callable[[], Any]) -> Any:
        """Wait for what `work` comes to. Being interrupted cancels it."""
        future = self.start(work)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Stop the loop and its thread."""
        if self._thread.is_alive():
            self.run(self.loop.shutdown_asyncgens)
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()
            self.loop.close()


class Blocking:
    """An object of chatd.client, to be used from one thread that may wait."""

    def __init__(self, target: Any, thread: Thread, *, owns_thread: bool = False) -> None:
        self._target, self._thread, self._owns_thread = target, thread, owns_thread
        self._next: Future[Any] | None = None

    def __getattr__(self, name: str) -> Any:
        # On the loop, as a property may look at what is changed there.
        value = self._thread.run(lambda: (getattr(self._target, name),))[0]
        if not inspect.ismethod(value):
            return self._wrapped(value)

        def call(*args: Any, **kwargs: Any) -> Any:
            return self._wrapped(self._thread.run(lambda: value(*args, **kwargs)))

        call.__name__, call.__doc__ = name, value.__doc__
        return call

    def _wrapped(self, value: Any) -> Any:
        if isinstance(value, FACES) or inspect.isasyncgen(value):
            return Blocking(value, self._thread)
        return value

    def soon(self, name: str) -> None:
        """Call a method without waiting for it: what a signal handler may do."""
        self._thread.loop.call_soon_threadsafe(getattr(self._target, name))

    def __enter__(self) -> Self:
        try:
            self._thread.run(self._target.__aenter__)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._thread.run(lambda: self._target.__aexit__(kind, error, trace))
        finally:
            self._close()

    def _close(self) -> None:
        if self._owns_thread:
            self._thread.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        # What was waited for when a wait was interrupted comes with the next one.
        future, self._next = self._next or self._thread.start(self._advance), None
        try:
            value = future.result()
        except KeyboardInterrupt:
            self._next = future
            raise
        if value is _END:
            raise StopIteration
        return value

    async def _advance(self) -> Any:
        with contextlib.suppress(StopAsyncIteration):
            return await anext(self._target)
        return _END


def connect(url: str, **options: Any) -> Any:
    """Return the client of `chatd.client.connect`, to be entered by `with`."""
    thread = Thread()
    try:
        return Blocking(thread.run(lambda: connect_async(url, **options)), thread, owns_thread=True)
    except BaseException:
        thread.close()
        raise
