"""The model server of the tests: what it says, how it fails, what it notes."""

import asyncio
import json
import re
import signal
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from scripts.llm import HUGE, KINDS, MODES, REASONING, SECRET, LlmServer, reply_to, tokens

COMMAND = Path(__file__).parents[2] / "scripts" / "llm_server.py"
COMPLETIONS = "/v1/chat/completions"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"properties": {"city": {"type": "string"}, "unit": {"enum": ["C", "F"]}}},
    },
}
CORRECT_MODES = ["qwen3:8b", "cut-utf8", "cr", "crlf", "malformed-sse", "tools", "slow"]


def user(text):
    return [{"role": "user", "content": text}]


def ask(text="hello", model="qwen3:8b", **more):
    return {"model": model, "messages": user(text), "stream": True, **more}


@asynccontextmanager
async def serving(**options):
    """A server and a client of it that follows no redirect."""
    async with (
        LlmServer(**options) as server,
        httpx.AsyncClient(base_url=server.url, trust_env=False) as client,
    ):
        yield server, client


def events(body):
    """The data of each event, by the letter of the SSE specification."""
    found, data = [], []
    for line in re.split(rb"\r\n|\r|\n", body.removeprefix(b"\xef\xbb\xbf")):
        name, _, value = line.partition(b":")
        if name == b"data":
            data.append(value.removeprefix(b" "))
        elif not line and data:
            found.append(b"\n".join(data).decode())
            data = []
    return found


def chunks(body):
    """The parsed chunks; those whose JSON is broken, and [DONE], are left out."""
    parsed = []
    for event in events(body):
        try:
            parsed.append(json.loads(event))
        except ValueError:
            continue
    return parsed


def deltas(body, key="content"):
    """The texts of all deltas that have one."""
    found = [choice["delta"] for chunk in chunks(body) for choice in chunk.get("choices", ())]
    return [delta[key] for delta in found if delta.get(key)]


def finish_reasons(body):
    """The finish reasons that were given."""
    found = [choice["finish_reason"] for chunk in chunks(body) for choice in chunk["choices"]]
    return [reason for reason in found if reason]


async def body_of(client, body):
    """The whole body of a call that ends."""
    return (await client.post(COMPLETIONS, json=body)).content


async def cut_body_of(client, body):
    """What arrives of a body, and the error that ended it."""
    received = b""
    try:
        async with client.stream("POST", COMPLETIONS, json=body) as response:
            async for data in response.aiter_raw():
                received += data
    except httpx.TransportError as exc:
        return received, exc
    return received, None


async def raw_call(server, body, *, text=None):
    """The open connection, after a request was written to it."""
    reader, writer = await asyncio.open_connection(server.host, server.port)
    content = json.dumps(body).encode()
    head = f"POST {COMPLETIONS} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n\r\n"
    writer.write(text or head.encode() + content)
    return reader, writer


async def until_silence(reader):
    """What arrives until nothing more does."""
    received = b""
    while True:
        try:
            received += await asyncio.wait_for(reader.readexactly(1), 0.1)
        except TimeoutError:
            return received


# What it says


def test_tokens_join_to_their_text():
    """No character is lost between words, whatever the white space."""
    for text in ["", " ", "a", " a  b\n", "line\u2028sep\u0085x é 🙂", reply_to(user("x"))]:
        assert "".join(tokens(text)) == text


def test_a_reply_tells_what_was_sent():
    """Another message, system prompt, history or tool result is another reply."""
    system = {"role": "system", "content": "be brief"}
    prompts = [
        user("a"),
        user("b"),
        [system, *user("a")],
        [{**system, "content": "be long"}, *user("a")],
        [*user("x"), *user("a")],
        [*user("a"), {"role": "tool", "content": "5"}],
        [*user("a"), {"role": "tool", "content": "6"}],
    ]

    assert len({reply_to(prompt) for prompt in prompts}) == len(prompts)


