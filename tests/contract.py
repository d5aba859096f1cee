"""Every answer and every event that a test gets, held against the documents of the contract.

Clients are told to ignore what they do not know; here a field that the documents do not have is a
failure: objects are closed.
"""

from __future__ import annotations

import copy
import functools
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
from jsonschema_rs import Draft202012Validator

from chatd.config import load_config
from chatd.contract import Contract
from chatd.schemas import Shapes

PROBLEM = "application/problem+json"
SSE_ID = re.compile(r"(None|[0-9a-f-]{36}):(\d+|end)")
ADVICE = "; it is not in the document: see 'The documents of the contract' in docs/design.md"


class Documents:
    """Both documents for one prefix, with a compiled schema for each answer and each event."""

    def __init__(self, prefix: str) -> None:
        config = load_config(None, {}, {})
        shapes = Shapes(config.limits, config.models.option_keys)
        self.openapi, self.asyncapi = Contract(shapes, prefix).specifications()
        self._closed = [closed(self.openapi["components"]), closed(self.asyncapi["components"])]
        self._paths = [(_pattern(path), path) for path in self.openapi["paths"]]
        self._validators: dict[Any, Draft202012Validator] = {}

    def check(self, key: Any, schema: Any, value: Any, *, document: int = 0) -> None:
        """Check a value by a schema of a document: 0 is OpenAPI, 1 AsyncAPI."""
        if key not in self._validators:
            root = schema | {"components": self._closed[document]}
            self._validators[key] = Draft202012Validator(root, validate_formats=True)
        errors = [
            f"{'.'.join(map(str, error.instance_path)) or 'all'}: {error.message}"
            for error in self._validators[key].iter_errors(value)
        ]
        assert not errors, (key, errors, value)

    def operation(self, method: str, path: str) -> dict[str, Any] | None:
        """Return what the document says of a method of a path, None if nothing."""
        for pattern, template in self._paths:
            if pattern.fullmatch(path):
                found: dict[str, Any] | None = self.openapi["paths"][template].get(method)
                return found
        return None

    def check_answer(self, response: httpx.Response, content: bytes) -> None:
        """Check status, type, headers and body of an answer."""
        request = response.request
        method = "get" if request.method == "HEAD" else request.method.lower()
        path = request.url.raw_path.decode("latin-1").partition("?")[0]
        kind = response.headers.get("Content-Type", "").partition(";")[0]
        operation = self.operation(method, path)
        if operation is None:
            if response.is_error and request.method != "HEAD":
                assert kind == PROBLEM, (request.method, path, kind, content)
                self.check("problem", {"$ref": "#/components/schemas/Problem"}, json.loads(content))
            return
        key = (operation["operationId"], response.status_code)
        answer = operation["responses"].get(str(response.status_code))
        assert answer is not None, (key, content, ADVICE)
        for name in answer["headers"]:
            assert name in response.headers, (key, name, response.headers)
        if request.method != "HEAD":
            self._check_content((*key, kind), answer.get("content", {}), content)

    def _check_content(
        self, key: tuple[Any, ...], declared: dict[str, Any], content: bytes
    ) -> None:
        kind = key[-1]
        if not declared:
            assert content == b"", (key, content)
        elif "*/*" not in declared or kind in declared:
            assert kind in declared, (key, content, ADVICE)
            if kind == "text/event-stream":
                self._check_stream(content.decode())
            elif kind.endswith("json"):
                self.check(key, declared[kind]["schema"], json.loads(content))

    def _check_stream(self, text: str) -> None:
        *blocks, _unfinished = text.split("\n\n")
        for block in blocks:
            lines = [line for line in block.split("\n") if not line.startswith(":")]
            fields = dict(line.split(": ", 1) for line in lines)
            if fields:
                event = json.loads(fields["data"])
                assert SSE_ID.fullmatch(fields["id"]), fields["id"]
                assert event["type"] == fields["event"]
                self.check_event("session", event)

    def check_event(self, channel: str, event: dict[str, Any]) -> None:
        """Check an event that came from a socket; its channel is `session` or `sessions`."""
        messages = self.asyncapi["channels"][channel]["messages"]
        kind = event["type"]
        assert kind in messages, (channel, event, ADVICE)
        self.check((channel, kind), messages[kind]["payload"], event, document=1)

    def check_close_code(self, code: int | None) -> None:
        """Check that a code is one of those that tell a client what to do."""
        codes = self.asyncapi["channels"]["session"]["x-close-codes"]
        assert str(code) in {*codes, "1000", "1005", "1006"}, (code, ADVICE)


@functools.cache
def documents(prefix: str) -> Documents:
    """Return the documents of servers with a prefix; they are made once."""
    return Documents(prefix)


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"{\w+}", path.rstrip("/"))
    end = "" if path == "/" or path.startswith("/static/") else "/?"
    return re.compile("[^/]+".join(map(re.escape, parts or [path])) + end or "/")


def closed(schema: Any) -> Any:
    """Return schemas in which an object has the fields that are named and no others."""
    schema = copy.copy(schema)
    if isinstance(schema, dict):
        for key, inner in schema.items():
            schema[key] = closed(inner) if key != "examples" else inner
        if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema:
            schema["additionalProperties"] = False
    elif isinstance(schema, list):
        schema[:] = map(closed, schema)
    return schema


class Checked(httpx.AsyncByteStream):
    """A body on its way to a test; checked at its end, or as far as the test has read it."""

    def __init__(self, response: httpx.Response, found: Documents) -> None:
        assert isinstance(response.stream, httpx.AsyncByteStream)
        self._stream = response.stream
        self._response, self._documents = response, found
        self._content = bytearray()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            self._content += piece
            yield piece
        self._documents.check_answer(self._response, bytes(self._content))

    async def aclose(self) -> None:
        await self._stream.aclose()


def checking(prefix: str) -> Any:
    """Return the hook of an httpx client that checks every answer."""

    async def check(response: httpx.Response) -> None:
        response.stream = Checked(response, documents(prefix))

    return check
