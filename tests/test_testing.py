"""The kit for those who test plugins: its own contracts hold for chatd's own parts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import chatd
from chatd.errors import TooLarge
from chatd.testing import (
    AuthContract,
    PresetSourceContract,
    ProviderContract,
    ScriptedProvider,
    Server,
)
from chatd.testing.storing import ALICE
from chatd.types import new_id, now
from plugins.provider_echo import EchoProvider


class TestEcho(ProviderContract):
    """The demo model."""

    def provider(self) -> chatd.Provider:
        """Return one that does not pause."""
        return EchoProvider(0)


class TestScript(ProviderContract):
    """The scripted provider."""

    def provider(self) -> chatd.Provider:
        """Return one that says hello world."""
        return ScriptedProvider()


class TestBroken(ProviderContract):
    """A provider that breaks what it can."""

    def provider(self) -> chatd.Provider:
        """Return one with no model, that says numbers."""

        class Broken(ScriptedProvider):
            name = "a/b"

            async def models(self) -> list[chatd.ModelInfo]:
                return []

        return Broken([5])

    @pytest.fixture(autouse=True)
    def _fails(self, request: pytest.FixtureRequest) -> None:
        request.applymarker(pytest.mark.xfail(raises=(AssertionError, IndexError), strict=True))


class Presets(chatd.PresetSource):
    """One preset."""

    name = "presets"
    preset = chatd.Preset(
        id=new_id(), name="p", source="presets", created_at=now(), updated_at=now()
    )

    async def list(self, user: chatd.User) -> list[chatd.Preset]:
        """Return it."""
        return [self.preset]

    async def get(self, user: chatd.User, preset_id: str) -> chatd.Preset | None:
        """Return it by its id."""
        return self.preset if preset_id == self.preset.id else None


class TestPresets(PresetSourceContract):
    """A small source."""

    def source(self) -> chatd.PresetSource:
        """Return it."""
        return Presets()


class Shelf(chatd.EditablePresetSource):
    """Presets in memory, which users can edit."""

    name = "shelf"

    def __init__(self) -> None:
        preset = Presets.preset.replace(source="shelf", owner=ALICE.id, editable=True)
        self.presets = {preset.id: preset}

    async def list(self, user: chatd.User) -> list[chatd.Preset]:
        """Return a user's own."""
        return [one for one in self.presets.values() if one.owner == user.id]

    async def get(self, user: chatd.User, preset_id: str) -> chatd.Preset | None:
        """Return one of them."""
        return next((one for one in await self.list(user) if one.id == preset_id), None)

    async def _own(self, user: chatd.User, preset_id: str, version: int | None) -> chatd.Preset:
        found = await self.get(user, preset_id)
        if found is None:
            raise chatd.NotFound
        if version not in (None, found.version):
            raise chatd.PreconditionFailed
        return found

    async def create(self, user: chatd.User, preset: chatd.Preset) -> chatd.Preset:
        """Keep one."""
        self.presets[preset.id] = preset.replace(owner=user.id, editable=True)
        return self.presets[preset.id]

    async def update(
        self, user: chatd.User, preset_id: str, changes: dict[str, Any], *, version: int | None
    ) -> chatd.Preset:
        """Change one."""
        old = await self._own(user, preset_id, version)
        self.presets[preset_id] = old.replace(version=old.version + 1, **changes)
        return self.presets[preset_id]

    async def delete(self, user: chatd.User, preset_id: str, *, version: int | None) -> None:
        """Erase one."""
        del self.presets[(await self._own(user, preset_id, version)).id]


class TestShelf(PresetSourceContract):
    """A source that can be edited."""

    def source(self) -> chatd.PresetSource:
        """Return a new one."""
        return Shelf()


class TestTokens(AuthContract):
    """Sign-in by token."""

    plugins = ("auth_token",)

    async def good(self, server: Server) -> Mapping[str, str]:
        """Return a token that was issued."""
        return {"Authorization": f"Token {await server.token('bob')}"}

    async def bad(self, server: Server) -> Mapping[str, str]:
        """Return one that was not."""
        return {"Authorization": "Token chatd_unknown"}


def test_a_turn_by_the_fixture(serve_chatd: Callable[..., Any]) -> None:
    """A test without an event loop runs a chatd with plugins, and speaks to it as a user."""
    script = ScriptedProvider(["one ", "two"])
    server = serve_chatd(script, CHATD_LIMITS_MESSAGE_CHARS="10")
    alice = server.client("alice", roles=("staff",))
    session = alice.sessions.create(model="script/model")
    assert alice.turns.send(session.id, "hi").ai_message.content == "one two"
    assert alice.me().roles == ("staff",)
    with pytest.raises((TooLarge, chatd.InvalidInput)):
        alice.turns.send(session.id, "x" * 11)
    assert script.prompts[0].messages[-1].content == "hi"


def test_a_plugin_is_found_by_name(serve_chatd: Callable[..., Any], tmp_path: Path) -> None:
    """A plugin of a directory is loaded by its name, with the table of the configuration."""
    (tmp_path / "hello.py").write_text(
        "import chatd, marshmallow as ma\n"
        "class ConfigSchema(ma.Schema):\n    word = ma.fields.String(required=True)\n"
        "@chatd.hookimpl\n"
        "def prepare_prompt(app, prompt):\n"
        "    first = chatd.PromptMessage(role='system',"
        " content=app.plugin_config('hello')['word'])\n"
        "    return prompt.replace(messages=(first, *prompt.messages))\n"
    )
    script = ScriptedProvider()
    config = '[plugins.hello]\nword = "Hello!"\n'
    alice = serve_chatd("hello", script, config=config, directory=tmp_path).client()
    alice.turns.send(alice.sessions.create(model="script/model").id, "hi")
    assert [m.content for m in script.prompts[0].messages] == ["Hello!", "hi"]


def test_names_do_not_hide_each_other() -> None:
    """Every name is what it is said to be, in whatever order they are taken."""
    code = (
        "import chatd.testing as t;"
        " print([n for n in [*t.__all__, *reversed(t.__all__)] if not callable(getattr(t, n))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n", done.stderr


def test_the_fixture_costs_nothing_unused() -> None:
    """What pytest loads in every run brings in nothing of chatd."""
    code = (
        "import sys, chatd.testing.fixtures;"
        " print([m for m in sys.modules if m.split('.')[0] in ('tornado', 'httpx', 'msgspec')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n", done.stderr
