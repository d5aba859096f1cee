"""Turns from outside: what a client sees over each face."""

from __future__ import annotations

from pathlib import Path

from harness import Script, chatting


async def test_a_turn_over_websocket(tmp_path: Path) -> None:
    """A turn is user_message, ai_typing, chunks, and one terminal event, in this order."""
    async with chatting(tmp_path, Script(["Hel", "lo"])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("send_message", message="hi")
            events = await socket.until("ai_message_complete")
    kinds = [event["type"] for event in events]
    assert kinds[:2] == ["user_message", "ai_typing"]
    assert set(kinds[2:-1]) == {"ai_message_chunk"}
    assert "".join(event["content"] for event in events[2:-1]) == "Hello"
    assert events[-2]["full_content"] == "Hello"
    assert events[-1]["message"]["content"] == "Hello"
    assert events[-1]["message"]["status"] == "complete"


async def test_a_turn_over_rest(tmp_path: Path) -> None:
    """A plain send waits for the answer and returns both messages; both are stored."""
    async with chatting(tmp_path, Script(["Hel", "lo"])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        answer = await alice.send(session_id, "hi")
        stored = await alice.messages(session_id)
    assert answer["user_message"]["content"] == "hi"
    assert answer["ai_message"]["content"] == "Hello"
    assert stored == [answer["user_message"], answer["ai_message"]]
