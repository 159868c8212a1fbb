"""Events that are sent again and handled once: `mojo.socketio.once`."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mojo.socketio import event
from mojo.socketio.once import HandledEvents
from tests.socketio.world import World, remembering


class HandledEventsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.handled = HandledEvents(self.clock, 600.0, 3)
        self.calls: list[str] = []

    def handle(self, key, result=None):
        def call():
            self.calls.append(key)
            if isinstance(result, Exception):
                raise result
            return result

        return self.handled.handle(key, call)

    def test_once(self) -> None:
        """The second time gives what the first time gave, and calls nothing."""
        self.assertEqual(self.handle("a", 1), 1)
        self.assertEqual(self.handle("a", 2), 1)
        self.assertEqual(self.calls, ["a"])

    def test_meanwhile(self) -> None:
        """Who asks while it is being handled gets the result when there is one."""
        first: Deferred = Deferred()
        again = [self.handle("a", first), self.handle("a"), self.handle("a")]
        for deferred in again:
            self.assertNoResult(deferred)
        first.callback("done")
        self.assertEqual([self.successResultOf(d) for d in again], ["done"] * 3)
        self.assertEqual(self.handle("a"), "done")
        self.assertEqual(self.calls, ["a"])

    def test_coroutine(self) -> None:
        async def later():
            return "result"

        self.assertEqual(self.successResultOf(self.handle("a", later())), "result")
        self.assertEqual(self.handle("a"), "result")

    def test_failure(self) -> None:
        """What failed was not handled: the next time it is."""
        self.assertRaises(ValueError, self.handle, "a", ValueError())
        first: Deferred = Deferred()
        again = [self.handle("a", first), self.handle("a")]
        first.errback(ValueError())
        for deferred in again:
            self.failureResultOf(deferred, ValueError)
        self.assertEqual(self.handle("a", 1), 1)
        self.assertEqual(self.calls, ["a"] * 3)
        self.assertEqual(len(self.handled), 1)

    def test_age(self) -> None:
        """After 600 seconds it is another event, and the old one is forgotten."""
        self.handle("a", 1)
        self.clock.advance(599)
        self.assertEqual(self.handle("a", 2), 1)
        self.clock.advance(1)
        self.assertEqual(self.handle("a", 2), 2)
        self.clock.advance(600)
        self.handle("b")
        self.assertEqual(len(self.handled), 1)

    def test_number(self) -> None:
        """Beyond three the oldest is forgotten."""
        for key in "abcd":
            self.handle(key, key)
        self.assertEqual(len(self.handled), 3)
        self.assertEqual(self.handle("b", "new"), "b")
        self.assertEqual(self.handle("a", "new"), "new")


class Once:
    """What clients see; a subclass for each transport runs it."""

    transport: str

    def setUp(self) -> None:
        self.bought: list = []

        @event(idempotent=True)
        def buy(handler, count, order):
            self.bought.append((count, order))
            return {"bought": len(self.bought)}

        self.handler_class = remembering(buy=buy)
        self.world = World({"/": self.handler_class})

    def connect(self, cookie="session_id=s1"):
        return self.world.connect(transport=self.transport, headers={"Cookie": cookie})

    def test_retry(self) -> None:
        client = self.connect()
        client.send('21["buy",3,"order-1"]')
        client.send('22["buy",3,"order-1"]')
        self.assertEqual(client.received(), ['31[{"bought":1}]', '32[{"bought":1}]'])
        self.assertEqual(self.bought, [(3, "order-1")])

    def test_other_connection(self) -> None:
        """The visitor, not the connection, is who has sent it."""
        self.connect().send('21["buy",3,"order-1"]')
        client = self.connect()
        client.send('25["buy",3,"order-1"]')
        self.assertEqual(client.received(), ['35[{"bought":1}]'])

    def test_other_visitor(self) -> None:
        """Nobody gets another's answer, whatever id is guessed."""
        self.connect().send('21["buy",3,"order-1"]')
        client = self.connect("session_id=s2")
        client.send('21["buy",3,"order-1"]')
        self.assertEqual(client.received(), ['31[{"bought":2}]'])

    def test_other_id(self) -> None:
        client = self.connect()
        client.send('21["buy",3,"order-1"]')
        client.send('22["buy",3,"order-2"]')
        self.assertEqual(len(self.bought), 2)

    def test_no_id(self) -> None:
        """Without an id it is not handled, and on_error hears why."""
        client = self.connect()
        for order in ("1", "null", '""', '"' + "x" * 201 + '"', "{}"):
            client.send(f'21["buy",3,{order}]')
        self.assertEqual(self.bought, [])
        self.assertEqual(client.received(), [])
        self.assertEqual(len(self.handler_class.seen), 5)
        client.send('21["buy",3,"' + "x" * 200 + '"]')
        self.assertEqual(len(self.bought), 1)


class WebSocketOnceTests(Once, SynchronousTestCase):
    transport = "websocket"


class PollingOnceTests(Once, SynchronousTestCase):
    transport = "polling"
