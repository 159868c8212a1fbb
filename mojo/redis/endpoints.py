"""The way to a Redis, as Twisted's endpoints have it."""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint, wrapClientTLS
from twisted.internet.ssl import optionsForClientTLS

from mojo.redis.address import RedisAddress

#: Seconds for a connection, and for an answer.
TIMEOUT = 2.0


def endpoint_of(address: RedisAddress, reactor: Any) -> Any:
    """Make the endpoint that leads to an address."""
    if address.scheme == "unix":
        return UNIXClientEndpoint(reactor, address.path, timeout=TIMEOUT)
    endpoint = HostnameEndpoint(reactor, address.host, address.port, timeout=TIMEOUT)
    if address.scheme == "rediss":
        return wrapClientTLS(optionsForClientTLS(address.host), endpoint)
    return endpoint
