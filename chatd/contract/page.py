"""The page that shows both documents: one HTML file without a script.

It is made of the documents alone, so that it says neither more nor less than they do.
"""

from __future__ import annotations

from html import escape
from typing import Any

from chatd.contract.answers import kinds_of
from chatd.contract.components import PLACE
from chatd.contract.shapes_page import (
    default_of,
    example_of,
    fields_table,
    object_link,
    paragraphs,
    prose,
    table,
    type_of,
)

HEAD = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>chatd: REST and WebSocket</title>
<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/docs.css">
</head>
<body>
<a class="skip" href="#content">To the content</a>
"""
SIDES = {"receive": "What clients send", "send": "What clients get"}


def make_page(openapi: dict[str, Any], asyncapi: dict[str, Any]) -> str:
    """Return the page."""
    schemas = openapi["components"]["schemas"] | asyncapi["components"]["schemas"]
    in_events = {
        message["payload"]["$ref"].removeprefix(PLACE)
        for channel in asyncapi["channels"].values()
        for message in channel["messages"].values()
    }
    objects = {name: schema for name, schema in schemas.items() if name not in in_events}
    return "".join(
        (
            HEAD,
            _navigation(openapi, asyncapi, objects),
            '<main id="content">',
            _introduction(openapi, asyncapi),
            _rest(openapi, schemas),
            _sockets(asyncapi, schemas),
            "<section><h2 id='objects'>Objects</h2>",
            *(_object(name, schema) for name, schema in objects.items()),
            "</section>",
            _codes(),
            "</main></body></html>\n",
        )
    )


def _introduction(openapi: dict[str, Any], asyncapi: dict[str, Any]) -> str:
    return (
        f"<header><h1>chatd <small>{escape(openapi['info']['version'])}</small></h1>"
        "<p>What clients can rely on, over REST and over WebSocket. This page is made of two"
        " documents, which are there for programs too.</p>"
        '<p class="files"><a href="/api/openapi.json">openapi.json</a>'
        ' <a href="/api/asyncapi.json">asyncapi.json</a> <a href="/">The page</a></p></header>'
    )


def _navigation(openapi: dict[str, Any], asyncapi: dict[str, Any], objects: dict[str, Any]) -> str:
    groups = [
        (f"tag-{tag['name']}", tag["name"], [
            (operation["operationId"], operation["summary"])
            for _, _, operation in _operations(openapi, tag["name"])
        ])
        for tag in openapi["tags"]
    ]  # fmt: skip
    groups += [
        (f"socket-{name}", f"Socket: {name}", [
            (_event_id(name, key), message["name"])
            for key, message in channel["messages"].items()
        ])
        for name, channel in asyncapi["channels"].items()
    ]  # fmt: skip
    groups.append(("objects", "Objects", [(f"object-{name}", name) for name in objects]))
    lists = "".join(
        f'<details><summary><a href="#{anchor}">{title}</a></summary><ul>'
        + "".join(f'<li><a href="#{at}">{escape(text)}</a></li>' for at, text in entries)
        + "</ul></details>"
        for anchor, title, entries in groups
    )
    return f'<nav aria-label="Contents">{lists}<p><a href="#codes">Error codes</a></p></nav>'


def _operations(openapi: dict[str, Any], tag: str) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
        if tag in operation["tags"]
    ]


def _rest(openapi: dict[str, Any], schemas: dict[str, Any]) -> str:
    found = ["<section><h2>REST</h2>", paragraphs(openapi["info"]["description"])]
    for tag in openapi["tags"]:
        found.append(f'<h3 id="tag-{tag["name"]}">{tag["name"]}</h3>')
        found.append(paragraphs(tag["description"]))
        for method, path, operation in _operations(openapi, tag["name"]):
            found.append(_operation(method, path, operation, schemas))
    return "".join((*found, "</section>"))


def _operation(method: str, path: str, operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    found = [
        f'<article id="{operation["operationId"]}"><h4>{prose(operation["summary"])}</h4>',
        _route(method, path, "no token needed" if "security" in operation else ""),
        paragraphs(operation["description"]) if "description" in operation else "",
    ]
    if parameters := operation.get("parameters"):
        rows = [
            (
                f"<code>{parameter['name']}</code>",
                f'{type_of(parameter["schema"])} <span class="note">in {parameter["in"]}</span>',
                prose(parameter["description"]) + default_of(parameter["schema"]),
            )
            for parameter in parameters
        ]
        found.append(table(("Parameter", "Type", ""), rows))
    if body := operation.get("requestBody"):
        name = body["content"]["application/json"]["schema"]["$ref"].removeprefix(PLACE)
        if schemas[name]["properties"]:
            found.append(f"<h5>Body: {object_link(name)}</h5>")
            found += fields_table(schemas[name]), example_of(schemas[name])
    found.append(_answers(operation["responses"]))
    return "".join((*found, "</article>"))


def _route(method: str, path: str, note: str = "") -> str:
    """Return the line with a method and a path, which may break behind a slash."""
    shown = escape(path).replace("/", "/<wbr>")
    return (
        f'<p class="route"><span class="method {method}">{method.upper()}</span>'
        f' <code>{shown}</code> <span class="note">{note}</span></p>'
    )


def _answers(responses: dict[str, Any]) -> str:
    good = [(code, answer) for code, answer in responses.items() if code < "400"]
    bad = [(code, answer) for code, answer in responses.items() if code >= "400"]
    rows = [(code, _bodies(answer), prose(answer["description"])) for code, answer in good]
    failures = table(
        ("Status", "Codes"), [(code, prose(answer["description"])) for code, answer in bad]
    )
    statuses = ", ".join(code for code, _ in bad)
    return (
        table(("Answer", "Body", ""), rows)
        + f"<details><summary>Errors: {statuses}</summary>{failures}</details>"
    )


def _bodies(answer: dict[str, Any]) -> str:
    found = []
    for kind, content in answer.get("content", {}).items():
        schema = content["schema"]
        found.append(type_of(schema) if "$ref" in schema else f"<code>{escape(kind)}</code>")
    return " or ".join(found) or "none"


def _sockets(asyncapi: dict[str, Any], schemas: dict[str, Any]) -> str:
    found = ["<section><h2>WebSocket</h2>", paragraphs(asyncapi["info"]["description"])]
    for name, channel in asyncapi["channels"].items():
        query = channel["bindings"]["ws"]["query"]
        codes = channel["x-close-codes"].items()
        found += [
            f'<article id="socket-{name}"><h3>{prose(channel["title"])}</h3>',
            _route("ws", channel["address"]),
            paragraphs(channel["description"]),
            "<h4>Query</h4>",
            fields_table(query),
            "<details><summary>Close codes</summary>",
            table(("Code", ""), [(code, prose(about)) for code, about in codes]),
            "</details></article>",
        ]
        for action, title in SIDES.items():
            found.append(f"<h4>{title}</h4>")
            for message in asyncapi["operations"][f"{name}.{action}"]["messages"]:
                key = message["$ref"].rpartition("/")[2]
                found.append(_event(name, key, channel["messages"][key], schemas))
    return "".join((*found, "</section>"))


def _event_id(channel: str, key: str) -> str:
    return f"event-{channel}-{key}"


def _event(channel: str, key: str, message: dict[str, Any], schemas: dict[str, Any]) -> str:
    schema = schemas[message["payload"]["$ref"].removeprefix(PLACE)]
    return (
        f'<article id="{_event_id(channel, key)}"><h5><code>{message["name"]}</code></h5>'
        f"<p>{prose(message['summary'])}</p>"
        f"{fields_table(schema, skip='type')}{example_of(schema)}</article>"
    )


def _object(name: str, schema: dict[str, Any]) -> str:
    return (
        f'<article id="object-{name}"><h3>{name}</h3>'
        f"{fields_table(schema)}{example_of(schema)}</article>"
    )


def _codes() -> str:
    rows = [
        (
            f"<code>{kind.code}</code>",
            str(kind.status),
            "yes" if kind.retryable else "no",
            prose(" ".join((kind.__doc__ or "").split())),
        )
        for kind in kinds_of()
    ]
    heads = ("Code", "Status", "Again?", "")
    return f'<section><h2 id="codes">Error codes</h2>{table(heads, rows)}</section>'
