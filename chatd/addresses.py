"""Addresses of whoever asks: which to trust, and whose a request is."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Any

from marshmallow import ValidationError, fields

from chatd.types import Request

# As some proxies write an address: 192.0.2.1:4711, [2001:db8::1]:4711
_PORT = re.compile(r"\A(?:\[([^\]]*)\]|([\d.]+))(?::\d+)?\Z")

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

    What it names may have a port. What is no address is nobody, and the proxy itself counts: what
    stands before the names that our proxies added is the client's own, and not to be trusted. An
    IPv6 network of 64 bits is one: who has one address of it has all.
    """
    named = request.headers.get("X-Forwarded-For", "").split(",")
    address = parse_address(request.peer)
    while address is not None and named and any(address in network for network in proxies):
        client = parse_address(_PORT.sub(r"\1\2", named.pop().strip()))
        if client is None:
            break
        address = client
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
