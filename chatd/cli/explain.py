"""chatd explain."""

from __future__ import annotations

import itertools
import re
import sys
from typing import TYPE_CHECKING

import click

from chatd.cli.frame import everywhere, json_option, load, print_json, table, with_app

if TYPE_CHECKING:
    from chatd.app import App
    from chatd.provider import Prompt

CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
Steps = list[tuple[str, "Prompt"]]


@click.command()
@click.argument("session")
@click.argument("text", default="")
@json_option
@everywhere
def explain(session: str, text: str, as_json: bool) -> None:
    """Show the exact prompt that would be sent in a session, and what each plugin changed.

    That of a turn that says TEXT; without one, of the last question once more. Nothing is sent or
    stored. Of what plugins took out is shown how much, not what. The plugins' `startup` is not
    called here. Exit code 1 if one fails, as the turn would.
    """

    async def show(app: App) -> None:
        model, steps = await _steps(app, session, text)
        prompt = steps[-1][1]
        changes = [
            (plugin, changed(before[1], after))
            for before, (plugin, after) in itertools.pairwise(steps)
        ]
        if as_json:
            told = [{"plugin": plugin, "changed": what} for plugin, what in changes]
            return print_json({"model": model, "plugins": told, "prompt": prompt})
        click.echo(f"model: {model}")
        for key, value in prompt.settings.items():
            click.echo(f"{key}: {value}")
        if changes:
            click.echo()
            table(("PLUGIN", "CHANGED"), changes)
        for message in prompt.messages:
            click.echo(f"\n--- {message.role}\n{_visible(message.content)}")

    with_app(show)


def _visible(text: str) -> str:
    # Users wrote it: it must not do things with the operator's terminal.
    return CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


async def _steps(app: App, session_id: str, text: str) -> tuple[str, Steps]:
    from chatd.errors import NotFound
    from chatd.prompts import Prompts
    from chatd.types import User

    owner = (await app.store.find_owners([session_id])).get(session_id)
    if owner is None:
        raise NotFound(f"There is no session {session_id}.")
    account = await app.store.get_account(user_id=owner)
    user = account.user if account else User(id=owner, name="")
    session = await app.store.get_session(owner, session_id)
    await app.models.list()
    _, model = app.models.pick(user, session.model)
    config = load()
    most = config.limits.prompt_chars or sys.maxsize
    prompts = Prompts(app.store, config.llm, most_chars=most, plugins=app.plugins, app=app)
    return model.id, await prompts.explain(user, session, model, text)


def changed(before: Prompt, after: Prompt) -> str:
    """Return in words how two prompts differ, without what stands in them."""
    found: list[str] = []
    old, new = before.messages, after.messages
    if len(old) != len(new):
        found.append(f"{len(old)} messages became {len(new)}")
    elif number := sum(one != other for one, other in zip(old, new, strict=True)):
        found.append(f"changed {number} of {len(old)} messages")
    found += [
        f"changed {name}"
        for name in ("model", "tools", "settings")
        if getattr(before, name) != getattr(after, name)
    ]
    return ", ".join(found) or "nothing"
