"""What chatd counts, and who may read it."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness import API, Chat, Script, chatting
from mongod import named
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families
from routes import check_problem
from websockets.asyncio.client import connect

import chatd
from chatd.errors import StoreUnavailable
from chatd.metrics import MODELS_AT_MOST, Metrics
from chatd.metrics.families import Histogram
from chatd.settings import LimitSettings
from chatd.stores.metered import TIMED, metered
from scripts.llm import LlmServer

ROOT = Path(__file__).parent.parent
SSE = {"Accept": "text/event-stream"}
MODEL = "script/model"


class Scrape:
    """The numbers of one moment."""

    def __init__(self, text: str) -> None:
        self.families = list(text_string_to_metric_families(text))
        self._samples = [sample for family in self.families for sample in family.samples]

    def value(self, name: str, **labels: str) -> float:
        """Return the sum of all numbers of a name that have these labels."""
        return sum(
            sample.value
            for sample in self._samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def labels(self, name: str, label: str) -> set[str]:
        """Return the values of a label."""
        return {sample.labels[label] for sample in self._samples if sample.name == name}


async def scrape(chat: Chat, **headers: str) -> Scrape:
    """Read the metrics as Prometheus does."""
    async with httpx.AsyncClient(base_url=chat.url) as http:
        answer = await http.get("/metrics", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    return Scrape(answer.text)


async def test_a_turn_is_counted(tmp_path: Path) -> None:
    """A turn has its end, its times and its tokens under the model's name."""
    one, two = asyncio.Event(), asyncio.Event()
    usage = chatd.Usage(prompt_tokens=7, completion_tokens=3)
    reply = ["a", one, "b", two, "c", usage]
    async with chatting(tmp_path, Script(reply)) as chat:
        alice = await chat.client("alice")
        await alice.call("POST", "/models/sync_models/")
        session_id = await alice.new_session()
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("send_message", message="hi")
            for go in (one, two):
                await socket.until("ai_message_chunk")
                assert (await scrape(chat)).value("chatd_running_generations") == 1
                go.set()
            await socket.until("ai_message_complete")
        found = await scrape(chat)
    assert found.value("chatd_turns_total", model=MODEL, status="complete", code="") == 1
    assert found.value("chatd_turn_duration_seconds_count", model=MODEL) == 1
    assert found.value("chatd_time_to_first_token_seconds_count", model=MODEL) == 1
    assert found.value("chatd_time_between_tokens_seconds_count", model=MODEL) == 2
    assert found.value("chatd_tokens_total", model=MODEL, kind="prompt") == 7
    assert found.value("chatd_tokens_total", model=MODEL, kind="completion") == 3
    assert found.value("chatd_running_generations") == 0


async def test_ends_are_told_apart(tmp_path: Path) -> None:
    """Stopped, failed and interrupted turns are counted as such, with the code of their error."""
    endless = asyncio.Event()
    replies: list[list[Any]] = [
        ["a", chatd.ProviderTimeout("slow")],
        ["a", chatd.ProviderInterrupted("cut")],
        [RuntimeError("bug")],
        ["a", endless],
    ]
    async with chatting(tmp_path, Script(*replies)) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        path = f"/sessions/{session_id}/send_message/"
        for _ in range(3):
            await alice.call("POST", path, 502, json={"message": "hi"})
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("send_message", message="hi")
            await socket.until("ai_message_chunk")
            await socket.send("stop_generation")
            await socket.until("ai_message_complete")
        found = await scrape(chat)
    ends = {
        (sample.labels["status"], sample.labels["code"]): sample.value
        for family in found.families
        for sample in family.samples
        if sample.name == "chatd_turns_total"
    }
    assert ends == {
        ("error", "provider_timeout"): 1,
        ("interrupted", "provider_interrupted"): 1,
        ("error", "provider_error"): 1,
        ("stopped", ""): 1,
    }


