"""chatd plugins."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from chatd.cli.frame import everywhere, json_option, load, load_plugins, print_json, quiet, table

if TYPE_CHECKING:
    from chatd.config import Config

WITHIN = 5.0  # seconds for the server to answer
_LINE = re.compile(
    r'chatd_plugin_duration_seconds_(sum|count)\{hook="([^"]*)",plugin="([^"]*)"\} (\S+)'
)


@click.command()
@click.option("--times", is_flag=True, help="Ask the server that runs how long each hook takes.")
@json_option
@everywhere
def plugins(as_json: bool, times: bool) -> None:
    """List the enabled plugins, and check them.

    They are asked in this order. A plugin is bundled with chatd, an entry point of an installed
    package, or a file of the directory in [plugins] dir.
    """
    from chatd.cli import COMMANDS
    from chatd.cli.added import added_commands

    config = load()
    loaded = load_plugins(config)
    quiet()
    commands = added_commands(loaded, COMMANDS)
    taken = _times(config) if times else {}
    found: list[dict[str, Any]] = []
    for name, plugin in loaded.found.items():
        about = {key: getattr(plugin, key) for key in ("source", "version", "file")}
        about |= {"hooks": loaded.hooks(name), "commands": sorted(commands.get(name, ()))}
        found.append({"name": name, **about} | ({"times": taken.get(name, {})} if times else {}))
    if as_json:
        print_json(found)
    elif times:
        _show_times(found)
    else:
        heads = ("NAME", "VERSION", "SOURCE", "HOOKS", "COMMANDS")
        rows = [
            (one["name"], one["version"] or "-", one["source"], *map(_list, _lists(one)))
            for one in found
        ]
        has_commands = any(one["commands"] for one in found)
        table(*((heads, rows) if has_commands else (heads[:-1], [row[:-1] for row in rows])))


def _lists(about: dict[str, Any]) -> tuple[list[str], list[str]]:
    return about["hooks"], about["commands"]


def _list(names: list[str]) -> str:
    return ",".join(names) or "-"


def _show_times(found: list[dict[str, Any]]) -> None:
    rows = [
        (one["name"], hook, str(of["calls"]), f"{of['milliseconds']:.3f}")
        for one in found
        for hook, of in one["times"].items()
    ]
    table(("NAME", "HOOK", "CALLS", "MEAN MS"), rows)


def _times(config: Config) -> dict[str, dict[str, dict[str, float]]]:
    """Return calls and mean milliseconds by plugin and hook, as the running server counts them."""
    import httpx

    host = config.server.host if config.server.host not in ("", "0.0.0.0", "::") else "127.0.0.1"
    host = f"[{host}]" if ":" in host else host
    url = f"http://{host}:{config.server.port}/metrics"
    token = config.metrics.token
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        answer = httpx.get(url, headers=headers, timeout=WITHIN, trust_env=False)
        answer.raise_for_status()
    except httpx.HTTPError as exc:
        raise click.ClickException(f"{url} cannot be read: {exc}. Does the server run?") from exc
    numbers: dict[tuple[str, str], dict[str, float]] = {}
    for kind, hook, plugin, number in _LINE.findall(answer.text):
        numbers.setdefault((plugin, hook), {})[kind] = float(number)
    found: dict[str, dict[str, dict[str, float]]] = {}
    for (plugin, hook), of in sorted(numbers.items()):
        mean = of["sum"] / of["count"] * 1000 if of.get("count") else 0.0
        found.setdefault(plugin, {})[hook] = {"calls": int(of["count"]), "milliseconds": mean}
    return found