def test_a_reply_has_what_breaks_careless_parsers():
    """It has an accent, an emoji, and both characters that str.splitlines() splits at."""
    assert {"é", "🙂", "\u2028", "\u0085"} <= set(reply_to(user("hello")))


def test_a_message_may_be_a_list_of_parts():
    """Parts of a content are read as their text."""
    parts = [{"role": "user", "content": [{"type": "text", "text": "hello"}]}]

    assert reply_to(parts) == reply_to(user("hello"))


@pytest.mark.parametrize("count", [0, 1, 7, 200])
def test_words_directive(count):
    """[words:N] makes the reply N tokens long."""
    assert len(tokens(reply_to(user(f"[words:{count}] hello")))) == count


def test_echo_directive():
    """[echo] gives the message back, spaces included, without any directive."""
    assert reply_to(user("[echo][pace:1] [words:3]  a b ")) == " a b "


@pytest.mark.parametrize("model", CORRECT_MODES)
async def test_a_stream_is_exact(model):
    """The deltas are the tokens of the reply, then a finish reason, then [DONE]."""
    body = ask("[words:35][pace:0] hello", model)
    async with serving() as (_, client):
        received = await body_of(client, body)

    assert deltas(received) == tokens(reply_to(body["messages"]))
    assert finish_reasons(received) == ["stop"]
    assert events(received)[-1] == "[DONE]"


async def test_a_whole_completion_is_exact():
    """Without stream there is one JSON document with text, finish reason and usage."""
    body = ask("hello there", stream=False)
    reply = reply_to(body["messages"])
    async with serving() as (_, client):
        completion = (await client.post(COMPLETIONS, json=body)).json()

    [choice] = completion["choices"]
    assert choice["message"] == {"role": "assistant", "content": reply}
    assert choice["finish_reason"] == "stop"
    assert completion["usage"]["prompt_tokens"] == 2
    assert completion["usage"]["completion_tokens"] == len(tokens(reply))


async def test_usage_is_the_last_chunk_if_wanted():
    """With include_usage the last chunk has usage and no choices; without it none has usage."""
    async with serving() as (_, client):
        plain = chunks(await body_of(client, ask("[words:3]")))
        wanted = ask("[words:3]", stream_options={"include_usage": True})
        *others, last = chunks(await body_of(client, wanted))

    assert not any("usage" in chunk for chunk in plain)
    assert all(chunk["usage"] is None for chunk in others)
    assert last["choices"] == []
    assert last["usage"] == {"prompt_tokens": 1, "completion_tokens": 3, "total_tokens": 4}


@pytest.mark.parametrize(("limit", "reason"), [(2, "length"), (3, "stop")])
async def test_max_tokens_cuts(limit, reason):
    """A reply longer than max_tokens is cut and finishes for its length."""
    async with serving() as (_, client):
        received = await body_of(client, ask("[echo]a b c", max_tokens=limit))

    assert deltas(received) == ["a", " b", " c"][:limit]
    assert finish_reasons(received) == [reason]


async def test_reasoning_comes_first():
    """[reasoning] streams reasoning_content before the text."""
    async with serving() as (_, client):
        received = await body_of(client, ask("[echo][reasoning]a b"))

    assert deltas(received, "reasoning_content") == tokens(REASONING)
    assert deltas(received) == ["a", " b"]


async def test_a_mode_of_the_message():
    """[mode:NAME] is stronger than the model; one that is not there is a 404 too."""
    async with serving() as (_, client):
        empty = await body_of(client, ask("[mode:empty] hello"))
        correct = await body_of(client, ask("[mode:qwen3:8b] hello", "empty"))
        missing = await client.post(COMPLETIONS, json=ask("[mode:none] hello"))
    assert deltas(empty) == []
    assert "".join(deltas(correct)) == reply_to(user("hello"))
    assert missing.status_code == 404


@pytest.mark.parametrize(("model", "text"), [("qwen3:8b", "[pace:30][echo]a b c"),
                                             ("slow", "[echo]a b")])  # fmt: skip
