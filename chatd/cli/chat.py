"""chatd chat."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from chatd.cli.frame import everywhere, existing, load, opened, place

if TYPE_CHECKING:
    from chatd.config import Config

TICKET_FOR = 30.0  # seconds in which the ticket that signs in here is good
RETRY_LONGEST = 3.0  # seconds: somebody sits there and waits for the server to be back


@click.command()
@click.option("--session", "session_id", metavar="ID", help="Go on with a session.")
@click.option("--model", metavar="MODEL", help="Who answers; of a session it is changed.")
@click.option("--url", help="The server; http://localhost and the configured port if not given.")
@click.option(
    "--token", envvar="CHATD_TOKEN", show_envvar=True, help="Who you are; else the local owner."
)
@everywhere
def chat(session_id: str | None, model: str | None, url: str | None, token: str | None) -> None:
    """Talk to a model through a running server.

    Ctrl-C stops a reply, Ctrl-C or Ctrl-D at the prompt leaves, /help shows the commands. What is
    piped in is sent as one message, and the reply alone is printed.
    """
    config = load()
    address = url or f"http://localhost:{config.server.port}"
    from chatd.cli.conversation import Conversation, Leave
    from chatd.cli.painter import printable
    from chatd.client import ClientError, Unreachable
    from chatd.errors import ChatdError

    try:
        with _client(config, address, token) as client:
            conversation = Conversation(client, session_id, model)
            with contextlib.suppress(Leave), conversation:
                if sys.stdin.isatty():
                    conversation.run()
                else:
                    conversation.say(_piped())
    except (ClientError, ChatdError) as exc:
        hint = " Is it running, or is it elsewhere? Then say where with --url."
        guessed = url is None and isinstance(exc, Unreachable)
        raise click.ClickException(printable(f"{exc}{hint if guessed else ''}")) from exc


def _piped() -> str:
    try:
        text = sys.stdin.read().strip("\n")
        text.encode()
    except UnicodeError as exc:
        raise click.UsageError("What is on standard input is not UTF-8.") from exc
    if not text.strip():
        raise click.UsageError("There is nothing on standard input to send.")
    return text


@contextlib.contextmanager
def _client(config: Config, url: str, token: str | None) -> Iterator[Any]:
    """Give a client that is signed in; what was signed in for this call is signed out."""
    from chatd.client import Timing, blocking

    timing, prefix = Timing(retry_longest=RETRY_LONGEST), config.server.prefix
    try:
        client = blocking.connect(url, token=token or None, prefix=prefix, timing=timing)
    except ValueError as exc:
        raise click.UsageError(str(exc)) from exc
    with client:
        ticket = None if token else _ticket(config, url)
        if ticket is not None:
            _sign_in(client, ticket, config, url)
        try:
            yield client
        finally:
            if ticket is not None:
                _sign_out(client)


def _ticket(config: Config, url: str) -> str:
    """Make a ticket of the owner in the local database: who may write there is the operator.

    It is given to a server on this machine alone, is good once, and for some seconds: should
    something else listen there, it cannot do more with it than that.
    """
    if not _is_loopback(urlsplit(url).hostname or ""):
        raise click.ClickException(
            "Say who you are with --token or CHATD_TOKEN;"
            " `chatd tokens create NAME` makes one where the server runs."
        )
    path = existing(config)
    if path is not None and not os.access(path, os.R_OK | os.W_OK):
        raise click.ClickException(f"{path} is another user's: use --token or CHATD_TOKEN.")
    import asyncio

    from chatd import accounts

    async def make() -> str:
        async with opened(config.store.url) as store:
            owner = await accounts.ensure_owner(store, None)
            return (await accounts.create_ticket(store, owner, "sign_in_ticket", TICKET_FOR))[0]

    return asyncio.run(make())


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _sign_in(client: Any, ticket: str, config: Config, url: str) -> None:
    from chatd.errors import Unauthenticated

    try:
        client.sign_in(ticket=ticket)
    except Unauthenticated as exc:
        raise click.ClickException(
            f"The server at {url} keeps its data elsewhere than {place(config)}:"
            " use --token or CHATD_TOKEN."
        ) from exc


def _sign_out(client: Any) -> None:
    from chatd.client import ClientError
    from chatd.errors import ChatdError

    with contextlib.suppress(ClientError, ChatdError):  # the token then ends with its lifetime
        client.sign_out()
