"""Addresses of whoever asks: which to trust, and whose a request is."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from marshmallow import ValidationError, fields

from chatd.types import Request

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class NetworkField(fields.String):
    """A network, or one address; never all of them."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            network = ipaddress.ip_network(text)
        except ValueError:
            raise ValidationError(
                "Expected a network such as 10.0.0.0/24, or an address."
            ) from None
        if not network.prefixlen:
            raise ValidationError(f"{text} is everybody: whoever can connect could be anybody.")
        return network


def parse_address(text: str) -> Address | None:
    """Return an address; of IPv4 as such, also when a socket of IPv6 shows it (::ffff:10.0.0.1)."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def client_address(request: Request, proxies: Sequence[Network] = ()) -> str:
    """Return whose a request is, to count by: its socket's peer, of a proxy whom that names last.

    An IPv6 network of 64 bits is one: who has one address of it has all. Not to be trusted further:
    what stands in X-Forwarded-For before the names that our proxies added is the client's own.
    """
    named = request.headers.get("X-Forwarded-For", "").split(",")
    address = parse_address(request.peer)
    while address is not None and named and any(address in network for network in proxies):
        address = parse_address(named.pop().strip()) or address
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
