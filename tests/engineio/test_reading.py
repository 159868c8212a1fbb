"""`mojo.engineio.transports.reading`: plain requests on real sockets, read without Twisted."""

import socket
import struct

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.main import CONNECTION_DONE
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

from mojo.engineio.handshake import Identity
from mojo.engineio.transports.descriptor import Descriptor
from mojo.testing.frames import TEXT, UPGRADE_HEADERS, client_frame
from mojo.testing.http import http_request
from tests.engineio.endpoint import POLLING, Endpoint
from tests.engineio.sockets import PollerTestCase, User

SESSION = POLLING + "&sid=eid1"
MUCH = "x" * 20_000_000


class Remembering(Protocol):
    """A protocol that knows what it was told."""

    def __init__(self) -> None:
        self.received = b""
        self.lost: list = []

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason) -> None:
        self.lost.append(reason.type)


class HalfTests(PollerTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.protocol = Remembering()
        self.transport, self.client = self.connected(self.protocol)
        self.transport.protocol = self.protocol
        self.user = User()
        self.reading = self.poller.lend(self.transport, self.user)

    def test_read_in_its_place(self) -> None:
        """The transport is there, and writes; it does not read."""
        self.assertEqual(self.reactor.readers, [self.poller])
        self.client.sendall(b"data")
        self.poll()
        self.assertEqual((self.user.received, self.protocol.received), (b"data", b""))
        self.assertEqual(self.batches.seen, ["hold", "release"])
        self.transport.write(b"answer")
        self.assertEqual(self.reactor.writers, [self.transport])

    def test_given_back(self) -> None:
        """The transport reads on, and the poller has nothing more to watch."""
        self.reading.give_back()
        self.reading.give_back()
        self.assertEqual(self.reactor.readers, [self.transport])
        self.assertEqual(len(self.poller), 0)
        self.client.sendall(b"data")
        self.transport.socket.settimeout(5)
        self.transport.doRead()
        self.assertEqual((self.user.received, self.protocol.received), (b"", b"data"))

    def test_stopped(self) -> None:
        """Nobody reads what is about to be closed."""
        self.reading.stop()
        self.assertEqual((self.reactor.readers, len(self.poller)), ([], 0))
        self.reading.give_back()
        self.assertEqual(self.reactor.readers, [])

    def test_end_of_the_stream(self) -> None:
        """It is Twisted's to tell, which finds it again."""
        self.client.close()
        self.poll()
        self.assertEqual(self.reactor.readers, [self.transport])
        self.assertIs(self.transport.doRead(), CONNECTION_DONE)

    def test_reset(self) -> None:
        """It is told at once, since the kernel tells of it only once."""
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.client.close()
        self.poll()
        self.assertEqual(self.protocol.lost, [ConnectionLost])
        self.assertEqual((self.reactor.readers, len(self.poller)), ([], 0))
        self.assertEqual(self.user.lost, [])

    def test_reader_raises(self) -> None:
        """That ends its own connection, and no other."""
        other, client = self.connected()
        user = User()
        self.poller.lend(other, user)

        def fail(data: bytes) -> None:
            raise ValueError("as asked")

        self.user.dataReceived = fail
        self.client.sendall(b"data")
        self.poll()
        self.assertEqual(self.protocol.lost, [ValueError])
        client.sendall(b"more")
        self.poll()
        self.assertEqual(user.received, b"more")
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_gone_before(self) -> None:
        """A socket that is closed is forgotten, and its number may be another's."""
        self.transport.connectionLost(Failure(ConnectionDone()))
        self.reading.stop()
        self.assertEqual(len(self.poller), 0)

    def test_reactor_stops(self) -> None:
        """The transport, which is none of the reactor's readers, hears of it too."""
        self.poller.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.protocol.lost, [ConnectionDone])

    def test_what_reads_itself(self) -> None:
        transport, _ = self.connected()
        transport.write(b"waits")
        self.assertIsNone(self.poller.lend(transport, User()))
        self.assertIn(transport, self.reactor.readers)


