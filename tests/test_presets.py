"""Presets over REST: one's own, other users' public ones, and those of files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from harness import API, Client, Script, chatting
from routes import check_problem

import chatd

PRESET = {
    *("id", "name", "description", "system_prompt", "model", "settings", "is_public"),
    *("owner", "source", "editable", "version", "created_at", "updated_at"),
}
FROM = "create_session_from_preset/"


async def make(client: Client, **fields: Any) -> Any:
    """Make a preset; return it."""
    return await client.call("POST", "/presets/", 201, json={"name": "preset", **fields})


async def names(client: Client, path: str = "/presets/") -> list[str]:
    """Return the names of one page."""
    return [preset["name"] for preset in (await client.call("GET", path))["results"]]


async def call(client: Client, method: str, path: str, **kwargs: Any) -> Any:
    """Call a path below the API; return the whole response."""
    return await client.http.request(method, API + path, **kwargs)


class Files(chatd.PresetSource):
    """A source of presets that nobody can change."""

    name = "files"

    def __init__(self, *presets: chatd.Preset) -> None:
        self.presets = presets

    @chatd.hookimpl
    def register_preset_sources(self) -> list[chatd.PresetSource]:
        """Add itself."""
        return [self]

    async def list(self, user: chatd.User) -> list[chatd.Preset]:
        """Return all."""
        return [*self.presets]

    async def get(self, user: chatd.User, preset_id: str) -> chatd.Preset | None:
        """Return one."""
        return next((found for found in self.presets if found.id == preset_id), None)


def preset_of_file(name: str) -> chatd.Preset:
    """Return a preset of a source."""
    time, id = chatd.now(), chatd.new_id()
    return chatd.Preset(id=id, name=name, source="files", created_at=time, updated_at=time)


async def test_create(tmp_path: Path) -> None:
    """A preset is 201 with where it is, its version and all fields; a name is all that it needs."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        answer = await call(alice, "POST", "/presets/", json={"name": "kind"})
        preset = answer.json()
        assert answer.status_code == 201
        assert answer.headers["Location"] == f"{API}/presets/{preset['id']}/"
        assert answer.headers["ETag"] == '"1"'
        assert preset.keys() == PRESET
        assert (preset["owner"], preset["editable"]) == (alice.user.id, True)
        assert (preset["is_public"], preset["model"], preset["settings"]) == (False, None, {})
        assert preset["source"] == "presets_store"
        again = await call(alice, "GET", f"/presets/{preset['id']}/")
        assert (again.json(), again.headers["ETag"]) == (preset, '"1"')
        assert (await alice.call("GET", "/presets/"))["results"] == [preset]


async def test_change(tmp_path: Path) -> None:
    """A change merges settings key by key, needs the version that If-Match asks for, and counts."""
    settings = {"temperature": 1, "max_tokens": 5, "options": {"seed": 1, "stop": "x"}}
    changes = {"temperature": None, "options": {"seed": None, "top_p": 1}}
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        preset = await make(alice, settings=settings, description="d")
        path = f"/presets/{preset['id']}/"
        for method in ("PATCH", "DELETE"):
            for tag in ('"2"', 'W/"1"', '"x"'):
                body = {"name": "stale"} if method == "PATCH" else None
                answer = await call(alice, method, path, json=body, headers={"If-Match": tag})
                check_problem(answer, 412, "precondition_failed")
        headers = {"If-Match": '"5", "1"'}
        answer = await call(alice, "PATCH", path, json={"settings": changes}, headers=headers)
        changed = answer.json()
        assert answer.headers["ETag"] == '"2"'
        assert changed["settings"] == {"max_tokens": 5, "options": {"stop": "x", "top_p": 1}}
        assert (changed["version"], changed["description"]) == (2, "d")
        assert await alice.call("GET", path) == changed


async def test_delete(tmp_path: Path) -> None:
    """A deleted preset is gone; the sessions made from it stay as they are."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        preset = await make(alice, system_prompt="be kind")
        path = f"/presets/{preset['id']}/"
        session = await alice.call("POST", path + FROM, 201)
        assert await alice.call("DELETE", path, 204) is None
        for method, rest in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", FROM)):
            body = {} if method in ("PATCH", "POST") else None
            check_problem(await call(alice, method, path + rest, json=body), 404, "not_found")
        assert await alice.call("GET", f"/sessions/{session['id']}/") == session


async def test_public_presets_of_others(tmp_path: Path) -> None:
    """A public preset can be seen and used by everybody, and changed by its owner alone: 403."""
    async with chatting(tmp_path, Script()) as chat:
        alice, bob = await chat.client("alice"), await chat.client("bob")
        preset = await make(alice, is_public=True, system_prompt="be kind")
        path = f"/presets/{preset['id']}/"
        seen = await bob.call("GET", path)
        assert seen == preset | {"editable": False}
        assert (await bob.call("GET", "/presets/"))["results"] == [seen]
        check_problem(await call(bob, "PATCH", path, json={"name": "x"}), 403, "read_only")
        check_problem(await call(bob, "DELETE", path), 403, "read_only")
        session = await bob.call("POST", path + FROM, 201)
        assert session["system_prompt"] == "be kind"
        await alice.call("PATCH", path, json={"is_public": False})
        check_problem(await call(bob, "GET", path), 404)
        assert await names(bob) == []


async def test_presets_of_a_source(tmp_path: Path) -> None:
    """A preset of a source can be seen and used by everybody, and changed by nobody: 403."""
    given = preset_of_file("given")
    async with chatting(tmp_path, Script(), Files(given)) as chat:
        alice = await chat.client("alice")
        await make(alice, name="own")
        assert await names(alice) == ["given", "own"]
        path = f"/presets/{given.id}/"
        preset = await alice.call("GET", path)
        assert preset.keys() == PRESET
        assert (preset["editable"], preset["source"], preset["owner"]) == (False, "files", None)
        check_problem(await call(alice, "PATCH", path, json={"name": "x"}), 403, "read_only")
        check_problem(await call(alice, "DELETE", path), 403, "read_only")
        assert (await alice.call("POST", path + FROM, 201))["preset_id"] == given.id


async def test_without_a_plugin_that_keeps_presets(tmp_path: Path) -> None:
    """Without a plugin that keeps presets none can be made."""
    plugins = {"CHATD_PLUGINS_ENABLED": "auth_token"}
    async with chatting(tmp_path, Script(), Files(), **plugins) as chat:
        alice = await chat.client("alice")
        answer = await call(alice, "POST", "/presets/", json={"name": "x"})
        check_problem(answer, 403, "read_only")


async def test_a_session_from_a_preset(tmp_path: Path) -> None:
    """A session has the preset's model, prompt and settings, and its name if no title is given."""
    fields = {"model": "script/model", "system_prompt": "be kind", "settings": {"max_tokens": 7}}
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        preset = await make(alice, **fields)
        for body, title in (
            (None, "preset"),
            ({}, "preset"),
            ({"title": "t"}, "t"),
            ({"title": ""}, ""),
        ):
            answer = await call(alice, "POST", f"/presets/{preset['id']}/{FROM}", json=body)
            session = answer.json()
            assert answer.status_code == 201
            assert answer.headers["Location"] == f"{API}/sessions/{session['id']}/"
            assert answer.headers["ETag"] == '"1"'
            assert {name: session[name] for name in fields} == fields
            assert (session["title"], session["preset_id"]) == (title, preset["id"])
            assert await alice.call("GET", f"/sessions/{session['id']}/") == session


