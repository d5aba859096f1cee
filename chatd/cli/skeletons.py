"""What `chatd new-plugin` writes: a package that works, and that its author changes.

NAME stands for the plugin's name, CLASS for the class that is made of it.
"""

from __future__ import annotations

_SETUP = """\
[metadata]
name = chatd-NAME
version = 0.1.0
description = A plugin of chatd
license = MIT

[options]
py_modules = NAME
python_requires = >=3.11
install_requires =
    chatd>=0.1

# chatd finds the plugin by this name; the configuration says that it runs.
[options.entry_points]
chatd =
    NAME = NAME

[options.extras_require]
test =
    pytest

[tool:pytest]
testpaths = tests
pythonpath = .
"""

_BUILD = """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"
"""

_README = """\
# chatd-NAME

A plugin of chatd, the chat server.

    pip install -e '.[test]'
    pytest

To have it run, name it in `chatd.toml`, beside the plugins that run already (`chatd plugins`):

    [plugins]
    enabled = ["auth_token", "provider_openai", "presets_store", "NAME"]

    [plugins.NAME]
    CONFIG
"""

_PROVIDER = '''\
"""A provider of models."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import marshmallow as ma

import chatd


class ConfigSchema(ma.Schema):
    """The table [plugins.NAME]."""

    greeting = ma.fields.String(load_default="You said")


@chatd.hookimpl
def register_providers(app: chatd.App) -> list[chatd.Provider]:
    """Add the provider."""
    return [CLASS(app.plugin_config("NAME")["greeting"])]


class CLASS(chatd.Provider):
    """A provider with one model, `NAME/parrot`."""

    name = "NAME"

    def __init__(self, greeting: str) -> None:
        self.greeting = greeting

    async def models(self) -> list[chatd.ModelInfo]:
        """Return what can be used now."""
        return [chatd.ModelInfo(name="parrot", context_length=8192)]

    async def stream(self, prompt: chatd.Prompt) -> AsyncGenerator[chatd.Chunk | str, None]:
        """Yield the reply piece by piece. Raise a chatd.ProviderError if there is none."""
        question = prompt.messages[-1].content
        yield f"{self.greeting}: "
        for word in question.split():
            yield f"{word} "
        yield chatd.Finish(reason="stop")
'''

_PROVIDER_TEST = '''\
"""The provider keeps the contract, and answers in a chatd."""

from pathlib import Path

import NAME

from chatd.testing import ProviderContract

HERE = Path(NAME.__file__).parent


class TestContract(ProviderContract):
    """What chatd relies on in a provider."""

    def provider(self):
        """Return one."""
        return NAME.CLASS("You said")


def test_a_turn(serve_chatd):
    """A session of the model is answered, as the configuration says."""
    config = '[plugins.NAME]\\ngreeting = "I heard"'
    alice = serve_chatd("NAME", directory=HERE, config=config).client("alice")
    session = alice.sessions.create(model="NAME/parrot")
    assert alice.turns.send(session.id, "good morning").ai_message.content.startswith(
        "I heard: good morning"
    )
'''

_AUTH = '''\
"""Lets in who has a key of the configuration in the header X-Key."""

from __future__ import annotations

import secrets

import marshmallow as ma

import chatd


class ConfigSchema(ma.Schema):
    """The table [plugins.NAME]: users by name, each with a key; { env = "..." } keeps it out."""

    keys = ma.fields.Dict(ma.fields.String(), ma.fields.String(), load_default=dict)


@chatd.hookimpl
async def authenticate(app: chatd.App, request: chatd.Request) -> chatd.User | None:
    """Return the user of the key, None when there is no key: then others are asked."""
    key = request.headers.get("X-Key")
    if key is None:
        return None
    for name, expected in app.plugin_config("NAME")["keys"].items():
        if secrets.compare_digest(key.encode(), expected.encode()):
            return await chatd.outside_user(app.store, "NAME", name)
    raise chatd.Unauthenticated("This key is not known.")
'''