class ChannelTests(PollerTestCase):
    """Through a real Site."""

    def setUp(self) -> None:
        super().setUp()
        self.endpoint = Endpoint(identify=lambda cookies: Identity("ada"))
        self.connect()
        self.poller = self.endpoint.site.plain_mounts[b"/engine.io"]._websockets.poller
        self.get("")
        self.get("&sid=eid1", wait=False)
        self.polls, self.polls_transport = self.client, self.transport
        self.connect()
        self.post(b"4a")

    def connect(self) -> None:
        self.channel = self.endpoint.site.buildProtocol(None)
        self.transport, self.client = self.connected(self.channel)
        self.channel.makeConnection(self.transport)

    def is_ours(self) -> bool:
        """Tell whether the poller reads for the last connection."""
        return self.transport not in self.reactor.readers and self.transport.connected

    def say(self, data: bytes, *, ours: bool = False) -> None:
        """Send something and let whoever reads read it."""
        self.client.sendall(data)
        self.assertEqual(self.is_ours(), ours)
        if ours:
            self.poll()
        else:
            self.transport.socket.settimeout(5)
            self.transport.doRead()
            self.transport.socket.settimeout(0)

    def answer(self, client=None) -> bytes:
        """Give the body of the answer that has come."""
        data = (client or self.client).recv(65_536)
        self.assertIn(b"\r\nContent-Length: ", data)
        return data.partition(b"\r\n\r\n")[2]

    def get(self, more: str, *, wait: bool = True) -> None:
        self.say(http_request("GET", POLLING + more))
        if wait:
            self.answer()

    def post(self, body: bytes, *, ours: bool = False) -> None:
        self.say(http_request("POST", SESSION, body=body), ours=ours)
        self.assertEqual(self.answer(), b"ok")

    def test_from_the_second_request_on(self) -> None:
        """Whoever sends only one is not worth it."""
        self.assertFalse(self.is_ours())
        self.post(b"4b")
        self.assertTrue(self.is_ours())
        self.post(b"4c", ours=True)
        self.assertEqual(self.endpoint.log, ["a", "b", "c"])

    def test_answers_leave_with_the_batch(self) -> None:
        """What a POST is answered reaches the GET that waits without a turn of the reactor."""
        self.post(b"4b")
        session = self.endpoint.session
        self.endpoint.applications[0].message_received = lambda data: session.send("re: " + data)
        self.post(b"4c", ours=True)
        self.assertEqual(self.answer(self.polls), b"4re: c")
        self.assertEqual(len(self.endpoint.clock.getDelayedCalls()), 1)  # the heartbeat's

    def test_not_plain(self) -> None:
        """Twisted reads it, and on, and what is plain again comes back to us."""
        self.post(b"4b")
        request = http_request("GET", "/elsewhere")
        self.say(request[:9], ours=True)
        self.assertFalse(self.is_ours())
        self.say(request[9:])
        self.transport.doWrite()
        self.assertIn(b"404", self.client.recv(65_536))
        self.post(b"4c")
        self.assertFalse(self.is_ours())
        self.post(b"4d")
        self.assertTrue(self.is_ours())
        self.assertEqual(self.endpoint.log, ["a", "b", "c", "d"])

    def test_ahead_of_the_answer(self) -> None:
        """What comes before the answer is kept, and no more of it read than is kept."""
        self.post(b"4b")
        self.endpoint.session.pause()
        self.say(http_request("POST", SESSION, body=b"4c"), ours=True)
        self.say(http_request("GET", "/elsewhere"), ours=True)
        self.assertFalse(self.is_ours())
        self.say(b"x" * 20_000)
        self.assertNotIn(self.transport, self.reactor.readers)
        self.assertIsNone(self.channel._reading)
        self.endpoint.session.resume()
        self.assertIn(self.transport, self.reactor.readers)
        self.assertEqual(self.endpoint.log, ["a", "b", "c"])

    def test_client_that_does_not_read(self) -> None:
        """It is not read either, until what it was sent is on its way."""
        transport = self.polls_transport
        self.assertNotIn(transport, self.reactor.readers)
        self.endpoint.session.send(MUCH)
        self.endpoint.turn()
        self.assertEqual(len(self.poller), 0)
        self.assertNotIn(transport, self.reactor.readers)
        received = 0
        while transport in self.reactor.writers:
            received += len(self.polls.recv(1_000_000))
            transport.doWrite()
        self.assertIn(transport, self.reactor.readers)
        while received < len(MUCH):
            received += len(self.polls.recv(1_000_000))

    def test_close(self) -> None:
        """After its last answer a connection is not read, and ends as Twisted ends it."""
        self.post(b"4b")
        request = http_request("POST", SESSION, body=b"4c", headers={"Connection": "close"})
        self.say(request, ours=True)
        self.answer()
        self.assertNotIn(self.transport, self.reactor.readers)
        self.assertTrue(self.transport.disconnecting)
        self.assertIsNone(self.channel._reading)

    def test_too_slow(self) -> None:
        """The deadline of an idle connection closes it."""
        self.post(b"4b")
        self.endpoint.http_clock.advance(61)
        self.assertIsNone(self.channel._reading)
        self.assertTrue(self.transport.disconnecting)

    def test_client_leaves(self) -> None:
        self.post(b"4b")
        self.client.close()
        self.poll()
        self.assertFalse(self.is_ours())
        self.transport.connectionLost(Failure(ConnectionDone()))
        self.assertNotIn(self.channel, self.endpoint.site.channels)

    def test_lost_while_writing(self) -> None:
        """Whatever Twisted finds ends the reading too: the socket's number is free from now on."""
        self.post(b"4b")
        self.assertEqual(len(self.poller), 2)
        self.transport.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(len(self.poller), 1)

    def test_aborted(self) -> None:
        """A site that ends ends it too."""
        self.post(b"4b")
        self.channel.forceAbortClient()
        self.assertIsNone(self.channel._reading)
        self.reactor.advance(0)
        self.assertFalse(self.transport.connected)

    def test_websocket(self) -> None:
        """A WebSocket may come by a connection whose requests we have read."""
        self.post(b"4b")
        upgrade = POLLING.replace("polling", "websocket")
        self.say(http_request("GET", upgrade, headers=UPGRADE_HEADERS), ours=True)
        self.assertTrue(self.client.recv(65_536).startswith(b"HTTP/1.1 101 "))
        self.assertIs(type(self.endpoint.session.transport.transport), Descriptor)
        self.client.sendall(client_frame(TEXT, b"4c"))
        self.poll()
        self.assertEqual(self.endpoint.log, ["a", "b", "c"])
