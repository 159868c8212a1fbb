"""`mojo.engineio.transports.sending`, on real sockets: order, and the rest of what is long."""

import socket
from types import SimpleNamespace

from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.trial.unittest import TestCase

from mojo.engineio.transports.sending import write_now
from mojo.testing.wire import WireTransport


class Server(Protocol):
    def connectionMade(self) -> None:
        self.factory.connected.callback(self)

    def connectionLost(self, reason) -> None:
        self.factory.lost.callback(None)


class SendingTests(TestCase):
    @inlineCallbacks
    def setUp(self):
        factory = ServerFactory()
        factory.protocol = Server
        factory.connected, self.lost = Deferred(), Deferred()
        factory.lost = self.lost
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.client = socket.create_connection(("127.0.0.1", port.getHost().port))
        self.client.settimeout(5)
        self.addCleanup(self.client.close)
        server = yield factory.connected
        self.transport = server.transport

    def tearDown(self):
        self.transport.abortConnection()
        return self.lost

    def test_at_once(self) -> None:
        """It is with the client before the reactor turns."""
        write_now(self.transport, b"now")
        self.assertEqual(self.client.recv(10), b"now")

    def test_nothing_is_passed(self) -> None:
        """What was written before leaves before."""
        self.transport.write(b"a")
        write_now(self.transport, b"b")
        self.client.setblocking(False)
        self.assertRaises(BlockingIOError, self.client.recv, 10)
        self.transport.doWrite()
        self.assertEqual(self.client.recv(10), b"ab")

    @inlineCallbacks
    def test_more_than_the_kernel_takes(self):
        """The rest waits in the transport, and what is written next, behind it."""
        data = bytes(range(256)) * 80_000
        write_now(self.transport, data)
        write_now(self.transport, b"end")
        received = bytearray()
        self.client.setblocking(False)
        while len(received) < len(data) + 3:
            try:
                received += self.client.recv(1 << 20)
            except BlockingIOError:
                turn: Deferred = Deferred()
                reactor.callLater(0, turn.callback, None)
                yield turn
        self.assertEqual(bytes(received), data + b"end")

    @inlineCallbacks
    def test_broken_connection(self):
        """Of a client that is gone the protocol hears from the reactor, not in between."""
        self.client.close()
        for _ in range(3):
            write_now(self.transport, b"x" * 1000)
        yield self.lost

    @inlineCallbacks
    def test_close_follows(self):
        write_now(self.transport, b"bye")
        self.transport.loseConnection()
        yield self.lost
        self.assertEqual(self.client.recv(10), b"bye")
        self.assertEqual(self.client.recv(10), b"")
        write_now(self.transport, b"too late")

    def test_other_transports(self) -> None:
        """What is no TCP connection is written to as always."""
        transport = WireTransport("192.0.2.7")
        write_now(transport, b"a")
        self.assertEqual(transport.written, b"a")

    def test_tls(self) -> None:
        """What TLS has to encrypt first is its to write."""
        written: list = []
        self.patch(self.transport, "TLS", True)
        self.patch(self.transport, "protocol", SimpleNamespace(write=written.append))
        write_now(self.transport, b"a")
        self.assertEqual(written, [b"a"])
