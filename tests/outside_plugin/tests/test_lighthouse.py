"""The plugin, tested as any author can test theirs."""

from __future__ import annotations

import httpx
import lighthouse

from chatd.testing import AuthContract, PresetSourceContract, ProviderContract

CONFIG = '[plugins.lighthouse]\nlamp = "a bright lamp"\nflashes = 2'


class TestProvider(ProviderContract):
    """The model keeps the contract."""

    def provider(self):
        """Return one."""
        return lighthouse.Lighthouse(3)


class TestPresets(PresetSourceContract):
    """The source keeps the contract."""

    def source(self):
        """Return it."""
        return lighthouse.Logbook()


class TestKeeper(AuthContract):
    """The way in keeps the contract."""

    plugins = ("lighthouse",)
    config = CONFIG

    async def good(self, server):
        """Return the lamp."""
        return {"X-Lamp": "a bright lamp"}

    async def bad(self, server):
        """Return another one."""
        return {"X-Lamp": "a candle"}


def test_a_turn_and_a_ship(serve_chatd):
    """A session of the preset flashes loudly, and a ship is counted for whoever saw it."""
    server = serve_chatd("lighthouse", config=CONFIG)
    alice = server.client("alice")
    session = alice.sessions.create(preset_id="lighthouse-storm", model="lighthouse/beacon")
    assert alice.turns.send(session.id, "hello?").ai_message.content == "FLASH FLASH "
    headers = {"Authorization": f"Token {server.token('alice')}"}
    url = f"{server.url}/x/lighthouse/ships"
    assert httpx.post(url, headers=headers, trust_env=False).json() == {
        "ships": 1,
        "seen_by": "alice",
    }