async def test_pace(model, text):
    """Tokens come with the pace of the directive, else of the mode, between them."""
    async with serving() as (server, client):
        await body_of(client, ask(text, model))
        [call] = server.calls

    assert call.ended - call.time >= {"slow": 0.5, "qwen3:8b": 0.06}[model]


# Tools


async def test_tool_calls_come_in_parts():
    """Name and arguments of a call are spread over chunks, which join to what fits the schema."""
    async with serving() as (_, client):
        received = await body_of(client, ask("hello", "tools", tools=[WEATHER]))

    parts = [part["function"] for [part] in deltas(received, "tool_calls")]
    arguments = "".join(part.get("arguments", "") for part in parts)
    assert [part["name"] for part in parts if "name" in part] == ["get_w", "eather"]
    assert len(parts) > 4
    assert json.loads(arguments) == {"city": "café", "unit": "C"}
    assert finish_reasons(received) == ["tool_calls"]
    assert deltas(received) == []


async def test_tool_calls_as_directed():
    """[call:...] names the calls and their arguments, be they valid or not."""
    text = '[call:one {"a": 1}][call:two {broken}] hello'
    async with serving() as (_, client):
        body = ask(text, "tools", tools=[WEATHER], stream=False)
        [choice] = (await client.post(COMPLETIONS, json=body)).json()["choices"]

    calls = [call["function"] for call in choice["message"]["tool_calls"]]
    assert calls == [
        {"name": "one", "arguments": '{"a": 1}'},
        {"name": "two", "arguments": "{broken}"},
    ]


@pytest.mark.parametrize(
    ("model", "more", "reason"),
    [
        ("tools", {}, "stop"),
        ("tools", {"tools": [WEATHER], "tool_choice": "none"}, "stop"),
        ("tools", {"tools": [WEATHER], "after": True}, "stop"),
        ("tools-forever", {"tools": [WEATHER], "after": True}, "tool_calls"),
        ("qwen3:8b", {"tools": [WEATHER]}, "stop"),
    ],
)
async def test_when_tools_are_called(model, more, reason):
    """Tools are called if offered and not just used, always by tools-forever, else never."""
    body = ask("hello", model, **more)
    if body.pop("after", False):
        body["messages"].append({"role": "tool", "tool_call_id": "1", "content": "12 degrees"})
    async with serving() as (_, client):
        received = await body_of(client, body)

    assert finish_reasons(received) == [reason]
    if reason == "stop":
        assert "".join(deltas(received)) == reply_to(body["messages"])


# HTTP


async def test_models_are_listed():
    """The correct models come first, then every mode with what it does."""
    async with serving(models=["qwen3:8b", "other"]) as (server, client):
        data = (await client.get("/v1/models")).json()["data"]
        assert [call.end for call in server.listings] == ["finished"]

    assert [model["id"] for model in data] == ["qwen3:8b", "other", *MODES]
    assert all(model["description"] for model in data)


@pytest.mark.parametrize("model", MODES)
def test_every_mode_is_tested(model):
    """No mode is without a test of its own in this file."""
    assert f'"{model}"' in Path(__file__).read_text()


async def test_a_connection_is_kept():
    """Calls after each other, streamed or not, use one connection."""
    async with serving() as (server, client):
        for body in (ask("1"), ask("2", stream=False), ask("3", "429"), ask("4", "empty")):
            await body_of(client, body)
        assert (await client.get("/health")).json() == {"status": "ok"}
        assert server.connections == 1

        await client.aclose()
        await server.wait_for(lambda calls: not server.connections)


