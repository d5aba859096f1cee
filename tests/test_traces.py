"""Traces, as a receiver of OpenTelemetry's protocol gets them."""

from __future__ import annotations

import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness import API, Script, chatting
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from process import serving

import chatd
from scripts.llm import LlmServer

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
HI = {"message": "hi there, secret words"}


class Receiver:
    """Takes OTLP over HTTP, and keeps the spans."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.resources: list[dict[str, str]] = []
        self.raw = b""
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """Takes one export."""

            def do_POST(self) -> None:
                """Parse it, and say that it was taken."""
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.path == "/v1/traces"
                assert self.headers["Content-Type"] == "application/x-protobuf"
                receiver.take(body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def take(self, body: bytes) -> None:
        """Keep what one export has."""
        self.raw += body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resources.append(attributes(resource.resource))
            self.spans += [span for scope in resource.scope_spans for span in scope.spans]

    def named(self, name: str) -> Any:
        """Return the one span of a name."""
        (span,) = [span for span in self.spans if span.name == name]
        return span


def attributes(of: Any) -> dict[str, str]:
    """Return the attributes of a span or a resource as texts."""
    found = {}
    for item in of.attributes:
        kind = item.value.WhichOneof("value")
        found[item.key] = str(getattr(item.value, kind))
    return found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Run a receiver."""
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, args=(0.05,))
    thread.start()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()
    thread.join()


async def test_a_turn_is_one_trace(tmp_path: Path, receiver: Receiver) -> None:
    """A real server's spans: request, turn, generation, call and store, below the caller's own."""
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}
    async with LlmServer() as llm:
        settings |= {"LLM_SERVER_URL": llm.url}
        async with serving(tmp_path / "data", **settings) as server:
            headers = {"Authorization": f"Token {server.token}"}
            async with httpx.AsyncClient(base_url=server.url, headers=headers) as http:
                made = await http.post(f"{API}/sessions/", json={"model": "llm/qwen3:8b"})
                path = f"{API}/sessions/{made.json()['id']}/send_message/"
                answer = await http.post(path, json=HI, headers={"traceparent": CALLER})
            server.terminate()
            assert await server.ended() == 0
        sent = [call.headers["traceparent"] for call in llm.calls if "traceparent" in call.headers]
    request = receiver.named("POST /api/sessions/{id}/send_message")
    turn, generation = receiver.named("turn"), receiver.named("generation")
    call = receiver.named("chat qwen3:8b")
    assert request.trace_id.hex() == CALLER.split("-")[1]
    assert request.parent_span_id.hex() == CALLER.split("-")[2]
    assert turn.parent_span_id == request.span_id
    assert generation.parent_span_id == turn.span_id
    assert call.parent_span_id == generation.span_id
    assert sent == [f"00-{call.trace_id.hex()}-{call.span_id.hex()}-01"]
    stored = [span.parent_span_id for span in receiver.spans if span.name.startswith("store ")]
    assert {turn.span_id, generation.span_id} <= set(stored)
    assert attributes(request)["http.response.status_code"] == "200"
    assert attributes(generation)["chatd.status"] == "complete"
    assert attributes(generation)["gen_ai.request.model"] == "llm/qwen3:8b"
    assert int(attributes(generation)["gen_ai.usage.output_tokens"]) > 0
    assert receiver.resources[0]["service.name"] == "chatd"
    assert receiver.resources[0]["service.version"] == chatd.__version__
    for text in (HI["message"], answer.json()["ai_message"]["content"], server.token):
        assert text.encode() not in receiver.raw


async def test_failures_are_seen(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A turn that fails has its error's code; one from a socket is a trace of its own."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{receiver.url}/v1/traces")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "chat-of-acme")
    async with chatting(tmp_path, Script([chatd.ProviderTimeout("slow")])) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        async with alice.socket(f"session/{session_id}") as socket:
            await socket.send("send_message", message="hi")
            await socket.until("error")
    turn, generation = receiver.named("turn"), receiver.named("generation")
    assert turn.parent_span_id == b""
    assert attributes(turn)["chatd.session_id"] == session_id
    assert generation.parent_span_id == turn.span_id
    assert attributes(generation)["error.type"] == "provider_timeout"
    assert generation.status.code == generation.status.STATUS_CODE_ERROR
    assert receiver.resources[0]["service.name"] == "chat-of-acme"


async def test_nobody_is_asked_for_traces(tmp_path: Path) -> None:
    """Without the variables there are no traces, and nothing of OpenTelemetry is loaded."""
    code = "import sys, chatd.server; print([m for m in sys.modules if 'opentelemetry' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    async with chatting(tmp_path, Script()) as chat:
        assert chat.app.traces is None


async def test_a_receiver_that_is_away(tmp_path: Path) -> None:
    """Turns go on without the receiver, and the server stops in seconds."""
    settings = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "CHATD_PLUGINS_ENABLED": "auth_token,provider_echo",
    }
    async with serving(tmp_path / "data", **settings) as server:
        headers = {"Authorization": f"Token {server.token}"}
        async with httpx.AsyncClient(base_url=server.url, headers=headers) as http:
            assert (await http.get(f"{API}/me/")).status_code == 200
        server.terminate()
        assert await server.ended() == 0


async def test_without_the_package(tmp_path: Path) -> None:
    """Variables without the package: the server starts, and says once what to install."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "opentelemetry.py").write_text("raise ImportError\n")
    settings = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "PYTHONPATH": str(hidden),
    }
    async with serving(tmp_path / "data", **settings) as server:
        server.terminate()
        assert await server.ended() == 0
    (warning,) = [line for line in server.log.splitlines() if "OTEL" in line]
    assert warning.endswith(
        "OTEL_EXPORTER_OTLP_ENDPOINT is set, but there are no traces: pip install 'chatd[otel]'"
    )
