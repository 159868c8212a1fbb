"""
Carrying bytes between a client of ours and the worker that serves it.

Neither end is read faster than the other one takes what was read.  What the worker closes is closed
here when its last bytes have left, and the end of the client is the end of it all.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from mojo.engineio.transports.closing import close_for_writing


class RelayHost(Protocol):
    """What a relay needs of whoever made it."""

    def relay_closing(self, relay: Relay) -> None:
        """It was closed by the worker: the client has some time to let go; see `Relay.abort`."""

    def relay_over(self, relay: Relay) -> None:
        """It has ended."""


class Relay:
    """
    Two connections that are one.

    Args:
        host: see `RelayHost`.

    Attributes:
        client: what hears the client.
        worker: what hears the worker.
    """

    def __init__(self, host: RelayHost) -> None:
        self._host = host
        self.client = _ClientEnd(self)
        self.worker = _WorkerEnd(self)

    def begin(self) -> None:
        """Carry bytes: both ends are connected."""
        self.client.transport.registerProducer(self.worker.transport, True)
        self.worker.transport.registerProducer(self.client.transport, True)
        self.client.transport.resumeProducing()

    def abort(self) -> None:
        """End both, whatever is under way."""
        for end in (self.client, self.worker):
            if not end.over:
                end.transport.abortConnection()

    # -- from the ends ------------------------------------------------------------

    def worker_done(self) -> None:
        """Close what the worker has closed."""
        if not self.client.over:
            self._host.relay_closing(self)
            self.client.transport.unregisterProducer()
            close_for_writing(self.client.transport)

    def worker_lost(self, reason: Failure) -> None:
        """End the client: the worker is gone, or does not hear it any more."""
        if not self.client.over:
            self.client.end(reason)
        else:
            self._host.relay_over(self)

    def client_lost(self, reason: Failure) -> None:
        """Tell the worker that the client is gone."""
        if not self.worker.over:
            self.worker.end(reason)
        else:
            self._host.relay_over(self)


class _End(TwistedProtocol):
    transport: Any
    over = False

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def write(self, data: bytes) -> None:
        if not self.over:
            self.transport.write(data)

    def end(self, reason: Failure) -> None:
        self.transport.unregisterProducer()
        if reason.check(ConnectionDone):
            self.transport.loseConnection()
        else:
            self.transport.abortConnection()


class _ClientEnd(_End):
    def dataReceived(self, data: bytes) -> None:
        self._relay.worker.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.over = True
        self._relay.client_lost(reason)


@implementer(IHalfCloseableProtocol)
class _WorkerEnd(_End):
    def dataReceived(self, data: bytes) -> None:
        self._relay.client.write(data)

    def readConnectionLost(self) -> None:
        self._relay.worker_done()

    def writeConnectionLost(self) -> None:
        """Nothing: `loseConnection` says the rest."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.over = True
        self._relay.worker_lost(reason)
