"""The plugin presets_http: catalogues over real HTTP; servers that are good, away or hostile."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from harness import chatting
from marshmallow import ValidationError

import chatd
from chatd.app import App
from chatd.config import load_config
from chatd.fetching import Document, Unusable, is_public
from plugins.presets_http import ConfigSchema, HttpPresets
from scripts.llm.connections import Connection, Request, Response

USER = chatd.User(id="u", name="alice")
POET = {
    "id": "poet",
    "name": "Poet",
    "description": "Writes in verse.",
    "system_prompt": "Answer in rhyme.",
    "model": "qwen3:8b",
    "settings": {"temperature": 1.2, "options": {"top_p": 0.9}},
}

Answer = Callable[[Request, Response], Any]


class Web:
    """A web server whose answers are functions; `requests` are what it was asked."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answer: Answer = self.document
        self.value: Any = {"presets": [POET]}
        self.etag = '"1"'
        self._connections: set[Connection] = set()

    async def __aenter__(self) -> Web:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def start(self, port: int = 0) -> None:
        """Listen."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(
            lambda: Connection(self._serve, self._connections.add, self._connections.discard),
            "127.0.0.1",
            port,
        )
        self.port = self._listener.sockets[0].getsockname()[1]

    async def aclose(self) -> None:
        """Stop, and drop all connections."""
        self._listener.close()
        connections = list(self._connections)
        for connection in connections:
            connection.abort()
        await asyncio.gather(*(c.task for c in connections), return_exceptions=True)
        await asyncio.gather(*(connection.closed.wait() for connection in connections))

    @property
    def url(self) -> str:
        """Where the catalogue is."""
        return f"http://127.0.0.1:{self.port}/presets.json"

    async def _serve(self, request: Request, response: Response) -> None:
        self.requests.append(request)
        await self.answer(request, response)

    async def document(self, request: Request, response: Response) -> None:
        """Answer with the value, or 304."""
        if self.etag and request.headers.get("if-none-match") == self.etag:
            await response.send(304, b"", {"ETag": self.etag})
        else:
            await response.send_json(200, self.value, {"ETag": self.etag} if self.etag else {})


def source_of(app: App, web: Web, tmp_path: Path, **options: Any) -> HttpPresets:
    """A source that does not fetch by itself."""
    options = {"name": "shared", "allow_private": True, "timeout": 20, **options}
    shape = app.shapes.new_preset
    return HttpPresets(url=web.url, directory=tmp_path / "kept", shape=shape, **options)


@contextlib.asynccontextmanager
async def fetching(tmp_path: Path, **options: Any) -> AsyncIterator[tuple[Web, HttpPresets]]:
    """A web server, and a source that was filled from it."""
    app = App(load_config(None, {"CHATD_DATA_DIR": str(tmp_path / "data")}, {}))
    async with Web() as web:
        source = source_of(app, web, tmp_path, **options)
        await source.refresh()
        yield web, source


async def names(source: HttpPresets) -> list[str]:
    """The names of the presets."""
    return [preset.name for preset in await source.list(USER)]


async def test_an_entry_is_a_preset(tmp_path: Path) -> None:
    """It is public, nobody's, read-only; its id and version do not change between fetches."""
    async with fetching(tmp_path) as (web, source):
        [preset] = await source.list(USER)
        assert await source.get(USER, preset.id) == preset
        assert await source.get(USER, "other") is None
        web.etag = ""
        await source.refresh()
        assert await source.list(USER) == [preset]
        web.value = {"presets": [{**POET, "name": "Bard"}]}
        await source.refresh()
        [changed] = await source.list(USER)

    assert (preset.name, preset.model) == ("Poet", "qwen3:8b")
    assert preset.system_prompt == "Answer in rhyme."
    assert preset.settings == {"temperature": 1.2, "options": {"top_p": 0.9}}
    assert (preset.is_public, preset.owner, preset.editable, preset.source) == (
        True,
        None,
        False,
        "shared",
    )
    assert (changed.id, changed.name, changed.created_at) == (preset.id, "Bard", preset.created_at)
    assert changed.version != preset.version


