"""`mojo.engineio.transports.poller`: whose sockets it takes, and that nobody harms another."""

import gc
import select
import weakref

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Protocol
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure

from mojo.engineio.transports import poller as poller_module
from mojo.testing.wire import WireTransport
from tests.engineio.sockets import PollerTestCase, Reactor, User


class AdoptTests(PollerTestCase):
    def test_nothing_stays_of_twisted(self) -> None:
        """The reactor sees the poller in place of the transport, which can be collected."""
        transport, client = self.connected()
        number = transport.fileno()
        self.assertEqual(self.reactor.readers, [transport])
        user = User()
        descriptor = self.poller.adopt(transport, user)
        self.addCleanup(descriptor.socket.close)
        self.assertEqual((self.reactor.readers, self.reactor.writers), ([self.poller], []))
        self.assertEqual(descriptor.fd, number)
        gone = weakref.ref(transport)
        del transport
        gc.collect()
        self.assertIsNone(gone())
        descriptor.resumeProducing()
        client.sendall(b"data")
        self.poll()
        self.assertEqual(user.received, b"data")

    def test_what_stays(self) -> None:
        """TLS, whatever has something to write, and other transports stay as they are."""
        tls, _ = self.connected()
        tls.TLS = True
        busy, _ = self.connected()
        busy.write(b"x")
        gone, _ = self.connected()
        gone.connected = 0
        wrapped = ProtocolWrapper(None, Protocol())
        for transport in (tls, busy, gone, wrapped, WireTransport("192.0.2.7")):
            self.assertIsNone(self.poller.adopt(transport, User()), transport)
        self.assertEqual(len(self.poller), 0)
        self.assertEqual(self.reactor.readers, [tls, busy, gone])

    def test_another_reactor(self) -> None:
        """A socket is watched by the reactor in which it was opened."""
        self.adopted()
        mine, self.reactor = self.reactor, Reactor()
        transport, _ = self.connected()
        self.assertIsNone(self.poller.adopt(transport, User()))
        self.assertEqual((self.reactor.readers, mine.readers), ([transport], [self.poller]))

    def test_without_epoll(self) -> None:
        """Where there is none, as on macOS, Twisted's transports stay."""
        self.patch(poller_module, "select", object())
        transport, _ = self.connected()
        self.assertIsNone(self.poller.adopt(transport, User()))
        self.assertEqual(self.reactor.readers, [transport])

    def test_what_made_it_raised(self) -> None:
        """Twisted ends what it takes for its own then, and the connection ends."""
        transport, _ = self.connected()
        user = User()
        self.poller.adopt(transport, user)
        transport.connectionLost(Failure(ZeroDivisionError()))
        self.assertEqual(user.lost, [ZeroDivisionError])

    def test_the_last_one_goes(self) -> None:
        """A poller that watches nobody is no reader, and may be one again."""
        for _ in range(2):
            first, second = self.adopted()[0], self.adopted()[0]
            first.abortConnection()
            self.reactor.advance(0)
            self.assertEqual(self.reactor.readers, [self.poller])
            second.abortConnection()
            self.reactor.advance(0)
            self.assertEqual((self.reactor.readers, len(self.poller)), ([], 0))

    def test_every_kind_of_reactor(self) -> None:
        """It is readable to select, poll and epoll when there is something to do."""
        _, _, client = self.adopted()
        polls, epolls = select.poll(), select.epoll()
        self.addCleanup(epolls.close)
        for polling in (polls, epolls):
            polling.register(self.poller, 1)
        for data, ready in ((b"", []), (b"data", [(self.poller.fileno(), 1)])):
            client.sendall(data)
            self.assertEqual(self.is_ready(5 if data else 0), bool(data))
            self.assertEqual(polls.poll(0), ready)
            self.assertEqual(epolls.poll(0), ready)

    def test_the_reactor_stops(self) -> None:
        """It ends whoever it has, with its reason."""
        users = [self.adopted()[1] for _ in range(3)]
        self.poller.connectionLost(Failure(ConnectionLost()))
        self.assertEqual([user.lost for user in users], [[ConnectionLost]] * 3)


class Raising(User):
    """Raises when something comes."""

    error: BaseException = ZeroDivisionError("as asked")

    def dataReceived(self, data: bytes) -> None:
        raise self.error


