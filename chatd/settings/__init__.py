"""Every setting: its section, type, default, bounds, and the sentence that describes it.

A section is a frozen struct. The annotation of a field holds its description, and where the type
alone does not say enough, a validator or the marshmallow field to use; `schema_of` makes the
section's marshmallow schema of them, so that a setting is written down once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import msgspec
from marshmallow import Schema, fields
from marshmallow.validate import Regexp

from chatd.settings.kinds import (
    FilePath,
    Level,
    Origins,
    Whole,
    Words,
    between,
    sampling_only,
    supported_broker,
    supported_store,
)
from chatd.types import Value


def user_data_dir() -> Path:
    """Return the directory where this user's programs keep their data."""
    import platformdirs

    return Path(platformdirs.user_data_dir("chatd", appauthor=False))


class ServerSettings(Value, frozen=True, kw_only=True):
    """How chatd listens."""

    host: Annotated[str, "Address to listen on; 0.0.0.0 is every network."] = "127.0.0.1"
    port: Annotated[int, "Port to listen on; 0 takes a free one.", between(0, 65535)] = 8000
    prefix: Annotated[
        str,
        "Path before every URL: REST is under {prefix}/api/, sockets under /ws{prefix}/.",
        Regexp(
            r"(/[A-Za-z0-9._~-]+)*\Z",
            error="expected a path like /ai-chat, without a slash at its end",
        ),
    ] = "/ai-chat"
    allowed_origins: Annotated[
        tuple[str, ...],
        "Other web origins whose pages may call this server; * only with dev.",
        Origins,
    ] = ()
    dev: Annotated[
        bool, "Development: without allowed_origins pages of any port of localhost may call."
    ] = False
    shutdown_grace: Annotated[
        float, "Seconds that running generations get when the server stops.", between(0)
    ] = 20.0
    log_level: Annotated[
        str,
        "DEBUG, INFO, WARNING or ERROR.",
        Level,
        Regexp(r"(DEBUG|INFO|WARNING|ERROR)\Z", error="expected DEBUG, INFO, WARNING or ERROR"),
    ] = "INFO"
    access_log: Annotated[bool, "Whether every HTTP request is logged."] = True


class LogSettings(Value, frozen=True, kw_only=True):
    """How the lines of the log look."""

    format: Annotated[
        str,
        "text: for people; json: one object a line.",
        Regexp(r"(text|json)\Z", error="expected text or json"),
    ] = "text"


class MetricsSettings(Value, frozen=True, kw_only=True):
    """The numbers at /metrics."""

    enabled: Annotated[bool, "Whether chatd counts, and shows it at /metrics."] = True
    token: Annotated[
        str, "Who reads /metrics must send it; without one, programs of this machine alone may."
    ] = ""


class DataSettings(Value, frozen=True, kw_only=True):
    """Where chatd keeps its files."""

    dir: Annotated[
        Path,
        "Directory of the database and the node's id; by default in the user's data directory.",
    ] = msgspec.field(default_factory=user_data_dir)


class StoreSettings(Value, frozen=True, kw_only=True):
    """Where sessions and messages are kept."""

    url: Annotated[
        str,
        "sqlite:///PATH or mongodb://HOST/NAME; by default chatd.db in the data directory.",
        supported_store,
    ] = ""


class BrokerSettings(Value, frozen=True, kw_only=True):
    """What connects several chatd processes."""

    url: Annotated[str, "memory: one process alone.", supported_broker] = "memory"


class LlmSettings(Value, frozen=True, kw_only=True):
    """The model server named `llm`, and what a session does not choose itself."""

    server_url: Annotated[
        str,
        "An OpenAI-compatible server; a URL without a version path gets /v1.",
        Regexp(r"https?://[^\s/?#]+[^\s?#]*\Z", error="expected http://host:port or https://host"),
    ] = "http://localhost:8001"
    default_model: Annotated[str, "Model of a session that names none."] = "qwen3:8b"
    timeout: Annotated[
        float,
        "Seconds for connecting, for the first token and between tokens, each.",
        between(0.001),
    ] = 30.0
    max_tokens: Annotated[int, "Longest reply in tokens.", between(1)] = 2000
    temperature: Annotated[float, "Sampling temperature.", between(0, 2)] = 0.7
    enable_tools: Annotated[bool, "Whether models may call tools."] = True


