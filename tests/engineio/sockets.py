"""TCP connections to ourselves, whose server's end is driven by hand, without a reactor."""

from __future__ import annotations

import select
import socket

from twisted.internet import tcp
from twisted.internet.interfaces import IReactorFDSet
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mojo.engineio.transports.poller import Poller


@implementer(IReactorFDSet)
class Reactor(Clock):
    """A clock that knows who wants to read and write, and leaves it to the test."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: list = []
        self.writers: list = []

    def addReader(self, reader) -> None:
        if reader not in self.readers:
            self.readers.append(reader)

    def removeReader(self, reader) -> None:
        if reader in self.readers:
            self.readers.remove(reader)

    def addWriter(self, writer) -> None:
        if writer not in self.writers:
            self.writers.append(writer)

    def removeWriter(self, writer) -> None:
        if writer in self.writers:
            self.writers.remove(writer)


class Counted:
    """A socket, and the calls that write to it; ``flags`` of the last."""

    def __init__(self, socket) -> None:
        self._socket = socket
        self.calls: list[tuple[str, int]] = []
        self.flags = 0

    def send(self, data, flags=0) -> int:
        self.calls.append(("send", len(data)))
        self.flags = flags
        return self._socket.send(data, flags)

    def sendmsg(self, pieces) -> int:
        self.calls.append(("sendmsg", sum(map(len, pieces))))
        return self._socket.sendmsg(pieces)

    def __getattr__(self, name: str):
        return getattr(self._socket, name)


class Batches:
    """Remembers how often a batch began and ended."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def hold(self) -> None:
        self.seen.append("hold")

    def release(self) -> None:
        self.seen.append("release")


class User:
    """What a connection is for: it remembers what it was told."""

    def __init__(self) -> None:
        self.received = b""
        self.takes = 0
        self.lost: list = []

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def taken(self) -> None:
        self.takes += 1

    def connectionLost(self, reason) -> None:
        self.lost.append(reason.type)


class PollerTestCase(SynchronousTestCase):
    """
    Tests with sockets.

    Attributes:
        reactor: the reactor.
        batches: whom the poller tells of its batches.
        poller: the poller.
    """

    if not hasattr(select, "epoll"):
        skip = "there is no epoll"

    def setUp(self) -> None:
        self.reactor = Reactor()
        self.batches = Batches()
        self.poller = Poller(self.batches)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.listener.close)

    def connected(self, protocol: Protocol | None = None) -> tuple[tcp.Server, socket.socket]:
        """Give Twisted's transport of a new connection, and the client's socket."""
        client = socket.create_connection(self.listener.getsockname())
        client.settimeout(5)
        self.addCleanup(client.close)
        server, address = self.listener.accept()
        self.addCleanup(server.close)
        transport = tcp.Server(server, protocol or Protocol(), address, None, 1, self.reactor)
        return transport, client

    def adopted(self, user=None):
        """Give a connection of the poller's, what it is for, and the client's socket."""
        user = user or User()
        transport, client = self.connected()
        descriptor = self.poller.adopt(transport, user)
        assert descriptor is not None
        self.addCleanup(descriptor.socket.close)
        descriptor.resumeProducing()
        return descriptor, user, client

    def is_ready(self, seconds: float = 5) -> bool:
        """Tell whether there is something for the poller to do, or will be in some seconds."""
        return bool(select.select([self.poller], [], [], seconds)[0])

    def poll(self) -> None:
        """Wait for something to do, and let the poller do it."""
        self.assertTrue(self.is_ready())
        self.poller.doRead()
