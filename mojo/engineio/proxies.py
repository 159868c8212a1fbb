"""
Who is at the other end: the client's own address and scheme, past trusted proxies.

``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed only where the TCP peer
(or the Unix socket) is on the project's list, and only back to the first address
that is not: everything left of it may be the client's invention.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import NamedTuple

from twisted.internet.address import UNIXAddress
from twisted.web.server import Request

from mojo.engineio.head import Fields

UNIX = "unix"

_FOR = "x-forwarded-for"
_PROTO = "x-forwarded-proto"


class Peer(NamedTuple):
    """
    The client behind a request.

    Attributes:
        address: an IP address without a port, or ``"unix"``.
        secure: whether the client itself came by https.
    """

    address: str
    secure: bool


class TrustedProxies:
    """
    The proxies whose word is taken.

    Args:
        proxies: IP addresses, CIDR networks, or ``"unix"`` for whoever reaches us
            through a Unix socket.
    Raises:
        ValueError: an entry is none of these; the message names it.
    """

    def __init__(self, proxies: Iterable[str] = ()) -> None:
        entries = tuple(proxies)
        self._unix = UNIX in entries
        self._networks: tuple[IPv4Network | IPv6Network, ...] = tuple(
            ip_network(entry, strict=False) for entry in entries if entry != UNIX
        )

    def peer(self, request: Request) -> Peer:
        """Tell who sent a request."""
        fields = {
            name: tuple(
                value.decode("latin-1")
                for value in request.requestHeaders.getRawHeaders(name.encode("ascii"), ())
            )
            for name in (_FOR, _PROTO)
        }
        return self.judge(
            address_of(request.getClientAddress()), fields, secure=bool(request.isSecure())
        )

    def judge(self, address: str, fields: Fields, *, secure: bool) -> Peer:
        """
        Tell who sent a request.

        Args:
            address: the other end of its connection.
            fields: its headers.
            secure: whether the connection is TLS.
        """
        if not self._trusts(address):
            return Peer(address, secure)
        proto = _values(fields, _PROTO)
        if proto and proto[-1]:
            secure = proto[-1].lower() in ("https", "wss")
        return Peer(self._client(_values(fields, _FOR), address), secure)

    def _client(self, hops: list[str], address: str) -> str:
        for hop in reversed(hops):
            parsed = _parse_hop(hop)
            if parsed is None:
                break  # a proxy wrote something that is no address: stop believing
            address = parsed
            if not self._trusts(address):
                break
        return address

    def _trusts(self, address: str) -> bool:
        if address == UNIX:
            return self._unix
        if not self._networks:
            return False  # without reading the address, which takes 3 µs
        try:
            ip = _unmapped(ip_address(address))
        except ValueError:
            return False
        return any(ip in network for network in self._networks)


def address_of(peer: object) -> str:
    """Give the IP address of what Twisted says is at the other end, or ``"unix"``."""
    if isinstance(peer, UNIXAddress):
        return UNIX
    host = getattr(peer, "host", None)
    return host if isinstance(host, str) else "unknown"


def _values(fields: Fields, name: str) -> list[str]:
    return [part.strip() for value in fields.get(name, ()) for part in value.split(",")]


def _parse_hop(hop: str) -> str | None:
    """Read one hop: an address, perhaps with a port, an IPv6 one perhaps bracketed."""
    if hop.startswith("["):
        hop = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        hop = hop.partition(":")[0]
    try:
        return str(_unmapped(ip_address(hop)))
    except ValueError:
        return None


def _unmapped(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """``::ffff:10.0.0.1`` is the same machine as ``10.0.0.1``."""
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    return mapped or ip
