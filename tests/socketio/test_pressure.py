"""Clients that do not take what they are sent, over both transports."""

from twisted.trial.unittest import SynchronousTestCase

from mojo.errors import Disconnected
from mojo.socketio import event
from tests.socketio.world import World, remembering


class PressureTests:
    """Run for each transport below."""

    transport: str

    def open(self, *, handler=None, **engine_options):
        self.handler_class = handler or remembering()
        self.world = World({"/ChatSocket": self.handler_class}, engine_options=engine_options)
        self.client = self.world.connect("/ChatSocket", transport=self.transport)
        self.handler = self.handler_class.handlers[0]
        self.stop_reading()

    def stop_reading(self) -> None:
        """From now on the client takes nothing, until `received`."""
        if self.transport == "websocket":
            self.client.socket.wire.transport.stalled = True
            self.handler.emit("first", "x" * 200_000)
        else:
            self.handler.emit("first")  # ends the GET that waits
        self.world.turn()

    def received(self) -> list:
        """What the client gets when it reads again."""
        if self.transport == "websocket":
            self.client.socket.wire.transport.catch_up()
        return self.client.received()[1:]

    def test_volatile(self) -> None:
        """A client that is behind does without, one that is not gets it."""
        self.open()
        other = self.world.connect("/ChatSocket", transport=self.transport)
        self.handler.namespace.volatile.emit("position", 1)
        self.world.turn()
        self.assertEqual(self.handler.dropped, 1)
        self.assertEqual(other.received(), ['2/ChatSocket,["position",1]'])
        self.assertEqual(self.received(), [])
        self.handler.namespace.volatile.emit("position", 2)
        self.assertEqual(self.client.received(), ['2/ChatSocket,["position",2]'])
        self.assertEqual(other.received(), ['2/ChatSocket,["position",2]'])

    def test_volatile_that_waits(self) -> None:
        """With drop_volatile it waits while there is room."""
        self.open(overflow="drop_volatile")
        self.handler.volatile.emit("position", 1)
        self.assertEqual(self.received(), ['2/ChatSocket,["position",1]'])
        self.assertEqual(self.handler.dropped, 0)

    def test_only_events_are_dropped(self) -> None:
        """Acknowledgements, and what connects and disconnects, come whatever happens."""

        class Answering(remembering()):
            handlers: list = []  # noqa: RUF012

            @event
            def ask(self, text):
                return text

        self.open(handler=Answering, max_buffered=400_000, overflow="drop_oldest")
        self.client.send('2/ChatSocket,1["ask","one"]')
        for number in range(100):
            self.handler.emit("filler", number, "x" * 20_000)
        self.handler.close()
        packets = self.received()
        self.assertEqual(packets[0], '3/ChatSocket,1["one"]')
        self.assertEqual(packets[-1], "1/ChatSocket,")
        self.assertIn('"filler",99', packets[-2])
        self.assertGreater(self.handler.dropped, 70)
        self.assertEqual(len(packets), 102 - self.handler.dropped)

    def test_attachments(self) -> None:
        """An event is dropped with its attachments, or comes with them."""
        self.open(max_buffered=400_000, overflow="drop_oldest")
        for number in range(100):
            self.handler.emit("file", number, b"%03d" % number * 5_000, [b"%03d" % number])
        packets = self.received()
        self.assertGreater(self.handler.dropped, 70)
        self.assertEqual(len(packets), 3 * (100 - self.handler.dropped))
        for index in range(0, len(packets), 3):
            name = int(packets[index].split(",")[2])
            expected = (
                f'52-/ChatSocket,["file",{name},{{"_placeholder":true,"num":0}},'
                '[{"_placeholder":true,"num":1}]]'
            )
            digits = b"%03d" % name
            self.assertEqual(packets[index : index + 3], [expected, digits * 5_000, digits])

    def test_too_much(self) -> None:
        """The app hears of the end once, after the turn, and the others get what was sent."""
        self.open(max_buffered=400_000)
        other = self.world.connect("/ChatSocket", transport=self.transport)
        for number in range(45):
            self.handler.namespace.emit("filler", number, "x" * 10_000)
        self.assertEqual(self.handler_class.seen, [])
        self.world.turn()
        self.assertEqual(self.handler_class.seen, [("on_close", "transport error")])
        self.handler_class.handlers[1].emit("last")
        self.assertEqual(other.received()[-1], '2/ChatSocket,["last"]')
        self.received()
        self.assertTrue(self.client.closed)

    def test_drain(self) -> None:
        """A handler that waits goes on when the client has taken what it was sent."""
        self.open()
        self.handler.emit("page", 1)
        drained = self.handler.drain()
        self.world.turn()
        self.assertGreater(self.handler.buffered, 0)
        self.assertNoResult(drained)
        self.received()
        self.assertIsNone(self.successResultOf(drained))
        self.assertEqual(self.handler.buffered, 0)

    def test_drain_of_a_client_that_goes(self) -> None:
        self.open()
        self.handler.emit("page", 1)
        drained = self.handler.drain()
        self.handler.disconnect(close=True)
        self.failureResultOf(drained, Disconnected)


class WebSocketTests(PressureTests, SynchronousTestCase):
    transport = "websocket"


class PollingTests(PressureTests, SynchronousTestCase):
    transport = "polling"
