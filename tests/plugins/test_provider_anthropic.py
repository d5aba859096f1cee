"""The plugin provider_anthropic: what is said in the words of its API. Faults: the other file."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from anthropic_server import AnthropicServer
from harness import chatting
from marshmallow import ValidationError
from test_vendor_providers import ANTHROPIC, KEY, ask, serving

import chatd
from chatd.app import App
from plugins.provider_anthropic import AnthropicProvider, ConfigSchema, Reply


def messages(*said: tuple[str, str]) -> tuple[chatd.PromptMessage, ...]:
    """Messages of these roles and texts."""
    return tuple(chatd.PromptMessage(role=role, content=text) for role, text in said)


async def asked(options: dict[str, Any] | None = None, **fields: Any) -> Any:
    """The body of the call for a prompt with these fields."""
    async with serving(ANTHROPIC, **(options or {})) as (server, provider):
        result = await ask(provider, **fields)
        assert result.error is None, result.error
        return server.calls[-1].body


async def test_what_is_asked() -> None:
    """The system prompt stands by itself; settings and options have the names of the API."""
    schema = {"type": "object", "properties": {}}
    function = {"name": "f", "description": "does", "parameters": schema}
    options = {
        "top_k": 5,
        "stop": ["END"],
        "seed": 7,
        "reasoning_effort": "minimal",
        "response_format": {"type": "json_schema", "json_schema": {"schema": schema}},
    }
    body = await asked(
        messages=messages(("system", "be brief"), ("user", "hello")),
        settings={"temperature": 1.5, "max_tokens": 70, "options": options},
        tools=({"type": "function", "function": function},),
    )
    assert body == {
        "model": "qwen3:8b",
        "system": "be brief",
        "messages": [{"role": "user", "content": "hello"}],
        "max_tokens": 70,
        "stream": True,
        "temperature": 1,
        "top_k": 5,
        "stop_sequences": ["END"],
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": schema}},
        "tools": [{"name": "f", "description": "does", "input_schema": schema}],
    }


async def test_headers() -> None:
    """The key and the version go as headers, beside the operator's own."""
    async with serving(ANTHROPIC, headers={"anthropic-beta": "x"}) as (server, provider):
        await ask(provider)
        headers = server.calls[0].headers
    assert (headers["x-api-key"], headers["anthropic-version"]) == (KEY, "2023-06-01")
    assert headers["anthropic-beta"] == "x"
    assert "authorization" not in headers


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ([("user", "a"), ("user", "b"), ("assistant", "c"), ("user", "d")],
         [("user", "a\n\nb"), ("assistant", "c"), ("user", "d")]),
        ([("assistant", "a"), ("user", "b")], [("user", "b")]),
        ([("user", "a"), ("assistant", " \n"), ("user", "b")], [("user", "a\n\nb")]),
        ([("user", "a"), ("assistant", "b"), ("tool", "c"), ("system", "d"), ("user", "e")],
         [("user", "a"), ("assistant", "b"), ("user", "c\n\ne")]),
    ],
)  # fmt: skip
async def test_roles_alternate(said: list[tuple[str, str]], sent: list[tuple[str, str]]) -> None:
    """Neighbours of one role are joined, blank messages are left out, a user begins."""
    body = await asked(messages=messages(*said))

    assert [(each["role"], each["content"]) for each in body["messages"]] == sent
    assert body.get("system") == ("d" if ("system", "d") in said else None)


async def test_top_p_or_temperature() -> None:
    """Models take one of them: top_p is what a user has set, temperature has a default."""
    body = await asked(settings={"temperature": 0.7, "options": {"top_p": 0.9, "top_k": 0}})

    assert (body.get("top_p"), body.get("temperature"), body.get("top_k")) == (0.9, None, None)


async def test_a_model_without_sampling() -> None:
    """It is asked once more without, and from then on at once; in newer versions none is sent."""
    settings = {"temperature": 0.7}
    async with serving(ANTHROPIC) as (server, provider):
        for _ in range(2):
            assert (await ask(provider, "no-sampling", settings=settings)).error is None
        assert ["temperature" in call.body for call in server.calls] == [True, False, False]
    assert "temperature" not in await asked({"version": "2026-10-21"}, settings=settings)


