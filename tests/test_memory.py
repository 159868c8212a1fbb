"""
Nothing stays of clients that are gone, however they went.

Every kind of life is lived many times over, in memory and on a clock; then there must be no
object more of any of our classes than there was before, no timer, and no memory that grows
with the number of rounds.
"""

import gc
import json
import sys
from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from mojo import ConnectionRefused, event
from mojo.sessions.registry import Registry
from mojo.testing.frames import BINARY, WebSocketWire, client_frame
from mojo.testing.wire import Wire, WireTransport
from tests.own_log import keep_log_here
from tests.socketio.world import World, remembering

ROUNDS = 25
SHARED = "/socket.io/?EIO=4&transport="


class Visited(remembering()):
    """Takes everybody in but those who say otherwise, and makes them leave traces."""

    seen: list = []  # noqa: RUF012

    def __init__(self, connection) -> None:
        super().__init__(connection)
        self.handlers.clear()  # or we would keep them ourselves

    def on_open(self, request):
        if request.auth.get("refuse"):
            raise ConnectionRefused("no", {"why": "as asked"})
        self.join("lobby", f"own room of {self.id}")
        self.data["friend"] = self
        self.on_any(lambda name, *args: None)

    @event
    def ask(self, *args):
        self.emit("asked back", ack=lambda answer: self.emit("answered", answer))
        self.call("called", timeout=30).addErrback(lambda failure: None)
        self.broadcast.emit("somebody asked", *args)
        return args

    @event
    async def wait(self):
        await self.call("never answered", timeout=None)


class Lives:
    """
    The kinds of life.

    Args:
        world: where they are lived.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.number = 0

    def visitor(self) -> dict[str, str]:
        """The cookies of somebody who was never here."""
        self.number += 1
        return {"Cookie": f"session_id=s{self.number}; logged_in=u{self.number}"}

    def connect(self, transport: str, namespace: str = "/ChatSocket"):
        client = self.world.connect(namespace, transport=transport, headers=self.visitor())
        client.send(f'2{namespace},1["ask","x"]', f'2{namespace},["wait"]')
        client.received()
        return client

    def polling(self) -> tuple[str, dict[str, str]]:
        headers = self.visitor()
        wire = Wire(self.world.site)
        wire.ask("GET", SHARED + "polling", headers=headers)
        sid = json.loads(wire.answer().text[1:])["sid"]
        wire.hang_up()
        return f"{SHARED}polling&sid={sid}", headers

    def vanish(self) -> None:
        """Connect, talk, and be gone without a word."""
        for transport in ("websocket", "polling"):
            self.connect(transport).vanish()

    def leave(self) -> None:
        """Connect, talk, and say goodbye, in each way that there is."""
        for transport in ("websocket", "polling"):
            client = self.connect(transport)
            client.send("1/ChatSocket,")
            client.vanish()
            client = self.connect(transport)
            if transport == "websocket":
                client.socket.send("1")
                client.vanish()
            else:
                Wire(self.world.site).post(client.uri, b"1", Cookie=client.headers["Cookie"])

    def be_refused(self) -> None:
        """Be refused by the app, by a name that is no namespace, and by the protocol."""
        for transport in ("websocket", "polling"):
            client = self.world.client(transport, headers=self.visitor())
            client.send('0/ChatSocket,{"refuse":true}', "0/Nowhere,")
            client.received()
            client.vanish()
            client = self.world.client(transport, headers=self.visitor())
            client.send("nonsense")
            if transport == "websocket":
                client.vanish()

    def be_closed(self) -> None:
        """Be closed by the server, and disconnected by the app."""
        for transport in ("websocket", "polling"):
            for close in (True, False):
                client = self.connect(transport)
                namespace = self.world.server.namespaces["/ChatSocket"]
                namespace.operator.disconnect_sockets(close=close)
                if transport == "websocket" or not client.closed:
                    client.vanish()

    def half_an_upgrade(self) -> None:
        """Begin to move to WebSocket and be gone, at each step; or never go on."""
        for steps in ((), ("2probe",), ("2probe", "nonsense"), ("2probe", "5")):
            uri, headers = self.polling()
            socket = WebSocketWire(self.world.site, uri.replace("polling", "websocket"), headers)
            for step in steps:
                socket.send(step)
            socket.wire.hang_up()
            wire = Wire(self.world.site)
            wire.ask("GET", uri, headers=headers)
            wire.hang_up()
        for gone in (True, False):
            uri, headers = self.polling()
            WebSocketWire(self.world.site, uri.replace("polling", "websocket"), headers).send(
                "2probe"
            )
            if gone:
                wire = Wire(self.world.site)
                wire.ask("GET", uri, headers=headers)
                wire.ask("GET", uri, headers=headers)  # pipelined: it waits for the noop
                wire.hang_up()

    def abort_polling(self) -> None:
        """Break a GET off, and a POST in the middle of its body."""
        uri, headers = self.polling()
        wire = Wire(self.world.site)
        wire.ask("GET", uri, headers=headers)
        wire.hang_up()
        uri, headers = self.polling()
        wire = Wire(self.world.site)
        wire.send(f"POST {uri} HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n40".encode())
        wire.hang_up()

    def never_join(self) -> None:
        """Shake hands, and do nothing more."""
        self.world.client("websocket", headers=self.visitor())
        self.world.client("polling", headers=self.visitor())

    def owe_attachments(self) -> None:
        """Announce more than is sent."""
        client = self.connect("websocket")
        client.send('52-/ChatSocket,["ask",{"_placeholder":true,"num":0}]')
        client.socket.send_raw(client_frame(BINARY, b"one"))
        client.vanish()

    def take_nothing(self) -> None:
        """Read nothing, until too much waits."""
        client = self.connect("websocket")
        client.socket.wire.transport.stalled = True
        namespace = self.world.server.namespaces["/ChatSocket"].operator
        for _ in range(5):
            namespace.emit("news", "x" * 100_000, b"y" * 50_000)
        self.world.turn()

    def go_by_a_name_of_ones_own(self) -> None:
        """Join a namespace that is made on demand, and leave it."""
        self.connect("websocket", f"/ChatSocket/doc/{self.number}").vanish()

    KINDS = (
        vanish, leave, be_refused, be_closed, half_an_upgrade, abort_polling, never_join,
        owe_attachments, take_nothing, go_by_a_name_of_ones_own,
    )  # fmt: skip


def our_objects() -> Counter[str]:
    """How many objects there are of each class of ours, Autobahn's, and of timers."""
    gc.collect()
    return Counter(
        f"{kind.__module__}.{kind.__qualname__}"
        for kind in map(type, gc.get_objects())
        if str(kind.__module__).startswith(("mojo", "autobahn", "tests.test_memory"))
        or kind.__name__ in ("Deferred", "DelayedCall", "HTTPChannel", "Request", "Failure")
    )


