"""The command line: arguments in, sentences out.

A command is a file of this package, imported when it is called or listed; what its work needs is
imported inside it, so that `chatd --help` comes at once.
"""

from __future__ import annotations

import importlib

import click

from chatd import __version__
from chatd.cli.frame import Commands, everywhere

# In the order of the help: what runs the server, what talks to it, what looks after it.
COMMANDS = {
    "serve": "serve",
    "chat": "chat",
    "tokens": "tokens",
    "users": "users",
    "sync-models": "sync_models",
    "plugins": "plugins",
    "new-plugin": "new_plugin",
    "explain": "explain",
    "config": "config",
    "backup": "backup",
    "migrate": "migrate",
    "restored": "restored",
    "store": "store",
    "export": "export",
    "import": "import_",
    "completion": "completion",
}

EXIT_CODES = (
    "Exit codes: 0 done; 1 failed, and the last line on stderr says why and what to do; 2 wrong"
    " usage, with a hint. `migrate --check`: 3, there is something to do."
    "\n\nPlugins may add commands: `chatd plugins` lists them."
)


class Lazy(Commands):
    """The commands of this package; each stands in the module and under the name of the table.

    What is not there may be a plugin's. Only then plugins are loaded, so none is in the list.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            if ctx.resilient_parsing:  # a shell completes: it must not load plugins
                return None
            from chatd.cli.added import added_command

            return added_command(cmd_name, COMMANDS)
        name = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(f"chatd.cli.{name}"), name)
        return command


@click.group(cls=Lazy, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="chatd", message="%(prog)s %(version)s")
@everywhere
def main() -> None:
    """A self-hosted chat server for language models."""
