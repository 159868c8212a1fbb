"""A WebSocket on plain TCP, through a real Site and on real sockets, and where that cannot be."""

import select
import socket

from twisted.internet import tcp
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from mojo.engineio.transports import poller as poller_module
from mojo.engineio.transports.descriptor import Descriptor
from mojo.engineio.transports.outlet import CHUNK, Outlet
from mojo.testing.frames import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    UPGRADE_HEADERS,
    client_frame,
    parse_frames,
)
from mojo.testing.http import http_request
from tests.engineio.endpoint import WEBSOCKET, Endpoint
from tests.engineio.sockets import Counted, PollerTestCase

REQUEST = http_request("GET", WEBSOCKET, headers=UPGRADE_HEADERS)
MUCH = "x" * 20_000_000


class PlainTcpTestCase(PollerTestCase):
    def open(self, *, rest: bytes = b"", **options: object) -> socket.socket:
        """Open a WebSocket, whose open packet was read."""
        self.endpoint = Endpoint(**options)
        return self.open_another(rest)

    def open_another(self, rest: bytes = b"") -> socket.socket:
        channel = self.endpoint.site.buildProtocol(None)
        self.transport, client = self.connected(channel)
        self.transport.socket = self.counted = Counted(self.transport.socket)
        channel.makeConnection(self.transport)
        client.sendall(REQUEST + rest)
        self.poller = self.endpoint.site.plain_mounts[b"/engine.io"]._websockets.poller
        self.read()
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.recv(1)
        self.assertTrue(head.startswith(b"HTTP/1.1 101 "))
        self.assertEqual(self.receive(client, 1)[0].payload[:1], b"0")
        self.session = self.endpoint.session
        return client

    def read(self) -> None:
        """Let Twisted's transport read, as the reactor would."""
        select.select([self.transport], [], [], 5)
        self.transport.doRead()

    def receive(self, client: socket.socket, count: int) -> list:
        """Read some short frames at the client's end."""
        data = b""
        for _ in range(count):
            head = client.recv(2, socket.MSG_WAITALL)
            size = head[1]
            if size == 126:
                head += client.recv(2, socket.MSG_WAITALL)
                size = int.from_bytes(head[2:], "big")
            data += head + client.recv(size, socket.MSG_WAITALL)
        return parse_frames(data)

    def texts(self, client: socket.socket, count: int) -> list[str]:
        return [frame.payload.decode() for frame in self.receive(client, count)]


