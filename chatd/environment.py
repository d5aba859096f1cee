"""The environment: which variable gives which setting."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from chatd.settings import SECTIONS, LlmSettings

Setting = tuple[str, str]

# Read elsewhere: by the command line, by tests, by the MongoDB store.
COMMAND_LINE = {"CHATD_TOKEN", "CHATD_CONFIG"}
_OF_OTHERS = re.compile(r"CHATD_(TOKEN|CONFIG|MONGO_DRIVER|TEST_\w+|FAILPOINT\w*)")

# Kubernetes sets these in every container for each Service, also for one that is called chatd, db
# or redis: DB_PORT=tcp://10.0.0.1:5432.
_OF_KUBERNETES = re.compile(r"\w+_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)\w*)")
_KUBERNETES_VALUE = re.compile(r"(tcp|udp|sctp)://")

_FIXED = {
    ("store", "url"): "CHATD_STORE",
    ("broker", "url"): "CHATD_BROKER",
    ("server", "allowed_origins"): "CHATD_ALLOWED_ORIGINS",
    **{("llm", key): f"LLM_{key.upper()}" for key in LlmSettings.__struct_fields__},
}


def variables() -> dict[Setting, str]:
    """Return the variable of every setting, {(section, key): name}."""
    return {
        (section, key): _FIXED.get((section, key), f"CHATD_{section}_{key}".upper())
        for section, settings in SECTIONS.items()
        for key in settings.__struct_fields__
    }


def read(environ: Mapping[str, str]) -> dict[Setting, tuple[str, str]]:
    """Return what the environment sets, {(section, key): (text, name of the variable)}."""
    environ = _ours(environ)
    given = dict(_services(environ))
    for setting, name in variables().items():
        if name in environ:
            given[setting] = environ[name], name
    return given


def unknown(environ: Mapping[str, str]) -> list[str]:
    """Return the variables that look like chatd's and are not."""
    known = set(variables().values())
    names = {name for name in _ours(environ) if name.startswith("CHATD_")} - known
    return sorted(name for name in names if not _OF_OTHERS.fullmatch(name))


def foreign(environ: Mapping[str, str]) -> list[str]:
    """Return the variables that begin like some of ours and may be others' as well."""
    known = set(variables().values())
    return sorted(name for name in _ours(environ) if name.startswith("LLM_") and name not in known)


def of_postgresql(environ: Mapping[str, str]) -> str | None:
    """Return the variable, with its value, that was meant for PostgreSQL, if there is one."""
    environ = _ours(environ)
    if "CHATD_STORE" in environ:
        return None
    foreign = {"DB_PORT": "5432", "DB_USER": "postgres"}
    return next((f"{k}={v}" for k, v in foreign.items() if environ.get(k) == v), None)


def _ours(environ: Mapping[str, str]) -> dict[str, str]:
    # An empty variable is an unset one: compose files pass them on like that.
    return {
        name: text
        for name, text in environ.items()
        if text and not _OF_KUBERNETES.fullmatch(name) and not _KUBERNETES_VALUE.match(text)
    }


def _services(environ: Mapping[str, str]) -> Iterator[tuple[Setting, tuple[str, str]]]:
    if host := environ.get("DB_HOST"):
        yield ("store", "url"), (_mongodb_url(_bracketed(host), environ), "DB_HOST")
    if host := environ.get("REDIS_HOST"):
        url = f"redis://{_bracketed(host)}:{environ.get('REDIS_PORT', '6379')}"
        yield ("broker", "url"), (url, "REDIS_HOST")


def _mongodb_url(host: str, environ: Mapping[str, str]) -> str:
    user, password = (quote(environ.get(name, ""), safe="") for name in ("DB_USER", "DB_PASSWORD"))
    userinfo = f"{user}:{password}@" if user else ""
    name = quote(environ.get("DB_NAME", "chatd"), safe="")
    return f"mongodb://{userinfo}{host}:{environ.get('DB_PORT', '27017')}/{name}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
