"""Plugins: found, checked at the start, and called in the order of the configuration."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
from faces import FACES, Caller
from harness import API, Script, chatting

import chatd
from chatd.accounts import ensure_user
from chatd.errors import ConfigError
from chatd.plugins import Plugins
from chatd.types import Request


def request() -> Request:
    """Return a request without credentials."""
    return Request(method="GET", path="/", headers={})


class Says:
    """An authenticator with one answer, plain or async."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked = 0

    @chatd.hookimpl
    def authenticate(self) -> Any:
        """Answer without looking."""
        self.asked += 1
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


class Later(Says):
    """The same, async, with all arguments."""

    @chatd.hookimpl
    async def authenticate(self, request: Request, app: object) -> Any:
        """Answer without looking."""
        return super().authenticate()


ALICE, BOB = chatd.User(id="1", name="alice"), chatd.User(id="2", name="bob")


async def test_the_first_listed_is_asked_first() -> None:
    """The first plugin whose answer is not None decides; the others are not asked."""
    nobody, alice, bob = Says(None), Later(ALICE), Says(BOB)
    plugins = _with(nobody, alice, bob)
    assert await plugins.first("authenticate", app=None, request=request()) == ALICE
    assert (nobody.asked, alice.asked, bob.asked) == (1, 1, 0)


async def test_an_async_none_passes_on() -> None:
    """An async hook that means None is not taken for an answer."""
    plugins = _with(Later(None), Says(BOB))
    assert await plugins.first("authenticate", app=None, request=request()) == BOB


async def test_unauthenticated_stops_the_asking() -> None:
    """A plugin that recognises bad credentials has the last word."""
    bob = Says(BOB)
    plugins = _with(Says(chatd.Unauthenticated()), bob)
    with pytest.raises(chatd.Unauthenticated):
        await plugins.first("authenticate", app=None, request=request())
    assert bob.asked == 0


async def test_a_failing_authenticator_lets_nobody_in(tmp_path: Path) -> None:
    """Any other exception of an authenticator is a 500, never a way in."""
    async with chatting(tmp_path, Says(RuntimeError("secret")), Script()) as chat:
        alice = await chat.client("alice")
        problem = await alice.call("GET", "/me/", 500)
    assert problem["code"] == "internal"
    assert "secret" not in str(problem)