class ModelSettings(Value, frozen=True, kw_only=True):
    """What is known of models, and what clients may ask of them."""

    sync_interval: Annotated[
        float,
        "Seconds between two questions to all providers for their models; 0: never.",
        between(0),
    ] = 300.0
    option_keys: Annotated[
        tuple[str, ...], "Keys that clients may set in settings.options.", sampling_only
    ] = (
        "top_p",
        "top_k",
        "min_p",
        "stop",
        "seed",
        "presence_penalty",
        "frequency_penalty",
        "repeat_penalty",
        "repetition_penalty",
        "logit_bias",
        "response_format",
        "reasoning_effort",
    )


_COUNT = between(0)


class LimitSettings(Value, frozen=True, kw_only=True):
    """How much is too much; 0 means no limit."""

    sends_per_minute: Annotated[int, "Turns a user may start per minute.", _COUNT] = 30
    sends_burst: Annotated[int, "Turns a user may start at once within that.", between(1)] = 10
    generations_per_user: Annotated[int, "Generations of a user at a time.", _COUNT] = 4
    sockets_per_user: Annotated[int, "Open sockets and streams of a user.", _COUNT] = 20
    sockets: Annotated[int, "Open sockets and streams in all.", _COUNT] = 10_000
    frame_bytes: Annotated[int, "Largest WebSocket frame from a client.", _COUNT] = 1_310_720
    body_bytes: Annotated[int, "Largest body of an HTTP request.", _COUNT] = 10_485_760
    message_chars: Annotated[int, "Longest message of a user.", _COUNT] = 100_000
    title_chars: Annotated[int, "Longest title of a session or name of a preset.", _COUNT] = 200
    system_prompt_chars: Annotated[int, "Longest system prompt.", _COUNT] = 100_000
    metadata_bytes: Annotated[int, "Largest metadata or options, as JSON.", _COUNT] = 16_384
    json_depth: Annotated[int, "Deepest nesting of JSON from a client.", between(1, 500)] = 32
    reply_bytes: Annotated[int, "Longest reply of a model.", _COUNT] = 1_048_576
    prompt_chars: Annotated[int, "Longest prompt; older messages are left out.", _COUNT] = 32_000


class TokenSettings(Value, frozen=True, kw_only=True):
    """How long credentials that chatd issues are good for, in seconds."""

    lifetime: Annotated[int, "A token got by signing in; 0: for ever.", _COUNT] = 2_592_000
    sign_in_ticket: Annotated[int, "The sign-in URL printed at the start.", between(1)] = 600
    ws_ticket: Annotated[int, "A ticket to open one WebSocket.", between(1)] = 30


class PluginSettings(Value, frozen=True, kw_only=True):
    """Which plugins run, the first one asked first; each has a table [plugins.NAME] of its own."""

    enabled: Annotated[tuple[str, ...], "Names of the plugins to load, in order."] = (
        "auth_token",
        "provider_openai",
        "provider_echo",
        "presets_store",
        "presets_file",
    )
    dir: Annotated[Path | None, "Directory with plugins of your own, one .py file each."] = None


SECTIONS: dict[str, type[Value]] = {
    "server": ServerSettings,
    "log": LogSettings,
    "metrics": MetricsSettings,
    "data": DataSettings,
    "store": StoreSettings,
    "broker": BrokerSettings,
    "llm": LlmSettings,
    "models": ModelSettings,
    "limits": LimitSettings,
    "tokens": TokenSettings,
    "plugins": PluginSettings,
}

_FIELDS: dict[Any, tuple[type[fields.Field[Any]], str]] = {
    str: (fields.String, "expected a text"),
    int: (Whole, "expected a whole number"),
    float: (fields.Float, "expected a number"),
    bool: (fields.Boolean, "expected true or false"),
    tuple[str, ...]: (Words, "expected a list of strings"),
    Path: (FilePath, "expected a path"),
    Path | None: (FilePath, "expected a path"),
}


def schema_of(section: type[Value]) -> Schema:
    """Return the schema of a section; each field's metadata holds its description."""
    hints = get_type_hints(section, include_extras=True)
    return Schema.from_dict({name: _field(hint) for name, hint in hints.items()})()


def _field(hint: Any) -> fields.Field[Any]:
    kind, description, *rest = get_args(hint)
    field, expected = _FIELDS[kind]
    if rest and isinstance(rest[0], type):
        field, *rest = rest
    messages: dict[str, Any] = dict.fromkeys(("invalid", "special", "too_large"), expected)
    return field(validate=rest, metadata={"description": description}, error_messages=messages)
