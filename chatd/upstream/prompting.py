"""What of a prompt more than one API wants put in another way than chatd has it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from chatd.provider import PromptMessage

VERSION = re.compile(r"/v\d+[a-z0-9]*(/|$)")


def versioned(url: str, *, without: str) -> str:
    """Return the URL that paths like /models are added to.

    A URL without a version in its path gets /v1; one that was copied with the path of a call, which
    is `without`, is cut.
    """
    parts = urlsplit(url)
    path = parts.path.rstrip("/").removesuffix(without)
    return parts._replace(path=path if VERSION.search(path) else f"{path}/v1").geturl()


def alternating(messages: Iterable[PromptMessage]) -> list[dict[str, str]]:
    """Return the messages but those of the system, as strict APIs and chat templates take them.

    None is blank, a user's is the first, and roles alternate: neighbours of one role are joined.
    """
    found: list[dict[str, str]] = []
    for message in messages:
        role = "assistant" if message.role == "assistant" else "user"
        if message.role == "system" or not message.content.strip():
            continue
        if found and found[-1]["role"] == role:
            found[-1]["content"] += f"\n\n{message.content}"
        elif found or role == "user":
            found.append({"role": role, "content": message.content})
    return found


def stops(options: Mapping[str, Any]) -> list[str]:
    """Return the option `stop` as the list that it may also be."""
    stop = options.get("stop") or []
    return [stop] if isinstance(stop, str) else stop


def json_schema(options: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the schema in the option `response_format`, None without one."""
    match options.get("response_format"):
        case {"type": "json_schema", "json_schema": {"schema": dict(schema)}}:
            return schema
    return None
