"""
A network in memory: both ends of each connection are real protocols, and nothing waits.

A `Network` gives clients endpoints, as Twisted's do, that lead to whatever it serves.  Bytes
are on their way until `pump`; connections can be cut, and the server can be down.
"""

from __future__ import annotations

from twisted.internet import error
from twisted.internet.address import IPv4Address
from twisted.internet.defer import fail, succeed
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IHalfCloseableDescriptor,
    IPushProducer,
    IStreamClientEndpoint,
    ITCPTransport,
)
from twisted.python.failure import Failure
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer


@implementer(ITCPTransport, IPushProducer, IHalfCloseableDescriptor)
class End:
    """One end of a connection: the transport of the protocol there."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.peer: End
        self.protocol = None
        self.written = b""
        self.disconnecting = False
        self.disconnected = False
        self.paused = False
        self.producer = None

    # -- the network's side ---------------------------------------------------

    def move(self) -> bool:
        """Deliver to the peer what was written here; say whether anything happened."""
        moved = False
        if self.written and not self.peer.paused and not self.peer.disconnected:
            data, self.written = self.written, b""
            moved = True
            self.peer.protocol.dataReceived(data)
        if self.disconnecting and not self.disconnected and not self.written:
            moved = True
            self.lose(ConnectionDone())
            self.peer.lose(ConnectionDone())
        return moved

    def lose(self, reason: Exception) -> None:
        """End the connection here."""
        if not self.disconnected:
            self.disconnected = True
            self.protocol.connectionLost(Failure(reason))

    # -- the protocol's side --------------------------------------------------

    def write(self, data: bytes) -> None:
        assert isinstance(data, bytes)
        if not self.disconnected:
            self.written += data

    def writeSequence(self, pieces) -> None:
        self.write(b"".join(pieces))

    def loseConnection(self) -> None:
        self.disconnecting = True

    def abortConnection(self) -> None:
        self.written = b""
        self.disconnecting = True

    def loseWriteConnection(self) -> None:
        self.disconnecting = True

    def registerProducer(self, producer, streaming) -> None:
        assert streaming
        assert self.producer is None
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False

    def stopProducing(self) -> None:
        self.loseConnection()

    def setTcpNoDelay(self, enabled: bool) -> None:
        pass

    def setTcpKeepAlive(self, enabled: bool) -> None:
        pass

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", "192.0.2.1", 80)

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "198.51.100.7", 54321)


class Link:
    """One connection."""

    def __init__(self, client, server) -> None:
        self.client = End("client")
        self.server = End("server")
        self.client.peer, self.server.peer = self.server, self.client
        self.client.protocol, self.server.protocol = client, server
        server.makeConnection(self.server)
        client.makeConnection(self.client)

    @property
    def open(self) -> bool:
        return not (self.client.disconnected or self.server.disconnected)

    def cut(self) -> None:
        """Break it, as a cable does: both ends learn of it at once."""
        for end in (self.client, self.server):
            end.lose(ConnectionLost())


@implementer(IAgentEndpointFactory)
class Network:
    """
    What a client's connections are made by.

    Args:
        build: gives the server's protocol for an address; ``Site.buildProtocol``.

    Attributes:
        links: every connection that was made, oldest first.
        uris: where each went.
        down: whether connections are refused.
    """

    def __init__(self, build) -> None:
        self.build = build
        self.links: list[Link] = []
        self.uris: list = []
        self.down = False

    def endpointForURI(self, uri):
        return _Endpoint(self, uri)

    def pump(self) -> bool:
        """Move bytes until there are none; say whether there were any."""
        ever_moved = False
        while True:
            moved = False
            for link in list(self.links):
                for end in (link.client, link.server):
                    moved = end.move() or moved
            if not moved:
                return ever_moved
            ever_moved = True

    @property
    def open_links(self) -> list[Link]:
        return [link for link in self.links if link.open]

    def cut(self) -> None:
        """Break every connection."""
        for link in self.open_links:
            link.cut()


@implementer(IStreamClientEndpoint)
class _Endpoint:
    def __init__(self, network: Network, uri) -> None:
        self._network = network
        self._uri = uri

    def connect(self, factory):
        network = self._network
        network.uris.append(self._uri)
        if network.down:
            return fail(error.ConnectionRefusedError())
        client = factory.buildProtocol(None)
        server = network.build(IPv4Address("TCP", "198.51.100.7", 54321))
        network.links.append(Link(client, server))
        return succeed(client)
