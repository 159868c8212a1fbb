"""`mojo.socketio.delivery`: what many are owed together comes as if each had been sent it."""

import json
import random

from twisted.trial.unittest import SynchronousTestCase

from mojo.errors import Disconnected
from mojo.socketio import delivery, event
from tests.socketio.world import World, remembering

FOLDED = "/ChatSocket/"


class Story:
    """
    Whatever may happen to some clients, told by a seed; ``heard`` is what they and the app saw.

    Args:
        seed: of what happens.
        options: the mounts'.
    """

    def __init__(self, seed: int, **options: object) -> None:
        self.chance = random.Random(seed)
        self.heard: list = []
        story = self

        def ask(handler, number):
            handler.namespace.emit("asked", number)
            return number

        self.app = remembering(
            ask=event(ask),
            on_open=lambda handler, request: handler.namespace.emit("came", handler.id),
            on_logout=lambda handler, reason: handler.namespace.emit("out", story.number),
        )
        self.number = 0
        # When who waited for a client to have taken everything went on.
        self.drained: dict[int, int] = {}
        self.world = World({"/ChatSocket": self.app}, engine_options=options)
        self.clients = []
        for _ in range(2):
            for transport in ("websocket", "polling"):
                self.come(transport)
            self.come("websocket", namespace="/", path=FOLDED)

    def come(self, transport: str, namespace: str = "/ChatSocket", **options: str) -> None:
        client = self.world.connect(namespace, transport=transport, **options)
        client.name = "" if namespace == "/" else f"{namespace},"
        self.clients.append(client)

    def tell(self, steps: int) -> list:
        """Let so many things happen, and give what was heard."""
        kinds = [name.removeprefix("do_") for name in dir(self) if name.startswith("do_")]
        weights = [1 if name in RARE else 6 for name in kinds]
        for kind in self.chance.choices(kinds, weights, k=steps):
            self.number += 1
            getattr(self, f"do_{kind}")()
        for client in self.clients:
            self.wake(client)
        for client in self.clients:
            self.read(client)
            self.heard.append(client.ended)
        stats = self.world.server.engine_stats
        self.heard += [self.app.seen, sorted(self.drained.items())]
        self.heard += [stats.packets_sent, stats.dropped]
        return self.heard

    @property
    def client(self):
        return self.chance.choice(self.clients)

    @property
    def handler(self):
        return self.chance.choice(self.app.handlers)

    def wake(self, client) -> None:
        if client.transport == "websocket":
            client.socket.wire.transport.catch_up()

    def read(self, client) -> None:
        try:
            self.heard.append(client.received())
        except AssertionError:
            # The client does not read on, or the connection broke, in the middle of a frame.
            client.ended = True

    # -- what may happen ------------------------------------------------------

    def do_all(self) -> None:
        self.handler.namespace.emit("all", self.number)

    def do_all_again(self) -> None:
        for _ in range(3):
            self.handler.namespace.emit("again", self.number)

    def do_others(self) -> None:
        self.handler.broadcast.emit("others", self.number)

    def do_room(self) -> None:
        self.handler.namespace.to("room").emit("room", self.number)

    def do_volatile(self) -> None:
        self.handler.namespace.volatile.emit("volatile", self.number)

    def do_bytes(self) -> None:
        self.handler.namespace.emit("bytes", self.number, b"a", b"b")

    def do_long(self) -> None:
        self.handler.namespace.emit("long", self.number, "x" * self.chance.choice((9_000, 70_000)))

    def do_one(self) -> None:
        self.handler.emit("one", self.number)

    def do_ask(self) -> None:
        client = self.client
        if not client.ended:
            client.send(f'2{client.name}{self.number}["ask",{self.number}]')

    def do_batch(self) -> None:
        """Some clients send in one turn, whose end is told to the sessions."""
        flushes = next(iter(self.world.mounts.values())).engine.flushes
        flushes.hold()
        for _ in range(3):
            self.do_ask()
        flushes.release()

    def do_enter(self) -> None:
        self.handler.join("room")

    def do_leave(self) -> None:
        self.handler.leave("room")

    def do_look(self) -> None:
        handler = self.handler
        self.heard.append((handler.dropped, handler.buffered))

    def do_drain(self) -> None:
        drained = self.handler.drain()
        drained.addCallbacks(
            lambda _, number=self.number: self.drained.update({number: self.number}),
            lambda failure: failure.trap(Disconnected),
        )

    def do_turn(self) -> None:
        self.world.turn()

    def do_read(self) -> None:
        self.read(self.client)

    def do_stall(self) -> None:
        client = self.client
        if client.transport == "websocket":
            client.socket.wire.transport.stalled = True

    def do_wake(self) -> None:
        self.wake(self.client)

    def do_ping(self) -> None:
        self.handler._connection.client.session.ping()

    def do_newcomer(self) -> None:
        if len(self.clients) < 12:
            self.come(self.chance.choice(("websocket", "polling")))

    def do_listen(self) -> None:
        self.handler.on_any_outgoing(lambda *_: self.heard.append("listener"))

    def do_kick(self) -> None:
        self.handler.close()

    def do_end(self) -> None:
        self.handler.disconnect(close=True)

    def do_vanish(self) -> None:
        self.client.vanish()

    def do_lose_namespace(self) -> None:
        client = self.client
        if not client.ended:
            client.send(f"1{client.name}")


