"""Schemas as HTML: a table of fields, a type in words, an example."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from html import escape
from typing import Any

from chatd.contract.components import PLACE

LARGEST = 2**53
FORMATS = {"date-time": "time", "uuid": "id"}


def prose(text: str) -> str:
    """Return text with what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))


def paragraphs(text: str) -> str:
    """Return text whose paragraphs have an empty line between them."""
    return "".join(f"<p>{prose(part)}</p>" for part in text.split("\n\n"))


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table of cells that are HTML already; the first of a row is its head."""
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = ""
    for first, *others in rows:
        body += f'<tr><th scope="row">{first}</th>{"".join(f"<td>{c}</td>" for c in others)}</tr>'
    # Focusable, so that who has no mouse can scroll it.
    return (
        f'<div class="wide" tabindex="0" role="group" aria-label="Table">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def object_link(name: str) -> str:
    """Return a link to where an object is described."""
    return f'<a href="#object-{name}">{name}</a>'


def type_of(schema: dict[str, Any]) -> str:
    """Return in words what a value may be."""
    if "$ref" in schema:
        return object_link(schema["$ref"].removeprefix(PLACE))
    if "const" in schema:
        return f"<code>{escape(json.dumps(schema['const']))}</code>"
    if "enum" in schema:
        shown = [f"<code>{escape(str(value))}</code>" for value in schema["enum"]]
        if len(shown) > 12:
            return '<a href="#codes">an error code</a>'
        return ", ".join(shown)
    if "anyOf" in schema:
        return " or ".join(type_of(one) for one in schema["anyOf"])
    kinds = schema.get("type", "anything")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    return " or ".join(_kind(kind, schema) for kind in kinds) + _bounds(schema)


def _kind(kind: str, schema: dict[str, Any]) -> str:
    if kind == "array":
        return f"list of {type_of(schema.get('items', {}))}"
    if kind == "object":
        inner = schema.get("additionalProperties")
        return f"object of {type_of(inner)}" if isinstance(inner, dict) and inner else "object"
    if kind == "string":
        return FORMATS.get(schema.get("format", ""), kind)
    return kind


def _bounds(schema: dict[str, Any]) -> str:
    low = schema.get("minimum", schema.get("minLength") or None)
    high = schema.get("maximum", schema.get("maxLength"))
    # That an integer is within 2^53 is said once, for all of them.
    low, high = (None if bound in (-LARGEST, LARGEST) else bound for bound in (low, high))
    what = " characters" if "maxLength" in schema or schema.get("minLength") else ""
    if high is not None:
        bounds = f", {low:g} to {high:,g}" if low is not None else f", up to {high:,g}"
    elif low:
        bounds = f", from {low:g}"
    else:
        return ""
    return f'<span class="note">{bounds}{what}</span>'


def fields_table(schema: dict[str, Any], *, skip: str = "") -> str:
    """Return the table of an object's fields."""
    needed = schema.get("required", ())
    rows = [
        (f"<code>{escape(name)}</code>", type_of(field), _about(field, name in needed))
        for name, field in schema.get("properties", {}).items()
        if name != skip
    ]
    return table(("Field", "Type", ""), rows) if rows else ""


def _about(field: dict[str, Any], is_needed: bool) -> str:
    about = prose(field.get("description", "")) + default_of(field)
    return about + ("" if is_needed else ' <span class="note">optional</span>')


def default_of(schema: dict[str, Any]) -> str:
    """Return what a value is that is left out, as a sentence."""
    default = schema.get("default")
    return "" if default is None else f" Default <code>{escape(str(default))}</code>."


def example_of(schema: dict[str, Any]) -> str:
    """Return an example, folded away; the browser's search finds it all the same."""
    if not schema.get("examples"):
        return ""
    text = json.dumps(schema["examples"][0], indent=2, ensure_ascii=False)
    return (
        "<details><summary>Example</summary>"
        f'<pre tabindex="0"><code>{escape(text, quote=False)}</code></pre></details>'
    )