async def test_clients_cannot_invent_labels(tmp_path: Path) -> None:
    """Models, methods, paths and close codes that nobody knows are all counted as `other`."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        await alice.call("POST", "/models/sync_models/")
        for name in ("script/nobody-has-this", "script/nor-this"):
            await alice.send(await alice.new_session(model=name))
        await alice.http.request("BREW", "/coffee")
        await alice.http.get("/tea")
        url = f"{chat.url.replace('http', 'ws')}/ws/ai-chat/sessions/?token={alice.token}"
        async with connect(url) as connection:
            await connection.close(4321)
        while not (found := await scrape(chat)).value("chatd_sockets_closed_total"):
            pass
    assert found.labels("chatd_turns_total", "model") == {"other"}
    assert found.value("chatd_turns_total") == 2
    assert found.value("chatd_http_requests_total", method="other", route="other") == 1
    assert found.value("chatd_http_requests_total", method="GET", route="other") == 1
    assert found.labels("chatd_sockets_closed_total", "code") == {"other"}


def test_models_are_bounded() -> None:
    """Past a number of models even known ones are `other`: a provider may list thousands."""
    metrics = Metrics("0")
    for number in range(MODELS_AT_MOST + 2):
        metrics.pace(f"llm/{number}", 0.0).beat()
    (sample,) = [s for s in metrics.sample() if s.name == "chatd_time_to_first_token_seconds"]
    assert len(sample.rows) == MODELS_AT_MOST + 1
    assert sum(sample.rows["other",][:-1]) == 2


async def test_connections_are_counted(tmp_path: Path) -> None:
    """Sockets and streams are counted while open by kind, and when closed by code."""
    go = asyncio.Event()
    async with chatting(tmp_path, Script(["a", go]), CHATD_LIMITS_SOCKETS_PER_USER="3") as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        path = f"{API}/sessions/{session_id}/send_message/"
        async with (
            alice.socket(f"session/{session_id}") as socket,
            alice.socket("sessions"),
            alice.http.stream("POST", path, json={"message": "hi"}, headers=SSE) as stream,
        ):
            await socket.until("ai_message_chunk")
            async with alice.socket("sessions", greet=False) as refused:
                assert await refused.close_code() == 1013
            found = await scrape(chat)
            for kind in ("session", "list", "sse"):
                assert found.value("chatd_open_sockets", kind=kind) == 1, kind
            assert found.value("chatd_refused_total", limit="sockets_per_user") == 1
            assert found.value("chatd_sockets_closed_total", kind="list", code="1013") == 1
            go.set()
            await stream.aread()
        async with alice.socket("session/nowhere", greet=False) as socket:
            assert await socket.close_code() == 4504
        while (found := await scrape(chat)).value("chatd_open_sockets"):
            pass
        while (found := await scrape(chat)).value("chatd_sockets_closed_total") < 4:
            pass
    assert found.value("chatd_sockets_opened_total") == 4
    assert found.value("chatd_sockets_closed_total", code="1000") == 2
    assert found.value("chatd_sockets_closed_total", kind="session", code="4504") == 1


async def test_refused_sends_are_counted(tmp_path: Path) -> None:
    """A send that a limit refuses is counted under the limit's name."""
    limits = {"SENDS_PER_MINUTE": "1", "SENDS_BURST": "2", "GENERATIONS_PER_USER": "1"}
    settings = {f"CHATD_LIMITS_{name}": value for name, value in limits.items()}
    go = asyncio.Event()
    async with chatting(tmp_path, Script(["a", go]), **settings) as chat:
        alice = await chat.client("alice")
        one, two = await alice.new_session(), await alice.new_session()
        body, later = {"message": "hi"}, {"Prefer": "respond-async"}
        first, second = (f"/sessions/{id}/send_message/" for id in (one, two))
        await alice.call("POST", first, 202, json=body, headers=later)
        await alice.call("POST", second, 429, json=body)
        go.set()
        while (await scrape(chat)).value("chatd_running_generations"):
            pass
        await alice.call("POST", second, json=body)
        await alice.call("POST", second, 429, json=body)
        found = await scrape(chat)
    assert found.value("chatd_refused_total", limit="generations_per_user") == 1
    assert found.value("chatd_refused_total", limit="sends_per_minute") == 1


LIMITS = {
    "frame_bytes": "2000",
    "body_bytes": "4000",
    "message_chars": "100",
    "title_chars": "20",
    "system_prompt_chars": "100",
    "metadata_bytes": "200",
    "reply_bytes": "50",
}
# Those of the tests above, and those that refuse nothing of their own.
ELSEWHERE = {"sends_per_minute", "generations_per_user", "sockets_per_user", "sockets"}
NOT_COUNTED = {"sends_burst", "prompt_chars", "json_depth"}


async def test_whatever_is_too_large_is_counted(tmp_path: Path) -> None:
    """A frame, a body, a field or a reply that is too large is counted under its limit's name."""
    settings = {f"CHATD_LIMITS_{name.upper()}": value for name, value in LIMITS.items()}
    async with chatting(tmp_path, Script(["x" * 51]), **settings) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session(title="x" * 20)
        turn = await alice.send(session_id, "x" * 100)
        assert turn["ai_message"]["finish_reason"] == "length"
        assert (await counted(chat)) == {"reply_bytes": 1}

        path, long = f"/sessions/{session_id}/send_message/", "x" * 101
        await alice.call("POST", path, 400, json={"message": long})
        await alice.call("PATCH", f"/sessions/{session_id}/", 400, json={"title": long})
        large = {"system_prompt": long, "metadata": {"x": long * 2}}
        await alice.call("POST", "/sessions/", 400, json=large)
        await alice.call("POST", "/presets/", 400, json={"name": long})
        await alice.call("POST", path, 413, content=b"x" * 4001)
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("send_message", message=long)
            assert (await socket.receive())["code"] == "invalid_input"
            await socket.send("ping", t="x" * 2000)
            assert await socket.close_code() == 1009
        while "frame_bytes" not in (found := await counted(chat)):
            pass
    assert found == dict.fromkeys(LIMITS, 1) | {"message_chars": 2, "title_chars": 2}


