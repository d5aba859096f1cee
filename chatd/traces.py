"""Traces for OpenTelemetry: which part of a request took how long.

They are made when the environment names a receiver (OTEL_EXPORTER_OTLP_ENDPOINT or
OTEL_EXPORTER_OTLP_TRACES_ENDPOINT), by opentelemetry-sdk, which is loaded then; all of its own
variables hold. No span has a text, a name or a token.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from chatd import tracing

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span

logger = logging.getLogger(__name__)

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
FLUSH_WITHIN = 2.0  # seconds, when the server stops
PARENT = ("traceparent", "tracestate")  # W3C Trace Context


def new_traces(environ: Mapping[str, str], version: str) -> Traces | None:
    """Return what makes traces, None if nobody wants any or nothing can make them."""
    name = next((name for name in ENDPOINTS if environ.get(name)), None)
    if name is None or environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        logger.warning("%s is set, but there are no traces: pip install 'chatd[otel]'", name)
        return None
    about = {"service.version": version}
    if not environ.get("OTEL_SERVICE_NAME"):
        about["service.name"] = "chatd"
    provider = TracerProvider(resource=Resource.create(about), shutdown_on_exit=False)
    exporter = OTLPSpanExporter()
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Traces(provider, exporter)


class Traces:
    """Makes the spans of one App."""

    def __init__(self, provider: TracerProvider, exporter: SpanExporter) -> None:
        from opentelemetry import context, trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider, self._exporter = provider, exporter
        self._tracer = provider.get_tracer("chatd")
        self._trace, self._context = trace, context
        self._propagator = TraceContextTextMapPropagator()

    async def aclose(self) -> None:
        """Send what is left, for a few seconds at most; another thread does it."""
        ending = asyncio.create_task(asyncio.to_thread(self._provider.shutdown))
        _, running = await asyncio.wait({ending}, timeout=FLUSH_WITHIN)
        if running:
            self._exporter.shutdown()  # it tries no longer
        await ending

    def begin_request(self, method: str, headers: Mapping[str, str]) -> Span:
        """Begin the span of a request, below the one that its caller has told in `traceparent`.

        All that the present task and those it starts do next is below this one.
        """
        carrier = {name: headers[name] for name in PARENT if name in headers}
        outside = self._propagator.extract(carrier, context=self._context.Context())
        span = self._tracer.start_span(
            method,
            context=outside,
            kind=self._trace.SpanKind.SERVER,
            attributes={"http.request.method": method},
        )
        self._enter(span)
        return span

    def end_request(self, span: Span, route: str, status: int) -> None:
        """End the span of a request that has been answered."""
        span.update_name(f"{span.attributes['http.request.method']} {route}")  # type: ignore[attr-defined]
        span.set_attributes({"http.route": route, "http.response.status_code": status})
        if status >= 500:
            span.set_status(self._trace.StatusCode.ERROR)
        span.end()

    def begin(self, name: str, **attributes: str) -> Span:
        """Begin a span below the present one; what the present task does next is below this."""
        span = self._tracer.start_span(name, attributes=attributes)
        self._enter(span)
        return span

    def end(self, span: Span, error: str = "", **attributes: str | int) -> None:
        """End a span, as failed if there is an error's code; ending it twice is fine."""
        if not span.is_recording():
            return
        span.set_attributes(attributes)
        if error:
            span.set_attribute("error.type", error)
            span.set_status(self._trace.StatusCode.ERROR)
        span.end()

    @contextlib.contextmanager
    def call(self, name: str, **attributes: str) -> Iterator[None]:
        """Have a span for a call of a model server, which is told of it by `traceparent`."""
        kind = self._trace.SpanKind.CLIENT
        with self._tracer.start_as_current_span(
            name, kind=kind, attributes=attributes, record_exception=False
        ):
            carrier: dict[str, str] = {}
            self._propagator.inject(carrier)
            tracing.traceparent.set(carrier.get("traceparent", ""))
            yield

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Have a span for a part of something that is traced, and of nothing else."""
        if not self._trace.get_current_span().is_recording():
            yield
            return
        with self._tracer.start_as_current_span(name, record_exception=False):
            yield

    def _enter(self, span: Any) -> None:
        # Nothing leaves it again: a task has its own context, and ends with what it is about.
        self._context.attach(self._trace.set_span_in_context(span))