class BatchTests(PollerTestCase):
    def all_send(self, *users: User) -> list:
        """Let the clients of some connections send something, in order, before one batch."""
        all_of_them = [self.adopted(user) for user in users]
        for descriptor, _, client in all_of_them:
            client.sendall(b"data")
            self.assertTrue(select.select([descriptor.socket], [], [], 5)[0])
        return all_of_them

    def test_one_raises(self) -> None:
        """Its connection ends, which is logged, and the others lose nothing."""
        for error in (ZeroDivisionError(), SystemExit()):
            before, bad, after = User(), Raising(), User()
            bad.error = error
            self.all_send(before, bad, after)
            self.poller.doRead()
            self.assertEqual((before.received, after.received), (b"data", b"data"))
            self.assertEqual((before.lost, after.lost), ([], []))
            self.assertEqual(bad.lost, [type(error)])
            self.assertEqual(len(self.flushLoggedErrors(type(error))), 1)
            self.assertEqual(self.batches.seen, ["hold", "release"])
            self.batches.seen.clear()

    def test_closed_in_the_batch(self) -> None:
        """Who was ended by another, or is to be, hears no more of what had come."""

        class Ending(User):
            def dataReceived(self, data: bytes) -> None:
                for descriptor, user, _ in connections:
                    if user is not self:
                        self.end(descriptor)

        for end in (
            lambda descriptor: descriptor.connectionLost(Failure(ConnectionLost())),
            lambda descriptor: descriptor.abortConnection(),
            lambda descriptor: descriptor.loseConnection(),
            lambda descriptor: descriptor.pauseProducing(),
        ):
            first, second = Ending(), Ending()
            first.end = second.end = end
            connections = self.all_send(first, second)
            heard: list[User] = []
            for user in (first, second):
                user.dataReceived = noting(user, heard)
            self.poller.doRead()
            self.assertEqual(len(heard), 1)
            self.reactor.advance(0)
            for descriptor, _, _ in connections:
                descriptor.connectionLost(Failure(ConnectionLost()))

    def test_the_end_raises_too(self) -> None:
        """That is logged as well, and is nobody else's end."""

        class Worse(Raising):
            def connectionLost(self, reason) -> None:
                raise KeyError("as asked")

        after = User()
        self.all_send(Worse(), after)
        self.poller.doRead()
        self.assertEqual((after.received, after.lost), (b"data", []))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError, KeyError)), 2)
        self.assertEqual(len(self.poller), 1)

    def test_bounded(self) -> None:
        """Of more than a batch the rest has its turn after everybody else's."""
        self.patch(poller_module, "_MOST_EVENTS", 2)
        users = [User() for _ in range(5)]
        self.all_send(*users)
        for expected in (2, 4, 5):
            self.poll()
            self.assertEqual(sum(user.received == b"data" for user in users), expected)
        self.assertFalse(self.is_ready(0))

    def test_looks_again(self) -> None:
        """Who goes on because it was answered has no turn of the reactor to wait for."""
        test = self

        class Answered(User):
            def dataReceived(self, data: bytes) -> None:
                super().dataReceived(data)
                if data == b"data":
                    client.sendall(b", more")
                    test.assertTrue(select.select([descriptor.socket], [], [], 5)[0])

        ((descriptor, user, client),) = self.all_send(Answered())
        self.poller.doRead()
        self.assertEqual(user.received, b"data, more")
        self.assertEqual(self.batches.seen, ["hold", "release"] * 2)

    def test_what_a_batch_sends(self) -> None:
        """A batch is told of when it begins and when it has ended."""
        self.all_send(User(), User())
        self.poller.doRead()
        self.assertEqual(self.batches.seen, ["hold", "release"])

    def test_ends(self) -> None:
        """Who closes in a batch has ended with it, after whatever the others were sent."""

        class Leaving(User):
            def dataReceived(self, data: bytes) -> None:
                super().dataReceived(data)
                (mine,) = [d for d, user, _ in connections if user is self]
                mine.loseConnection()
                log.append("leaves")

            def connectionLost(self, reason) -> None:
                super().connectionLost(reason)
                log.append("has left")

        log = self.batches.seen
        first, second = Leaving(), Leaving()
        connections = self.all_send(first, second)
        self.poller.doRead()
        batch, ends = ["hold", "leaves", "leaves", "release"], ["has left", "has left"]
        self.assertEqual(log, [*batch, "hold", *ends, "release"])
        self.assertEqual((first.lost, second.lost), ([ConnectionDone], [ConnectionDone]))
        self.assertEqual((len(self.poller), self.reactor.getDelayedCalls()), (0, []))

    def test_an_end_raises(self) -> None:
        """It is logged, and the others end all the same."""

        class Leaving(User):
            def dataReceived(self, data: bytes) -> None:
                for descriptor, _, _ in connections:
                    descriptor.loseConnection()

        class Worse(User):
            def connectionLost(self, reason) -> None:
                raise SystemExit

        after = User()
        connections = self.all_send(Leaving(), Worse(), after)
        self.poller.doRead()
        self.assertEqual(len(self.flushLoggedErrors(SystemExit)), 1)
        self.assertEqual((after.lost, len(self.poller)), ([ConnectionDone], 0))
        self.assertEqual(self.batches.seen[-1], "release")


def noting(user: User, heard: list[User]):
    """Give a user's ``dataReceived`` that notes who heard."""
    receive = user.dataReceived

    def note(data: bytes) -> None:
        heard.append(user)
        receive(data)

    return note
