"""How a client's connections are made: by TCP or TLS, unless it is told otherwise."""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.web.client import URI, BrowserLikePolicyForHTTPS
from twisted.web.iweb import IAgentEndpointFactory, IPolicyForHTTPS
from zope.interface import implementer


@implementer(IAgentEndpointFactory)
class Endpoints:
    """
    Gives the endpoint of a URL, for long-polling and WebSocket alike.

    Args:
        reactor: makes the connections.
        tls: judges the servers' certificates; by default as a browser does.
    """

    def __init__(self, reactor: Any, tls: IPolicyForHTTPS | None = None) -> None:
        self._reactor = reactor
        self._tls = tls or BrowserLikePolicyForHTTPS()

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """Give the endpoint of a URL's host."""
        # An option's limit on the whole attempt is what ends one that takes too long.
        endpoint: Any = HostnameEndpoint(self._reactor, uri.host.decode("ascii"), uri.port)
        if uri.scheme == b"https":
            endpoint = wrapClientTLS(self._tls.creatorForNetloc(uri.host, uri.port), endpoint)
        return endpoint  # type: ignore[no-any-return]


def default_reactor() -> Any:
    """Give the running reactor: the front doors take it if they are given none."""
    from twisted.internet import reactor  # noqa: PLC0415  # installs one when imported

    return reactor
