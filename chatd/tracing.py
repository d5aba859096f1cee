"""Which request the present task works for: what ties the lines of a log together.

`traceparent` is what a call of a model server carries of it (W3C Trace Context), empty without
traces.
"""

from __future__ import annotations

from contextvars import ContextVar

# A task has its own copy from its start: a generation keeps that of the request that began it.
request_id: ContextVar[str] = ContextVar("request_id", default="-")

traceparent: ContextVar[str] = ContextVar("traceparent", default="")
