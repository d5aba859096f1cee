"""Paths that plugins serve, by the rules of the core, and the commands that they add."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from harness import API, Script, chatting
from marshmallow import Schema, fields

import chatd
from chatd.errors import ConfigError


class NoteSchema(Schema):
    """A note."""

    text = fields.String(required=True)


class Note(chatd.RouteHandler):
    """One note of the caller's."""

    async def put(self, name: str) -> None:
        """Answer with who says what."""
        fields = self.body(NoteSchema())
        self.send({"user": self.user.name, "name": name, "text": fields["text"]}, 201)

    def delete(self, name: str) -> None:
        """Fail, in one of two ways."""
        if name == "busy":
            raise chatd.Conflict("It is in use.")
        raise KeyError("secret")


class Door(chatd.RouteHandler):
    """What everybody may read."""

    is_public = True

    def get(self) -> None:
        """Say hello."""
        self.send({"hello": "you"})

    def post(self) -> None:
        """Say back what was said."""
        self.send(self.body())


class Notes:
    """A plugin with paths."""

    def __init__(self, *routes: Any) -> None:
        self.routes = list(routes)

    @chatd.hookimpl
    async def register_routes(self, app: chatd.App) -> list[Any]:
        """Add them."""
        return self.routes


NOTES = Notes((r"notes/([^/]+)", Note), ("", Door))


async def test_a_plugin_serves_paths(tmp_path: Path) -> None:
    """Its handlers get the caller and a checked body; its errors are problems as everywhere."""
    async with chatting(tmp_path, NOTES, Script()) as chat:
        alice, anybody = (await chat.client("alice")).http, chat.anonymous().http
        put = await alice.put("/x/Notes/notes/a%20b/", json={"text": "hi"})
        assert (put.status_code, put.json()) == (
            201,
            {"user": "alice", "name": "a b", "text": "hi"},
        )
        assert "X-Request-Id" in put.headers
        assert (await anybody.get("/x/Notes")).json() == {"hello": "you"}
        assert (await anybody.post("/x/Notes/", json={"a": 1})).json() == {"a": 1}
        problems = {
            "unauthorized": await anybody.put("/x/Notes/notes/a", json={"text": "hi"}),
            "invalid_input": await alice.put("/x/Notes/notes/a", json={"txt": "hi"}),
            "unsupported_media_type": await alice.put("/x/Notes/notes/a", content=b"text"),
            "too_large": await alice.put("/x/Notes/notes/a", content=b"1" * 11_000_000),
            "method_not_allowed": await alice.get("/x/Notes/notes/a"),
            "conflict": await alice.delete("/x/Notes/notes/busy"),
            "internal": await alice.delete("/x/Notes/notes/other"),
            "not_found": await alice.get("/x/Notes/other"),
            "bad_request": await anybody.post("/x/Notes", json=[1]),
        }
        metrics = (await alice.get("/metrics")).text
    for code, answer in problems.items():
        assert answer.headers["Content-Type"] == "application/problem+json", code
        assert answer.json()["code"] == code
        assert "secret" not in answer.text
    assert problems["method_not_allowed"].headers["Allow"] == "PUT, DELETE, OPTIONS"
    assert 'route="/x/Notes/notes/{id}",status="201"' in metrics


async def test_origins_of_a_plugins_path(tmp_path: Path) -> None:
    """Pages of foreign origins are refused, and those that are allowed may ask first."""
    allowed, foreign = "https://good.example", "https://bad.example"
    settings = {"CHATD_ALLOWED_ORIGINS": allowed}
    async with chatting(tmp_path, NOTES, Script(), **settings) as chat:
        http = chat.anonymous().http
        refused = await http.get("/x/Notes", headers={"Origin": foreign})
        asked = await http.options("/x/Notes/notes/a", headers={"Origin": allowed})
    assert refused.status_code == 403
    assert asked.headers["Access-Control-Allow-Origin"] == allowed
    assert asked.headers["Access-Control-Allow-Methods"] == "PUT, DELETE, OPTIONS"


@pytest.mark.parametrize(
    "route",
    [
        ("(", Door),
        ("(?i)door", Door),
        ("/door", Door),
        ("door", NoteSchema),
        ("door", "Door"),
        ("door",),
        "door",
    ],
)
async def test_a_wrong_route_ends_the_start(tmp_path: Path, route: Any) -> None:
    """What is no path with a handler of ours stops the start, naming plugin and file."""
    with pytest.raises(ConfigError, match=r"Plugin Notes \(.*test_plugin_routes\.py\)"):
        async with chatting(tmp_path, Notes(route), Script()):
            pass


async def test_a_choice_stays_behind_the_plugins_path(tmp_path: Path) -> None:
    """A pattern with a choice is of the plugin's paths alone, each of them whole."""
    plugin = Notes((r"one|/api/sessions/|two", Door))
    async with chatting(tmp_path, plugin, Script()) as chat:
        http = chat.anonymous().http
        asked = [await http.get(f"/x/Notes/{name}") for name in ("one", "two", "ones")]
        core = (await http.get(f"{API}/sessions/")).status_code
    assert [answer.status_code for answer in asked] == [200, 200, 404]
    assert core == 401


async def test_a_path_is_registered_once(tmp_path: Path) -> None:
    """Two handlers of one path stop the start."""
    with pytest.raises(ConfigError, match="registers the path /x/Notes/a twice"):
        async with chatting(tmp_path, Notes(("a", Door), ("a/", Door)), Script()):
            pass


COMMANDS = """
    import click

    import chatd

    @chatd.hookimpl
    async def register_commands(cli):
        @cli.command()
        @click.argument("name")
        def greet(name):
            "Greet somebody."
            chatd.with_app(lambda app: say(app, name))

    async def say(app, name):
        models = await app.models.list()
        click.echo(f"hello {name}: {len(await app.store.list_accounts())} {len(models)}")
"""


def run(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command with the plugins of a directory."""
    environ = {
        **os.environ,
        "CHATD_DATA_DIR": str(tmp_path / "data"),
        "CHATD_PLUGINS_DIR": str(tmp_path),
        "CHATD_PLUGINS_ENABLED": ",".join(p.stem for p in sorted(tmp_path.glob("*.py"))),
    }
    command = [sys.executable, "-m", "chatd", *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)


def test_a_plugin_adds_a_command(tmp_path: Path) -> None:
    """It is called like any other, has the store, and does not load for --help."""
    (tmp_path / "greeter.py").write_text(textwrap.dedent(COMMANDS))
    assert run(tmp_path, "users", "add", "alice").returncode == 0
    greeted = run(tmp_path, "greet", "bob")
    assert (greeted.stdout, greeted.returncode) == ("hello bob: 1 0\n", 0), greeted.stderr
    unknown = run(tmp_path, "nothing")
    assert unknown.returncode == 2
    assert "No such command 'nothing'" in unknown.stderr
    (tmp_path / "greeter.py").write_text("this is no Python")
    assert run(tmp_path, "--help").returncode == 0


def test_a_command_has_one_owner(tmp_path: Path) -> None:
    """A plugin that adds what chatd or another plugin has fails, named with its file."""
    (tmp_path / "a.py").write_text(textwrap.dedent(COMMANDS))
    (tmp_path / "b.py").write_text(textwrap.dedent(COMMANDS))
    failed = run(tmp_path, "greet", "bob")
    assert failed.returncode == 1
    assert f"Plugin b ({tmp_path}/b.py) adds the command greet" in failed.stderr