async def counted(chat: Chat) -> dict[str, float]:
    """Return what was refused, by limit."""
    found, name = await scrape(chat), "chatd_refused_total"
    return {limit: found.value(name, limit=limit) for limit in found.labels(name, "limit")}


def test_every_limit_is_counted_or_refuses_nothing() -> None:
    """Each key of [limits] is in a test here, and in what docs/metrics.md says of the counter."""
    limits = set(LimitSettings.__struct_fields__)
    assert limits == LIMITS.keys() | ELSEWHERE | NOT_COUNTED
    text = (ROOT / "docs" / "metrics.md").read_text()
    said = text.partition("- **Refused**")[2].partition("\n- **")[0]
    assert {limit for limit in limits if f"`{limit}`" in said} == limits - {"sends_burst"}


async def test_calls_of_a_model_server_are_counted(tmp_path: Path) -> None:
    """Each attempt at a server is counted under its provider, with how it went."""
    async with LlmServer() as llm:
        settings = {
            "LLM_SERVER_URL": llm.url,
            "CHATD_PLUGINS_ENABLED": "auth_token,provider_openai",
        }
        async with chatting(tmp_path, **settings) as chat:
            alice = await chat.client("alice")
            await alice.call("POST", "/models/sync_models/")
            before = await scrape(chat)
            await alice.send(await alice.new_session(model="llm/qwen3:8b"))
            session_id = await alice.new_session(model="llm/500-html")
            body = {"message": "hi"}
            await alice.call("POST", f"/sessions/{session_id}/send_message/", 502, json=body)
            found = await scrape(chat)

    def grown(name: str, **labels: str) -> float:
        return found.value(name, provider="llm", **labels) - before.value(
            name, provider="llm", **labels
        )

    assert grown("chatd_provider_calls_total", code="ok") == 1
    assert grown("chatd_provider_calls_total", code="provider_error") == 1
    assert grown("chatd_provider_first_byte_seconds_count") == 2


class Guard:
    """A plugin that knows one caller and breaks on another."""

    @chatd.hookimpl
    async def authenticate(self, request: chatd.Request) -> chatd.User | None:
        """Let `good` in."""
        match request.token:
            case "good":
                return chatd.User(id=chatd.new_id(), name="good")
            case "bad":
                raise chatd.Unauthenticated
            case "worse":
                raise RuntimeError("bug")
        return None


async def test_hooks_are_timed(tmp_path: Path) -> None:
    """Calls of a plugin are counted by hook; what it refuses is no failure, what it raises is."""
    async with chatting(tmp_path, Guard()) as chat:
        for token in ("good", "bad", "worse", "unknown"):
            headers = {"Authorization": f"Token {token}"}
            await chat.anonymous().http.get(f"{API}/me/", headers=headers)
        found = await scrape(chat)
    hook = {"plugin": "Guard", "hook": "authenticate"}
    assert found.value("chatd_plugin_duration_seconds_count", **hook) == 4
    assert found.value("chatd_plugin_errors_total", **hook) == 1
    assert found.value("chatd_plugin_duration_seconds_count", plugin="auth_token") == 1


async def test_requests_are_counted_by_route(tmp_path: Path) -> None:
    """A request is counted under its route, whatever ids its path has, with its status."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        for _ in range(3):
            await alice.call("GET", f"/sessions/{await alice.new_session()}/")
        await alice.call("GET", "/sessions/none/", 404)
        found = await scrape(chat)
    route = "/api/sessions/{id}"
    assert found.value("chatd_http_requests_total", route=route, method="GET", status="200") == 3
    assert found.value("chatd_http_requests_total", route=route, method="GET", status="404") == 1
    assert found.value("chatd_http_request_duration_seconds_count", route=route) == 4
    bucket = "chatd_http_request_duration_seconds_bucket"
    assert found.value(bucket, route=route, le="+Inf") == 4


async def test_store_calls_are_timed(tmp_path: Path) -> None:
    """Every call of the store's contract is timed by name; what it answers is as it was."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        await alice.call("GET", f"/sessions/{await alice.new_session()}/")
        await alice.call("GET", "/sessions/none/", 404)
        found = await scrape(chat)
    operations = found.labels("chatd_store_duration_seconds_count", "operation")
    assert {"add_session", "get_session", "find_token"} <= operations <= TIMED
    assert found.value("chatd_store_duration_seconds_count", operation="get_session") == 2
    assert found.value("chatd_store_errors_total") == 0