async def test_over_the_whole_chatd(tmp_path: Path) -> None:
    """The presets are in the list of every user, make sessions, and cannot be changed."""
    async with Web() as web:
        web.value = {"presets": [POET, {**POET, "id": "b", "name": "Brief"}]}
        config = tmp_path / "chatd.toml"
        config.write_text(
            f'[[plugins.presets_http.instances]]\nname = "shared"\nurl = "{web.url}"\n'
            "allow_private = true\n"
            'key = { env = "CATALOGUE_KEY" }\n'
        )
        env = {"CHATD_CONFIG": str(config), "CATALOGUE_KEY": "sk-of-the-catalogue"}
        env["CHATD_PLUGINS_ENABLED"] = "auth_token,presets_store,presets_http"
        async with chatting(tmp_path, **env) as chat:
            assert "sk-of" not in repr(chat.app.config)
            alice = await chat.client("alice")
            page = await alice.call("GET", "/presets/")
            brief, poet = page["results"]
            path = f"/presets/{poet['id']}/"
            session = await alice.call("POST", path + "create_session_from_preset/", 201, json={})
            refused = await alice.call("PATCH", path, 403, json={"name": "Mine"})
        assert web.requests[0].headers["authorization"] == "Bearer sk-of-the-catalogue"
    assert [brief["name"], poet["name"]] == ["Brief", "Poet"]
    assert session["system_prompt"] == "Answer in rhyme."
    assert refused["code"] == "read_only"


async def test_what_has_not_changed_is_not_sent_again(tmp_path: Path) -> None:
    """The ETag goes with the next request, and a 304 leaves the list as it is."""
    async with fetching(tmp_path) as (web, source):
        await source.refresh()
        assert [request.headers.get("if-none-match") for request in web.requests] == [None, '"1"']
        assert await names(source) == ["Poet"]
        web.value, web.etag = {"presets": []}, '"2"'
        await source.refresh()
        assert await names(source) == []


