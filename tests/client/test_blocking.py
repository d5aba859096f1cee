"""The client for programs without an event loop."""

from __future__ import annotations

import threading

import pytest
from process import Process

from chatd import client as cc
from chatd import errors
from chatd.client import blocking


def test_a_conversation(slow_server: Process) -> None:
    """Calls, lists, turns and live events, without a word of async."""
    with blocking.connect(slow_server.url, token=slow_server.token) as client:
        session = client.sessions.create(title="Without a loop", model="echo/echo")
        assert next(client.sessions.list()).id == session.id
        with client.chat(session.id) as chat:
            pieces = [e.content for e in chat.send("a b c") if isinstance(e, cc.Text)]
            assert "".join(pieces) == "a b c"
            assert chat.is_connected
            assert chat.running is None
            events, turn = chat.events(), chat.send("so " * 2000)
            while not isinstance(next(turn), cc.Text):
                pass
            turn.soon("stop")
            assert turn.reply().status == "stopped"
            assert isinstance(next(events), cc.UserMessage)
            with pytest.raises(errors.InvalidInput):
                chat.ask("")
        assert [m.content for m in client.messages.list(session.id)][:2] == ["a b c"] * 2
        with pytest.raises(errors.NotFound):
            client.sessions.get("none")
        with pytest.raises(AttributeError):
            client.nothing  # noqa: B018


def test_nothing_is_left(slow_server: Process) -> None:
    """The thread ends with the client, also when it could not be entered."""
    before = threading.active_count()
    with blocking.connect(slow_server.url, token="wrong") as client:
        assert threading.active_count() == before + 1
        with pytest.raises(errors.Unauthenticated), client.watch():
            pass
    assert threading.active_count() == before
    with pytest.raises(ValueError, match="http"):
        blocking.connect("localhost")
    assert threading.active_count() == before