async def test_a_store_that_is_away_is_an_error(mongodb: str) -> None:
    """A call that fails because the store cannot be reached is counted with its code."""
    from chatd.stores import open_store

    reported: list[tuple[str, float, str]] = []
    store = open_store(named(mongodb, "unused").replace("://", "://nobody:wrong@"))
    timed = metered(store, lambda *report: reported.append(report))
    with pytest.raises(StoreUnavailable):
        await timed.ping()
    await store.aclose()
    ((name, seconds, code),) = reported
    assert (name, code) == ("ping", "store_unavailable")
    assert seconds > 0


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"])
async def test_without_a_token_a_proxy_is_refused(tmp_path: Path, header: str) -> None:
    """What a proxy of this machine passes on is another's request: 401 without a token."""
    async with chatting(tmp_path, Script()) as chat:
        answer = await chat.anonymous().http.get("/metrics", headers={header: "203.0.113.9"})
        check_problem(answer, 401, "unauthorized")


async def test_the_token(tmp_path: Path) -> None:
    """With [metrics] token everybody has to send it, and a user's token is not it."""
    async with chatting(tmp_path, Script(), CHATD_METRICS_TOKEN="for-prometheus") as chat:
        alice = await chat.client("alice")
        for client in (alice, chat.anonymous()):
            check_problem(await client.http.get("/metrics"), 401, "unauthorized")
        found = await scrape(chat, Authorization="Bearer for-prometheus", Via="1.1 proxy")
        assert found.value("chatd_build_info", version=chatd.__version__) == 1
        assert "for-prometheus" not in repr(chat.app.config)


async def test_off(tmp_path: Path) -> None:
    """With [metrics] enabled = false there is no such path, and nothing is wrapped."""
    async with chatting(tmp_path, Script(), CHATD_METRICS_ENABLED="false") as chat:
        alice = await chat.client("alice")
        check_problem(await alice.http.get("/metrics"), 404)
        await alice.send(await alice.new_session())
        assert not hasattr(chat.app.store, "_store")
        assert chat.app.metrics is None


async def test_open_metrics(tmp_path: Path) -> None:
    """Who asks for OpenMetrics gets it; HEAD has no body."""
    async with chatting(tmp_path, Script()) as chat:
        http = chat.anonymous().http
        accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
        answer = await http.get("/metrics", headers=accept)
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
        assert "chatd_build" in {family.name for family in open_metrics(answer.text)} | {
            family.name.removesuffix("_info") for family in open_metrics(answer.text)
        }
        assert (await http.head("/metrics")).content == b""


async def test_the_process_is_described(tmp_path: Path) -> None:
    """CPU time, memory, open files and the lag of the event loop are there."""
    async with chatting(tmp_path, Script()) as chat:
        while not (found := await scrape(chat)).value("chatd_event_loop_lag_seconds_count"):
            pass
    for name in ("cpu_seconds_total", "resident_memory_bytes", "open_fds"):
        assert found.value(f"process_{name}") > 0, name


def test_buckets_are_upper_ends() -> None:
    """A duration that is a bucket's bound counts in that bucket, one above all bounds in +Inf."""
    histogram = Histogram("x_seconds", "X.", bounds=(1, 2))
    for seconds in (0.5, 1.0, 1.5, 9.0):
        histogram.observe(seconds)
    assert histogram.sample().rows == {(): [2, 1, 1, 12.0]}


def test_every_metric_is_documented() -> None:
    """docs/metrics.md has a row for every metric, with its kind, labels and help, and no other."""
    rows = [
        f"| `{s.name}` | {s.kind} | {', '.join(f'`{label}`' for label in s.labels) or '-'}"
        f" | {s.help} |"
        for s in Metrics("0").sample()
    ]
    lines = (ROOT / "docs" / "metrics.md").read_text().splitlines()
    assert [line for line in lines if line.startswith("| `chatd_")] == rows


def test_names_follow_the_conventions() -> None:
    """Names begin with chatd_, counters end in _total, durations are in seconds."""
    for sample in Metrics("0").sample():
        assert re.fullmatch(r"chatd_[a-z]+(_[a-z]+)*", sample.name)
        assert sample.name.endswith("_total") is (sample.kind == "counter")
        assert sample.name.endswith("_seconds") is (sample.kind == "histogram")
        assert sample.help.endswith(".")