class OwnWayTests(PlainTcpTestCase):
    def test_no_transport_of_twisteds(self) -> None:
        """The reactor watches the poller alone, and what carries the session is a descriptor."""
        self.open()
        self.assertEqual(self.reactor.readers, [self.poller])
        self.assertIs(type(self.session.transport.transport), Descriptor)
        self.assertEqual(self.endpoint.site.channels, set())

    def test_opens_by_one_send(self) -> None:
        """What opens the WebSocket and the first packet leave together."""
        self.open()
        ((call, _size),) = self.counted.calls
        self.assertEqual(call, "send")

    def test_messages(self) -> None:
        client = self.open()
        client.sendall(client_frame(TEXT, b"4a") + client_frame(TEXT, b"4b"))
        self.poll()
        self.assertEqual(self.endpoint.log, ["a", "b"])
        self.session.send("c")
        self.endpoint.turn()
        self.assertEqual(self.texts(client, 1), ["4c"])

    def test_frames_behind_the_request(self) -> None:
        """What came in one piece with the request is read, and what comes next, after it."""
        client = self.open(rest=client_frame(TEXT, b"4a") + client_frame(TEXT, b"4b")[:3])
        client.sendall(client_frame(TEXT, b"4b")[3:])
        self.poll()
        self.assertEqual(self.endpoint.log, ["a", "b"])

    def test_answers_leave_with_the_batch(self) -> None:
        """What several clients are sent because of what they sent takes no turn of the reactor."""
        first = self.open()
        second = self.open_another()
        sessions = [application.session for application in self.endpoint.applications]
        for application in self.endpoint.applications:
            application.message_received = lambda data: [s.send(data + data) for s in sessions]
        for client in (first, second):
            client.sendall(client_frame(TEXT, b"4a"))
            self.poll()
            # That of the heartbeat alone.
            self.assertEqual(len(self.endpoint.clock.getDelayedCalls()), 1)
        for client in (first, second):
            self.assertEqual(self.texts(client, 2), ["4aa", "4aa"])

    def test_one_write(self) -> None:
        """What one batch sends to one client is one call, in the order in which it was sent."""
        client = self.open()
        descriptor = self.session.transport.transport
        descriptor.socket = counted = Counted(descriptor.socket)
        session = self.session
        self.endpoint.applications[-1].message_received = lambda data: session.send(f"re: {data}")
        client.sendall(b"".join(client_frame(TEXT, b"4%d" % number) for number in range(5)))
        self.poll()
        self.assertEqual(len(counted.calls), 1)
        self.assertEqual(self.texts(client, 5), [f"4re: {number}" for number in range(5)])

    def test_a_handler_raises(self) -> None:
        """The other messages of the batch are not lost, and the connection stays."""
        client = self.open()
        client.sendall(b"".join(client_frame(TEXT, b"4" + t) for t in (b"a", b"raise", b"b")))
        self.poll()
        self.assertEqual(self.endpoint.log, ["a", "b"])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_client_that_does_not_read(self) -> None:
        """What the kernel does not take waits, counted; when it is read all comes, in order."""
        client = self.open(max_buffered=50_000_000)
        self.session.send(MUCH)
        self.session.send("end")
        self.endpoint.turn()
        self.assertFalse(self.session.writable)
        waiting = self.session.buffered
        self.assertTrue(CHUNK < waiting < len(MUCH) + 2000)
        drained = self.session.drain()
        self.assertNoResult(drained)
        received = b""
        client.setblocking(False)
        while not received.endswith(b"\x81\x044end"):
            if self.is_ready(0):
                self.poller.doRead()
            try:
                received += client.recv(1 << 20)
            except BlockingIOError:
                self.assertTrue(self.is_ready())
        self.assertEqual(len(received), 10 + 1 + len(MUCH) + 6)
        self.assertEqual((self.session.buffered, self.session.writable), (0, True))
        self.successResultOf(drained)

    def test_long_bytes_are_not_copied(self) -> None:
        """They leave as they are, behind a head of their own, and in their turn."""
        client = self.open()
        data = bytes(100_000)
        seen = []

        class Socket(Counted):
            def sendmsg(self, pieces) -> int:
                seen.extend(pieces)
                return super().sendmsg(pieces)

        descriptor = self.session.transport.transport
        descriptor.socket = counted = Socket(descriptor.socket)
        for message in ("a", data, "b"):
            self.session.send(message)
        self.endpoint.turn()
        self.assertEqual(seen[:2], [b"\x81\x024a", b"\x82\x7f\0\0\0\0\0\x01\x86\xa0"])
        self.assertIs(seen[2], data)
        self.assertEqual(counted.calls, [("sendmsg", 100_014), ("send", 4)])
        received = client.recv(100_018, socket.MSG_WAITALL)
        self.assertEqual(
            [(frame.opcode, len(frame.payload)) for frame in parse_frames(received)],
            [(TEXT, 2), (BINARY, 100_000), (TEXT, 2)],
        )

    def test_pings_of_who_does_not_read(self) -> None:
        """It is not read until it has taken what waits: pongs would fill our memory."""
        client = self.open(max_buffered=50_000_000)
        self.session.send(MUCH)
        self.endpoint.turn()
        client.sendall(client_frame(PING, b"p") + client_frame(TEXT, b"4a"))
        self.poll()
        client.sendall(client_frame(TEXT, b"4b"))
        self.assertEqual(self.endpoint.log, ["a"])
        self.assertFalse(self.is_ready(0))
        left = 10 + 1 + len(MUCH)
        while left:
            left -= len(client.recv(min(left, 1 << 20)))
            if self.is_ready(0):
                self.poller.doRead()
            if self.session.transport.unsent:
                self.assertEqual(self.endpoint.log, ["a"])
        (pong,) = self.receive(client, 1)
        self.assertEqual((pong.opcode, pong.payload), (PONG, b"p"))
        while self.endpoint.log == ["a"]:
            self.poll()
        self.assertEqual(self.endpoint.log, ["a", "b"])

    def test_violation(self) -> None:
        """The client reads why, and the end of our stream; then it has its time to close."""
        client = self.open()
        client.sendall(b"\xff\xff\xff\xff")
        self.poll()
        (close,) = self.receive(client, 1)
        self.assertEqual((close.opcode, close.code), (CLOSE, 1002))
        self.assertEqual(client.recv(1), b"")
        self.assertEqual(self.endpoint.log, [("closed", "transport error")])
        client.sendall(b"more")
        self.poll()
        client.close()
        self.poll()
        self.assertEqual(self.reactor.readers, [])

    def test_closing_handshake(self) -> None:
        """The client closes: it is answered, and the socket goes with the answer."""
        client = self.open()
        client.sendall(client_frame(CLOSE, b"\x03\xe8"))
        self.poll()
        self.assertEqual(self.counted.flags, socket.MSG_MORE)
        (close,) = self.receive(client, 1)
        self.assertEqual((close.opcode, close.code), (CLOSE, 1000))
        self.assertEqual(client.recv(1), b"")
        self.assertEqual(self.endpoint.log, [("closed", "transport close")])
        self.assertEqual(self.reactor.readers, [])

    def test_closes_and_does_not_read(self) -> None:
        """Who says goodbye and leaves our answer unread is waited for no longer than others."""
        client = self.open(max_buffered=50_000_000, close_timeout=5.0)
        self.session.send(MUCH)
        self.endpoint.turn()
        client.sendall(client_frame(CLOSE, b"\x03\xe8"))
        self.poll()
        self.endpoint.clock.advance(5)
        self.reactor.advance(0)
        self.assertEqual(self.reactor.readers, [])
        self.assertEqual([end for end, *_ in self.endpoint.log], ["closed"])

    def test_vanished(self) -> None:
        """A connection that is cut is an error, one that is closed is none."""
        client = self.open()
        client.close()
        self.poll()
        self.assertEqual(self.endpoint.log, [("closed", "transport close")])
        client = self.open()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        self.poll()
        self.assertEqual(self.endpoint.log, [("closed", "transport error")])

    def test_the_reactor_stops(self) -> None:
        self.open()
        self.poller.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.endpoint.log, [("closed", "transport error")])


