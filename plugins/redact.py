"""Keeps out of prompts what must not get to a model: what patterns of the configuration match.

What is stored stays as it was said. A prompt that cannot be gone through in time is not sent.
Patterns are those of the library `regex`, which takes what Python's `re` takes: unlike that one it
lets the server go on meanwhile, and gives up when it is told to. A pattern with one repetition in
another can take for ever on a text that somebody has made for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Any

import marshmallow as ma

import chatd

try:
    import regex
except ImportError as exc:
    raise chatd.ConfigError("The plugin redact needs: pip install 'chatd[redact]'") from exc

SHORT = 4000  # characters of a prompt that is gone through at once
AT_ONCE = 0.005  # seconds that this may take; after that it is a thread's work


class PatternField(ma.fields.String):
    """A regular expression."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            pattern = regex.compile(text)
            matches_nothing = pattern.search("", timeout=1)
        except (regex.error, TimeoutError) as exc:
            raise ma.ValidationError(f"{text!r} is no pattern: {exc}.") from exc
        if matches_nothing:
            raise ma.ValidationError(f"{text!r} matches where there is nothing.")
        return pattern


class RuleSchema(ma.Schema):
    """One of [[plugins.redact.rules]]; the replacement is put in as it is."""

    pattern = PatternField(required=True)
    replacement = ma.fields.String(load_default="[redacted]")


class ConfigSchema(ma.Schema):
    """The table [plugins.redact]."""

    rules = ma.fields.List(
        ma.fields.Nested(RuleSchema), required=True, validate=ma.validate.Length(min=1)
    )
    # For all rules and all of a prompt.
    seconds = ma.fields.Float(
        load_default=5.0, validate=ma.validate.Range(min=0, min_inclusive=False, max=60)
    )


@chatd.hookimpl
async def prepare_prompt(app: chatd.App, prompt: chatd.Prompt) -> chatd.Prompt:
    """Replace what the rules match, in every message."""
    config, begun = app.plugin_config("redact"), time.monotonic()
    if sum(len(message.content) for message in prompt.messages) <= SHORT:
        # The way to a thread and back costs more than this takes.
        with contextlib.suppress(TimeoutError):
            messages = redacted(prompt.messages, config["rules"], begun + AT_ONCE)
            return prompt.replace(messages=messages)
    until = begun + config["seconds"]
    try:
        # In a thread: the library does not hold the interpreter while it looks.
        messages = await asyncio.to_thread(redacted, prompt.messages, config["rules"], until)
    except TimeoutError as exc:
        raise chatd.Forbidden(
            "This conversation cannot be checked in time for what must not be sent."
        ) from exc
    return prompt.replace(messages=messages)


def redacted(
    messages: Sequence[chatd.PromptMessage], rules: Sequence[dict[str, Any]], until: float
) -> tuple[chatd.PromptMessage, ...]:
    """Return messages with everything replaced that the rules match. Raises TimeoutError."""
    return tuple(
        message.replace(content=_of(message.content, rules, until)) for message in messages
    )


def _of(text: str, rules: Sequence[dict[str, Any]], until: float) -> str:
    for rule in rules:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        replacement = rule["replacement"]
        text = rule["pattern"].sub(lambda match: replacement, text, timeout=left, concurrent=True)  # noqa: B023
    return text
