"""`mojo.engineio.transports.descriptor`, on real sockets: order, back-pressure, and each end."""

import socket

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.python.failure import Failure

from mojo.engineio.transports.closing import close_for_writing
from mojo.engineio.transports.outlet import CHUNK
from tests.engineio.sockets import Counted, PollerTestCase

#: More than the kernel takes of a client that does not read.
MUCH = bytes(range(256)) * 80_000


class DescriptorTestCase(PollerTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.descriptor, self.user, self.client = self.adopted()

    def receive(self, size: int) -> bytes:
        """Read at the client's end, while the poller polls."""
        received = bytearray()
        self.client.setblocking(False)
        while len(received) < size:
            if self.is_ready(0):
                self.poller.doRead()
            try:
                received += self.client.recv(1 << 20)
            except BlockingIOError:
                self.assertTrue(self.is_ready())
        self.client.settimeout(5)
        return bytes(received)


class SendingTests(DescriptorTestCase):
    def test_at_once(self) -> None:
        """What is sent together is one call, and with the client before anybody polls."""
        self.descriptor.socket = counted = Counted(self.descriptor.socket)
        self.descriptor.send([b"a", b"b", b"c"], 3)
        self.descriptor.write(b"d")
        self.assertEqual(counted.calls, [("send", 3), ("send", 1)])
        self.assertEqual(self.client.recv(4, socket.MSG_WAITALL), b"abcd")

    def test_long(self) -> None:
        """What is longer than a chunk is one call too, in its pieces."""
        self.descriptor.socket = counted = Counted(self.descriptor.socket)
        self.descriptor.send([b"head", b"x" * CHUNK], CHUNK + 4)
        self.assertEqual(counted.calls, [("sendmsg", CHUNK + 4)])
        self.assertEqual(self.descriptor.unsent, 0)

    def test_more_than_the_kernel_takes(self) -> None:
        """The rest waits, counted, and what is sent next waits behind it."""
        self.descriptor.send([MUCH], len(MUCH))
        self.assertTrue(0 < self.descriptor.unsent < len(MUCH))
        self.assertTrue(self.descriptor.full)
        self.descriptor.send([b"end"], 3)
        received = self.receive(len(MUCH) + 3)
        self.assertTrue(received == MUCH + b"end")
        self.assertEqual((self.descriptor.unsent, self.descriptor.full), (0, False))

    def test_nothing_is_passed(self) -> None:
        """The kernel has room again, but what waits has yet to use it."""
        self.descriptor.send([MUCH], len(MUCH))
        start = self.client.recv(1 << 22, socket.MSG_WAITALL)
        self.descriptor.write(b"end")
        rest = self.receive(len(MUCH) + 3 - len(start))
        self.assertTrue(start + rest == MUCH + b"end")

    def test_each_piece_is_told(self) -> None:
        """Who takes some of it is alive, and who took it all is not asked again."""
        self.descriptor.send([MUCH], len(MUCH))
        received = 0
        while not self.is_ready(0):
            received += len(self.client.recv(100_000))
        self.poller.doRead()
        self.assertEqual(self.user.takes, 1)
        self.assertGreater(self.descriptor.unsent, 0)
        self.receive(len(MUCH) - received)
        self.assertGreater(self.user.takes, 1)
        self.assertFalse(self.is_ready(0))

    def test_not_full_yet(self) -> None:
        """Up to a chunk may wait of which nobody is told."""
        self.descriptor.socket = Stuck(self.descriptor.socket)
        self.descriptor.send([b"x" * CHUNK], CHUNK)
        self.assertEqual((self.descriptor.unsent, self.descriptor.full), (CHUNK, False))
        self.descriptor.write(b"x")
        self.assertEqual((self.descriptor.unsent, self.descriptor.full), (CHUNK + 1, True))

    def test_full_until_all_is_taken(self) -> None:
        """As with Twisted's transports: else each byte taken would wake somebody."""
        self.descriptor.socket = stuck = Stuck(self.descriptor.socket)
        self.descriptor.send([b"x" * (CHUNK + 10)], CHUNK + 10)
        stuck.room = 100
        self.descriptor.ready(4)
        self.descriptor.write(b"x")
        self.assertEqual((self.descriptor.unsent, self.descriptor.full), (CHUNK - 89, True))
        stuck.room = CHUNK
        self.descriptor.ready(4)
        self.assertEqual((self.descriptor.unsent, self.descriptor.full), (0, False))

    def test_broken_connection(self) -> None:
        """The news comes when the turn is over, and not in the middle of a `send`."""
        for is_read in (True, False):
            descriptor, user, client = self.adopted()
            if not is_read:
                descriptor.pauseProducing()
            reset(client)
            for size in (1, 1000, 3 * CHUNK):
                descriptor.send([b"x" * size], size)
            self.assertEqual((user.lost, descriptor.unsent), ([], 0))
            self.reactor.advance(0)
            self.assertEqual(user.lost, [ConnectionLost])

    def test_broken_while_something_waits(self) -> None:
        self.descriptor.send([MUCH], len(MUCH))
        self.descriptor.pauseProducing()
        reset(self.client)
        self.poll()
        self.assertEqual(self.user.lost, [ConnectionLost])


class ReadingTests(DescriptorTestCase):
    def test_data(self) -> None:
        self.client.sendall(b"data")
        self.poll()
        self.assertEqual(self.user.received, b"data")

    def test_paused(self) -> None:
        """Nothing is read, nor looked at, until it is resumed."""
        self.descriptor.pauseProducing()
        self.client.sendall(b"data")
        self.assertFalse(self.is_ready(0))
        self.descriptor.resumeProducing()
        self.poll()
        self.assertEqual(self.user.received, b"data")

    def test_paused_in_the_same_batch(self) -> None:
        """An event that was on its way already is let be."""
        self.client.sendall(b"data")
        self.assertTrue(self.is_ready())
        self.descriptor.pauseProducing()
        self.descriptor.ready(1)
        self.assertEqual(self.user.received, b"")

    def test_long(self) -> None:
        """What fills a read is followed by the rest of what is there, in one long piece."""
        pieces = []
        self.user.dataReceived = lambda data: pieces.append(len(data))
        self.client.sendall(b"x" * CHUNK * 4)
        while sum(pieces) < CHUNK * 4:
            self.poll()  # which fails if nothing comes
        self.assertEqual(pieces[0], CHUNK)
        self.assertLess(len(pieces), 4 + 1)
        self.assertGreater(max(pieces), CHUNK)

    def test_long_and_paused(self) -> None:
        """Nobody is told more than wanted to be."""
        received = []

        def take(data: bytes) -> None:
            received.append(data)
            self.descriptor.pauseProducing()

        self.user.dataReceived = take
        self.client.sendall(b"x" * CHUNK * 2)
        self.poll()
        self.assertEqual(len(received), 1)

    def test_long_and_closed(self) -> None:
        """Who closes in the middle hears no more."""
        received = []

        def take(data: bytes) -> None:
            received.append(data)
            self.descriptor.abortConnection()

        self.user.dataReceived = take
        self.client.sendall(b"x" * CHUNK * 2)
        self.poll()
        self.assertEqual(len(received), 1)

    def test_nothing_there(self) -> None:
        """An event of somebody who had the number before does no harm."""
        self.descriptor.ready(1)
        self.assertEqual((self.user.received, self.user.lost), (b"", []))

    def test_end_of_the_stream(self) -> None:
        """The client closed: what it sent before is read first."""
        self.client.sendall(b"data")
        self.client.close()
        while not self.user.lost:
            self.poll()
        self.assertEqual((self.user.received, self.user.lost), (b"data", [ConnectionDone]))
        self.assertEqual(self.descriptor.socket.fileno(), -1)

    def test_reset(self) -> None:
        reset(self.client)
        self.poll()
        self.assertEqual(self.user.lost, [ConnectionLost])

    def test_hung_up(self) -> None:
        """Without anything to read: a clean end for who reads, a broken one for others."""
        self.descriptor.ready(0x10)
        self.assertEqual(self.user.lost, [ConnectionDone])
        descriptor, user, _ = self.adopted()
        descriptor.socket = Stuck(descriptor.socket)
        descriptor.pauseProducing()
        descriptor.write(b"x")
        descriptor.ready(0x18)
        self.assertEqual(user.lost, [ConnectionLost])


class EndTests(DescriptorTestCase):
    def test_lose(self) -> None:
        """What was sent arrives, and then the end; the user is told in the next turn."""
        self.descriptor.write(b"bye")
        self.descriptor.loseConnection()
        self.descriptor.loseConnection()
        self.descriptor.write(b"too late")
        self.assertEqual(self.user.lost, [])
        self.reactor.advance(0)
        self.assertEqual(self.user.lost, [ConnectionDone])
        self.assertEqual(self.client.recv(20, socket.MSG_WAITALL), b"bye")
        self.descriptor.write(b"much too late")
        self.descriptor.resumeProducing()
        self.descriptor.abortConnection()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_last(self) -> None:
        """What is sent last may wait in the kernel for the end, with which it leaves."""
        self.descriptor.socket = counted = Counted(self.descriptor.socket)
        self.descriptor.send_last(b"bye")
        self.assertEqual((counted.calls, counted.flags), ([("send", 3)], socket.MSG_MORE))
        self.descriptor.loseConnection()
        self.descriptor.send_last(b"too late")
        self.reactor.advance(0)
        self.assertEqual(self.client.recv(20, socket.MSG_WAITALL), b"bye")
        self.assertEqual((counted.calls, self.user.lost), ([("send", 3)], [ConnectionDone]))

    def test_last_waits(self) -> None:
        """It passes nothing, and what the kernel does not take of it waits here."""
        self.descriptor.send([MUCH], len(MUCH))
        self.descriptor.send_last(b"bye")
        self.descriptor.loseConnection()
        self.assertTrue(self.receive(len(MUCH) + 3) == MUCH + b"bye")
        descriptor, _, _ = self.adopted()
        descriptor.socket = stuck = Stuck(descriptor.socket)
        stuck.room = 1
        descriptor.send_last(b"b")
        stuck.room = 0
        descriptor.send_last(b"ye")
        self.assertEqual(descriptor.unsent, 2)

    def test_last_of_a_broken_one(self) -> None:
        reset(self.client)
        self.descriptor.send_last(b"bye")
        self.descriptor.loseConnection()
        self.reactor.advance(0)
        self.assertEqual(self.user.lost, [ConnectionLost])

    def test_lose_reads_no_more(self) -> None:
        self.descriptor.send([MUCH], len(MUCH))
        self.client.sendall(b"data")
        self.descriptor.loseConnection()
        self.descriptor.resumeProducing()
        self.assertFalse(self.is_ready(0))
        self.assertEqual(self.user.received, b"")

    def test_lose_waits(self) -> None:
        """It is closed when the client has taken all that waited, and no call is left."""
        self.descriptor.send([MUCH], len(MUCH))
        self.descriptor.loseConnection()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertTrue(self.receive(len(MUCH)) == MUCH)
        self.assertEqual(self.user.lost, [ConnectionDone])
        self.assertEqual(self.user.takes, 0)
        self.assertEqual(self.client.recv(1), b"")

    def test_half_close(self) -> None:
        """The client reads the end of our stream; we read on, and write nothing more."""
        self.descriptor.write(b"bye")
        close_for_writing(self.descriptor)
        self.descriptor.write(b"too late")
        self.assertEqual(self.client.recv(20, socket.MSG_WAITALL), b"bye")
        self.client.sendall(b"data")
        self.poll()
        self.assertEqual((self.user.received, self.user.lost), (b"data", []))
        self.client.close()
        self.poll()
        self.assertEqual(self.user.lost, [ConnectionDone])

    def test_half_close_waits(self) -> None:
        self.descriptor.send([MUCH], len(MUCH))
        self.descriptor.loseWriteConnection()
        self.assertTrue(self.receive(len(MUCH)) == MUCH)
        self.assertEqual(self.client.recv(1), b"")
        self.assertEqual(self.user.lost, [])
        self.descriptor.loseConnection()
        self.reactor.advance(0)
        self.assertEqual(self.user.lost, [ConnectionDone])

    def test_abort(self) -> None:
        """The client sees a reset, whatever waited; the user is told in the next turn, once."""
        self.descriptor.send([MUCH], len(MUCH))
        self.descriptor.abortConnection()
        self.descriptor.abortConnection()
        self.assertEqual((self.descriptor.unsent, self.user.lost), (0, []))
        self.assertFalse(self.is_ready(0))
        self.reactor.advance(0)
        self.assertEqual(self.user.lost, [ConnectionAborted])
        with self.assertRaises(ConnectionResetError):
            while self.client.recv(1 << 20):
                pass

    def test_abort_while_closing(self) -> None:
        """Who does not take what waits is not waited for."""
        self.descriptor.send([MUCH], len(MUCH))
        self.descriptor.loseConnection()
        self.descriptor.abortConnection()
        self.reactor.advance(0)
        self.assertEqual(self.user.lost, [ConnectionAborted])

    def test_lost_before_the_turn_is_over(self) -> None:
        """The client was quicker: it is told once."""
        self.descriptor.abortConnection()
        self.poller.connectionLost(Failure(ConnectionLost()))
        self.reactor.advance(0)
        self.assertEqual(self.user.lost, [ConnectionLost])


class Stuck(Counted):
    """A socket whose client takes so many bytes of a call and no more."""

    room = 0

    def send(self, data, flags=0) -> int:
        return self.sendmsg([data])

    def sendmsg(self, pieces) -> int:
        if not self.room:
            raise BlockingIOError
        return min(self.room, sum(map(len, pieces)))


def reset(client: socket.socket) -> None:
    """Break a connection off at the client's end."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
