"""The routes of models, presets, the caller, and of the server itself (PROTOCOL section 3)."""

from __future__ import annotations

from chatd import errors
from chatd.contract.operation import (
    CURSOR,
    IF_MATCH,
    IS_ACTIVE,
    LIMIT,
    SEARCHED,
    Answer,
    Operation,
    header,
)
from chatd.contract.session_operations import ERASED, NEW_SESSION

PRESET = Answer(about="The preset.", schema="Preset", headers=("ETag",))
USER = Answer(about="The caller.", schema="User")
IF_NONE_MATCH = header("If-None-Match", "The ETag of what the client has; then 304.")
UNCHANGED = Answer(about="The client has it already.")

MODEL_OPERATIONS = [
    Operation(
        method="GET",
        path="models/",
        id="listModels",
        tag="Models",
        title="List models",
        about="What is known, without waiting for a provider.",
        parameters=(IS_ACTIVE, LIMIT, CURSOR),
        answers={200: Answer(about="A page of models.", schema="ModelList")},
    ),
    Operation(
        method="POST",
        path="models/sync_models/",
        id="syncModels",
        tag="Models",
        title="Ask every provider now",
        about="A dead provider does not fail the others. Calls at the same time share one run.",
        body="nothing",
        answers={200: Answer(about="What changed.", schema="SyncReport")},
    ),
    Operation(
        method="PATCH",
        path="models/{model_id}/",
        id="updateModel",
        tag="Models",
        title="Change a model for everybody",
        about="For administrators.",
        body="model",
        answers={200: Answer(about="The model.", schema="Model")},
    ),
]

PRESET_OPERATIONS = [
    Operation(
        method="GET",
        path="presets/",
        id="listPresets",
        tag="Presets",
        title="List presets",
        about="Own ones, public ones, and those of every source, by name.",
        parameters=(LIMIT, CURSOR),
        answers={200: Answer(about="A page of presets.", schema="PresetList")},
    ),
    Operation(
        method="POST",
        path="presets/",
        id="createPreset",
        tag="Presets",
        title="Keep a new preset",
        body="new_preset",
        answers={201: PRESET.replace(about="The new preset.", headers=("ETag", "Location"))},
        errors=(errors.ReadOnly,),
    ),
    Operation(
        method="GET",
        path="presets/{preset_id}/",
        id="getPreset",
        tag="Presets",
        title="Read a preset",
        answers={200: PRESET},
    ),
    Operation(
        method="PATCH",
        path="presets/{preset_id}/",
        id="updatePreset",
        tag="Presets",
        title="Change an own preset",
        about="Settings merge key by key; null removes one.",
        parameters=(IF_MATCH,),
        body="preset",
        answers={200: PRESET},
        errors=(errors.ReadOnly,),
    ),
    Operation(
        method="DELETE",
        path="presets/{preset_id}/",
        id="deletePreset",
        tag="Presets",
        title="Erase an own preset",
        parameters=(IF_MATCH,),
        answers={204: ERASED},
        errors=(errors.ReadOnly,),
    ),
    Operation(
        method="POST",
        path="presets/{preset_id}/create_session_from_preset/",
        id="createSessionFromPreset",
        tag="Presets",
        title="Make a session from a preset",
        body="from_preset",
        answers={201: NEW_SESSION},
    ),
]

CALLER_OPERATIONS = [
    Operation(
        method="POST",
        path="sign_in/",
        id="signIn",
        tag="Caller",
        title="Sign in",
        about="With the ticket that `chatd serve` prints, or with what an authentication plugin"
        " takes.",
        body="credentials",
        answers={200: Answer(about="A token.", schema="SignedIn")},
        errors=(errors.Unauthenticated, errors.StoreUnavailable),
        is_public=True,
    ),
    Operation(
        method="POST",
        path="sign_out/",
        id="signOut",
        tag="Caller",
        title="Revoke the token used",
        body="nothing",
        answers={204: Answer(about="It is revoked.")},
    ),
    Operation(
        method="POST",
        path="ws_ticket/",
        id="createSocketTicket",
        tag="Caller",
        title="Get a ticket for one socket",
        about="For clients whose URLs might be logged: it works once.",
        body="nothing",
        answers={200: Answer(about="The ticket.", schema="SocketTicket")},
    ),
    Operation(
        method="GET",
        path="me/",
        id="getMe",
        tag="Caller",
        title="Read the caller",
        answers={200: USER},
    ),
    Operation(
        method="PATCH",
        path="me/",
        id="updateMe",
        tag="Caller",
        title="Change own preferences",
        about="They merge; null removes one.",
        body="me",
        answers={200: USER},
    ),
    Operation(
        method="GET",
        path="health/stats/",
        id="getStats",
        tag="Caller",
        title="Read own numbers",
        answers={200: Answer(about="The numbers.", schema="Stats")},
    ),
    Operation(
        method="GET",
        path="search/",
        id="search",
        tag="Caller",
        title="Search own messages",
        about="Finds messages, of all branches, in which every word of `q` occurs, also as it is "
        "written with other accents or in another case. Words that stand together without a space, "
        "such as `e-mail`, must do so in the message. Punctuation means nothing.",
        parameters=(SEARCHED, IS_ACTIVE, LIMIT, CURSOR),
        answers={
            200: Answer(about="A page of messages, the best match first.", schema="SearchPage")
        },
    ),
]

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
