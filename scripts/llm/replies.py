"""The text of a reply, a pure function of the prompt."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

REASONING = "Let me think… 🤔 step by step."

# Legal inside JSON and no line ends in SSE, but str.splitlines() splits at both.
TRAPS = "line\u2028separator, next\u0085line"

DIRECTIVE = re.compile(
    r"""\[(?: (?P<words>words:(?P<count>\d+))
            | (?P<pace>pace:(?P<ms>\d+))
            | (?P<echo>echo)
            | (?P<reasoning>reasoning)
            | mode:(?P<mode>[\w:.-]+)
            | call:(?P<name>[\w.-]+)(?:[ ](?P<arguments>\{.*?\}))?
        )\][ ]?""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, kw_only=True)
class Directives:
    """What the last user message asks of the server, and its text without that."""

    text: str
    words: int | None = None
    pace: float | None = None
    echo: bool = False
    reasoning: bool = False
    mode: str | None = None
    calls: tuple[tuple[str, str | None], ...] = ()


def tokens(text: str) -> list[str]:
    """Return the deltas a text is streamed in: its words, each with the space before it."""
    return re.findall(r"\s*\S+|\s+", text)


def text_of(message: dict[str, Any]) -> str:
    """Return the text of a message whose content is a string, a list of parts, or null."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def last_user_text(messages: Sequence[dict[str, Any]]) -> str:
    """Return the text of the last user message, directives included; empty without one."""
    return next((text_of(m) for m in reversed(messages) if m.get("role") == "user"), "")


def directives(messages: Sequence[dict[str, Any]]) -> Directives:
    """Return the directives of the last user message."""
    text = last_user_text(messages)
    words, pace, mode, flags, calls = None, None, None, set(), []
    for found in DIRECTIVE.finditer(text):
        if found["words"]:
            words = int(found["count"])
        elif found["pace"]:
            pace = int(found["ms"]) / 1000
        elif found["mode"]:
            mode = found["mode"]
        elif found["name"]:
            calls.append((found["name"], found["arguments"]))
        else:
            flags.add(found["echo"] or found["reasoning"])
    return Directives(
        text=DIRECTIVE.sub("", text),
        words=words,
        pace=pace,
        echo="echo" in flags,
        reasoning="reasoning" in flags,
        mode=mode,
        calls=tuple(calls),
    )


def reply_to(messages: Sequence[dict[str, Any]]) -> str:
    """Return the whole reply to a prompt.

    It shows the number of messages, the system prompt, the last user message and the tool results
    after it, so that equality proves that all of them were sent.
    """
    asked = directives(messages)
    if asked.echo:
        return asked.text
    system = "\n".join(text_of(m) for m in messages if m.get("role") in ("system", "developer"))
    heard = " ".join(asked.text.split()[:12])
    text = (
        f"Réponse 🙂 to {len(messages)} messages (system {_checksum(system)},"
        f" prompt {_checksum(asked.text)}): you said “{heard}”.\n\nHere is a {TRAPS}, a café."
    )
    for message in messages[_after_last_user(messages) :]:
        if message.get("role") == "tool":
            text += f" The tool said: {text_of(message)}"
    return text if asked.words is None else _of_length(text, asked.words)


def _of_length(text: str, count: int) -> str:
    # Numbered words make a lost, doubled or reordered delta visible.
    start = tokens(text)[:count]
    more = (f" 🙂{i}" if i % 10 == 0 else f" word{i}" for i in range(len(start), count))
    return "".join([*start, *more])


def _after_last_user(messages: Sequence[dict[str, Any]]) -> int:
    return max((i + 1 for i, m in enumerate(messages) if m.get("role") == "user"), default=0)


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode(errors='surrogatepass')):08x}"