async def test_the_list_stays_while_the_server_is_away(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Also over a restart of chatd; that it is away is logged once, and that it is back."""
    caplog.set_level(logging.INFO)
    app = App(load_config(None, {"CHATD_DATA_DIR": str(tmp_path / "data")}, {}))
    async with fetching(tmp_path) as (web, source):
        before = await source.list(USER)
        await web.aclose()
        for _ in range(3):
            await source.refresh()
        assert await source.list(USER) == before
        after = source_of(app, web, tmp_path)
        await after.open()
        assert await after.list(USER) == before
        await after.aclose()
        await web.start(web.port)
        await source.refresh()
        assert web.requests[-1].headers["if-none-match"] == '"1"'
    told = [record.message for record in caplog.records if record.name.endswith("presets_http")]
    assert told[0] == "the presets of shared were not refreshed: it cannot be reached"
    assert told[-1] == "the presets of shared are refreshed again"
    assert len([line for line in told if "not refreshed" in line]) <= 2  # one for each source


async def test_a_list_that_was_kept_for_another_url(tmp_path: Path) -> None:
    """It is not taken, nor is a file that is broken; both are replaced."""
    app = App(load_config(None, {"CHATD_DATA_DIR": str(tmp_path / "data")}, {}))
    async with fetching(tmp_path) as (_, source), Web() as other:
        other.value = {"presets": []}
        for _ in range(2):
            moved = source_of(app, other, tmp_path)
            await moved.open()
            assert await names(moved) == []
            await moved.aclose()
            (tmp_path / "kept" / "shared.json").write_bytes(b'{"url": 5')
        assert await names(source) == ["Poet"]


async def test_bad_entries_are_skipped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each is logged once with its reason, and the good ones are there."""
    bad: list[Any] = [
        5,
        {"name": "no id"},
        {**POET, "id": "a", "name": " "},
        {**POET, "id": "b", "settings": {"temperature": 7}},
        {**POET, "id": "c", "settings": {"options": {"api_base": "http://evil"}}},
        {**POET, "id": "d", "system_prompt": "a\0b"},
        {**POET, "id": "e", "system_prompt": "x" * 200_000},
        {**POET, "name": "again"},
    ]
    async with fetching(tmp_path) as (web, source):
        web.value, web.etag = {"presets": [POET, *bad]}, ""
        for _ in range(3):
            await source.refresh()
        assert await names(source) == ["Poet"]
    told = [record.message for record in caplog.records if "skipped" in record.message]
    assert len(told) == len(bad)
    reasons = (
        "no id",
        "no id",
        "blank",
        "temperature",
        "api_base",
        "NUL",
        "system_prompt",
        "twice",
    )
    for line, reason in zip(told, reasons, strict=True):
        assert reason in line


async def test_unknown_fields_are_ignored(tmp_path: Path) -> None:
    """A catalogue may say more than chatd knows."""
    async with fetching(tmp_path) as (web, source):
        web.value = {"version": 3, "presets": [{**POET, "icon": "quill", "is_public": False}]}
        web.etag = ""
        await source.refresh()
        [preset] = await source.list(USER)
    assert preset.is_public


async def test_bounds(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """More presets than allowed are cut; a thousand problems make twenty lines and one."""
    async with fetching(tmp_path, max_presets=3) as (web, source):
        web.value = {"presets": [{**POET, "id": str(number)} for number in range(9)]}
        web.etag = ""
        await source.refresh()
        assert len(await source.list(USER)) == 3
    async with fetching(tmp_path) as (web, source):
        caplog.clear()
        web.value, web.etag = {"presets": [{"id": str(n)} for n in range(100)]}, ""
        await source.refresh()
    assert len(caplog.records) == 21
    assert caplog.records[-1].message == "shared has 80 more such problems"


async def endless(request: Request, response: Response) -> None:
    """Send a body that does not end."""
    await response.start(200, {})
    while True:
        await response.write(b"x" * 10_000)


async def silent(request: Request, response: Response) -> None:
    """Never answer."""
    await asyncio.get_running_loop().create_future()


async def crashed(request: Request, response: Response) -> None:
    """Answer 500."""
    await response.send_json(500, {"presets": []})


async def compressed(request: Request, response: Response) -> None:
    """Send what is said to be compressed."""
    await response.send(200, b"x", {"Content-Encoding": "gzip"})


def text(body: bytes) -> Answer:
    """An answer with this body."""

    async def answer(request: Request, response: Response) -> None:
        await response.send(200, body, {})

    return answer


def redirect(location: str) -> Answer:
    """An answer that redirects."""

    async def answer(request: Request, response: Response) -> None:
        await response.send(302, b"", {"Location": location})

    return answer


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (endless, "more than 100000 bytes"),
        (crashed, "answered 500"),
        (compressed, "compressed"),
        (text(b"<html>"), "not JSON"),
        (text(b'{"presets": NaN}'), "not JSON"),
        (text(b"[" * 90_000), "not JSON"),
        (text(b'[{"id": "a"}]'), "no object with a list"),
        (text(b'{"presets": 5}'), "no object with a list"),
        (redirect("/presets.json"), "too many redirects"),
        (redirect("ftp://host/x"), "no secure URL"),
        (redirect("http://127.0.0.1:1/"), "not public"),
        (redirect("http://localhost:1/"), "not public"),
        (redirect("http://[::1]:1/"), "not public"),
        (redirect("http://127.1:1/"), "not refreshed"),
        (redirect("http://[::ffff:127.0.0.1]:1/"), "not public"),
        (redirect("http://[64:ff9b::7f00:1]:1/"), "not public"),
        (redirect("http://169.254.169.254/latest/meta-data/"), "not public"),
        (redirect("http://[fe80::1%25lo]/"), "not public"),
        (redirect("http://user@:x/"), "cannot be reached"),
    ],
)
async def test_what_is_no_catalogue(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, answer: Answer, reason: str
) -> None:
    """The list stays as it was, and the reason is logged, once."""
    async with fetching(tmp_path, max_bytes=100_000) as (web, source):
        web.answer = answer
        for _ in range(2):
            await source.refresh()
        assert await names(source) == ["Poet"]
    [record] = caplog.records
    assert reason in record.message


