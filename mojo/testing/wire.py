"""
One connection to a Site, in memory: no socket, no waiting.

What is sent goes straight into the Site's own protocol; what that writes is collected;
closing and half-closing are recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import (
    IHalfCloseableDescriptor,
    IPushProducer,
    ISSLTransport,
    ITCPTransport,
)
from twisted.python.failure import Failure
from twisted.web.server import Site
from zope.interface import alsoProvides, implementer

from mojo.testing.http import Response, http_request, parse_response

#: Where clients come from, unless they are told otherwise.
ADDRESS = "198.51.100.7"


@implementer(ITCPTransport, IPushProducer, IHalfCloseableDescriptor)
class WireTransport:
    """
    The server's end of a connection.

    While ``stalled`` the client reads nothing: what is written waits, and the producer is
    paused and resumed, and a close put off, by the rules of Twisted's ``FileDescriptor``.

    Args:
        address: the client's.

    Attributes:
        protocol: the server's.
        written: what it has written and nobody has read.
        stalled: see above.
        waiting: what is written while the client is stalled.
        producer: what it registered, if anything.
        reading: whether it wants to hear more.
        closed: how the connection ended: ``"closed"``, ``"aborted"``, ``"by peer"``.
        half_closed: whether the server will write no more.
    """

    #: Bytes that may wait before the producer is paused.
    buffer_size = 65_536

    def __init__(self, address: str) -> None:
        self.protocol: Any = None
        self.written = b""
        self.stalled = False
        self.waiting = bytearray()
        self._producer_paused = False
        self._wants_to_write = False
        self.producer: Any = None
        self.reading = True
        self.closed: str | None = None
        self.half_closed = False
        self._end: tuple[str, Exception] | None = None
        self._address = address

    @property
    def disconnecting(self) -> bool:
        """Whether the connection is over, or about to be."""
        return self.closed is not None or self._end is not None

    def write(self, data: bytes) -> None:
        """Collect what the server writes."""
        assert isinstance(data, bytes)
        if self.closed is not None or not data:
            return
        if not self.stalled and not self.waiting:
            self.written += data
            return
        self.waiting += data
        self._wants_to_write = True
        if self.producer is not None and len(self.waiting) > self.buffer_size:
            self._producer_paused = True
            self.producer.pauseProducing()

    def take(self, size: int | None = None) -> None:
        """Let the client read some bytes of what waits; by default all of them."""
        size = len(self.waiting) if size is None else size
        self.written += self.waiting[:size]
        del self.waiting[:size]
        if not self.waiting:
            self._wants_to_write = False
            if self.producer is not None and self._producer_paused:
                self._producer_paused = False
                self.producer.resumeProducing()
            elif self._end is not None:
                self._wants_to_write = True

    def catch_up(self) -> None:
        """Let the client read all that waits, and all that comes because it does."""
        self.stalled = False
        while self.waiting:
            self.take()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Collect what the server writes."""
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """Note that the connection is to be closed."""
        self._wants_to_write = True
        self._end = self._end or ("closed", ConnectionDone())

    def abortConnection(self) -> None:
        """Note that the connection is to be broken off."""
        self._end = ("aborted", ConnectionAborted())

    def settle(self) -> None:
        """Carry out a close, which a real transport does in a later turn."""
        if self._end is None or self.closed is not None:
            return
        if self._end[0] == "aborted" or (self._wants_to_write and not self.waiting):
            self.lose(*self._end)

    def lose(self, how: str, reason: Exception) -> None:
        """Tell of the end as a real transport does: the producer first."""
        self.closed = how
        producer, self.producer = self.producer, None
        if producer is not None:
            producer.stopProducing()
        self.protocol.connectionLost(Failure(reason))

    def loseWriteConnection(self) -> None:
        """Note that the server has said its last words."""
        self.half_closed = True

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Keep the producer."""
        assert self.producer is None
        self.producer = producer

    def unregisterProducer(self) -> None:
        """Forget the producer."""
        self.producer = None
        if self._end is not None:
            self._wants_to_write = True

    def pauseProducing(self) -> None:
        """Note that the server wants to hear no more for now."""
        self.reading = False

    def resumeProducing(self) -> None:
        """Note that it does again."""
        self.reading = True

    def stopProducing(self) -> None:
        """Close, as a real transport does."""
        self.loseConnection()

    def readConnectionLost(self, reason: Failure) -> None:
        """Nothing: the client's end is never half-closed."""

    def writeConnectionLost(self, reason: Failure) -> None:
        """Nothing: see `readConnectionLost`."""

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Nothing: there is no delay."""

    def getTcpNoDelay(self) -> bool:
        """Tell that there is no delay."""
        return True

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Nothing: it lives until it is closed."""

    def getTcpKeepAlive(self) -> bool:
        """Tell that nothing is sent to keep it alive."""
        return False

    def getPeer(self) -> IPv4Address:
        """Give the client's address."""
        return IPv4Address("TCP", self._address, 54321)

    def getHost(self) -> IPv4Address:
        """Give an address of ours."""
        return IPv4Address("TCP", "192.0.2.1", 8000)


class Wire:
    """
    One connection to a Site, from the client's side.

    Args:
        site: the Site.
        address: the client's address.
        secure: whether it is a TLS connection.
    """

    def __init__(self, site: Site, address: str = ADDRESS, secure: bool = False) -> None:
        self.transport = WireTransport(address)
        if secure:
            alsoProvides(self.transport, ISSLTransport)
        protocol: Any = site.buildProtocol(self.transport.getPeer())
        self.transport.protocol = protocol
        protocol.makeConnection(self.transport)
        self._method = "GET"

    @property
    def closed(self) -> str | None:
        """How the connection ended, or ``None``; see `WireTransport`."""
        self.transport.settle()
        return self.transport.closed

    def send(self, data: bytes) -> None:
        """Deliver bytes to the server."""
        if self.closed is None:
            self.transport.protocol.dataReceived(data)
            self.transport.settle()

    def send_bytewise(self, data: bytes) -> None:
        """Deliver bytes one at a time."""
        for index in range(len(data)):
            self.send(data[index : index + 1])

    def read(self) -> bytes:
        """Take what the server has written since the last time."""
        written, self.transport.written = self.transport.written, b""
        return written

    def hang_up(self, reason: Exception | None = None) -> None:
        """Close from the client's side."""
        if self.closed is None:
            self.transport.lose("by peer", reason or ConnectionDone())

    def ask(
        self,
        method: str,
        uri: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> None:
        """Send a request, and leave the answer to `answer`."""
        self._method = method
        self.send(http_request(method, uri, headers=headers, body=body))

    def answer(self) -> Response | None:
        """Take the answer, or give ``None`` while it is not there to its end."""
        response = parse_response(self.transport.written, self._method)
        if response is not None:
            self.transport.written = b""
        return response

    def get(self, uri: str, **headers: str) -> Response | None:
        """Send a GET, and take the answer if there is one already."""
        self.ask("GET", uri, headers=_dashed(headers))
        return self.answer()

    def post(self, uri: str, body: bytes, **headers: str) -> Response | None:
        """Send a POST, and take the answer if there is one already."""
        self.ask("POST", uri, headers=_dashed(headers), body=body)
        return self.answer()


def _dashed(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
