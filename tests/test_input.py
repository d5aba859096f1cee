"""Every field of every body: what it takes, and that all else is 400 and changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from harness import Chat, Client, Script, chatting
from inputs import FIELDS, NOT_JSON, NOT_UTF8, UNACCEPTABLE, body, fields_of, named, required
from routes import administrator, check_problem

import chatd
from chatd.schemas import Shapes
from chatd.settings import LimitSettings, ModelSettings
from chatd.strict_json import parse

SHAPES = vars(Shapes(LimitSettings(), ModelSettings().option_keys))
ROUTES = {
    "new_session": "POST /sessions/ 201",
    "session": "PATCH /sessions/{session}/ 200",
    "new_preset": "POST /presets/ 201",
    "preset": "PATCH /presets/{preset}/ 200",
    "from_preset": "POST /presets/{preset}/create_session_from_preset/ 201",
    "me": "PATCH /me/ 200",
    "model": "PATCH /models/script%2Fmodel/ 200",
    "send": "POST /sessions/{session}/send_message/ 200",
    "regenerate": "POST /sessions/{session}/regenerate/ 200",
    "edit": "PATCH /sessions/{session}/messages/{message}/ 200",
    "stop": "POST /sessions/{session}/stop/ 200",
    "credentials": "POST /sign_in/ 200",
}
NOT_A_BODY = {"events", "nothing"}


class Target:
    """A route that takes a body of one shape."""

    def __init__(self, client: Client, shape: str, ids: dict[str, str]) -> None:
        method, path, status = ROUTES[shape].split()
        self._client, self._method, self._path = client, method, path.format(**ids)
        self.status, self.base = int(status), required(SHAPES[shape])

    async def call(self, content: bytes) -> Any:
        """Send a body; return the answer."""
        headers = {"Content-Type": "application/json"}
        path = f"/ai-chat/api{self._path}"
        return await self._client.http.request(self._method, path, content=content, headers=headers)


async def target(chat: Chat, shape: str) -> tuple[Target, Client]:
    """Return the route of a shape with something to change, and its client."""
    admin = await administrator(chat)
    await admin.call("POST", "/models/sync_models/")
    preset = await admin.call("POST", "/presets/", 201, json={"name": "preset"})
    ids = {"session": await admin.new_session(), "preset": preset["id"]}
    ids["message"] = (await admin.send(ids["session"]))["user_message"]["id"]
    return Target(admin, shape, ids), admin


async def everything(client: Client) -> list[Any]:
    """Return all that a client can see: it must not change."""
    found = [
        await client.call("GET", path)
        for path in ("/sessions/?is_active=all", "/presets/", "/models/", "/me/", "/health/stats/")
    ]
    for session in found[0]["results"]:
        found.append(await client.messages(session["id"], branch="all"))
    return found


def test_every_field_is_in_the_table() -> None:
    """Every field of every shape is tried: a new one fails here until it is."""
    assert ROUTES.keys() | NOT_A_BODY == SHAPES.keys()
    events = SHAPES["events"].values()
    shapes = [schema for name, schema in SHAPES.items() if name != "events"]
    assert {path for shape in [*shapes, *events] for path in fields_of(shape)} == FIELDS.keys()


@pytest.mark.parametrize("shape", ROUTES)
async def test_bad_values(tmp_path: Path, shape: str) -> None:
    """A bad value of any field is 400, names the field, and changes nothing."""
    async with chatting(tmp_path, Script()) as chat:
        route, client = await target(chat, shape)
        before = await everything(client)
        for path in fields_of(SHAPES[shape]):
            for value in FIELDS[path].bad:
                answer = await route.call(body(route.base, path, value))
                problem = check_problem(answer, 400, "invalid_input")
                assert named(problem["errors"], path), (path, value, problem)
        assert await everything(client) == before


@pytest.mark.parametrize("shape", ROUTES)
async def test_unacceptable_json(tmp_path: Path, shape: str) -> None:
    """JSON that is not valid or cannot be kept is 400 wherever it stands, and changes nothing."""
    async with chatting(tmp_path, Script()) as chat:
        route, client = await target(chat, shape)
        before = await everything(client)
        for path in fields_of(SHAPES[shape]):
            for raw in (*UNACCEPTABLE, *NOT_UTF8):
                answer = await route.call(body(route.base, path, raw))
                check_problem(answer, 400, "bad_request")
        assert await everything(client) == before


@pytest.mark.parametrize("raw", NOT_JSON)
def test_not_json(raw: bytes) -> None:
    """What only looks like JSON is none."""
    for content in (raw, b'{"a": ' + raw + b"}"):
        with pytest.raises(chatd.BadRequest):
            parse(content)


@pytest.mark.parametrize("shape", ROUTES)
async def test_good_values(tmp_path: Path, shape: str) -> None:
    """Every field takes what it is for, up to its limits."""
    async with chatting(tmp_path, Script()) as chat:
        route, _ = await target(chat, shape)
        for path in fields_of(SHAPES[shape]):
            for value in FIELDS[path].good:
                answer = await route.call(body(route.base, path, value))
                assert answer.status_code == route.status, (path, value, answer.text)


@pytest.mark.parametrize("shape", ROUTES)
async def test_what_is_missing_or_unknown(tmp_path: Path, shape: str) -> None:
    """A missing field and an unknown one are 400 and named; all that is wrong is said at once."""
    async with chatting(tmp_path, Script()) as chat:
        route, client = await target(chat, shape)
        before = await everything(client)
        if route.base:
            for content in (b"{}", b""):
                problem = check_problem(await route.call(content), 400, "invalid_input")
                assert problem["errors"].keys() == route.base.keys()
        if shape != "credentials":
            content = b'{"nonsense": 1, "__proto__": 1, "$set": 1}'
            problem = check_problem(await route.call(content), 400, "invalid_input")
            assert problem["errors"].keys() >= {"nonsense", "__proto__", "$set", *route.base}
        assert await everything(client) == before


async def test_very_many_wrong_fields(tmp_path: Path) -> None:
    """However much is wrong, the answer stays small."""
    many = {f"field {n}" * 100: n for n in range(5000)}
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        answer = await alice.http.post("/ai-chat/api/sessions/", json=many)
        check_problem(answer, 400, "invalid_input")
        assert len(answer.content) < 50_000


@pytest.mark.parametrize(
    ("path", "bad", "good"),
    [
        ("/sessions/?limit=", ["0", "201", "-1", "x", "", "1.5", "9" * 5000, "٣"], ["1", "200"]),
        ("/sessions/?is_active=", ["", "yes", "1", "True"], ["true", "false", "all"]),
        ("/sessions/?q=", ["%ff"], ["", "%00", "%25", "'", "_", "x" * 5000]),
        ("/models/?limit=", ["0", "201", "x"], ["1", "200"]),
        ("/models/?is_active=", ["", "yes"], ["true", "false", "all"]),
        ("/presets/?limit=", ["0", "201", "x"], ["1", "200"]),
        ("/sessions/{}/messages/?limit=", ["0", "201", "x", "9" * 5000], ["1", "200"]),
        ("/sessions/{}/messages/?before=", ["-1", "x", "", "9" * 5000], ["0", "5", str(2**53)]),
        ("/sessions/{}/messages/?after=", ["-1", "x", "", str(2**53 + 1)], ["0", "5"]),
        ("/sessions/{}/messages/?since=", ["-1", "x", "", "1e3"], ["0", str(2**53)]),
        ("/sessions/{}/messages/?branch=", ["", "2", "x"], ["all", "shown"]),
    ],
)
async def test_a_query_argument(tmp_path: Path, path: str, bad: list[str], good: list[str]) -> None:
    """A bad value in a query is 400 and names the argument."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        url = "/ai-chat/api" + path.format(await alice.new_session())
        name = path.rpartition("?")[2].rstrip("=")
        for value in bad:
            problem = check_problem(await alice.http.get(url + value), 400, "invalid_input")
            assert problem["errors"].keys() == {name}
        for value in good:
            assert (await alice.http.get(url + value)).status_code == 200, value


