"""Turns against a model server that is not ours: LiteLLM, in front of the development server."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from harness import API, Client, chatting

from scripts.llm import SECRET, reply_to

SERVER = Path(__file__).parents[1] / "scripts" / "llm_server.py"
STARTS_WITHIN = 240  # seconds; it takes ten, and more on a machine that is busy
KEY = f"sk-{secrets.token_hex(20)}"
HELLO = "hello, proxy"
TEXT = reply_to([{"role": "user", "content": HELLO}])
KNOWN = {"mode": "chat", "max_input_tokens": 32768, "supports_vision": True}
MODELS = {"dev": "qwen3:8b", "crlf": "crlf", "broken": "500-html", "cut": "error-event"}


class Proxy(NamedTuple):
    """A running proxy, and the models it has."""

    url: str
    models: list[str]


@pytest.fixture(scope="module")
def dev() -> Iterator[str]:
    """The URL of a development model server in a process of its own."""
    command = [sys.executable, str(SERVER), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
        process.kill()


@pytest.fixture(scope="module")
def proxy(dev: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """LiteLLM's proxy, which knows some models of the development server by names of its own."""
    folder, port = tmp_path_factory.mktemp("litellm"), free_port()
    parameters = {"api_base": f"{dev}/v1", "api_key": "none", "max_retries": 0}
    listed: list[dict[str, Any]] = [
        {"model_name": name, "litellm_params": {"model": f"openai/{mode}", **parameters}}
        for name, mode in MODELS.items()
    ]
    listed[0]["model_info"] = KNOWN
    listed.append(
        {
            "model_name": "embeds",
            "litellm_params": {"model": "openai/embeds", **parameters},
            "model_info": {"mode": "embedding"},
        }
    )
    settings = {"telemetry": False, "num_retries": 0}
    config = folder / "config.yaml"  # JSON is YAML
    config.write_text(json.dumps({"model_list": listed, "litellm_settings": settings}))
    log = folder / "log"
    environ = os.environ | {
        "HOME": str(folder),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_MASTER_KEY": KEY,
        "LITELLM_TELEMETRY": "False",
        "NO_PROXY": "*",
    }
    arguments = ["--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as file:
        command = [executable(), *arguments, "--telemetry", "False"]
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=file, stderr=file)
    try:
        wait_until_ready(process, url := f"http://127.0.0.1:{port}", log)
        yield Proxy(url, sorted(MODELS))
    finally:
        process.kill()
        process.wait()


