"""The commands that plugins add: known when somebody calls one, or lists the plugins."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import click

from chatd.cli.frame import Commands, load, load_plugins, quiet
from chatd.errors import ConfigError

if TYPE_CHECKING:
    from chatd.calling import Call
    from chatd.plugins import Plugins

HOOK = "register_commands"


def added_command(name: str, taken: Collection[str]) -> click.Command | None:
    """Return the command of this name that a plugin adds, if one does. Raises ConfigError."""
    plugins = load_plugins(load())
    if not plugins.has(HOOK):
        return None
    quiet()
    for commands in added_commands(plugins, taken).values():
        if name in commands:
            return commands[name]
    return None


def added_commands(
    plugins: Plugins, taken: Collection[str]
) -> dict[str, Mapping[str, click.Command]]:
    """Return the commands of each plugin; none may have a name that is taken."""
    found: dict[str, Mapping[str, click.Command]] = {}
    owners = dict.fromkeys(taken, "chatd itself")
    for call in plugins.calls(HOOK):
        place = plugins.place(call.plugin)
        group = Commands(call.plugin)
        _register(plugins, call, group)
        for name in group.commands:
            if name in owners:
                raise ConfigError(
                    f"Plugin {place} adds the command {name}, which {owners[name]} has."
                )
            owners[name] = f"plugin {place}"
        found[call.plugin] = group.commands
    return found


def _register(plugins: Plugins, call: Call, group: click.Group) -> None:
    async def register() -> None:
        await call({"cli": group})

    try:
        asyncio.run(register())
    except ConfigError:
        raise
    except Exception as exc:
        place = plugins.place(call.plugin)
        raise ConfigError(f"Plugin {place} failed in {HOOK}: {exc!r}") from exc