async def test_thinking() -> None:
    """A budget is beside the tokens of the reply; adaptive thoughts are shown; neither samples."""
    settings = {"temperature": 0.7, "max_tokens": 100, "options": {"top_k": 3}}
    body = await asked({"thinking": 2048}, settings=settings)
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 2048}
    assert body["max_tokens"] == 2148
    assert {"temperature", "top_k"} & body.keys() == set()
    body = await asked({"thinking": "adaptive"}, settings=settings)
    assert body["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert (body["max_tokens"], "temperature" in body) == (100, False)
    body = await asked({"thinking": "disabled"}, settings=settings)
    assert (body["thinking"], body["temperature"]) == ({"type": "disabled"}, 0.7)


async def test_models() -> None:
    """All pages, with context and capabilities where the API tells them; no retired ones."""
    async with serving(ANTHROPIC) as (server, provider):
        models = await provider.models()
        assert [call.path for call in server.listings] == [
            "/v1/models?limit=1000",
            "/v1/models?limit=1000&after_id=claude-b",
        ]
    assert models == [
        chatd.ModelInfo(
            name="claude-a", context_length=200_000, capabilities=("tools", "vision", "reasoning")
        ),
        chatd.ModelInfo(name="claude-b", context_length=1_000_000, capabilities=("tools",)),
        chatd.ModelInfo(name="claude-c", capabilities=("tools",)),
    ]


async def test_a_list_without_an_end() -> None:
    """A list that says that there is more, and has nothing more, ends."""

    class Endless(AnthropicServer):
        async def _list_models(self, call: Any, response: Any) -> None:
            data = [{"id": "a"}] if "after_id" not in call.path else []
            page = {"data": data, "has_more": True, "last_id": f"a{len(self.listings)}"}
            await response.send_json(200, page)

    async with Endless() as server:
        provider = AnthropicProvider("a", [server.url], timeout=5)
        async with contextlib.aclosing(provider):
            assert [model.name for model in await provider.models()] == ["a"]
        assert len(server.listings) == 2


# Events


def sent(*events: dict[str, Any]) -> Iterator[bytes]:
    """These events as they come."""
    for event in events:
        yield b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps(event).encode())


def said(*events: dict[str, Any]) -> list[Any]:
    """What a reply of these events says."""
    reply = Reply("x")
    return [*reply.take(b"".join(sent(*events))), *reply.end()]


def begin(index: int, kind: str, **fields: Any) -> dict[str, Any]:
    """The beginning of a block."""
    return {
        "type": "content_block_start",
        "index": index,
        "content_block": {"type": kind, **fields},
    }


def delta(index: int, kind: str, **fields: Any) -> dict[str, Any]:
    """A piece of a block."""
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def end(index: int) -> dict[str, Any]:
    """The end of a block."""
    return {"type": "content_block_stop", "index": index}


def finish(reason: str = "end_turn", **usage: int) -> dict[str, Any]:
    """What is told at the end."""
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}


STOP = {"type": "message_stop"}


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("something_new", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
    ],
)
def test_finishes(told: str, reason: str) -> None:
    """Each reason of an end has its word."""
    assert said(finish(told), STOP)[-1] == chatd.Finish(reason=reason)


def test_usage_counts_the_cache() -> None:
    """What was read from and written to the cache was in the prompt; the last numbers count."""
    start = {"input_tokens": 3, "cache_read_input_tokens": 20, "output_tokens": 1, "x": None}
    head = {"type": "message_start", "message": {"usage": start}}
    usage = said(head, finish(output_tokens=9, cache_creation_input_tokens=100), STOP)[0]

    assert usage == chatd.Usage(prompt_tokens=123, completion_tokens=9, total_tokens=132)


def test_tool_calls() -> None:
    """Arguments come in pieces, at the beginning, or not at all; a server's own are not ours."""
    chunks = said(
        begin(0, "tool_use", id="a", name="f", input={}),
        delta(0, "input_json_delta", partial_json=""),
        delta(0, "input_json_delta", partial_json='{"k":'),
        delta(0, "input_json_delta", partial_json=" 1}"),
        end(0),
        begin(1, "tool_use", id="b", name="g", input={"k": "é"}),
        end(1),
        begin(2, "tool_use", id="c", name="h", input={}),
        end(2),
        begin(3, "server_tool_use", id="d", name="web_search", input={}),
        delta(3, "input_json_delta", partial_json='{"q": 1}'),
        end(3),
        finish("tool_use"),
        STOP,
    )
    assert chunks[:3] == [
        chatd.ToolCall(id="a", name="f", arguments='{"k": 1}'),
        chatd.ToolCall(id="b", name="g", arguments='{"k": "é"}'),
        chatd.ToolCall(id="c", name="h", arguments="{}"),
    ]
    assert not isinstance(chunks[3], chatd.ToolCall)