RARE = {"end", "kick", "listen", "lose_namespace", "newcomer", "vanish"}


class DeliveryTests(SynchronousTestCase):
    def compare(self, **options: object) -> None:
        """The same stories, with everything owed and with nothing."""
        for seed in range(40):
            told = []
            for many in (1, 1_000_000):
                self.patch(delivery, "_MANY", many)
                told.append(Story(seed, **options).tell(60))
            self.assertEqual(json.dumps(told[0], default=str), json.dumps(told[1], default=str))

    def test_stories(self) -> None:
        """Clients hear the same, in the same order, and the app sees the same."""
        self.compare()

    def test_with_little_room(self) -> None:
        """And what is dropped is the same, whatever the policy."""
        for overflow in ("close", "drop_volatile", "drop_oldest"):
            self.compare(max_buffered=50_000, overflow=overflow)

    def test_parts(self) -> None:
        """A GET may have room for some of the messages only: the others come by the next ones."""
        self.patch(delivery, "_MANY", 1)
        app = remembering()
        client = World({"/": app}, engine_options={"max_payload": 300}).connect(transport="polling")
        client.received()
        for number in range(40):
            app.handlers[0].namespace.emit("part", number)
        self.assertEqual(client.received(), [f'2["part",{number}]' for number in range(40)])

    def test_closed(self) -> None:
        """A connection that has ended gets nothing, though it may still be in a room."""
        self.patch(delivery, "_MANY", 1)
        app = remembering()
        client = World({"/": app}).connect()
        (handler,) = app.handlers
        connection = handler._connection
        handler.close()
        delivery.deliver(connection.namespace.parser.event("x", ()), [connection])
        self.assertEqual(client.received(), ["1"])

    def test_listener(self) -> None:
        """A listener may end whom it likes: who was to get the message before has got it."""
        self.patch(delivery, "_MANY", 3)
        app = remembering()
        world = World({"/": app})
        clients = [world.connect() for _ in range(3)]
        first, second, third = app.handlers
        second.on_any_outgoing(lambda *_: (first.close(), third.close()))
        first.namespace.emit("x")
        ended = ['2["x"]', "1"]
        self.assertEqual([c.received() for c in clients], [ended, ['2["x"]'], ended])

    def test_mounts(self) -> None:
        """Clients of several mounts are owed a message together, under each one's name."""
        self.patch(delivery, "_MANY", 2)
        app = remembering()
        world = World({"/ChatSocket": app})
        shared = [world.connect("/ChatSocket") for _ in range(2)]
        folded = [world.connect("/", path=FOLDED) for _ in range(2)]
        app.handlers[0].namespace.emit("x")
        app.handlers[3].emit("y")
        app.handlers[0].namespace.emit("z")
        self.assertEqual(shared[1].received(), ['2/ChatSocket,["x"]', '2/ChatSocket,["z"]'])
        self.assertEqual(folded[1].received(), ['2["x"]', '2["y"]', '2["z"]'])
