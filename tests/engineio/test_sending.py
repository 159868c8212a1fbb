"""`mojo.engineio.transports.sending`, on real sockets: order, and the rest of what is long."""

import socket
from types import SimpleNamespace

from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.trial.unittest import TestCase

from mojo.engineio.transports.outlet import CHUNK, Outlet
from mojo.engineio.transports.sending import can_send, send
from mojo.testing.wire import WireTransport
from tests.engineio.sockets import Counted


class Server(Protocol):
    def connectionMade(self) -> None:
        self.factory.connected.callback(self)

    def connectionLost(self, reason) -> None:
        self.factory.lost.callback(None)


class SocketTestCase(TestCase):
    timeout = 120

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

    @inlineCallbacks
    def receive(self, size: int):
        """Read at the client's end, while the reactor turns."""
        received = bytearray()
        self.client.setblocking(False)
        while len(received) < size:
            try:
                received += self.client.recv(1 << 20)
            except BlockingIOError:
                turn: Deferred = Deferred()
                reactor.callLater(0, turn.callback, None)
                yield turn
        return bytes(received)


class SendingTests(SocketTestCase):
    def test_at_once(self) -> None:
        """It is with the client before the reactor turns."""
        send(self.transport, b"now")
        self.assertEqual(self.client.recv(10), b"now")

    def test_nothing_is_passed(self) -> None:
        """What was written before leaves before."""
        self.transport.write(b"a")
        send(self.transport, b"b")
        self.client.setblocking(False)
        self.assertRaises(BlockingIOError, self.client.recv, 10)
        self.transport.doWrite()
        self.assertEqual(self.client.recv(10), b"ab")

    @inlineCallbacks
    def test_more_than_the_kernel_takes(self):
        """The rest waits in the transport, and what is written next, behind it."""
        data = bytes(range(256)) * 80_000
        send(self.transport, data)
        send(self.transport, b"end")
        received = yield self.receive(len(data) + 3)
        self.assertEqual(received, data + b"end")

    @inlineCallbacks
    def test_room_again(self):
        """The kernel has room, but the transport has yet to use it: nothing goes past."""
        data = bytes(range(256)) * 80_000
        send(self.transport, data)
        self.transport.doWrite()
        start = self.client.recv(1 << 22, socket.MSG_WAITALL)
        send(self.transport, b"end")
        rest = yield self.receive(len(data) + 3 - len(start))
        self.assertTrue(start + rest == data + b"end")

    @inlineCallbacks
    def test_broken_connection(self):
        """Of a client that is gone the protocol hears from the reactor, not in between."""
        self.client.close()
        for _ in range(3):
            send(self.transport, b"x" * 1000)
        yield self.lost

    @inlineCallbacks
    def test_close_follows(self):
        send(self.transport, b"bye")
        self.transport.loseConnection()
        yield self.lost
        self.assertEqual(self.client.recv(10), b"bye")
        self.assertEqual(self.client.recv(10), b"")
        send(self.transport, b"too late")

    def test_other_transports(self) -> None:
        """What is no TCP connection must be written to as always."""
        self.assertFalse(can_send(WireTransport("192.0.2.7")))

    def test_tls(self) -> None:
        """What TLS has to encrypt first is its to write."""
        written: list = []
        self.patch(self.transport, "TLS", True)
        self.patch(self.transport, "protocol", SimpleNamespace(write=written.append))
        send(self.transport, b"a")
        self.assertEqual(written, [b"a"])

    def test_half_closed(self) -> None:
        """What comes too late is dropped, as Twisted drops it."""
        self.transport.loseWriteConnection()
        self.transport.doWrite()
        send(self.transport, b"too late")
        self.assertEqual(self.client.recv(10), b"")

    def test_other_twisted(self) -> None:
        """Without the name that it relies on, the transport's own way is taken."""
        self.assertTrue(can_send(self.transport))
        waiting = self.transport._tempDataBuffer
        del self.transport._tempDataBuffer
        self.assertFalse(can_send(self.transport))
        self.transport._tempDataBuffer = waiting


class OutletTests(SocketTestCase):
    @inlineCallbacks
    def setUp(self):
        yield super().setUp()
        self.socket = self.transport.socket = Counted(self.transport.socket)
        self.outlet = outlet = Outlet(self.transport)

        class Producer:
            def pauseProducing(self) -> None:
                outlet.full = True

            def resumeProducing(self) -> None:
                outlet.resume()

            def stopProducing(self) -> None:
                pass

        self.transport.registerProducer(Producer(), True)

    def tearDown(self):
        self.transport.unregisterProducer()
        return super().tearDown()

    def test_one_call(self) -> None:
        """What a turn sends is one `send`, and is with the client at once."""
        self.outlet.send([b"a", b"b", b"c"], 3)
        self.assertEqual(self.socket.calls, [("send", 3)])
        self.assertEqual(self.client.recv(10), b"abc")

    def test_long(self) -> None:
        """What is longer than a chunk is one call too, in its pieces."""
        self.outlet.send([b"head", b"x" * CHUNK], CHUNK + 4)
        self.assertEqual(self.socket.calls, [("sendmsg", CHUNK + 4)])
        self.assertEqual(self.outlet.unsent, 0)

    def test_nothing_is_passed(self) -> None:
        """Neither by what is short nor by what is long."""
        self.transport.write(b"a")
        self.outlet.send([b"b"], 1)
        self.outlet.send([b"c" * (CHUNK + 1)], CHUNK + 1)
        self.assertEqual(self.socket.calls, [])
        self.transport.doWrite()
        self.assertEqual(self.client.recv(3), b"abc")

    @inlineCallbacks
    def test_client_that_does_not_read(self):
        """
        The kernel takes what it has room for, Twisted two chunks, and the rest is counted.

        When the client reads again it gets all, in order, in few calls.
        """
        frames = [bytes((number,)) * 1_000_003 for number in range(40)]
        for frame in frames:
            self.outlet.send([frame[:10], frame[10:]], len(frame))
        self.outlet.send([b"end"], 3)
        self.assertTrue(self.outlet.full)
        held = len(self.transport.dataBuffer) + self.transport._tempDataLen
        self.assertTrue(CHUNK <= held <= 2 * CHUNK, held)
        taken = sum(map(len, frames)) + 3 - held - self.outlet.unsent
        self.assertGreater(self.outlet.unsent, 0)
        received = yield self.receive(sum(map(len, frames)) + 3)
        self.assertEqual(received, b"".join(frames) + b"end")
        self.assertEqual(received[:taken], b"".join(frames)[:taken])
        self.assertEqual((self.outlet.unsent, self.outlet.full), (0, False))
        self.outlet.send([b"again"], 5)
        self.assertEqual(self.client.recv(10), b"again")

    @inlineCallbacks
    def test_broken_connection(self):
        """The protocol hears of it from the reactor, and nothing is kept for it."""
        self.client.close()
        for _ in range(5):
            self.outlet.send([b"x" * 3 * CHUNK], 3 * CHUNK)
        self.outlet.send([b"x"], 1)
        yield self.lost

    @inlineCallbacks
    def test_finish(self):
        """The end comes after what was sent, and after what was not."""
        for size in (1, 30_000_000):
            self.outlet.send([b"x" * size], size)
        self.outlet.finish(self.transport.loseConnection)
        received = yield self.receive(30_000_001)
        self.assertEqual(len(received), 30_000_001)
        yield self.lost