@pytest.mark.parametrize("value", [None, "Bearer wrong", "Bearer", "k"])
async def test_key_is_required(value):
    """With a key, a call without it is a 401 in JSON, which the log shows; health is open."""
    headers = {"Authorization": value} if value else {}
    async with serving(key="k") as (server, client):
        refused = [
            await client.get("/v1/models", headers=headers),
            await client.post(COMPLETIONS, json=ask(), headers=headers),
        ]
        assert (await client.get("/health")).status_code == 200
        assert [call.status for call in server.calls] == [401]

    assert [response.status_code for response in refused] == [401, 401]
    assert refused[1].json()["error"]["code"] == "invalid_api_key"


async def test_key_opens():
    """With the right key a call is answered."""
    async with serving(key="k") as (_, client):
        client.headers["Authorization"] = "Bearer k"
        assert (await client.get("/v1/models")).status_code == 200
        assert finish_reasons(await body_of(client, ask())) == ["stop"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (ask(model="hang-midle"), 404),
        (ask(model="reset-x"), 404),
        ({"model": "qwen3:8b"}, 400),
        ({"model": "qwen3:8b", "messages": []}, 400),
        ({"messages": user("x")}, 400),
        ("text", 400),
    ],
)
async def test_a_wrong_call_is_refused(body, status):
    """An unknown model is a 404, a body that is no completion call a 400."""
    async with serving() as (_, client):
        response = await client.post(COMPLETIONS, json=body)

    assert response.status_code == status
    assert response.json()["error"]["message"]


@pytest.mark.parametrize(
    "text",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"x" * 100_000,
    ],
)
async def test_a_malformed_request_is_refused(text):
    """What is not HTTP/1.1 with a length gets a 400, and the connection is closed."""
    async with LlmServer() as server:
        reader, writer = await raw_call(server, None, text=text)
        answer = await reader.read()
        writer.close()

    assert answer.startswith(b"HTTP/1.1 400 ")


async def test_requests_may_come_in_one_piece():
    """Two requests in one write are answered in order on one connection."""
    async with LlmServer() as server:
        twice = b"GET /health HTTP/1.1\r\n\r\nGET /x HTTP/1.1\r\nConnection: close\r\n\r\n"
        reader, writer = await raw_call(server, None, text=twice)
        answer = await reader.read()
        writer.close()

    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"200", b"404"]


# Failing before the answer


@pytest.mark.parametrize(
    ("model", "statuses", "retry_after"),
    [
        ("429", [429, 429, 429], None),
        ("429-retry-after", [429, 429, 429], "1"),
        ("429-then-ok", [429, 200, 200], "0"),
        ("503-then-ok", [503, 200, 200], None),
    ],
)
async def test_statuses(model, statuses, retry_after):
    """A mode with a status gives it always, or once for each message; `clear` forgets that."""
    async with serving() as (server, client):
        got = [await client.post(COMPLETIONS, json=ask("a", model)) for _ in range(3)]
        other = await client.post(COMPLETIONS, json=ask("b", model))
        assert [call.status for call in server.calls[:3]] == statuses
        server.clear()
        again = await client.post(COMPLETIONS, json=ask("a", model))

    assert [response.status_code for response in got] == statuses
    assert other.status_code == again.status_code == statuses[0]
    assert got[0].headers.get("Retry-After") == retry_after
    assert SECRET in got[0].json()["error"]["message"]


async def test_500_html():
    """The mode 500-html quotes a secret in a page that is not JSON."""
    async with serving() as (_, client):
        response = await client.post(COMPLETIONS, json=ask(model="500-html"))

    assert response.status_code == 500
    assert response.headers["Content-Type"] == "text/html"
    assert SECRET in response.text


async def test_redirect():
    """The mode redirect points to another port, and its log tells who follows."""
    body = ask(model="redirect")
    async with serving() as (server, client):
        response = await client.post(COMPLETIONS, json=body)
        assert [call.port for call in server.calls] == [server.port]

        followed = await client.post(COMPLETIONS, json=body, follow_redirects=True)
        assert server.calls[-1].port != server.port

    assert response.status_code == 307
    assert httpx.URL(response.headers["Location"]).port != server.port
    assert deltas(followed.content) == tokens(reply_to(body["messages"]))


