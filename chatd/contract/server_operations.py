"""The routes of the server itself: health, metrics, documents, the page (PROTOCOL section 3)."""

from __future__ import annotations

from chatd import errors
from chatd.contract.operation import Answer, Operation, header

IF_NONE_MATCH = header("If-None-Match", "The ETag of what the client has; then 304.")
UNCHANGED = Answer(about="The client has it already.")

SERVER_OPERATIONS = [
    Operation(
        method="GET",
        path="health/llm_server/",
        id="checkModelServer",
        tag="Server",
        title="See whether the model server answers",
        about="It is asked at most every five seconds for all callers.",
        answers={
            200: Answer(about="It answers.", schema="Healthy"),
            503: Answer(about="It does not.", schema="Unhealthy"),
        },
        is_public=True,
    ),
    Operation(
        method="GET",
        path="/healthz",
        id="checkAlive",
        tag="Server",
        title="See whether the process answers",
        answers={200: Answer(about="It does.", schema="Alive")},
        is_public=True,
    ),
    Operation(
        method="GET",
        path="/readyz",
        id="checkReady",
        tag="Server",
        title="See whether turns can be taken",
        answers={200: Answer(about="They can.", schema="Ready")},
        errors=(
            errors.Unavailable,
            errors.StoreUnavailable,
            errors.BrokerUnavailable,
            errors.ShuttingDown,
        ),
        is_public=True,
    ),
    Operation(
        method="GET",
        path="/metrics",
        id="getMetrics",
        tag="Server",
        title="Read the metrics",
        about="For Prometheus, which sends the token of `[metrics] token`. Without that only"
        " programs of the same machine may read; without metrics there is no such path.",
        answers={
            200: Answer(
                about="All metrics of this process.",
                others={
                    "text/plain": "Prometheus's text format.",
                    "application/openmetrics-text": "OpenMetrics, to those who accept it.",
                },
            )
        },
        errors=(errors.Unauthenticated, errors.NotFound),
        is_public=True,
    ),
    *(
        Operation(
            method="GET",
            path=path,
            id=id,
            tag="Server",
            title=title,
            parameters=(IF_NONE_MATCH,),
            answers={
                200: Answer(about=title, headers=("ETag",), others={kind: "The document."}),
                304: UNCHANGED,
            },
            is_public=True,
        )
        for path, id, title, kind in (
            ("/api/openapi.json", "getOpenApi", "Get this document", "application/json"),
            ("/api/asyncapi.json", "getAsyncApi", "Get that of the sockets", "application/json"),
            ("/docs", "getDocs", "Read both", "text/html"),
        )
    ),
    *(
        Operation(
            method="GET",
            path=path,
            id=id,
            tag="Server",
            title=title,
            parameters=(IF_NONE_MATCH,),
            answers={200: Answer(about="The file.", others={kind: "A file."}), 304: UNCHANGED},
            errors=(errors.NotFound,) if "{" in path else (),
            is_public=True,
            is_file=True,
        )
        for path, id, title, kind in (
            ("/", "getPage", "The page", "text/html"),
            ("/static/{file}", "getFile", "A file of the page", "*/*"),
        )
    ),
]
