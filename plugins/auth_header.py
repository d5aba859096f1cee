"""Lets in whom a trusted reverse proxy names in a header.

Trusted is a proxy by the address of its socket: X-Forwarded-For and its like are written by
whoever asks, and are not read here.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from marshmallow import validate

import chatd

logger = logging.getLogger(__name__)

LONGEST = 256  # characters of a name
REMEMBERED = 1000  # peers that the log has had lately; none of them has a line for each request


class HeaderField(ma.fields.String):
    """The name of a header, written as Tornado writes them: X-Remote-User."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        return "-".join([word.capitalize() for word in text.split("-")])


def _header(**kwargs: Any) -> HeaderField:
    name = validate.Regexp(
        r"(?i)(?!(authorization|host|origin|cookie|connection|upgrade|x-forwarded-for)\Z)[\w-]+\Z",
        error="Expected the name of a header that your proxy alone sets.",
    )
    return HeaderField(validate=name, **kwargs)


class ConfigSchema(ma.Schema):
    """The table [plugins.auth_header]."""

    networks = ma.fields.List(
        chatd.addresses.NetworkField(), required=True, validate=validate.Length(1)
    )
    user_header = _header(load_default="X-Remote-User")
    roles_header = _header(load_default=None)
    admin_role = ma.fields.String(load_default="admin", validate=validate.Length(1))
    accounts = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.String(validate=validate.Length(1)),
        load_default={},
    )


@chatd.hookimpl
def startup(app: chatd.App) -> None:
    """Refuse to let pages of every origin act with what the proxy adds to their requests."""
    if "*" in app.config.server.allowed_origins:
        raise chatd.ConfigError(
            "auth_header with allowed_origins = * would let every web page act as whoever opens"
            " it: name the origins."
        )


@chatd.hookimpl
async def authenticate(app: chatd.App, request: chatd.Request) -> chatd.User | None:
    """Return the user whom the proxy names; None when the header is not there.

    Raises Unauthenticated when somebody else has sent it, rather than to look away: either they
    try to be somebody, or the proxy is not in `networks`, and both should be seen.
    """
    config = app.plugin_config("auth_header")
    sent = request.headers.get(config["user_header"])
    if not sent:
        return None
    if not _is_trusted(request.peer, tuple(config["networks"])):
        _note(request.peer, config["user_header"])
        raise chatd.Unauthenticated("Only the proxy may say who you are.")
    name = _name(sent)
    roles = None
    if config["roles_header"] is not None:
        sent = _text(_once(request.headers, config["roles_header"]))
        roles = [role.strip() for role in sent.split(",") if role.strip()]
    return await chatd.outside_user(
        app.store,
        "auth_header",
        name,
        name=name,
        account=config["accounts"].get(name, ""),
        roles=roles,
        admin_role=config["admin_role"],
    )


@functools.lru_cache(maxsize=1024)
def _is_trusted(peer: str, networks: tuple[chatd.addresses.Network, ...]) -> bool:
    """Return whether the address of a socket is in one of the networks; a Unix socket has none."""
    address = chatd.addresses.parse_address(peer)
    return address is not None and any(address in network for network in networks)


@functools.lru_cache(maxsize=REMEMBERED)
def _note(peer: str, header: str) -> None:
    """Say once for each peer what was refused."""
    logger.warning(
        "%s sent %s and is not in [plugins.auth_header] networks: refused", peer or "a peer", header
    )


def _name(sent: str) -> str:
    """Return the name in the header. Raises Unauthenticated for one that is not to be trusted.

    The same header twice arrives with a comma between the two: one of them may be the client's own.
    """
    name = _text(sent).strip()
    if not name or "," in name or len(name) > LONGEST or not name.isprintable():
        logger.warning("the proxy's header with the user's name makes no sense: refused")
        raise chatd.Unauthenticated("The name that the proxy gave you makes no sense.")
    return name


def _once(headers: Mapping[str, str], name: str) -> str:
    """Return a header that has commas of its own. Raises Unauthenticated if it came twice."""
    all_of = getattr(headers, "get_list", None)  # of Tornado's; those of a test may be a dict
    if all_of is not None and len(all_of(name)) > 1:
        logger.warning("the proxy's header %s came twice: refused", name)
        raise chatd.Unauthenticated("The roles that the proxy gave you make no sense.")
    return headers.get(name, "")


def _text(sent: str) -> str:
    """Return what the bytes of a header mean: Tornado reads them as Latin-1, proxies send UTF-8."""
    try:
        return sent.encode("latin-1").decode()
    except UnicodeError:
        raise chatd.Unauthenticated("The proxy's header is not UTF-8.") from None