async def test_silence_has_an_end() -> None:
    """A server that accepts and never answers takes the time-out and no more."""
    async with Web() as web:
        web.answer = silent
        with pytest.raises(Unusable, match="took too long"):
            await Document(web.url, timeout=0.2, max_bytes=9, allow_private=True).fetch()


async def test_a_private_address_needs_to_be_allowed(tmp_path: Path) -> None:
    """Without `allow_private` a catalogue on this machine is not even connected to."""
    async with Web() as web:
        for url in (web.url, web.url.replace("127.0.0.1", "localhost")):
            with pytest.raises(Unusable, match="not public"):
                await Document(url, timeout=20, max_bytes=9).fetch()
        assert web.requests == []


async def test_a_redirect_within_its_origin(tmp_path: Path) -> None:
    """It is followed, with the key; one to another port of the same host is not."""
    async with Web() as web, Web() as other:
        document = Document(web.url, key="k", timeout=20, max_bytes=10_000, allow_private=True)

        async def moved(request: Request, response: Response) -> None:
            to = redirect("/moved") if request.path == "/presets.json" else web.document
            await to(request, response)

        web.answer = moved
        fetched = await document.fetch()
        assert fetched is not None
        assert json.loads(fetched.body) == web.value
        assert [r.headers["authorization"] for r in web.requests] == ["Bearer k"] * 2
        web.answer = redirect(other.url)
        with pytest.raises(Unusable, match="not public"):
            await document.fetch()
        assert other.requests == []


async def test_no_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would connect to what is not checked."""
    async with Web() as web, Web() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        document = Document(web.url, timeout=20, max_bytes=10_000, allow_private=True)
        assert await document.fetch() is not None
        assert proxy.requests == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("10.0.0.1", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("127.0.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("::127.0.0.1", False),
        ("fec0::1", False),
        ("64:ff9b:1::7f00:1", False),
        ("2606:4700::1", True),
        ("2002:7f00:1::", False),
        ("64:ff9b::a00:1", False),
        ("64:ff9b::808:808", True),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    """Only addresses of the internet are public, also inside another one."""
    assert is_public(address) is public


async def test_it_is_fetched_again(tmp_path: Path) -> None:
    """An open source fetches by itself, after failures soon; the first list waits for it."""
    app = App(load_config(None, {"CHATD_DATA_DIR": str(tmp_path / "data")}, {}))
    async with Web() as web:
        again = asyncio.Event()

        async def counted(request: Request, response: Response) -> None:
            await web.document(request, response)
            if len(web.requests) == 3:
                again.set()

        web.answer = counted
        source = source_of(app, web, tmp_path, refresh=0.01)
        await source.open()
        assert await names(source) == ["Poet"]
        async with asyncio.timeout(20):
            await again.wait()
        await source.aclose()


@pytest.mark.parametrize(
    "instance",
    [
        {},
        {"url": "ftp://host/x"},
        {"url": "presets.json"},
        {"url": "http://a:0/"},
        {"url": "http://a/", "refresh": 0},
        {"url": "http://a/", "timeout": 0},
        {"url": "http://a/", "max_bytes": 0},
        {"url": "http://a/", "name": "a/b"},
        {"url": "http://a/", "key": "two\nlines"},
        {"url": "http://a/", "unknown": 1},
    ],
)
def test_wrong_configuration(instance: dict[str, Any]) -> None:
    """What cannot work is found before the start."""
    with pytest.raises(ValidationError):
        ConfigSchema().load({"instances": [instance]})
