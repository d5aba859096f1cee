"""What the fields mean that clients send. Their types and bounds are in `chatd.schemas`."""

from __future__ import annotations

from typing import Any

# By name: a field means the same wherever it is.
NOTES = {
    "after_seq": "The last entry of the log that the client has.",
    "client_id": "A name of the client's for this: with the same one again nothing happens twice.",
    "content": "The new text.",
    "default_model": "The id or name of a model; null: none.",
    "description": "For people.",
    "enable_tools": "Whether the model may call tools.",
    "frequency_penalty": "Against words that were used often.",
    "generation_id": "The generation that is meant.",
    "is_active": "False deletes a session and switches a model off; true brings either back.",
    "is_default": "Whether it is the model of all who chose none.",
    "is_public": "Whether all users see it.",
    "logit_bias": "By token, from -100 to 100.",
    "max_tokens": "The longest reply.",
    "message": "The text.",
    "message_id": "The message that is meant.",
    "metadata": "The client's own; the server only keeps it.",
    "min_p": "Only tokens at least so likely, compared with the likeliest.",
    "model": "An id or a bare name; resolved at each turn, so it need not be known yet.",
    "name": "How people find it.",
    "options": "How the model draws its tokens; which keys there are is configured.",
    "preferences": "They merge key by key.",
    "presence_penalty": "Against words that were used at all.",
    "preset_id": "The preset that gives what is left out.",
    "reasoning_effort": "How much the model should think before.",
    "repeat_penalty": "Against words that were used; 1 is none.",
    "repetition_penalty": "Against words that were used; 1 is none.",
    "response_format": "The form of the reply, as OpenAI's API has it.",
    "seed": "Makes drawing repeatable where the model server can.",
    "seen_seq": "The last entry of the log that the user saw: the rest is cut off.",
    "settings": "How the model is asked; what is left out is the server's default.",
    "stop": "Where the reply ends.",
    "system_prompt": "What the model is told before everything else.",
    "t": "Any value; it comes back.",
    "temperature": "How freely the model draws its tokens.",
    "ticket": "The one that `chatd serve` printed, if not what an authentication plugin takes.",
    "title": "How people find it.",
    "top_k": "Only so many of the likeliest tokens; 0 or -1: all.",
    "top_p": "Only the likeliest tokens that together have this probability.",
}


def add_notes(schema: dict[str, Any]) -> None:
    """Put what a field means before what its description says of its bounds, if it has one."""
    for name, field in schema["properties"].items():
        if name in NOTES:
            field["description"] = f"{NOTES[name]} {field.get('description', '')}".strip()