def executable() -> str:
    """Return the path of LiteLLM's command."""
    path = os.environ.get("CHATD_TEST_LITELLM", "")
    if not Path(path).is_file():
        pytest.fail(
            "CHATD_TEST_LITELLM must be the path of LiteLLM's command. scripts/test installs it; by"
            " hand: make a virtual environment of its own, `pip install 'litellm[proxy]'` there,"
            " and set CHATD_TEST_LITELLM to its bin/litellm."
        )
    return path


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Return when the proxy answers; fail with its log if it does not."""
    end = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/health/liveliness", trust_env=False).is_success:
                # The first unknown path makes it load things, for seconds.
                httpx.get(f"{url}/props", trust_env=False, timeout=60)
                return
        time.sleep(0.2)
    pytest.fail(f"LiteLLM does not answer; its log ends with:\n{log.read_text()[-4000:]}")


@contextlib.asynccontextmanager
async def fronting(tmp_path: Path, proxy: Proxy, key: str = KEY) -> AsyncIterator[Client]:
    """Give a user of a chatd whose model server is the proxy."""
    instance = f'name = "lite"\nurl = "{proxy.url}"\nkey = "{key}"\n'
    config = tmp_path / "chatd.toml"
    config.write_text(f"[[plugins.provider_openai.instances]]\n{instance}")
    plugins = "auth_token,provider_openai"
    async with chatting(tmp_path, CHATD_CONFIG=str(config), CHATD_PLUGINS_ENABLED=plugins) as chat:
        yield await chat.client("alice")


def assert_is_the_reply(message: dict[str, Any], model: str) -> None:
    """Check a whole answer, word for word, and what it cost."""
    assert (message["status"], message["content"]) == ("complete", TEXT)
    assert (message["model"], message["finish_reason"]) == (f"lite/{model}", "stop")
    usage = message["usage"]
    assert usage["prompt_tokens"] > 0
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


async def test_models(tmp_path: Path, proxy: Proxy) -> None:
    """The models of the proxy that chat can be chosen; what it knows of them is told."""
    async with fronting(tmp_path, proxy) as alice:
        report = await alice.call("POST", "/models/sync_models/")
        models = await alice.call("GET", "/models/")
        health = await alice.call("GET", "/health/llm_server/")
    assert report["providers"] == {"lite": {"ok": True, "models": len(MODELS)}}
    assert sorted(model["name"] for model in models["results"]) == proxy.models
    [dev] = [model for model in models["results"] if model["name"] == "dev"]
    assert (dev["context_length"], dev["capabilities"]) == (32768, ["vision"])
    assert health["status"] == "healthy"


@pytest.mark.parametrize("model", ["dev", "crlf"])
async def test_a_turn_over_websocket(tmp_path: Path, proxy: Proxy, model: str) -> None:
    """The chunks are the reply, and the end is it too."""
    async with fronting(tmp_path, proxy) as alice:
        session_id = await alice.new_session(model=f"lite/{model}")
        async with alice.socket(f"session/{session_id}", chunks="delta") as socket:
            await socket.send("send_message", message=HELLO)
            events = await socket.until("ai_message_complete", "error")
        stored = await alice.messages(session_id)
    chunks = [event["content"] for event in events if event["type"] == "ai_message_chunk"]
    assert "".join(chunks) == TEXT
    assert_is_the_reply(events[-1]["message"], model)
    assert stored[1] == events[-1]["message"]


async def test_a_turn_over_rest(tmp_path: Path, proxy: Proxy) -> None:
    """The answer has the reply; the next turn has both in its prompt."""
    async with fronting(tmp_path, proxy) as alice:
        session_id = await alice.new_session(model="lite/dev")
        answer = await alice.send(session_id, HELLO)
        later = await alice.send(session_id, "and now?")
    assert_is_the_reply(answer["ai_message"], "dev")
    prompt = [
        {"role": "user", "content": HELLO},
        {"role": "assistant", "content": TEXT},
        {"role": "user", "content": "and now?"},
    ]
    assert later["ai_message"]["content"] == reply_to(prompt)


async def test_a_turn_over_sse(tmp_path: Path, proxy: Proxy) -> None:
    """The events of a stream are the turn."""
    async with fronting(tmp_path, proxy) as alice:
        session_id = await alice.new_session(model="lite/dev")
        path = f"{API}/sessions/{session_id}/send_message/?chunks=delta"
        headers = {"Accept": "text/event-stream"}
        answer = await alice.http.post(path, json={"message": HELLO}, headers=headers)
    blocks = answer.content.split(b"\n\n")[:-1]
    events = [json.loads(block.split(b"\ndata: ")[1]) for block in blocks]
    chunks = [event["content"] for event in events if event["type"] == "ai_message_chunk"]
    assert "".join(chunks) == TEXT
    assert [events[0]["type"], events[-1]["type"]] == ["user_message", "ai_message_complete"]
    assert_is_the_reply(events[-1]["message"], "dev")


@pytest.mark.parametrize("model", ["broken", "cut", "no-such-model"])
async def test_a_failure_behind_the_proxy(tmp_path: Path, proxy: Proxy, model: str) -> None:
    """What fails behind the proxy ends the turn with an error that tells no secret."""
    async with fronting(tmp_path, proxy) as alice:
        session_id = await alice.new_session(model=f"lite/{model}")
        path = f"/sessions/{session_id}/send_message/"
        failure = await alice.call("POST", path, 502, json={"message": HELLO})
    assert failure["code"] == ("provider_refused" if "no" in model else "provider_error")
    assert TEXT.startswith(failure["ai_message"]["content"])
    assert [word for word in (SECRET, KEY, "127.0.0.1") if word in json.dumps(failure)] == []


async def test_a_wrong_key(tmp_path: Path, proxy: Proxy) -> None:
    """The proxy's refusal of the key is told as a refusal, without the key."""
    async with fronting(tmp_path, proxy, key="sk-wrong") as alice:
        session_id = await alice.new_session(model="lite/dev")
        path = f"/sessions/{session_id}/send_message/"
        failure = await alice.call("POST", path, 502, json={"message": HELLO})
    assert failure["code"] == "provider_refused"
    assert "sk-wrong" not in json.dumps(failure)