async def test_refuse():
    """The mode refuse closes without a byte, and only for its own calls."""
    async with serving() as (server, client):
        reader, writer = await raw_call(server, ask(model="refuse"))
        assert await reader.read() == b""
        writer.close()

        assert finish_reasons(await body_of(client, ask())) == ["stop"]
        assert [call.end for call in server.calls] == ["finished", "finished"]


# Failing in the body


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("model", "said", "has_head"),
    [("hang-headers", 0, False), ("hang-first", 0, True), ("hang-middle", 5, True)],
)
async def test_hanging(model, said, has_head, stream):
    """A hanging mode goes silent where it says, and the call ends when the client leaves."""
    async with LlmServer() as server:
        reader, writer = await raw_call(server, ask(model=model, stream=stream))
        await server.wait_for(lambda calls: calls and calls[0].tokens == said)
        received = await until_silence(reader)
        writer.close()
        [call] = await server.wait_for(lambda calls: calls[0].end)

    assert received.startswith(b"HTTP/1.1 200 ") is has_head
    assert deltas(received) == (tokens(reply_to(user("hello")))[:said] if stream else [])
    assert call.end == "dropped"


@pytest.mark.parametrize("model", ["reset-0", "reset-1", "reset-500", "reset-20000"])
@pytest.mark.parametrize("stream", [True, False])
async def test_reset(model, stream):
    """The mode reset-<k> breaks the connection after k bytes of body."""
    async with serving() as (server, client):
        received, error = await cut_body_of(client, ask("[words:5000]", model, stream=stream))
        [call] = server.calls

    assert len(received) == int(model.removeprefix("reset-"))
    assert isinstance(error, httpx.ReadError)
    assert call.end == "finished"


async def test_cut_utf8():
    """The mode cut-utf8 really sends the two halves of a character in two chunks."""
    async with LlmServer() as server:
        reader, writer = await raw_call(server, ask("[echo]é", model="cut-utf8"))
        head_and_role = await reader.readuntil(b"\n\n\r\n")
        size = int(await reader.readline(), 16)
        piece = await reader.readexactly(size)
        writer.close()

    assert b'"role":"assistant"' in head_and_role
    assert piece.endswith("é".encode()[:1])


@pytest.mark.parametrize("stream", [True, False])
async def test_cut_utf8_end(stream):
    """The mode cut-utf8-end ends cleanly, after some tokens, with half a character."""
    async with serving() as (_, client):
        received, error = await cut_body_of(client, ask(model="cut-utf8-end", stream=stream))

    assert error is None
    assert received.endswith(b"\xc3")
    if stream:
        assert deltas(received) == tokens(reply_to(user("hello")))[:5]


@pytest.mark.parametrize(
    ("model", "escape", "second"),
    [("lone-surrogate", rb"\ud800", " a\ud800b"), ("nul", rb"\u0000", " a\0b")],
)
async def test_forbidden_characters(model, escape, second):
    """The second delta has a character that is legal in JSON and in no store."""
    first, *others = tokens(reply_to(user("hello")))
    async with serving() as (_, client):
        received = await body_of(client, ask(model=model))

    assert escape in received
    assert deltas(received) == [first, second, *others]


@pytest.mark.parametrize(
    ("model", "line"),
    [
        ("cr", rb"\}\r\rdata: \{"),
        ("crlf", rb"\}\r\n\r\ndata: \{"),
        ("malformed-sse", b"^\xef\xbb\xbf: a comment\ndata:\\{\ndata: "),
        ("malformed-sse", b'"broken\n\n'),
    ],
)
async def test_odd_sse(model, line):
    """The modes that write SSE in an odd way do so."""
    async with serving() as (_, client):
        received = await body_of(client, ask("[echo]a b", model))

    assert re.search(line, received)
    assert deltas(received) == ["a", " b"]


