"""chatd serve."""

from __future__ import annotations

import click

from chatd.cli.frame import everywhere, load


@click.command()
@click.option("--host", help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port to listen on.")
@click.option(
    "--dev",
    is_flag=True,
    default=None,
    help="For development: pages of any port of localhost may call, unless CHATD_ALLOWED_ORIGINS"
    " is set, which may then be * for all.",
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    help="How the lines of the log look: text for people, or one JSON object a line.",
)
@everywhere
def serve(host: str | None, port: int | None, dev: bool | None, log_format: str | None) -> None:
    """Run the server."""
    given = {"server.host": host, "server.port": port, "server.dev": dev, "log.format": log_format}
    config = load(**given)
    from chatd.server import run

    run(config)