async def test_a_session_that_names_a_preset(tmp_path: Path) -> None:
    """A session that names a preset takes from it what it does not say itself."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        preset = await make(alice, model="a", system_prompt="p", settings={"max_tokens": 7})
        body = {"preset_id": preset["id"], "system_prompt": "own", "title": "own"}
        session = await alice.call("POST", "/sessions/", 201, json=body)
        assert (session["model"], session["settings"]) == ("a", {"max_tokens": 7})
        assert (session["system_prompt"], session["title"]) == ("own", "own")


async def test_a_turn_with_a_preset(tmp_path: Path) -> None:
    """What a preset says reaches the model."""
    script = Script()
    async with chatting(tmp_path, script) as chat:
        alice = await chat.client("alice")
        settings = {"temperature": 0.1, "options": {"seed": 7}}
        preset = await make(alice, model="model", system_prompt="be kind", settings=settings)
        session = await alice.call("POST", f"/presets/{preset['id']}/{FROM}", 201)
        await alice.send(session["id"], "hi")
    (prompt,) = script.prompts
    assert [(m.role, m.content) for m in prompt.messages] == [("system", "be kind"), ("user", "hi")]
    assert (prompt.settings["temperature"], prompt.settings["options"]) == (0.1, {"seed": 7})


async def test_settings_over_a_preset(tmp_path: Path) -> None:
    """Settings that a new session gives lie over its preset's key by key; null gives none."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        settings = {"temperature": 0.1, "max_tokens": 5, "options": {"seed": 7, "top_p": 0.5}}
        preset = await make(alice, settings=settings)
        for given, expected in (
            ({"temperature": 1.5}, settings | {"temperature": 1.5}),
            ({"options": {"seed": 8}}, settings | {"options": {"seed": 8, "top_p": 0.5}}),
            ({}, settings),
            ({"max_tokens": None, "options": {"seed": None}}, settings),
        ):
            body = {"preset_id": preset["id"], "settings": given}
            session = await alice.call("POST", "/sessions/", 201, json=body)
            assert session["settings"] == expected
        assert (await alice.call("GET", f"/presets/{preset['id']}/"))["settings"] == settings


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
async def test_pages_both_ways(tmp_path: Path, limit: int) -> None:
    """Presets of all sources come by name in pages; what is made meanwhile moves nothing."""
    files = Files(*[preset_of_file(name) for name in ("b", "D", "f")])
    async with chatting(tmp_path, Script(), files) as chat:
        alice = await chat.client("alice")
        for name in ("E", "a", "c", "a"):
            await make(alice, name=name)
        pages = [await alice.call("GET", f"/presets/?limit={limit}")]
        if limit == 2:
            await make(alice, name="0 made meanwhile")
        while following := pages[-1]["next"]:
            pages.append(await alice.call("GET", following.removeprefix(API)))
        found = [preset["name"] for page in pages for preset in page["results"]]
        assert found == ["a", "a", "b", "c", "D", "E", "f"]
        assert pages[0]["previous"] is None
        before = pages[-1]["previous"]
        back = []
        while before:
            page = await alice.call("GET", before.removeprefix(API))
            back[:0] = [preset["name"] for preset in page["results"]]
            before = page["previous"]
        expected = found[: -len(pages[-1]["results"])]
        if limit == 2:
            expected.insert(0, "0 made meanwhile")
        assert back == expected


async def test_an_unknown_preset_is_a_wrong_field(tmp_path: Path) -> None:
    """A session cannot be made from, or changed to, a preset that there is not: a 400 for it."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        for method, path in (("POST", "/sessions/"), ("PATCH", f"/sessions/{session_id}/")):
            answer = await alice.http.request(method, API + path, json={"preset_id": "none"})
            problem = check_problem(answer, 400, "invalid_input")
            assert problem["errors"] == {"preset_id": ["There is no such preset."]}
        assert (await alice.call("GET", f"/sessions/{session_id}/"))["preset_id"] is None
