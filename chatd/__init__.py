"""chatd: a self-hosted chat server for language models.

This module is the API for plugins: they import `chatd` and nothing below it. Names are loaded on
first use, so that importing chatd costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chatd import addresses as addresses
    from chatd import discovery as discovery
    from chatd import fetching as fetching
    from chatd import keysets as keysets
    from chatd import sse as sse
    from chatd import upstream as upstream
    from chatd.accounts import outside_user as outside_user
    from chatd.accounts import registered_user as registered_user
    from chatd.app import App as App
    from chatd.cli.frame import with_app as with_app
    from chatd.errors import BadRequest as BadRequest
    from chatd.errors import ChatdError as ChatdError
    from chatd.errors import ConfigError as ConfigError
    from chatd.errors import Conflict as Conflict
    from chatd.errors import Forbidden as Forbidden
    from chatd.errors import InvalidInput as InvalidInput
    from chatd.errors import NotFound as NotFound
    from chatd.errors import PreconditionFailed as PreconditionFailed
    from chatd.errors import PromptFailed as PromptFailed
    from chatd.errors import ProviderBusy as ProviderBusy
    from chatd.errors import ProviderError as ProviderError
    from chatd.errors import ProviderInterrupted as ProviderInterrupted
    from chatd.errors import ProviderRefused as ProviderRefused
    from chatd.errors import ProviderTimeout as ProviderTimeout
    from chatd.errors import ProviderUnavailable as ProviderUnavailable
    from chatd.errors import RateLimited as RateLimited
    from chatd.errors import ReadOnly as ReadOnly
    from chatd.errors import Unauthenticated as Unauthenticated
    from chatd.errors import Unavailable as Unavailable
    from chatd.events import Observed as Observed
    from chatd.handlers.route import RouteHandler as RouteHandler
    from chatd.hookspecs import hookimpl as hookimpl
    from chatd.limits import Tries as Tries
    from chatd.preset import EditablePresetSource as EditablePresetSource
    from chatd.preset import PresetSource as PresetSource
    from chatd.provider import Chunk as Chunk
    from chatd.provider import Finish as Finish
    from chatd.provider import ModelInfo as ModelInfo
    from chatd.provider import Prompt as Prompt
    from chatd.provider import PromptMessage as PromptMessage
    from chatd.provider import Provider as Provider
    from chatd.provider import Reasoning as Reasoning
    from chatd.provider import Text as Text
    from chatd.provider import ToolCall as ToolCall
    from chatd.signed_in import SignedIn as SignedIn
    from chatd.types import Message as Message
    from chatd.types import Model as Model
    from chatd.types import Preset as Preset
    from chatd.types import Request as Request
    from chatd.types import Session as Session
    from chatd.types import Usage as Usage
    from chatd.types import User as User
    from chatd.types import digest_token as digest_token
    from chatd.types import new_id as new_id
    from chatd.types import now as now

__version__ = "0.1.0"
plugin_api = "1.0"  # what plugins may rely on; docs/plugins/compatibility.md says how it grows

_EXPORTS = {
    "accounts": "outside_user registered_user",
    "app": "App",
    "cli.frame": "with_app",
    "errors": "BadRequest ChatdError ConfigError Conflict Forbidden InvalidInput NotFound"
    " PreconditionFailed PromptFailed ProviderBusy ProviderError ProviderInterrupted"
    " ProviderRefused ProviderTimeout ProviderUnavailable RateLimited ReadOnly Unauthenticated"
    " Unavailable",
    "events": "Observed",
    "handlers.route": "RouteHandler",
    "hookspecs": "hookimpl",
    "limits": "Tries",
    "preset": "EditablePresetSource PresetSource",
    "provider": "Chunk Finish ModelInfo Prompt PromptMessage Provider Reasoning Text ToolCall",
    "signed_in": "SignedIn",
    "types": "Message Model Preset Request Session Usage User digest_token new_id now",
}
_MODULE_OF = {name: module for module, names in _EXPORTS.items() for name in names.split()}
_MODULES = ("addresses", "discovery", "fetching", "keysets", "sse", "upstream")

__all__ = sorted([*_MODULE_OF, *_MODULES, "plugin_api"])


def __getattr__(name: str) -> Any:
    """Load an exported name on first use (PEP 562)."""
    if name in _MODULES:
        return importlib.import_module(f"chatd.{name}")
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'chatd' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"chatd.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
