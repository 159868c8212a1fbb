"""`mojo.stats` and what the layers count, in a whole service."""

import json

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mojo import App, ConnectionRefused, MojoService, MojoSocketHandler, Settings, event
from mojo.engineio.stats import EngineStats
from mojo.socketio.stats import SocketStats
from mojo.stats import ServiceStats
from mojo.testing.frames import WebSocketWire
from mojo.testing.wire import Wire

SHARED = "/socket.io/?EIO=4&transport="


class ChatSocket(MojoSocketHandler):
    def on_open(self, request):
        if request.auth.get("refuse"):
            raise ConnectionRefused("no")

    @event
    def fail(self):
        raise ValueError("as asked")

    @event
    def echo(self, text):
        return text


class RateTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.engine = EngineStats()
        self.stats = ServiceStats(self.clock, self.engine, SocketStats())
        self.stats.startService()
        self.addCleanup(self.stats.stopService)

    def test_nothing_yet(self) -> None:
        self.assertEqual(self.stats.dump()["packets_sent_ps"], 0)

    def test_steady(self) -> None:
        """Thirty packets a second for a minute are thirty a second."""
        for _ in range(60):
            self.engine.packets_sent += 30
            self.clock.advance(1)
        self.assertEqual(self.stats.dump()["packets_sent_ps"], 30)
        self.assertEqual(self.stats.dump()["uptime"], 60)

    def test_window(self) -> None:
        """A burst counts for ten seconds, and then no more."""
        self.clock.pump([1] * 20)
        self.engine.bytes_recv += 10_000
        self.assertEqual(self.stats.dump()["bytes_recv_ps"], 1000)
        self.clock.pump([1] * 10)
        self.assertEqual(self.stats.dump()["bytes_recv_ps"], 1000)
        self.clock.advance(1)
        self.assertEqual(self.stats.dump()["bytes_recv_ps"], 0)

    def test_who_asks_changes_nothing(self) -> None:
        """Two observers see the same, however often they look."""
        self.clock.pump([1] * 5)
        self.engine.packets_recv += 50
        self.assertEqual([self.stats.dump()["packets_recv_ps"] for _ in range(3)], [10] * 3)

    def test_stop(self) -> None:
        """No timer is left; the numbers are."""
        self.engine.packets_sent += 1
        self.stats.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.stats.dump()["packets_sent"], 1)
        self.stats.startService()
        self.clock.advance(2)
        self.assertEqual(self.stats.dump()["packets_sent_ps"], 0)


class ServiceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.mojo = MojoService(
            self.clock, Settings(debug=True), [App(name="Chat", handler=ChatSocket)]
        )
        self.mojo.startService()
        self.addCleanup(self.stop)

    def stop(self) -> None:
        stopped = self.mojo.stopService()
        self.clock.pump([0.1] * 50)
        self.successResultOf(stopped)

    def dump(self, *names: str) -> tuple:
        dump = self.mojo.stats.dump()
        return tuple(dump[name] for name in names)

    def open(self) -> WebSocketWire:
        socket = WebSocketWire(self.mojo.site, SHARED + "websocket")
        self.assertEqual(socket.status, 101)
        socket.messages()
        return socket

    def test_sessions(self) -> None:
        """Now, at most, and ever; with why they ended."""
        first, second = self.open(), self.open()
        first.send("1")
        second.wire.hang_up()
        self.open()
        self.assertEqual(self.dump("active_sessions", "max_sessions", "total_sessions"), (1, 2, 3))
        self.assertEqual(self.dump("closes_by_reason"), ({"transport close": 2},))

    def test_connections(self) -> None:
        """One for each namespace of a client; a refused one is none."""
        socket = self.open()
        socket.send('40/ChatSocket,{"refuse":true}')
        socket.send("40/ChatSocket,")
        socket.send("41/ChatSocket,")
        socket.send("40/ChatSocket,")
        self.assertEqual(
            self.dump(
                "active_connections", "max_connections", "total_connections", "refused_connections"
            ),
            (1, 1, 2, 1),
        )
        self.clock.advance(2)
        self.assertEqual(self.dump("connections_ps"), (1,))

    def test_every_mount(self) -> None:
        """An app's own path is counted with the shared one."""
        self.open()
        WebSocketWire(self.mojo.site, "/ChatSocket/?EIO=4&transport=websocket")
        self.assertEqual(self.dump("active_sessions", "max_sessions"), (2, 2))

    def test_packets_and_bytes(self) -> None:
        """Frames as they are on the wire, and the packets in them."""
        socket = self.open()
        before = self.dump("packets_sent", "packets_recv", "bytes_sent", "bytes_recv")
        socket.send("40/ChatSocket,")
        socket.send('42/ChatSocket,1["echo","hello"]')
        self.clock.advance(0)
        sent = socket.wire.transport.written
        after = self.dump("packets_sent", "packets_recv", "bytes_sent", "bytes_recv")
        # A client's frame has a head of two bytes and a mask of four.
        self.assertEqual(
            tuple(b - a for a, b in zip(before, after, strict=True)),
            (2, 2, len(sent), 6 + 14 + 6 + 31),
        )

    def test_polling(self) -> None:
        """Response bodies and request bodies; and the move to WebSocket."""
        opened = Wire(self.mojo.site).get(SHARED + "polling")
        self.assertEqual(self.dump("bytes_sent"), (len(opened.body),))
        uri = f"{SHARED}polling&sid={json.loads(opened.text[1:])['sid']}"
        Wire(self.mojo.site).post(uri, b"40/ChatSocket,")
        self.assertEqual(self.dump("packets_recv", "bytes_recv"), (1, 14))
        self.assertEqual(self.dump("sessions_by_transport"), ({"polling": 1},))
        socket = WebSocketWire(self.mojo.site, uri.replace("polling", "websocket"))
        socket.send("2probe")
        socket.send("5")
        self.assertEqual(self.dump("sessions_by_transport"), ({"polling": 0, "websocket": 1},))
        self.assertEqual(self.dump("upgrades", "total_sessions"), (1, 1))

    def test_refused(self) -> None:
        """By the code that the client reads."""
        for uri in ("polling&sid=x", "polling&sid=y", "telepathy"):
            Wire(self.mojo.site).get(SHARED + uri)
        Wire(self.mojo.site).get("/socket.io/?EIO=7&transport=polling")
        self.assertEqual(self.dump("refused_by_code"), ({"0": 1, "1": 2, "5": 1},))

    def test_handler_errors(self) -> None:
        socket = self.open()
        socket.send("40/ChatSocket,")
        socket.send('42/ChatSocket,["fail"]')
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        # To send too few arguments is the client's mistake, and no error of the app.
        socket.send('42/ChatSocket,["echo"]')
        self.assertEqual(self.dump("handler_errors"), (1,))

    def test_json(self) -> None:
        """The whole can be shown as it is, with TornadIO2's names in it."""
        self.open()
        Wire(self.mojo.site).get(SHARED + "polling&sid=x")
        dump = self.mojo.stats.dump()
        self.assertEqual(json.loads(json.dumps(dump)), dump)
        self.assertLessEqual(
            {
                "active_sessions", "max_sessions", "active_connections", "max_connections",
                "connections_ps", "packets_sent_ps", "packets_recv_ps",
            },
            dump.keys(),
        )  # fmt: skip
