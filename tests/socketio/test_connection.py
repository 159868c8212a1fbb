"""`mojo.socketio.connection`: what ends it while something else is going on."""

from __future__ import annotations

import json

from twisted.internet.defer import Deferred

from mojo.sessions.registry import Registry
from mojo.socketio import MojoSocketHandler
from tests.socketio.world import OverTransport, over_both, remembering


class Ending(OverTransport):
    def test_while_it_is_let_in(self) -> None:
        """What was held back for it may end it: it is then gone, and nowhere listed."""

        def on_open(self, request):
            self.on_any_outgoing(lambda *args: self.close())
            self.emit("welcome")

        handler_class = remembering(on_open=on_open)
        world = self.world(handler_class)
        registry = world.server.observer = Registry(world.server)
        client = world.client(self.transport, headers={"Cookie": "session_id=s1"})
        client.send("0/ChatSocket,")
        self.assertEqual(client.received(), ['0/ChatSocket,{"sid":"cid1"}', "1/ChatSocket,"])
        self.assertEqual(handler_class.seen, [("on_close", "server namespace disconnect")])
        self.assertEqual(dict(world.server.namespaces["/ChatSocket"].connections), {})
        self.assertEqual(list(registry.visitors), [])

    def test_login_that_ends_in_the_constructor(self) -> None:
        """There is no handler yet that could be told; the others lose the login too."""
        worlds: list = []

        class Handler(remembering()):
            def __init__(self, connection):
                super().__init__(connection)
                if len(self.handlers) == 2:
                    worlds[0].server.end_user("ada", "revoked")

        world = self.world(Handler)
        worlds.append(world)
        cookie = {"Cookie": "logged_in=ada"}
        first = world.client(self.transport, headers=cookie)
        self.connect(world, headers=cookie)
        first.send("0/ChatSocket,")
        self.assertEqual([h.user_id for h in Handler.handlers], [None, None])
        self.assertEqual(len(world.server.logins), 0)

    def test_one_ends_the_next(self) -> None:
        """Each connection of a client that goes ends once, also if an on_close ended it before."""
        registries: list = []

        class Handler(remembering(__endpoints__={"/doc/<id>": MojoSocketHandler})):
            def on_close(self, reason):
                registries[0].session(self.session_id).close()

        world = self.world(Handler, cleanup_empty_namespaces=True)
        world.server.observer = Registry(world.server)
        registries.append(world.server.observer)
        stays = self.connect(world, "/ChatSocket/doc/1")
        namespace = world.server.namespaces["/ChatSocket/doc/1"]
        leaves = self.connect(world, headers={"Cookie": "session_id=s1"})
        leaves.connect("/ChatSocket/doc/1")
        leaves.vanish()
        # It counts who is there, and would go under somebody's feet.
        self.assertIs(world.server.namespaces.get("/ChatSocket/doc/1"), namespace)
        stays.vanish()
        self.assertNotIn("/ChatSocket/doc/1", world.server.namespaces)


class Waiting(OverTransport):
    """Events to a client about which the app makes up its mind."""

    def open(self, **engine_options) -> None:
        self.decision: Deferred = Deferred()
        self.handler_class = remembering(on_open=lambda handler, request: self.decision)
        self.here = self.world(self.handler_class, engine_options=engine_options)
        self.client = self.here.client(self.transport)
        self.client.send("0/ChatSocket,")
        self.operator = self.here.server.namespaces["/ChatSocket"].operator
        (self.handler,) = self.handler_class.handlers

    def send(self, count: int, size: int = 10_000) -> None:
        for number in range(count):
            self.operator.emit("news", number, "x" * size)

    def numbers(self) -> list[int]:
        """Let the client in; give the numbers of the events that it gets."""
        self.decision.callback(None)
        opened, *events = self.client.received()
        self.assertEqual(opened[0], "0")
        return [json.loads(event.partition(",")[2])[1] for event in events]

    def test_in_order(self) -> None:
        self.open()
        self.send(5)
        self.assertEqual(self.numbers(), [0, 1, 2, 3, 4])
        self.assertEqual(self.handler.dropped, 0)

    def test_too_much(self) -> None:
        """The client is ended when the turn ends, as one that does not read."""
        self.open(max_buffered=200_000)
        self.send(19)
        self.here.turn()
        self.assertEqual(self.client.received(), [])
        self.assertEqual(self.handler.connection.state.value, "opening")
        self.send(1)
        self.here.turn()
        self.assertEqual(self.handler.connection.state.value, "closed")
        self.decision.callback(None)
        self.assertEqual(self.here.server.namespaces["/ChatSocket"].connections, {})
        self.assertEqual(self.handler_class.seen, [])

    def test_oldest(self) -> None:
        """Room is made for the newest, and what was dropped is counted."""
        self.open(max_buffered=200_000, overflow="drop_oldest")
        self.send(100)
        numbers = self.numbers()
        self.assertEqual(numbers, list(range(100 - len(numbers), 100)))
        self.assertTrue(17 <= len(numbers) <= 19, numbers)
        self.assertEqual(self.handler.dropped, 100 - len(numbers))

    def test_beside_what_waits_already(self) -> None:
        """The limit is one for all that waits for the client."""
        self.open(max_buffered=400_000, overflow="drop_oldest")
        if self.transport == "websocket":
            self.client.socket.wire.transport.stalled = True
        connection = self.handler.connection
        session = connection.client.session
        for _ in range(10):
            session.send("x" * 30_000)
        self.send(35)
        self.assertLessEqual(session.buffered + connection._held._outbox.size, 400_000)
        self.assertGreater(self.handler.dropped, 0)

    def test_volatile(self) -> None:
        """It is not kept for later; with drop_volatile it is, while there is room."""
        for overflow, numbers in (("close", []), ("drop_volatile", [1])):
            self.open(overflow=overflow)
            self.operator.volatile.emit("position", 1)
            self.assertEqual(self.numbers(), numbers)
            self.assertEqual(self.handler.dropped, 1 - len(numbers))


WebSocketEndingTests, PollingEndingTests = over_both(Ending)
WebSocketWaitingTests, PollingWaitingTests = over_both(Waiting)
