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
@everywhere
def serve(host: str | None, port: int | None, dev: bool | None) -> None:
    """Run the server."""
    config = load(**{"server.host": host, "server.port": port, "server.dev": dev})
    from chatd.server import run

    run(config)
