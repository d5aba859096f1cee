"""chatd completion."""

from __future__ import annotations

import click

from chatd.cli.frame import everywhere

INSTALL = {
    "bash": """add  eval "$(chatd completion bash)"  to ~/.bashrc""",
    "zsh": """add  eval "$(chatd completion zsh)"  to ~/.zshrc, after compinit""",
    "fish": "chatd completion fish > ~/.config/fish/completions/chatd.fish",
}


@click.command()
@click.argument("shell", type=click.Choice(list(INSTALL)))
@everywhere
def completion(shell: str) -> None:
    """Print what makes a shell complete commands.

    \b
    bash: add  eval "$(chatd completion bash)"  to ~/.bashrc
    zsh:  add  eval "$(chatd completion zsh)"  to ~/.zshrc, after compinit
    fish: chatd completion fish > ~/.config/fish/completions/chatd.fish
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    root = click.get_current_context().find_root().command
    script = kind(root, {}, "chatd", "_CHATD_COMPLETE").source().strip()
    click.echo(f"{script}\n\n# To install: {INSTALL[shell]}")
