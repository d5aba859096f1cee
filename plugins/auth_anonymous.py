"""Lets in whoever sits at this machine, without a credential: chatd for a single user.

Three things must hold. The connection comes from this machine; no proxy says that it passes on
somebody else's; and the Host is one of ours, as a page of another site can have its own name
resolved to 127.0.0.1 (DNS rebinding), and would then be of our own origin.
"""

from __future__ import annotations

import re
from typing import Any

import marshmallow as ma
from marshmallow import validate

import chatd

# A proxy says with one of these that the request is another's.
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via")
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]]+)(:\d{1,5})?", re.IGNORECASE)


class HostField(ma.fields.String):
    """A name or an address as URLs have it, without a port."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs).lower()
        if text == "*" or _host(text) != text:
            raise ma.ValidationError("Expected a name or an address without a port, never *.")
        return text


class ConfigSchema(ma.Schema):
    """The table [plugins.auth_anonymous]."""

    user = ma.fields.String(load_default="owner", validate=validate.Length(1, 64))
    hosts = ma.fields.List(
        HostField(), load_default=["localhost", "127.0.0.1", "[::1]"], validate=validate.Length(1)
    )


@chatd.hookimpl
def startup(app: chatd.App) -> None:
    """Refuse a server that others could reach, and one that lets in pages of every origin."""
    server = app.config.server
    if server.host != "localhost" and not _is_loopback(server.host):
        raise chatd.ConfigError(
            f"auth_anonymous lets in everybody who can connect: with it [server] host must be"
            f" 127.0.0.1, not {server.host or 'every network'}."
        )
    if "*" in server.allowed_origins:
        raise chatd.ConfigError(
            "auth_anonymous with allowed_origins = * would let every web page read all sessions:"
            " name the origins."
        )


@chatd.hookimpl
async def authenticate(app: chatd.App, request: chatd.Request) -> chatd.User | None:
    """Return the one user, None for a request from elsewhere, or with a credential of any kind.

    Who brings a credential wants to be somebody: a wrong one must not make them the owner.
    """
    config, headers = app.plugin_config("auth_anonymous"), request.headers
    if request.token or "Authorization" in headers or not _is_loopback(request.peer):
        return None
    if any(name in headers for name in FORWARDED) or _is_embedded(headers):
        return None
    if _host(headers.get("Host", "")) not in config["hosts"]:
        return None
    return await chatd.outside_user(
        app.store, "auth_anonymous", config["user"], account=config["user"]
    )


def _is_loopback(address: str) -> bool:
    found = chatd.addresses.parse_address(address)
    return found is not None and found.is_loopback


def _host(text: str) -> str | None:
    """Return a Host without its port in lower case, None for what is none."""
    found = _HOST.fullmatch(text)
    return found[1].lower() if found else None


def _is_embedded(headers: Any) -> bool:
    """Return whether another site's page has the browser load this, without saying its origin."""
    return "Origin" not in headers and headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")
