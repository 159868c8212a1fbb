"""`mojo.engineio.transports.outlet`: in order, and no more than the transport takes."""

from twisted.trial.unittest import SynchronousTestCase

from mojo.engineio.transports.outlet import CHUNK, Greeting, Outlet
from mojo.testing.wire import WireTransport


class Producer:
    """Tells an outlet what its transport says, as the WebSocket transport does."""

    def __init__(self, outlet: Outlet) -> None:
        self.outlet = outlet

    def pauseProducing(self) -> None:
        self.outlet.full = True

    def resumeProducing(self) -> None:
        self.outlet.resume()


class OutletTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.transport = WireTransport("192.0.2.7")
        self.outlet = Outlet(self.transport)
        self.transport.registerProducer(Producer(self.outlet), True)

    def test_straight_through(self) -> None:
        """What the transport has room for is not kept."""
        self.outlet.send([b"abc", b"def"], 6)
        self.assertEqual((self.transport.written, self.outlet.unsent), (b"abcdef", 0))

    def test_long(self) -> None:
        """A long piece goes chunk by chunk, two of which the transport holds at most."""
        data = bytes(range(256)) * 1024  # four chunks
        self.transport.stalled = True
        self.outlet.send([data], len(data))
        self.assertEqual(len(self.transport.waiting), 2 * CHUNK)
        self.assertEqual((self.outlet.full, self.outlet.unsent), (True, 2 * CHUNK))
        self.transport.take(CHUNK)
        self.assertEqual(self.outlet.unsent, 2 * CHUNK)
        self.transport.take()
        self.assertEqual(self.outlet.unsent, 0)
        self.transport.catch_up()
        self.assertEqual(self.transport.written, data)
        self.assertFalse(self.outlet.full)

    def test_order(self) -> None:
        """What comes later waits behind what waits, however short it is."""
        self.transport.stalled = True
        self.outlet.send([b"a" * 3 * CHUNK], 3 * CHUNK)
        self.outlet.send([b"b", b"c"], 2)
        self.transport.catch_up()
        self.assertEqual(self.transport.written, b"a" * 3 * CHUNK + b"bc")

    def test_finish_at_once(self) -> None:
        """A transport that holds much closes when it has sent it: nobody is asked for more."""
        self.transport.stalled = True
        self.outlet.send([b"a" * 2 * CHUNK], 2 * CHUNK)
        self.outlet.finish(self.transport.loseConnection)
        self.assertIsNone(self.transport.producer)
        self.assertTrue(self.transport.disconnecting)

    def test_finish_later(self) -> None:
        """The end comes after all that waits."""
        self.transport.stalled = True
        self.outlet.send([b"a" * 4 * CHUNK], 4 * CHUNK)
        self.outlet.finish(self.transport.loseConnection)
        self.assertFalse(self.transport.disconnecting)
        self.transport.catch_up()
        self.assertTrue(self.transport.disconnecting)
        self.assertEqual(self.transport.written, b"a" * 4 * CHUNK)

    def test_last(self) -> None:
        """What is sent last waits behind what waits, and leaves before the end."""
        self.transport.stalled = True
        self.outlet.send([b"a" * 3 * CHUNK], 3 * CHUNK)
        self.outlet.send_last(b"bye")
        self.outlet.finish(self.transport.loseConnection)
        self.transport.catch_up()
        self.assertEqual(self.transport.written, b"a" * 3 * CHUNK + b"bye")
        self.assertTrue(self.transport.disconnecting)


class GreetingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.transport = WireTransport("192.0.2.7")
        self.outlet = Outlet(self.transport)
        self.place: object = None
        self.greeting = Greeting(b"hello ", self.outlet, self.take_place)

    def take_place(self, outlet: object) -> None:
        self.place = outlet

    def test_leaves_with_what_is_sent_first(self) -> None:
        """It is one write, and what is sent next is the outlet's own affair."""
        calls = []
        self.patch(self.transport, "write", calls.append)
        self.assertEqual(calls, [])
        self.greeting.send((b"wo", b"rld"), 5)
        self.assertEqual(calls, [b"hello world"])
        self.assertIs(self.place, self.outlet)

    def test_leaves_alone(self) -> None:
        self.greeting.send((), 0)
        self.assertEqual(self.transport.written, b"hello ")
        self.assertIs(self.place, self.outlet)

    def test_last(self) -> None:
        """It leaves before what is sent last, also where nothing was sent before."""
        self.greeting.send_last(b"and bye")
        self.assertEqual(self.transport.written, b"hello and bye")
        self.assertIs(self.place, self.outlet)

    def test_end(self) -> None:
        """It leaves before the end, if nothing was sent."""
        self.transport.registerProducer(Producer(self.outlet), True)
        self.greeting.finish(self.transport.loseConnection)
        self.assertEqual(self.transport.written, b"hello ")
        self.assertTrue(self.transport.disconnecting)
        self.assertIs(self.place, self.outlet)
