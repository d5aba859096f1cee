"""Keeps a prompt within what its model can read: the system prompt, and the newest turns.

No tokenizer is loaded, as each model has its own: tokens are estimated from the bytes of the text
in UTF-8, three of which are a token, and four tokens more for each message. English has four bytes
a token, German and code about three, Chinese and Japanese three for one sign, which is about a
token: so the estimate is rarely too low.
"""

from __future__ import annotations

from collections.abc import Sequence

import marshmallow as ma

import chatd

PER_MESSAGE = 4  # tokens, for its role and what stands between it and the next
OF_REPLY = 0.5  # the largest part of the context that is kept free for the reply


class ConfigSchema(ma.Schema):
    """The table [plugins.context_window]."""

    # Of models of which nobody says how much they can read; 0 leaves their prompts alone.
    default_length = ma.fields.Integer(load_default=0, validate=ma.validate.Range(min=0))
    bytes_per_token = ma.fields.Float(load_default=3.0, validate=ma.validate.Range(min=0.1, max=16))


@chatd.hookimpl
def prepare_prompt(
    app: chatd.App, user: chatd.User, session: chatd.Session, prompt: chatd.Prompt
) -> chatd.Prompt | None:
    """Leave out the oldest turns that do not fit; the last one always stays, and what is first."""
    config = app.plugin_config("context_window")
    _, model = app.models.pick(user, session.model)
    length = model.context_length or config["default_length"]
    if not length:
        return None
    reply = min(prompt.settings.get("max_tokens") or 0, length * OF_REPLY)
    messages = newest(prompt.messages, length - reply, config["bytes_per_token"])
    return None if len(messages) == len(prompt.messages) else prompt.replace(messages=messages)


def newest(
    messages: Sequence[chatd.PromptMessage], room: float, bytes_per_token: float
) -> tuple[chatd.PromptMessage, ...]:
    """Return the system messages at the start and the newest whole turns within so many tokens."""
    said = (n for n, message in enumerate(messages) if message.role != "system")
    head = next(said, len(messages))
    # A turn begins with what a user says: an answer without its question would mislead.
    begins = [n for n in range(head, len(messages)) if n == head or messages[n].role == "user"]
    sizes = [tokens(message, bytes_per_token) for message in messages]
    left = room - sum(sizes[:head])
    start = end = len(messages)
    for begin in reversed(begins):
        left -= sum(sizes[begin:end])
        if left < 0 and start < len(messages):
            break
        start = end = begin
    return (*messages[:head], *messages[start:])


def tokens(message: chatd.PromptMessage, bytes_per_token: float) -> float:
    """Return how many tokens a message may have."""
    return len(message.content.encode()) / bytes_per_token + PER_MESSAGE
