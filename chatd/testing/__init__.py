"""For those who test a plugin: a chatd to call, a provider that says what it is told, contracts.

    from chatd.testing import ProviderContract

    class TestMine(ProviderContract):
        def provider(self):
            return Mine()

    def test_a_turn(serve_chatd):  # a fixture that is there when chatd is installed
        alice = serve_chatd("my_plugin", directory="src").client("alice")
        session = alice.sessions.create(model="mine/model")
        assert alice.turns.send(session.id, "hi").ai_message.content == "hello"

Names are loaded on first use: pytest looks into this package in every run.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chatd.testing.contracts import AuthContract as AuthContract
    from chatd.testing.contracts import ProviderContract as ProviderContract
    from chatd.testing.presets import PresetSourceContract as PresetSourceContract
    from chatd.testing.scripted import ScriptedProvider as ScriptedProvider
    from chatd.testing.server import BlockingServer as BlockingServer
    from chatd.testing.server import Server as Server
    from chatd.testing.server import serving as serving
    from chatd.testing.stores import StoreContract as StoreContract

# No module is called as what is exported: importing it would put it in that one's place.
_MODULE_OF = {
    "AuthContract": "contracts",
    "BlockingServer": "server",
    "PresetSourceContract": "presets",
    "ProviderContract": "contracts",
    "ScriptedProvider": "scripted",
    "Server": "server",
    "StoreContract": "stores",
    "serving": "server",
}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    """Load an exported name on first use (PEP 562)."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'chatd.testing' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"chatd.testing.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value
