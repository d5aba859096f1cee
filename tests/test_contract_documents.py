"""The documents of the contract say what is served, and nothing else."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from contract import Documents, documents
from harness import Script, chatting
from routes import SOCKETS, routes
from test_docs import kinds_of

from chatd.contract.events import TO_LIST
from chatd.contract.examples import EXAMPLES
from chatd.contract.openapi import OPERATIONS, SECURITY
from chatd.errors import ChatdError
from chatd.handlers.list_socket import SessionListSocket
from chatd.handlers.session_socket import SessionSocket

DOCUMENTS = ("/api/openapi.json", "/api/asyncapi.json", "/docs")


@pytest.fixture(scope="module")
def made() -> Documents:
    """The documents of a server with the default prefix."""
    return documents("/ai-chat")


def anonymous(path: str) -> str:
    """Return a path with `{}` for each placeholder and no slash at its end."""
    return re.sub(r"{\w+}", "{}", path).rstrip("/") or "/"


async def test_every_route_is_in_a_document(tmp_path: Path, made: Documents) -> None:
    """Both documents have the paths and methods of the router, and no others.

    For a new route add an Operation, see "The documents of the contract" in docs/design.md.
    """
    async with chatting(tmp_path, Script()) as chat:
        served = {(route.path, method) for route in routes(chat) for method in route.methods}
    written = {
        (anonymous(path), method.upper())
        for path, methods in made.openapi["paths"].items()
        for method in methods
    }
    written |= {
        (anonymous(channel["address"]), "GET") for channel in made.asyncapi["channels"].values()
    }
    assert written == served


async def test_what_needs_no_token(tmp_path: Path, made: Documents) -> None:
    """The document says of each path whether it needs a token."""
    async with chatting(tmp_path, Script()) as chat:
        public = {r.path for r in routes(chat) if r.is_public and not r.path.startswith(SOCKETS)}
    said = {
        anonymous(path)
        for path, methods in made.openapi["paths"].items()
        for operation in methods.values()
        if operation.get("security") == []
    }
    assert said == public


def test_operations_have_names_of_their_own() -> None:
    """No two operations share an id: clients are generated with them."""
    ids = [operation.id for operation in OPERATIONS]
    assert len(set(ids)) == len(ids)


def test_commands(made: Documents) -> None:
    """The events that clients may send are those that the sockets take."""
    channels = made.asyncapi["channels"]
    found = [
        {name.removeprefix("client.") for name in channels[channel]["messages"] if "." in name}
        for channel in ("session", "sessions")
    ]
    assert found == [set(SessionSocket.commands), set(SessionListSocket.commands)]
    assert set(TO_LIST) == set(SessionListSocket.commands)


def test_every_code(made: Documents) -> None:
    """Problems and error events have every code of the tree of errors, and no other."""
    codes = {kind.code for kind in kinds_of(ChatdError)}
    for document, name in ((made.openapi, "Problem"), (made.asyncapi, "Error")):
        assert set(document["components"]["schemas"][name]["properties"]["code"]["enum"]) == codes
    on_sockets = {"unknown_event", "method_not_allowed"}  # the second is of no operation
    said = set(re.findall(r'"code": {"enum": (\[.*?\])', json.dumps(made.openapi["paths"])))
    assert {code for found in said for code in json.loads(found)} == codes - on_sockets


def test_every_field_that_clients_send_says_what_it_means(made: Documents) -> None:
    """A body and a command describe each of their fields, but for the type of a command."""
    silent = [
        f"{name}.{field}"
        for document in (made.openapi, made.asyncapi)
        for name, schema in document["components"]["schemas"].items()
        if schema.get("additionalProperties") is False or name.endswith("Command")
        for field, found in schema["properties"].items()
        if field != "type" and not found.get("description")
    ]
    assert not silent, f"add to chatd/contract/notes.py: {silent}"


def references(value: Any) -> Iterator[str]:
    """Yield every reference of a document."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "$ref":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_references_lead_somewhere(made: Documents) -> None:
    """Every reference leads to a part of its document, and every schema is referred to."""
    for document in (made.openapi, made.asyncapi):
        found = set(references(document))
        for place in found:
            target: Any = document
            for name in place.removeprefix("#/").split("/"):
                target = target[name]
        schemas = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
        assert schemas <= found
    assert set(SECURITY) == set(made.openapi["components"]["securitySchemes"])


