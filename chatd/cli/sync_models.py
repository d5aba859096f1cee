"""chatd sync-models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from chatd.cli.frame import everywhere, json_option, load, print_json, quiet, table, with_store

if TYPE_CHECKING:
    from chatd.store import Store
    from chatd.types import Model


@click.command("sync-models")
@json_option
@everywhere
def sync_models(as_json: bool) -> None:
    """Ask all providers what they have; list it.

    Also while the server runs, which uses the new list within seconds. Exit code 1 if a provider
    did not answer: its models stay as they were.
    """
    from chatd.app import App
    from chatd.types import User

    app = App(load())
    quiet()

    async def sync(store: Store) -> None:
        async with app.beside(store) as models:
            report = await models.sync()
            known = await models.list()
            default = await models.default(User(id="", name=""))
        if as_json:
            print_json(report | {"models": known, "default": default})
        else:
            _show(known, default)
        _check(report["providers"])

    with_store(sync)


def _show(models: list[Model], default: str | None) -> None:
    rows = [
        (
            model.provider,
            model.name,
            str(model.context_length or "-"),
            ",".join(model.capabilities) or "-",
            "default" if model.id == default else "active" if model.is_active else "inactive",
        )
        for model in models
    ]
    table(("PROVIDER", "MODEL", "CONTEXT", "CAPABILITIES", "STATE"), rows)


def _check(reports: dict[str, dict[str, Any]]) -> None:
    """Fail if a provider did, saying of each why."""
    silent = [(name, report["error"]) for name, report in reports.items() if not report["ok"]]
    if silent:
        reasons = [error if name in error else f"{name}: {error}" for name, error in silent]
        raise click.ClickException(
            f"{' '.join(reasons)} Its models stay as they were. See that it runs, and with chatd"
            " config that its URL and key are right."
        )
