"""A model server that fails, seen by the clients of chatd: every fault, and every way to stop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import statistics
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from harness import Client, Socket, chatting

from scripts.llm import HUGE, MODES, SECRET, LlmServer, reply_to, tokens

KEY = "sk-the-key-of-this-installation"
HELLO = "hello, you"
TEXT = reply_to([{"role": "user", "content": HELLO}])
LIMIT = 20_000  # bytes of an endless reply
ENDS = ("ai_message_complete", "error")
IN_TIME = 0.1


class End(NamedTuple):
    """How a turn ends: the stored message, and how often the model server is asked."""

    status: str
    code: str | None
    text: str
    calls: int = 1


def first(count: int) -> str:
    """The first tokens of the reply."""
    return "".join(tokens(TEXT)[:count])


def complete(text: str = TEXT, calls: int = 1) -> End:
    """A good end."""
    return End("complete", None, text, calls)


def failed(kind: str, text: str = "", calls: int = 1) -> End:
    """A bad end."""
    return End("error", f"provider_{kind}", text, calls)


MENDED = TEXT.replace("Réponse", "Réponse a\ufffdb", 1)
PROMISED = {
    "qwen3:8b": complete(),
    "tools": complete(),
    "tools-forever": complete(),
    "refuse": failed("unavailable", calls=3),
    "429": failed("busy", calls=3),
    "429-retry-after": failed("busy", calls=3),
    "429-then-ok": complete(calls=2),
    "503-then-ok": complete(calls=2),
    "500-html": failed("error"),
    "hang-headers": failed("timeout"),
    "hang-first": failed("timeout"),
    "hang-middle": failed("timeout", first(5)),
    "reset-0": failed("unavailable", calls=3),
    "reset-500": failed("unavailable", first(2)),
    "cut-utf8": complete(),
    "cut-utf8-end": End("interrupted", "provider_interrupted", first(5)),
    "lone-surrogate": complete(MENDED),
    "nul": complete(MENDED),
    "malformed-sse": failed("error", first(1)),
    "cr": complete(),
    "crlf": complete(),
    "no-done": complete(),
    "no-finish": End("interrupted", "provider_interrupted", TEXT),
    "done-only": complete(),
    "huge-chunk": complete(HUGE),
    "endless": complete((TEXT * 200).encode()[:LIMIT].decode(errors="ignore")),
    "slow": complete("a b c"),
    "redirect": failed("error"),
    "error-event": failed("error", first(3)),
    "empty": complete(""),
    "no-such-model": failed("refused"),
}


@contextlib.asynccontextmanager
async def fronting(
    llm: LlmServer, tmp_path: Path, **settings: str
) -> AsyncIterator[tuple[Client, str]]:
    """A user of a chatd in front of a model server, and a session of theirs."""
    instance = f'name = "llm"\nurl = "{llm.url}"\nkey = "{KEY}"\n'
    config = tmp_path / "chatd.toml"
    config.write_text(f"[[plugins.provider_openai.instances]]\n{instance}")
    settings = {
        "CHATD_CONFIG": str(config),
        "CHATD_PLUGINS_ENABLED": "auth_token,provider_openai",
        "LLM_TIMEOUT": "1",
        **settings,
    }
    async with chatting(tmp_path, **settings) as chat:
        alice = await chat.client("alice")
        yield alice, await alice.new_session(model="llm/qwen3:8b")


@contextlib.asynccontextmanager
async def serving(tmp_path: Path, **settings: str) -> AsyncIterator[tuple[LlmServer, Client, str]]:
    """The same, with a model server that needs the key."""
    async with (
        LlmServer(key=KEY) as llm,
        fronting(llm, tmp_path, **settings) as (alice, session_id),
    ):
        yield llm, alice, session_id


async def choose(alice: Client, session_id: str, model: str) -> None:
    """Have a session use another model."""
    await alice.call("PATCH", f"/sessions/{session_id}/", json={"model": f"llm/{model}"})


def end_of(message: dict[str, Any], calls: int) -> End:
    """How a stored message has ended."""
    code = message["error"]["code"] if message["error"] else None
    return End(message["status"], code, message["content"], calls)


def secrets_in(text: str) -> list[str]:
    """What of the model server is in a text."""
    return [secret for secret in (SECRET, KEY, "127.0.0.1", "status_") if secret in text]


@pytest.mark.parametrize("mode", PROMISED)
async def test_every_fault(tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: str) -> None:
    """The turn ends once, as promised; nobody is shown a secret; the session can go on."""
    caplog.set_level(logging.DEBUG)
    message = "[echo] a b c" if mode == "slow" else HELLO
    limit = {"CHATD_LIMITS_REPLY_BYTES": str(LIMIT)} if mode == "endless" else {}
    async with serving(tmp_path, **limit) as (llm, alice, session_id):
        await choose(alice, session_id, mode)
        async with alice.socket(f"session/{session_id}", chunks="delta") as socket:
            await socket.send("send_message", message=message)
            events = await socket.until(*ENDS)
            calls = len(llm.calls)
            await choose(alice, session_id, "qwen3:8b")
            await socket.send("send_message", message="and now?")
            later = await socket.until(*ENDS)
        stored = await alice.messages(session_id)
    told = events[-1].get("ai_message") or events[-1]["message"]
    promised = PROMISED[mode]
    if mode == "reset-500":  # what was on its way when the reset came may be lost
        promised = promised._replace(text=promised.text[: len(told["content"])])
    assert end_of(told, calls) == promised
    assert stored[:2] == [events[0]["message"], told]
    shown = [event["content"] for event in events if event["type"] == "ai_message_chunk"]
    assert "".join(shown) == told["content"]
    if told["error"]:
        keys = ("code", "message", "retryable")
        assert {key: events[-1][key] for key in keys} == told["error"]
    kinds = [event["type"] for event in later if event["type"] != "ai_message_chunk"]
    assert kinds[-3:] == ["user_message", "ai_typing", "ai_message_complete"]
    assert kinds[:-3] == ([] if mode == "qwen3:8b" else ["session_updated"])  # nothing changed
    assert later[-1]["message"]["status"] == "complete"
    assert secrets_in(json.dumps([events, later, stored])) == []
    lines = [record.getMessage() for record in caplog.records if record.levelno > logging.DEBUG]
    assert [line for line in lines if SECRET in line] == []
    assert KEY not in caplog.text


def test_every_mode_is_promised_something() -> None:
    """There is no fault mode that these tests do not try."""
    assert MODES.keys() - PROMISED.keys() == set()


@pytest.mark.parametrize("mode", ["error-event", "no-finish", "500-html", "hang-middle"])
async def test_a_fault_over_rest(tmp_path: Path, mode: str) -> None:
    """A waiting request gets 502 with both messages; a repetition gets the same end, as 200."""
    async with serving(tmp_path) as (llm, alice, session_id):
        await choose(alice, session_id, mode)
        path = f"/sessions/{session_id}/send_message/"
        body = {"message": HELLO, "client_id": "c"}
        failure = await alice.call("POST", path, 502, json=body)
        again = await alice.call("POST", path, 200, json=body)
        stored = await alice.messages(session_id)
        assert len(llm.calls) == 1
    assert end_of(failure["ai_message"], 1) == PROMISED[mode]
    assert failure["code"] == PROMISED[mode].code
    assert failure["detail"] == failure["ai_message"]["error"]["message"]
    assert [failure["user_message"], failure["ai_message"]] == stored
    assert [again["user_message"], again["ai_message"], again["duplicate"]] == [*stored, True]
    assert secrets_in(json.dumps(failure)) == []


async def test_a_closed_port(tmp_path: Path) -> None:
    """A server that is not there is unavailable; when it is back the next turn works."""
    async with serving(tmp_path) as (llm, alice, session_id):
        await llm.aclose()
        path = f"/sessions/{session_id}/send_message/"
        failure = await alice.call("POST", path, 502, json={"message": HELLO})
        await llm.start()
        answer = await alice.send(session_id, "and now?")
    assert failure["code"] == "provider_unavailable"
    assert answer["ai_message"]["status"] == "complete"


async def test_a_server_that_dies_in_the_middle(tmp_path: Path) -> None:
    """The text that came is kept, and the call is not repeated."""
    async with serving(tmp_path) as (llm, alice, session_id):
        await choose(alice, session_id, "hang-middle")
        async with alice.socket(f"session/{session_id}") as socket:
            await ask(llm, socket, tokens_said=5)
            await llm.aclose()
            event = (await socket.until(*ENDS))[-1]
        assert end_of(event["ai_message"], len(llm.calls)) == failed("unavailable", first(5))


async def ask(llm: LlmServer, socket: Socket, *, tokens_said: int) -> None:
    """Send, and wait until the model server has been asked, and so much of its reply is here."""
    count, text = len(llm.calls), ""
    await socket.send("send_message", message=HELLO)
    await llm.wait_for(lambda calls: len(calls) > count)
    while len(tokens(text)) < tokens_said:
        text += (await socket.until("ai_message_chunk"))[-1]["content"]


@pytest.mark.parametrize("mode", ["hang-headers", "hang-first", "hang-middle", "endless"])
async def test_stop_closes_the_call_at_once(tmp_path: Path, mode: str) -> None:
    """Before headers, before the first token and in the middle: the model server sees it in 100 ms.

    Of several tries the median counts: the machine may be busy.
    """
    delays, texts = [], []
    said = 5 if mode in ("hang-middle", "endless") else 0
    async with serving(tmp_path, LLM_TIMEOUT="30") as (llm, alice, session_id):
        await choose(alice, session_id, mode)
        async with alice.socket(f"session/{session_id}", chunks="delta") as socket:
            for _ in range(5):
                await ask(llm, socket, tokens_said=said)
                asked_at = asyncio.get_running_loop().time()
                await socket.send("stop_generation")
                (*_, call) = await llm.wait_for(lambda calls: calls[-1].end)
                delays.append(call.ended - asked_at)
                event = (await socket.until(*ENDS))[-1]
                assert (event["type"], call.end) == ("ai_message_complete", "dropped")
                assert event["message"]["status"] == "stopped"
                texts.append((event["message"]["content"], tokens(reply_to(call.body["messages"]))))
    assert statistics.median(delays) < IN_TIME, delays
    for text, whole in texts:
        assert text.startswith("".join(whole[:said]))
        assert mode == "endless" or text == "".join(whole[:said])


async def test_stop_while_waiting_to_try_again(tmp_path: Path) -> None:
    """A stop in the pause before another attempt ends the turn, and there is no other attempt."""
    async with serving(tmp_path) as (llm, alice, session_id):
        await choose(alice, session_id, "429-retry-after")
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("send_message", message=HELLO)
            await llm.wait_for(lambda calls: calls and calls[-1].end)
            await socket.send("stop_generation")
            event = (await socket.until(*ENDS))[-1]
        await choose(alice, session_id, "qwen3:8b")
        await alice.send(session_id, "and now?")
        asked = [call.body["messages"][-1]["content"] for call in llm.calls]
    assert event["message"]["status"] == "stopped"
    assert asked == [HELLO, "and now?"]


@pytest.mark.parametrize("mode", ["hang-headers", "hang-first", "hang-middle", "endless"])
async def test_the_end_of_chatd_closes_the_call(tmp_path: Path, mode: str) -> None:
    """A chatd that stops leaves no call behind at the model server, whatever it was waiting for."""
    async with LlmServer(key=KEY) as llm:
        async with fronting(llm, tmp_path) as (alice, session_id):
            await choose(alice, session_id, mode)
            async with alice.socket(f"session/{session_id}", chunks="delta") as socket:
                await ask(llm, socket, tokens_said=5 if mode in ("hang-middle", "endless") else 0)
        (call,) = await llm.wait_for(lambda calls: calls[-1].end and not llm.connections)
        assert call.end == "dropped"