class TwistedsWayTests(PlainTcpTestCase):
    def test_without_epoll(self) -> None:
        """The same messages go by Twisted's transport."""
        self.patch(poller_module, "select", object())
        client = self.open(rest=client_frame(TEXT, b"4a"))
        self.assertIs(type(self.session.transport.transport), tcp.Server)
        self.assertIs(type(self.session.transport._outlet), Outlet)
        self.assertEqual(self.reactor.readers, [self.transport])
        client.sendall(client_frame(TEXT, b"4b"))
        self.read()
        self.session.send("c")
        self.endpoint.turn()
        self.assertEqual(self.endpoint.log, ["a", "b"])
        self.assertEqual(self.texts(client, 1), ["4c"])

    def test_an_answer_waits(self) -> None:
        """What Twisted has yet to write leaves before the WebSocket opens."""
        self.endpoint = Endpoint()
        channel = self.endpoint.site.buildProtocol(None)
        self.transport, client = self.connected(channel)
        channel.makeConnection(self.transport)
        self.transport.write(b"answer")
        client.sendall(REQUEST)
        self.read()
        self.transport.doWrite()
        self.assertEqual(client.recv(15, socket.MSG_WAITALL), b"answerHTTP/1.1 ")
        self.assertIs(type(self.endpoint.session.transport.transport), tcp.Server)