_AUTH_TEST = '''\
"""The authenticator keeps the contract."""

from pathlib import Path

import NAME

from chatd.testing import AuthContract


class TestContract(AuthContract):
    """What chatd relies on in an authenticator."""

    plugins = ("NAME",)
    directory = Path(NAME.__file__).parent
    config = '[plugins.NAME.keys]\\nalice = "a long key"'

    async def good(self, server):
        """Return headers that are let in."""
        return {"X-Key": "a long key"}

    async def bad(self, server):
        """Return headers that are not."""
        return {"X-Key": "another key"}


def test_two_users_are_two(serve_chatd):
    """A name is one user, whose sessions nobody else sees."""
    config = '[plugins.NAME.keys]\\nalice = "one"\\nbob = "two"'
    app = serve_chatd("NAME", directory=TestContract.directory, config=config).app
    assert set(app.plugin_config("NAME")["keys"]) == {"alice", "bob"}
'''

_PRESETS = '''\
"""A source of presets."""

from __future__ import annotations

import datetime as dt

import marshmallow as ma

import chatd

MADE = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


class ConfigSchema(ma.Schema):
    """The table [plugins.NAME]."""

    language = ma.fields.String(load_default="English")


@chatd.hookimpl
def register_preset_sources(app: chatd.App) -> list[chatd.PresetSource]:
    """Add the source."""
    return [CLASS(app.plugin_config("NAME")["language"])]


class CLASS(chatd.PresetSource):
    """One preset, for everybody."""

    name = "NAME"

    def __init__(self, language: str) -> None:
        self.preset = chatd.Preset(
            id="NAME-translator",
            name=f"Translator to {language}",
            description="Says the same in another language.",
            system_prompt=f"Translate everything that the user says to {language}.",
            is_public=True,
            source=self.name,
            created_at=MADE,
            updated_at=MADE,
        )

    async def list(self, user: chatd.User) -> list[chatd.Preset]:
        """Return the presets that a user may use."""
        return [self.preset]

    async def get(self, user: chatd.User, preset_id: str) -> chatd.Preset | None:
        """Return one of them, None when it is not of this source."""
        return self.preset if preset_id == self.preset.id else None
'''

_PRESETS_TEST = '''\
"""The source keeps the contract, and makes sessions in a chatd."""

from pathlib import Path

import NAME

from chatd.testing import PresetSourceContract, ScriptedProvider

HERE = Path(NAME.__file__).parent


class TestContract(PresetSourceContract):
    """What chatd relies on in a source of presets."""

    def source(self):
        """Return one."""
        return NAME.CLASS("French")


def test_a_session_of_a_preset(serve_chatd):
    """The system prompt of the preset gets to the model, as the configuration says."""
    script = ScriptedProvider(["Bonjour."])
    config = '[plugins.NAME]\\nlanguage = "French"'
    alice = serve_chatd("NAME", script, directory=HERE, config=config).client("alice")
    session = alice.sessions.create(preset_id="NAME-translator", model="script/model")
    assert alice.turns.send(session.id, "Hello.").ai_message.content == "Bonjour."
    assert script.prompts[0].messages[0].content.endswith("to French.")
'''

_KINDS = {
    "provider": (_PROVIDER, _PROVIDER_TEST, 'greeting = "You said"'),
    "auth": (_AUTH, _AUTH_TEST, 'keys = { alice = { env = "ALICES_KEY" } }'),
    "presets": (_PRESETS, _PRESETS_TEST, 'language = "French"'),
}
KINDS = tuple(_KINDS)


def files(name: str, kind: str) -> dict[str, str]:
    """Return the texts of a new package by their paths in it."""
    plugin, test, config = _KINDS[kind]
    texts = {
        "setup.cfg": _SETUP,
        "pyproject.toml": _BUILD,
        "README.md": _README.replace("CONFIG", config),
        f"{name}.py": plugin,
        f"tests/test_{name}.py": test,
    }
    words = "".join(word.capitalize() for word in name.split("_"))
    return {
        path: text.replace("NAME", name).replace("CLASS", words) for path, text in texts.items()
    }