@pytest.mark.parametrize("answer", [False, True, "bob", {"id": "1", "name": "bob"}])
async def test_who_is_no_user_gets_nowhere(
    tmp_path: Path, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """What is neither a User nor None opens no path, also none that does not ask who calls."""

    class Indifferent(chatd.RouteHandler):
        def get(self) -> None:
            """Answer whoever was let in."""
            self.send({})

    class Routes:
        @chatd.hookimpl
        def register_routes(self) -> list[Any]:
            """Serve it."""
            return [("", Indifferent)]

    async with chatting(tmp_path, Says(answer), Routes(), Script()) as chat:
        http = chat.anonymous().http
        found = [(await http.get(path)).status_code for path in ("/x/Routes/", f"{API}/models/")]
    assert found == [500, 500]
    assert "plugin Says" in caplog.text
    assert "returned no User from authenticate" in caplog.text


def _with(*objects: object) -> Plugins:
    return Plugins(objects=objects)


def _write(directory: Path, name: str, source: str) -> Path:
    path = directory / f"{name}.py"
    path.write_text(textwrap.dedent(source))
    return path


BROKEN = {
    "it does not import": "import nothing_of_this_name",
    "it has a mistake": "def authenticate(:",
    "its hook is misspelt": "import chatd\n@chatd.hookimpl\ndef authentikate(app): ...",
    "its hook has a wrong argument": "import chatd\n@chatd.hookimpl\ndef authenticate(ap): ...",
    "its hook has a default": "import chatd\n@chatd.hookimpl\ndef authenticate(app, request=1): 0",
    "it forgot to mark its hook": "def authenticate(app): ...",
    "its hook is a wrapper": (
        "import chatd\n@chatd.hookimpl(wrapper=True)\ndef authenticate(app):\n    yield"
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_plugin_is_named(tmp_path: Path, what: str) -> None:
    """A plugin that is broken stops the start with a sentence that names it."""
    _write(tmp_path, "broken", BROKEN[what])
    with pytest.raises(ConfigError) as refused:
        Plugins(["broken"], directory=tmp_path)
    sentence = str(refused.value)
    assert sentence.startswith("Plugin broken (")
    assert f"{tmp_path}/broken.py" in sentence
    assert "\n" not in sentence


def test_a_plugin_is_named_once(tmp_path: Path) -> None:
    """A plugin that the configuration names twice stops the start."""
    file = Path("conf/chatd.toml")
    with pytest.raises(ConfigError, match=r"conf/chatd\.toml: .*auth_token \(.*\) twice\."):
        Plugins(["auth_token", "presets_store", "auth_token"], file=file)


def test_a_missing_plugin_is_named() -> None:
    """A plugin that is nowhere stops the start with the places looked at."""
    with pytest.raises(ConfigError, match=r"no plugin nowhere; looked in .*entry points"):
        Plugins(["nowhere"])


def test_configuration_is_checked_by_the_plugin(tmp_path: Path) -> None:
    """A plugin's table is checked by its own schema; defaults are filled in."""
    source = """
        from marshmallow import Schema, fields

        import chatd

        class ConfigSchema(Schema):
            size = fields.Integer(load_default=3)

        @chatd.hookimpl
        def startup(app): ...
    """
    _write(tmp_path, "sized", source)
    assert Plugins(["sized"], directory=tmp_path).configs == {"sized": {"size": 3}}
    with pytest.raises(ConfigError, match=r"\[plugins\.sized\].*size"):
        Plugins(["sized"], directory=tmp_path, tables={"sized": {"size": "big"}})
    with pytest.raises(ConfigError, match=r"\[plugins\.sized\].*colour"):
        Plugins(["sized"], directory=tmp_path, tables={"sized": {"colour": "red"}})


def test_what_is_wrong_with_a_table_is_sentences(tmp_path: Path) -> None:
    """Each key of a plugin's table that is wrong is a line with the file and what was expected."""
    tables = {"provider_openai": {"instances": [{"name": "a", "url": "x"}, {"url": "http://b"}]}}
    with pytest.raises(ConfigError) as refused:
        Plugins(["provider_openai"], tables=tables, file=Path("conf/chatd.toml"))
    where = r"\[plugins\.provider_openai\] instances\.[01]\.(url|name) in conf/chatd\.toml: "
    lines = str(refused.value).splitlines()
    assert len(lines) == 2
    for line in lines:
        assert re.fullmatch(where + r"[A-Z][^\[\]{}]+\.", line), line


def test_an_unknown_key_is_answered_with_those_that_there_are(tmp_path: Path) -> None:
    """The sentence names the keys of that place, and the one that was meant."""
    instances = [{"name": "a", "url": "http://b", "timeuot": 3}]
    tables = {
        "provider_openai": {"instances": instances},
        "title": {"bye": "words"},
        "auth_token": {"size": 3},
    }

    def complaint(name: str) -> str:
        with pytest.raises(ConfigError) as refused:
            Plugins([name], tables=tables)
        return str(refused.value)

    assert complaint("provider_openai") == (
        "[plugins.provider_openai] instances.0.timeuot: there is no such key; did you mean timeout?"
        " It takes environment_proxies, headers, key, max_connections, name, timeout, url, urls."
    )
    assert complaint("title").endswith("there is no such key; did you mean by? It takes by.")
    assert complaint("auth_token").endswith("there is no such key: this plugin takes none.")


async def test_who_can_sign_in(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A chatd that lets nobody in says so when it starts."""
    async with chatting(tmp_path / "with", Script()):
        assert "nobody can sign in" not in caplog.text
    async with chatting(tmp_path / "without", Script(), CHATD_PLUGINS_ENABLED="presets_store"):
        assert "nobody can sign in" in caplog.text


class Raises:
    """A plugin that fails at the start."""

    @chatd.hookimpl
    def register_providers(self) -> list[Any]:
        """Fail."""
        raise RuntimeError("no luck")


async def test_a_failing_registration_is_named(tmp_path: Path) -> None:
    """A plugin whose registration raises stops the start, named with its file."""
    with pytest.raises(ConfigError, match=r"Raises .*test_plugins\.py.*register_providers.*luck"):
        async with chatting(tmp_path, Raises()):
            pass


async def test_two_providers_of_one_name(tmp_path: Path) -> None:
    """Two providers of one name stop the start."""

    class Another(Script):
        """Named like the other."""

    both = r"Another \(.*\.py\) and ScriptedProvider \(.*\.py\)\."
    pattern = rf"provider named script, of plugin {both}"
    with pytest.raises(ConfigError, match=pattern):
        async with chatting(tmp_path, Script(), Another()):
            pass


async def test_sign_in_goes_through_plugins(tmp_path: Path) -> None:
    """What a plugin takes for credentials gets its user a token of the core's."""

    class Password:
        """Knows one password."""

        @chatd.hookimpl
        async def sign_in(self, app: chatd.App, credentials: dict[str, Any]) -> Any:
            """Return bob for his password."""
            if credentials.get("password") == "right":
                account = await app.store.get_account(name="bob")
                return account and account.user
            return None

    async with chatting(tmp_path, Password(), Script()) as chat:
        bob, anybody = await chat.client("bob"), chat.anonymous()
        answer = await anybody.call("POST", "/sign_in/", json={"name": "b", "password": "right"})
        await anybody.call("POST", "/sign_in/", 401, json={"name": "b", "password": "wrong"})
        headers = {"Authorization": f"Bearer {answer['token']}"}
        me = await anybody.call("GET", "/me/", headers=headers)
    assert me == answer["user"]
    assert me["id"] == bob.user.id


class Keyed:
    """Lets in who has a header, asked for in lower case."""

    @chatd.hookimpl
    async def authenticate(self, app: chatd.App, request: chatd.Request) -> chatd.User | None:
        """Return Bob for the key."""
        is_bob = request.headers.get("x-acme-key") == "k"
        return await ensure_user(app.store, "bob") if is_bob else None


@pytest.mark.parametrize("face", FACES)
async def test_headers_have_names_of_any_case(tmp_path: Path, face: str) -> None:
    """A plugin finds a header over every face, however it writes its name."""
    async with chatting(tmp_path, Keyed(), Script()) as chat:
        assert await Caller(chat.url, {"X-Acme-Key": "k"}).turn(face) == "hello world"
