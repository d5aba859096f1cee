"""Who is told of the life of every generation: metrics, traces and plugins, where there are any."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from chatd.metrics import Metrics
from chatd.observations import Observations
from chatd.run import Run
from chatd.traces import Traces
from chatd.types import Message, Session

if TYPE_CHECKING:
    from opentelemetry.trace import Span


class Observer:
    """Takes what Generations report. Nothing here waits or raises."""

    def __init__(
        self,
        metrics: Metrics | None = None,
        traces: Traces | None = None,
        observations: Observations | None = None,
    ) -> None:
        self._metrics = metrics
        self._observations = observations
        self._traces = traces
        self._runs: dict[str, Run] = {}
        self._spans: dict[str, list[Span]] = {}  # of each run: its turn, then its generation

    def reserved(self, run: Run) -> None:
        """Begin a turn, in the task of who asked for it."""
        if self._traces is not None:
            span = self._traces.begin("turn", **{"chatd.session_id": run.session_id})
            self._spans[run.id] = [span]

    def started(self, run: Run) -> None:
        """Begin a generation, in its own task."""
        self._runs[run.id] = run
        if self._metrics is not None:
            run.pace = self._metrics.pace(run.message.model, run.started_at)
        if self._traces is not None:
            about = {"chatd.generation_id": run.id, "gen_ai.request.model": run.message.model or ""}
            self._spans.setdefault(run.id, []).append(self._traces.begin("generation", **about))

    def calling(self, provider: str, model: str) -> contextlib.AbstractContextManager[None]:
        """Return what surrounds the call of a provider."""
        if self._traces is None:
            return contextlib.nullcontext()
        about = {"gen_ai.provider.name": provider, "gen_ai.request.model": model}
        return self._traces.call(f"chat {model}", **about)

    def cut(self) -> None:
        """Count a reply that has become too long."""
        if self._metrics is not None:
            self._metrics.refused.add("reply_bytes")

    def ended(self, user_id: str, answer: Message, session: Session | None) -> None:
        """Count a generation that has ended, here or with a process that died."""
        if self._observations is not None:
            tell, session_id = self._observations.tell, answer.session_id
            tell("message_stored", user_id, session_id=session_id, message=answer)
            run = self._runs.get(answer.id)
            sizes = {"said": run.size if run else 0, "asked": run.asked if run else 0}
            about: dict[str, Any] = {"session_id": session_id, "message": answer, "detail": sizes}
            tell("turn_ended", user_id, session=session, **about)
        if self._metrics is not None:
            self._metrics.turn_ended(answer)
        spans = self._spans.get(answer.id, ())
        if self._traces is not None and len(spans) == 2:
            usage = answer.usage
            tokens = (
                {
                    "gen_ai.usage.input_tokens": usage.prompt_tokens or 0,
                    "gen_ai.usage.output_tokens": usage.completion_tokens or 0,
                }
                if usage
                else {}
            )
            error = (answer.error or {}).get("code", "")
            self._traces.end(spans[1], error, **{"chatd.status": answer.status, **tokens})

    def released(self, run: Run) -> None:
        """End a turn, also one that did not come to be."""
        self._runs.pop(run.id, None)
        if self._traces is not None:
            for span in reversed(self._spans.pop(run.id, ())):
                self._traces.end(span)