def test_every_schema_has_an_example_that_fits(made: Documents) -> None:
    """What is sent and what comes has an example; each fits, with no field too many."""
    schemas = made.openapi["components"]["schemas"], made.asyncapi["components"]["schemas"]
    roots = {
        place.rpartition("/")[2]
        for document in (made.openapi["paths"], made.asyncapi["channels"])
        for place in references(document)
        if "/schemas/" in place
    }
    assert roots - EXAMPLES.keys() == set()
    assert EXAMPLES.keys() - schemas[0].keys() - schemas[1].keys() == set()
    for number, found in enumerate(schemas):
        for name in found.keys() & EXAMPLES.keys():
            for example in EXAMPLES[name]:
                key, schema = ("example", name), {"$ref": f"#/components/schemas/{name}"}
                made.check((number, *key), schema, example, document=number)


async def test_documents_are_public_and_cached(tmp_path: Path) -> None:
    """Whoever asks gets them, and 304 when they have them; a page elsewhere may not read them."""
    async with chatting(tmp_path, Script()) as chat:
        http = chat.anonymous().http
        for path in DOCUMENTS:
            first = await http.get(path)
            assert first.status_code == 200
            assert first.headers["Cache-Control"] == "no-cache"
            again = await http.get(path, headers={"If-None-Match": first.headers["ETag"]})
            assert (again.status_code, again.content) == (304, b"")
            assert (await http.get(path, headers={"If-None-Match": '"x"'})).content == first.content
            foreign = await http.get(path, headers={"Origin": "http://elsewhere.example"})
            assert foreign.status_code == 403


async def test_documents_have_the_limits_and_the_prefix(tmp_path: Path) -> None:
    """The documents are those of this server: with its limits, options and paths."""
    settings = {
        "CHATD_SERVER_PREFIX": "/chat",
        "CHATD_LIMITS_MESSAGE_CHARS": "77",
        "CHATD_MODELS_OPTION_KEYS": "top_p,own",
    }
    async with chatting(tmp_path, Script(), **settings) as chat:
        http = chat.anonymous().http
        openapi, asyncapi = [(await http.get(path)).json() for path in DOCUMENTS[:2]]
    assert "/chat/api/sessions/" in openapi["paths"]
    assert asyncapi["channels"]["session"]["address"] == "/ws/chat/session/{session_id}/"
    schemas = openapi["components"]["schemas"]
    assert schemas["SendMessage"]["properties"]["message"]["maxLength"] == 77
    assert schemas["Options"]["properties"].keys() == {"top_p", "own"}


class Page(HTMLParser):
    """The ids and the links of a page, and its tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note."""
        self.tags.add(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            elif name in ("href", "src"):
                self.links.append(value or "")


async def test_the_page_is_whole(tmp_path: Path) -> None:
    """The page has both documents, no script, nothing of another host, and no dead link."""
    async with chatting(tmp_path, Script()) as chat:
        http = chat.anonymous().http
        answer = await http.get("/docs")
        page = Page(answer.text)
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert not page.tags & {"script", "style", "iframe"}
        assert len(set(page.ids)) == len(page.ids)
        for link in set(page.links):
            if link.startswith("#"):
                assert link[1:] in page.ids
            else:
                assert link.startswith("/")
                assert (await http.get(link)).status_code == 200, link
    assert {operation.id for operation in OPERATIONS} <= set(page.ids)
    assert {"event-session-ai_message_chunk", "event-sessions-client.ping"} <= set(page.ids)


def test_nothing_is_made_at_the_start() -> None:
    """A server that nobody asks for its documents does not even import what makes them."""
    code = "import sys, chatd.web; print([m for m in sys.modules if m.startswith('apispec')])"
    found = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    assert found.stdout.strip() == b"[]"


WRONG = [
    (200, {"X-Request-Id": "1"}, {"status": "ok", "more": 1}, "more"),
    (200, {"X-Request-Id": "1"}, {"status": "so so"}, "so so"),
    (200, {}, {"status": "ok"}, "X-Request-Id"),
    (204, {"X-Request-Id": "1"}, None, "204"),
]


@pytest.mark.parametrize(("status", "headers", "body", "named"), WRONG)
def test_a_wrong_answer_is_seen(
    made: Documents, status: int, headers: dict[str, str], body: Any, named: str
) -> None:
    """The check of the suite's answers fails for a field, value, header or status too many."""
    request = httpx.Request("GET", "http://x/healthz")
    content = json.dumps(body).encode() if body else b""
    kind = {"Content-Type": "application/json"}
    response = httpx.Response(status, headers=headers | kind, request=request)
    with pytest.raises(AssertionError, match=named):
        made.check_answer(response, content)


def test_a_wrong_event_is_seen(made: Documents) -> None:
    """The check of the suite's events fails for an unknown one, and for a field too many."""
    pong = {"type": "pong", "t": None}
    made.check_event("sessions", pong)
    for wrong in ({"type": "pang"}, {"type": "pong"}, pong | {"more": 1}, {"type": "ai_typing"}):
        with pytest.raises(AssertionError):
            made.check_event("sessions", wrong)
