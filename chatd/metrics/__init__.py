"""What chatd counts about itself: every metric, and the calls by which the others report.

Nobody below App knows this class: stores, plugins and limits are given functions, Generations and
Keeper an object that may be None. Labels take only values that an operator chose or that this code
lists; what a client can choose, a model's name or a close code, is `other` when it is not known.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from time import monotonic

from chatd.metrics.families import Counter, Family, Gauge, Histogram, Sample
from chatd.types import Message

MODELS_AT_MOST = 200
OTHER = "other"

# Stores and hooks take from 50 us (SQLite, a page in memory) to seconds (a primary is elected).
FAST = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5)
REQUEST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)
# A model in memory says its first word within 0.1 s; one that has to be loaded takes a minute.
FIRST = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 8, 13, 30, 60)
# 200 tokens a second are 5 ms, 2 a second 0.5 s.
BETWEEN = (0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 5, 30)
TURN = (0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300, 600)
LAG = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)

CLOSE_CODES = frozenset(
    {1000, 1001, 1005, 1006, 1009, 1011, 1012, 1013, 4008, 4029, 4501, 4503, 4504, 4513}
)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
LIMIT_OF_CODE = {1009: "frame_bytes", 4029: "refusals", 4513: "bad_frames"}
TOO_SLOW = 4008


class Pace:
    """How fast one generation comes: `beat` is called for each batch, not for each chunk."""

    __slots__ = ("_bounds", "_last", "_model", "_next", "_row")

    def __init__(self, first: Histogram, between: Histogram, model: str, begun: float) -> None:
        self._bounds, self._row = first.bounds, first.row(model)
        self._next: Histogram | None = between
        self._model, self._last = model, begun

    def beat(self) -> None:
        """Note that something has come. A server that sends token by token brings it here for each:
        what `Histogram.put` does stands here once more, which saves a third."""
        now = monotonic()
        gap, self._last = now - self._last, now
        row = self._row
        row[bisect_left(self._bounds, gap)] += 1
        row[-1] += gap
        if self._next is not None:
            self._bounds, self._row = self._next.bounds, self._next.row(self._model)
            self._next = None


class Metrics:
    """All metrics of one App. `docs/metrics.md` has a row for each."""

    def __init__(self, version: str) -> None:
        self.is_known_model: Callable[[str], bool] = lambda model: True
        self._models: set[str] = set()
        self.build = Gauge("chatd_build_info", "The version that runs.", "version")
        self.build.read = lambda: {(version,): 1}
        self._of_turns()
        self._of_connections()
        self._of_parts()
        self.families: tuple[Family, ...] = tuple(
            item for item in vars(self).values() if isinstance(item, Family)
        )

    def _of_turns(self) -> None:
        self.turns = Counter(
            "chatd_turns_total",
            "Turns that ended, by how (complete, stopped, error, interrupted) and error code.",
            "model", "status", "code",
        )  # fmt: skip
        self.turn_seconds = Histogram(
            "chatd_turn_duration_seconds",
            "From the stored message to the end of its answer.",
            "model",
            bounds=TURN,
        )
        self.first_token = Histogram(
            "chatd_time_to_first_token_seconds",
            "From the send to the first piece of the answer.",
            "model",
            bounds=FIRST,
        )
        self.between_tokens = Histogram(
            "chatd_time_between_tokens_seconds",
            "Between two batches of an answer; a batch is what one read from the model brought.",
            "model",
            bounds=BETWEEN,
        )
        self.tokens = Counter(
            "chatd_tokens_total",
            "Tokens as model servers count them, by kind: prompt, completion.",
            "model", "kind",
        )  # fmt: skip
        self.running = Gauge("chatd_running_generations", "Generations that run in this process.")

    def _of_connections(self) -> None:
        self.open_sockets = Gauge(
            "chatd_open_sockets", "Open connections by kind: session, list, sse.", "kind"
        )
        self.opened = Counter("chatd_sockets_opened_total", "Connections let in.", "kind")
        self.closed = Counter(
            "chatd_sockets_closed_total", "WebSockets closed, by close code.", "kind", "code"
        )
        self.slow = Counter(
            "chatd_slow_clients_total", "Connections ended because nobody read them.", "kind"
        )
        self.refused = Counter(
            "chatd_refused_total",
            "What a limit has refused or cut off, by the limit's name.",
            "limit",
        )
        self.requests = Counter(
            "chatd_http_requests_total", "HTTP requests answered.", "method", "route", "status"
        )
        self.request_seconds = Histogram(
            "chatd_http_request_duration_seconds",
            "From a request's headers to the end of its answer, by route.",
            "route",
            bounds=REQUEST,
        )

    def _of_parts(self) -> None:
        self.store_seconds = Histogram(
            "chatd_store_duration_seconds",
            "Calls of the store, waiting included.",
            "operation",
            bounds=FAST,
        )
        self.store_errors = Counter(
            "chatd_store_errors_total", "Calls of the store that failed.", "operation", "code"
        )
        self.first_byte = Histogram(
            "chatd_provider_first_byte_seconds",
            "From a call of a model server to the first byte of its answer, connecting included.",
            "provider",
            bounds=FIRST,
        )
        self.calls = Counter(
            "chatd_provider_calls_total",
            "Calls of model servers, each attempt, by outcome: ok or an error code.",
            "provider", "code",
        )  # fmt: skip
        self.hook_seconds = Histogram(
            "chatd_plugin_duration_seconds", "Calls of plugins.", "plugin", "hook", bounds=FAST
        )
        self.hook_errors = Counter(
            "chatd_plugin_errors_total", "Calls of plugins that failed.", "plugin", "hook"
        )
        self.observe_dropped = Counter(
            "chatd_observe_dropped_total",
            "Events that a plugin was not told because it was too slow.",
            "plugin",
        )
        self.lag = Histogram(
            "chatd_event_loop_lag_seconds",
            "How late the event loop is, looked at twice a second.",
            bounds=LAG,
        )

    def sample(self) -> list[Sample]:
        """Return all present numbers."""
        return [family.sample() for family in self.families]

    def pace(self, model: str | None, begun: float) -> Pace:
        """Return what a generation reports its batches to; it began at this monotonic time."""
        return Pace(self.first_token, self.between_tokens, self._model(model), begun)

    def turn_ended(self, answer: Message) -> None:
        """Count a turn by its ended answer: how it ended, how long it took, and its tokens."""
        model = self._model(answer.model)
        self.turns.add(model, answer.status, (answer.error or {}).get("code", ""))
        self.turn_seconds.observe((answer.updated_at - answer.created_at).total_seconds(), model)
        if answer.usage is not None:
            self.tokens.add(model, "prompt", by=answer.usage.prompt_tokens or 0)
            self.tokens.add(model, "completion", by=answer.usage.completion_tokens or 0)

    def socket_closed(self, kind: str, code: int | None) -> None:
        """Count a socket that was closed; without a code its connection was lost."""
        code = code or 1006
        self.closed.add(kind, str(code) if code in CLOSE_CODES else OTHER)
        if code == TOO_SLOW:
            self.slow.add(kind)
        if code in LIMIT_OF_CODE:
            self.refused.add(LIMIT_OF_CODE[code])

    def answered(self, method: str | None, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self.requests.add(method if method in METHODS else OTHER, route, str(status))
        self.request_seconds.observe(seconds, route)

    def store_called(self, operation: str, seconds: float, code: str = "") -> None:
        """Count a call of the store, with the code of the error if it failed."""
        self.store_seconds.observe(seconds, operation)
        if code:
            self.store_errors.add(operation, code)

    def provider_called(self, provider: str, seconds: float, code: str) -> None:
        """Count an attempt at a model server: `ok` or the code of the error."""
        self.first_byte.observe(seconds, provider)
        self.calls.add(provider, code)

    def hook_called(self, plugin: str, hook: str, seconds: float, failed: bool) -> None:
        """Count a call of a plugin."""
        self.hook_seconds.observe(seconds, plugin, hook)
        if failed:
            self.hook_errors.add(plugin, hook)

    def _model(self, model: str | None) -> str:
        """Return the label of a model. A session may name one that nobody has listed."""
        if model in self._models:
            return model
        if not model or len(self._models) >= MODELS_AT_MOST or not self.is_known_model(model):
            return OTHER
        self._models.add(model)
        return model