@pytest.mark.parametrize(
    ("model", "reasons", "done", "usage"),
    [
        ("no-done", ["stop"], False, True),
        ("no-finish", [], False, False),
        ("done-only", [], True, True),
    ],
)
async def test_endings(model, reasons, done, usage):
    """Finish reason and [DONE] are missing as the mode says, the HTTP body ends cleanly."""
    async with serving() as (_, client):
        body = ask("[echo]a", model, stream_options={"include_usage": True})
        received, error = await cut_body_of(client, body)

    assert error is None
    assert deltas(received) == ["a"]
    assert finish_reasons(received) == reasons
    assert ("[DONE]" in events(received)) is done
    assert any(chunk["usage"] for chunk in chunks(received)) is usage


async def test_empty():
    """The mode empty finishes without a text."""
    async with serving() as (_, client):
        received = await body_of(client, ask(model="empty"))

    assert deltas(received) == []
    assert finish_reasons(received) == ["stop"]


async def test_huge_chunk():
    """The mode huge-chunk says 300 kB in one delta."""
    async with serving() as (_, client):
        received = await body_of(client, ask(model="huge-chunk"))

    assert deltas(received) == [HUGE]
    assert len(HUGE) == 300_000
    assert finish_reasons(received) == ["stop"]


@pytest.mark.parametrize("stream", [True, False])
async def test_error_event(stream):
    """The mode error-event has status 200, some tokens if it streams, and then an error."""
    async with serving() as (_, client):
        response = await client.post(COMPLETIONS, json=ask(model="error-event", stream=stream))

    assert response.status_code == 200
    last = chunks(response.content)[-1] if stream else response.json()
    assert SECRET in last["error"]["message"]
    assert deltas(response.content) == (tokens(reply_to(user("hello")))[:3] if stream else [])


# What it notes


async def test_endless_until_the_client_leaves():
    """The mode endless goes on until the client leaves, and then says no more."""
    async with serving() as (server, client):
        async with client.stream("POST", COMPLETIONS, json=ask(model="endless")):
            await server.wait_for(lambda calls: calls[0].tokens > 1000)
        [call] = await server.wait_for(lambda calls: calls[0].end)
        said = call.tokens
        assert finish_reasons(await body_of(client, ask())) == ["stop"]

        assert call.end == "dropped"
        assert call.tokens == said


async def test_a_client_that_does_not_read():
    """Endless words for a client that does not read wait for it, and end when it leaves."""
    async with LlmServer() as server:
        _, writer = await raw_call(server, ask(model="endless"))
        said = 0
        with pytest.raises(TimeoutError):
            while True:
                [call] = await server.wait_for(
                    lambda calls, said=said: calls and calls[0].tokens > said, seconds=0.3
                )
                said = call.tokens
        writer.transport.abort()
        [call] = await server.wait_for(lambda calls: calls[0].end)

    assert call.end == "dropped"


@pytest.mark.parametrize("model", ["qwen3:8b", "slow"])
@pytest.mark.parametrize("leave", ["close", "abort", "write_eof"])
async def test_a_client_that_leaves_in_a_pause(leave, model):
    """A client that leaves is noticed at once, though the next token is a minute away."""
    async with LlmServer() as server:
        reader, writer = await raw_call(server, ask("[pace:60000]", model))
        [call] = await server.wait_for(lambda calls: calls and calls[0].tokens)
        await reader.readuntil(b"\n\n")
        left = time.monotonic()
        getattr(writer.transport, leave)()
        await server.wait_for(lambda calls: calls[0].end)
        writer.close()

    assert call.end == "dropped"
    assert call.ended - left < 30
    assert call.dropped_after == pytest.approx(call.ended - call.time)