async def test_a_bad_last_event_id(tmp_path: Path) -> None:
    """A Last-Event-ID that was never given is 404, or 204 when it says that nothing follows."""
    nonsense = ["x", "x:1", ":1", "x:" + "9" * 5000, "x:-1", "x:\xb2", ":", "::", "x:1:2"]
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        turn = await alice.send(session_id)
        nonsense += [f"{turn['user_message']['generation_id']}x:1", f"{session_id}:1"]
        for value in nonsense:
            headers = {"Last-Event-ID": value.encode("latin-1")}
            answer = await alice.http.get(
                f"/ai-chat/api/sessions/{session_id}/stream/", headers=headers
            )
            assert answer.status_code == (204 if value.startswith(":") else 404), value


async def test_a_bad_purge(tmp_path: Path) -> None:
    """A delete with a purge that is neither true nor false deletes nothing."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        for value in ("", "1", "TRUE", "all"):
            url = f"/ai-chat/api/sessions/{session_id}/?purge={value}"
            check_problem(await alice.http.delete(url), 400, "invalid_input")
        assert (await alice.call("GET", f"/sessions/{session_id}/"))["is_active"]


async def test_a_bad_kind_of_chunks(tmp_path: Path) -> None:
    """Chunks that are neither full nor delta are refused before anything is stored."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        turn = {"message": "hi"}
        for accept in ("*/*", "text/event-stream"):
            for method, path, body in (("POST", "send_message", turn), ("GET", "stream", None)):
                answer = await alice.http.request(
                    method,
                    f"/ai-chat/api/sessions/{session_id}/{path}/?chunks=some",
                    json=body,
                    headers={"Accept": accept},
                )
                assert "chunks" in check_problem(answer, 400, "invalid_input")["errors"]
        assert await alice.messages(session_id, branch="all") == []


async def test_limits_are_settings(tmp_path: Path) -> None:
    """A limit is what the configuration says, and 0 is none."""
    settings = {"CHATD_LIMITS_MESSAGE_CHARS": "5", "CHATD_LIMITS_TITLE_CHARS": "0"}
    async with chatting(tmp_path, Script(), **settings) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session(title="x" * 10_000)
        await alice.send(session_id, "12345")
        path = f"/sessions/{session_id}/send_message/"
        await alice.call("POST", path, 400, json={"message": "123456"})


async def test_option_keys_are_settings(tmp_path: Path) -> None:
    """Only options that the configuration lists are taken; one that is not known has any value."""
    async with chatting(tmp_path, Script(), CHATD_MODELS_OPTION_KEYS="top_p,mirostat") as chat:
        alice = await chat.client("alice")
        options = {"top_p": 0.5, "mirostat": [1, "x"]}
        path = f"/sessions/{await alice.new_session(settings={'options': options})}/"
        assert (await alice.call("GET", path))["settings"] == {"options": options}
        for wrong in ({"seed": 1}, {"top_p": "x"}):
            await alice.call("PATCH", path, 400, json={"settings": {"options": wrong}})