class FlatTests(SynchronousTestCase):
    def setUp(self) -> None:
        keep_log_here(self)

    def live(self, **options: object) -> None:
        class Document(Visited):
            pass

        class Chat(Visited):
            __endpoints__ = {"/doc/<id>": Document}  # noqa: RUF012

        self.world = world = World(
            {"/ChatSocket": Chat},
            engine_options={"max_buffered": 300_000},
            cleanup_empty_namespaces=True,
            **options,
        )
        registry = world.server.observer = Registry(world.server)
        registry.online.most = 0  # when somebody was here last is kept on purpose
        lives = Lives(world)

        def live_through(rounds: int) -> None:
            for number in range(rounds):
                for kind in Lives.KINDS:
                    kind(lives)
                self.flushLoggedErrors()
                if number % 10 == 9 or number == rounds - 1:
                    self.pass_time()
            Chat.seen.clear()

        live_through(2)  # whatever is made once is made now
        before = our_objects()
        live_through(ROUNDS)
        self.assertEqual(our_objects() - before, Counter())
        gc.collect()
        blocks = sys.getallocatedblocks()
        live_through(ROUNDS)
        self.assertEqual(our_objects() - before, Counter())
        gc.collect()
        # Each round is twenty clients and more: not even one small object stays of them.
        self.assertLess(sys.getallocatedblocks() - blocks, ROUNDS)

        engines = [mount.engine for mount in world.mounts.values()]
        self.assertEqual([dict(engine.sessions) for engine in engines], [{}] * len(engines))
        self.assertEqual(list(world.server.namespaces), ["/ChatSocket"])
        self.assertEqual(len(world.server.namespaces["/ChatSocket"].adapter), 0)
        self.assertEqual((registry.visitors, registry.logins), ({}, {}))
        self.assertEqual(len(world.server._visitors), 0)
        self.assertEqual((len(world.server.presence.roster), registry.online.ids), (0, set()))
        self.assertEqual(world.clock.getDelayedCalls(), [])
        self.assertEqual(world.server.engine_stats.active_sessions, 0)
        self.assertEqual(+world.server.engine_stats.transports, Counter())
        self.assertEqual(world.server.stats.active_connections, 0)

    def pass_time(self) -> None:
        """Let every deadline pass, so that whatever was told to close does."""
        for _ in range(4):
            for clock in (self.world.clock, self.world.http_clock):
                clock.pump([10] * 10)
            for found in gc.get_objects():
                if type(found) is WireTransport:
                    found.settle()
        # Recovery drops what is too old to be asked for when there is something new.
        self.world.server.namespaces["/ChatSocket"].operator.emit("later")
        self.world.turn()

    def test_flat(self) -> None:
        """Without recovery: what is gone is gone."""
        self.live()

    def test_flat_with_recovery(self) -> None:
        """With it, what is kept for who may come back is kept for so long."""
        self.live(recovery={"max_disconnection": 60})