async def test_a_call_is_noted():
    """A call is noted with its body and headers, and GET /log shows it until DELETE /log."""
    body = ask("hello", temperature=0.5)
    async with serving() as (server, client):
        await client.post(COMPLETIONS, json=body, headers={"X-Trace": "7"})
        log = (await client.get("/log")).json()
        deleted = await client.delete("/log")
        assert server.calls == []

    [call] = log["calls"]
    assert call["body"] == body
    assert call["model"] == "qwen3:8b"
    assert call["headers"]["x-trace"] == "7"
    assert call["time"] <= call["ended"] <= log["now"]
    assert (call["status"], call["end"], call["dropped_after"]) == (200, "finished", None)
    assert call["tokens"] == len(tokens(reply_to(body["messages"])))
    assert deleted.status_code == 204


async def test_waiting_in_vain():
    """A condition that never holds is a TimeoutError that tells what was seen instead."""
    async with serving() as (server, client):
        await body_of(client, ask("[words:3]"))
        with pytest.raises(TimeoutError, match=r"'qwen3:8b', 'finished', 3"):
            await server.wait_for(lambda calls: len(calls) == 2, seconds=0.01)


async def test_closing_and_starting_again():
    """A closed server cuts running calls and refuses new ones, until it starts on its port."""
    async with LlmServer() as server:
        reader, writer = await raw_call(server, ask(model="hang-headers"))
        [call] = await server.wait_for(lambda calls: calls)
        await server.aclose()
        assert call.end == "stopped"
        assert server.connections == 0
        with pytest.raises(ConnectionRefusedError):
            await raw_call(server, ask())
        writer.close()

        await server.start()
        reader, writer = await raw_call(server, ask())
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        writer.close()


# The command


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
async def test_command(signum, tmp_path):
    """It prints one line when it is ready, takes its options, and stops on a signal with 0."""
    log = tmp_path / "calls"
    process = await asyncio.create_subprocess_exec(
        sys.executable, COMMAND, "--port=0", "--key=k", "--pace=1", f"--log={log}",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    line = (await process.stdout.readline()).decode()
    url = re.fullmatch(r"listening on (http://127\.0\.0\.1:\d+)\n", line)[1]
    headers = {"Authorization": "Bearer k"}
    async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False) as client:
        received = await body_of(client, ask())
        process.send_signal(signum)
        rest, _ = await process.communicate()

    assert deltas(received) == tokens(reply_to(user("hello")))
    assert (process.returncode, rest) == (0, b"")
    assert json.loads(log.read_text())["end"] == "finished"


async def test_command_on_a_taken_port():
    """A port that is in use ends the command with one sentence."""
    async with LlmServer() as server:
        process = await asyncio.create_subprocess_exec(
            sys.executable, COMMAND, f"--port={server.port}", stderr=asyncio.subprocess.PIPE
        )
        _, printed = await process.communicate()

    assert process.returncode == 1
    assert printed.decode().startswith(f"cannot listen on 127.0.0.1:{server.port}: ")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_kind_of_server(kind):
    """Like each kind it lists models that can be used, and answers at the paths of that kind."""
    async with serving(kind=kind) as (server, client):
        listed = (await client.get("/v1/models")).json()["data"]
        model = listed[0]["id"]
        received = await body_of(client, ask(model=model))
        own = [name.split()[1] for name in server.documents if name.startswith("GET /")]
        statuses = {path: (await client.get(path)).status_code for path in own}
        assert (await client.get("/api/nothing")).status_code == 404
        assert (await client.post("/api/show", json={"model": "nothing"})).status_code == 404

    assert deltas(received) == tokens(reply_to(user("hello")))
    assert set(statuses.values()) == {200}
    assert "/api/nothing" in [call.path for call in server.questions]


async def test_the_command_is_like_a_kind():
    """--like gives the command's server the native API of a kind."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, COMMAND, "--port=0", "--like=ollama", stdout=asyncio.subprocess.PIPE
    )
    url = (await process.stdout.readline()).decode().split()[-1]
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        tags = (await client.get("/api/tags")).json()
    process.terminate()
    await process.communicate()

    assert "qwen3:8b" in [model["name"] for model in tags["models"]]