def test_thoughts_that_are_not_shown() -> None:
    """While a model thinks in silence a ping says that it is alive; elsewhere it says nothing."""
    reply = Reply("x")
    grown = []
    for piece in sent(
        {"type": "ping"},
        begin(0, "thinking", thinking=""),
        {"type": "ping"},
        end(0),
        {"type": "ping"},
    ):
        reply.take(piece)
        grown.append(reply.grew)
    assert grown == [False, True, True, False, False]


def test_what_is_not_known_is_skipped() -> None:
    """Events, blocks and deltas of new types cost nothing: the API says that there will be some."""
    chunks = said(
        {"type": "something", "delta": {"text": "x"}},
        begin(0, "new_block", data=[1]),
        delta(0, "new_delta", data="x"),
        delta(1, "citations_delta", citation={}),
        begin(2, "text", text="a"),
        finish(),
        STOP,
    )
    assert [chunk for chunk in chunks if isinstance(chunk, str)] == ["a"]


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("overloaded_error", chatd.ProviderBusy),
        ("rate_limit_error", chatd.ProviderBusy),
        ("timeout_error", chatd.ProviderTimeout),
        ("invalid_request_error", chatd.ProviderRefused),
        ("api_error", chatd.ProviderError),
        (None, chatd.ProviderError),
    ],
)
def test_errors_in_the_stream(kind: str | None, error: type) -> None:
    """An error after some text is told by its kind, without its words."""
    fault = {"type": "error", "error": {"type": kind, "message": "the secret"}}
    reply = Reply("x")
    assert reply.take(b"".join(sent(delta(0, "text_delta", text="a"), fault, STOP))) == ["a"]
    with pytest.raises(chatd.ProviderError) as caught:
        reply.end()
    assert type(caught.value) is error
    assert "secret" not in str(caught.value)


# Configuration


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"instances": []},
        {"instances": [{"url": "https://a"}]},
        {"instances": [{"name": "a", "thinking": 100}]},
        {"instances": [{"name": "a", "thinking": True}]},
        {"instances": [{"name": "a", "thinking": "much"}]},
        {"instances": [{"name": "a", "version": "new"}]},
        {"instances": [{"name": "a", "url": "http://a", "urls": ["http://b"]}]},
    ],
)
def test_wrong_configuration(table: dict[str, Any]) -> None:
    """What cannot work is found before the start."""
    with pytest.raises(ValidationError):
        ConfigSchema().load(table)


def test_the_url_has_a_default() -> None:
    """An instance without a URL is at Anthropic's own; one that was copied whole is cut."""
    [instance] = ConfigSchema().load({"instances": [{"name": "a", "key": "k"}]})["instances"]
    urls = [instance["urls"], ["http://a/v1/messages"], ["http://a/proxy/"]]
    found = [AnthropicProvider("a", each, timeout=1).upstream.pool.servers[0].url for each in urls]
    assert found == ["https://api.anthropic.com/v1", "http://a/v1", "http://a/proxy/v1"]


async def test_one_sentence_at_the_start(tmp_path: Path) -> None:
    """Without an instance the start fails, naming the table."""
    env = {"CHATD_PLUGINS_ENABLED": "provider_anthropic"}
    with pytest.raises(chatd.ConfigError, match=r"\[plugins\.provider_anthropic\] instances"):
        async with chatting(tmp_path, **env):
            pass


async def test_two_accounts(tmp_path: Path) -> None:
    """Two instances are two providers, each with its own key; none is shown."""
    async with AnthropicServer(key="sk-one") as one, AnthropicServer(key="sk-two") as two:
        config = tmp_path / "chatd.toml"
        config.write_text(
            "".join(
                f'[[plugins.provider_anthropic.instances]]\nname = "{name}"\nurl = "{server.url}"\n'
                f'key = {{ env = "KEY_{name}" }}\n'
                for name, server in (("one", one), ("two", two))
            )
        )
        env = {"CHATD_CONFIG": str(config), "KEY_one": "sk-one", "KEY_two": "sk-two"}
        env["CHATD_PLUGINS_ENABLED"] = "auth_token,provider_anthropic"
        async with chatting(tmp_path, **env) as chat:
            app: App = chat.app
            assert "sk-" not in repr(app.config)
            alice = await chat.client("alice")
            for name in ("one", "two"):
                session_id = await alice.new_session(model=f"{name}/qwen3:8b")
                assert (await alice.send(session_id))["ai_message"]["status"] == "complete"
        assert (len(one.calls), len(two.calls)) == (1, 1)
