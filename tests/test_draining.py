"""`mojo.draining`: clients of a stopping service leave in their order and in their time."""

from __future__ import annotations

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from mojo import App, MojoService, Settings
from mojo.settings import SocketIOSettings
from mojo.testing.frames import CLOSE, WebSocketWire, client_frame
from mojo.testing.wire import Wire
from tests.socketio.world import PollingClient, WebSocketClient, remembering
from tests.web.server import SECRET, settle

POLLING = "/socket.io/?EIO=4&transport=polling"
WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"


class DrainTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = MemoryReactorClock()
        self.settings: dict = {}
        self.left: list[tuple[str, float]] = []
        self.chat = remembering(
            on_open=lambda handler, request: setattr(handler, "name", request.auth["name"]),
            on_close=lambda handler, reason: self.left.append((handler.name, self.clock.seconds())),
            on_message=lambda handler, message: handler.send(f"you said {message}"),
        )

    def serve(self, seconds: float, **socket_io) -> None:
        """Start a service whose clients have so many seconds to leave."""
        self.service = MojoService(
            self.clock,
            Settings(
                cookie_secret=SECRET,
                drain_seconds=seconds,
                ready_path="/ready",
                socket_io=SocketIOSettings(**socket_io),
                **self.settings,
            ),
            [App(name="Chat", handler=self.chat)],
            endpoints=["tcp:80"],
        )
        self.site = self.service.site
        self.service.startService()
        self.addCleanup(self.end)

    def end(self) -> None:
        """Stop for good, and see that nothing is left."""
        self.stop()
        self.service.hurry()
        self.clock.pump([0] * 8)
        settle(self.service)
        self.clock.pump([0] * 2)
        self.assertTrue(self.stopped.called)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.service.site.channels, set())

    def stop(self) -> None:
        if not self.service.stopping:
            self.stopped = self.service.stopService()

    def turn(self) -> None:
        self.clock.advance(0)

    def connect(self, name: str, kind=WebSocketClient, **headers: str):
        client = kind(self, "/socket.io/", headers=headers)
        client.connect("/ChatSocket", {"name": name})
        self.clock.advance(1)
        return client

    def names(self) -> list[str]:
        return [name for name, _ in self.left]

    @property
    def ports(self) -> list[str]:
        return self.service._listening.addresses


class OrderTests(DrainTestCase):
    def test_evenly(self) -> None:
        """Three clients in 0.12 seconds leave 0.04 seconds after one another, oldest first."""
        self.serve(0.12)
        for name in "abc":
            self.connect(name)
        self.stop()
        self.assertEqual(self.left, [("a", 3.0)])
        self.clock.advance(0.039)
        self.assertEqual(self.names(), ["a"])
        self.clock.advance(0.001)
        self.assertEqual(self.names(), ["a", "b"])
        self.clock.advance(0.04)
        self.assertEqual(self.names(), ["a", "b", "c"])

    def test_a_few_are_quick(self) -> None:
        """A minute is for thousands: two leave within 0.05 seconds."""
        self.serve(60)
        self.connect("a")
        self.connect("b")
        self.stop()
        self.assertEqual(self.names(), ["a"])
        self.clock.advance(0.05)
        self.assertEqual(self.names(), ["a", "b"])

    def test_in_batches(self) -> None:
        """Eight in a sixteenth of a second: every 0.02 seconds all whose time has come."""
        self.serve(1 / 16)
        for name in "abcdefgh":
            self.connect(name)
        self.stop()
        numbers = [len(self.left)]
        for _ in range(6):
            self.clock.advance(0.01)
            numbers.append(len(self.left))
        # Their times are n/128: 0, 0.008, 0.016, 0.023, 0.031, 0.039, 0.047, 0.055.
        self.assertEqual(numbers, [1, 1, 3, 3, 6, 6, 8])
        self.assertEqual("".join(self.names()), "abcdefgh")

    def test_all_at_once(self) -> None:
        """With DRAIN_SECONDS = 0."""
        self.serve(0)
        for name in "abc":
            self.connect(name)
        self.stop()
        self.assertEqual(self.left, [("a", 3.0), ("b", 3.0), ("c", 3.0)])

    def test_polling_first(self) -> None:
        self.serve(0.12)
        self.connect("a")
        self.connect("b", PollingClient)
        self.connect("c")
        self.stop()
        self.clock.pump([0.04] * 2)
        self.assertEqual(self.names(), ["b", "a", "c"])

    def test_who_goes_by_itself(self) -> None:
        """Nobody waits for the turn of a client that is gone."""
        self.serve(0.12)
        clients = [self.connect(name) for name in "abc"]
        self.stop()
        clients[1].vanish()
        self.clock.advance(0.04)
        self.assertEqual(self.names(), ["a", "b", "c"])

    def test_again(self) -> None:
        """A service that was started again stops as the first time."""
        self.serve(0.08)
        for _ in range(2):
            self.left.clear()
            self.connect("a")
            self.connect("b")
            self.stop()
            self.assertEqual(self.names(), ["a"])
            self.service.hurry()
            self.clock.pump([0] * 6)
            self.successResultOf(self.stopped)
            self.assertEqual(self.names(), ["a", "b"])
            settle(self.service)
            self.service.startService()


class MeanwhileTests(DrainTestCase):
    def test_those_who_stay_go_on(self) -> None:
        """Until it is its turn a client hears and is heard."""
        self.serve(1)
        self.connect("a")
        waiting = [self.connect("b"), self.connect("c", PollingClient)]
        self.connect("d")
        self.stop()
        self.assertEqual(self.names(), ["c"])
        self.service.emit("news")
        waiting[0].send('2/ChatSocket,["message","hi"]')
        self.assertEqual(
            waiting[0].received(),
            ['2/ChatSocket,["news"]', '2/ChatSocket,["message","you said hi"]'],
        )

    def test_handshakes(self) -> None:
        """Whoever comes now is told so, by both transports."""
        self.serve(1)
        self.connect("a")
        self.connect("b")
        self.stop()
        answer = Wire(self.site).get(POLLING)
        self.assertEqual(answer.status, 503)
        self.assertEqual(answer.json["message"], "Server shutting down")
        refused = WebSocketWire(self.site, WEBSOCKET).refusal
        self.assertEqual(refused.status, 503)

    def test_handshake_that_waits(self) -> None:
        """A client that the app is still thinking about is refused."""
        verdict: Deferred[None] = Deferred()
        self.serve(1, allow_request=lambda handshake: verdict)
        waiting = Wire(self.site)
        self.assertIsNone(waiting.get(POLLING))
        self.stop()
        verdict.callback(None)
        self.assertEqual(waiting.answer().status, 503)

    def test_request_after_the_end(self) -> None:
        """A long-polling client that did not hear the farewell is told why it is unknown."""
        self.serve(1)
        client = self.connect("a", PollingClient)
        self.connect("b")
        uri = client.uri
        self.stop()
        client.received()
        self.assertEqual(Wire(self.site).get(uri).status, 503)
        upgrade = WebSocketWire(self.site, uri.replace("polling", "websocket"))
        self.assertEqual(upgrade.refusal.status, 503)

    def test_readiness(self) -> None:
        self.serve(1)
        self.connect("a")
        self.connect("b")
        self.assertEqual(Wire(self.site).get("/ready").status, 200)
        self.stop()
        answer = Wire(self.site).get("/ready")
        self.assertEqual(answer.status, 503)
        self.assertEqual(answer.json, {"ready": False, "why": {"service": "stopping"}})

    def test_what_was_sent_leaves_first(self) -> None:
        """Messages of the same turn come before the farewell, by both transports."""
        self.serve(0)
        clients = [self.connect("a"), self.connect("b", PollingClient)]
        self.service.emit("last")
        self.stop()
        self.turn()
        for client in clients:
            self.assertEqual(client.received(), ['2/ChatSocket,["last"]'])
            self.assertTrue(client.closed)

    def test_farewell(self) -> None:
        """WebSockets are closed as "going away"; a disconnect packet would keep clients away."""
        self.serve(0)
        socket = WebSocketWire(self.site, WEBSOCKET)
        socket.send('40/ChatSocket,{"name":"a"}')
        self.turn()
        socket.messages()
        self.stop()
        (frame,) = socket.frames()
        self.assertEqual((frame.opcode, frame.code), (CLOSE, 1001))
        self.assertEqual(frame.payload[2:], b"server shutting down")

    def test_upgrade_under_way(self) -> None:
        """A client that is moving to WebSocket is told by its GET; the WebSocket is closed."""
        self.serve(0)
        client = self.connect("a", PollingClient)
        sid = client.uri.partition("&sid=")[2].partition("&")[0]
        socket = WebSocketWire(self.site, f"{WEBSOCKET}&sid={sid}")
        socket.send("2probe")
        self.assertEqual(socket.messages(), ["3probe"])
        self.stop()
        client.received()
        self.assertTrue(client.closed)
        self.assertEqual(socket.frames()[-1].opcode, CLOSE)
        self.assertEqual(self.names(), ["a"])

    def test_upgrade_while_stopping(self) -> None:
        """A client that has moved to WebSocket meanwhile leaves when it is its turn."""
        self.serve(1)
        self.connect("a", PollingClient)
        client = self.connect("b", PollingClient)
        self.stop()
        sid = client.uri.partition("&sid=")[2].partition("&")[0]
        socket = WebSocketWire(self.site, f"{WEBSOCKET}&sid={sid}")
        socket.send("2probe")
        socket.send("5")
        self.assertEqual(self.names(), ["a"])
        self.clock.advance(0.05)
        self.assertEqual(self.names(), ["a", "b"])
        self.assertEqual(socket.frames()[-1].code, 1001)


class PortTests(DrainTestCase):
    def test_without_polling(self) -> None:
        """Nobody needs the ports: they are closed at once."""
        self.serve(1)
        self.connect("a")
        self.connect("b")
        self.assertEqual(len(self.ports), 1)
        self.stop()
        self.assertEqual(self.names(), ["a"])
        self.assertEqual(self.ports, [])

    def test_with_polling(self) -> None:
        """They stay open until the last long-polling client has fetched its farewell."""
        self.serve(1)
        polling = [self.connect(name, PollingClient) for name in "ab"]
        for name in "cd":
            self.connect(name)
        self.stop()
        self.clock.advance(0.05)
        self.assertEqual(self.names(), ["a", "b"])
        self.assertEqual(len(self.ports), 1)
        for client in polling:
            client.received()
            self.assertTrue(client.closed)
        self.clock.advance(0.05)
        self.assertEqual(self.names(), ["a", "b", "c"])
        self.assertEqual(self.ports, [])

    def test_last_farewell(self) -> None:
        """The ports do not wait for WebSockets that do not answer theirs."""
        self.serve(0)
        client = self.connect("a", PollingClient)
        self.turn()
        self.service.emit("news")
        self.turn()
        self.connect("b")
        self.stop()
        self.assertEqual(len(self.ports), 1)
        client.received()
        self.clock.pump([0, 0, 0.02])
        self.assertTrue(client.closed)
        self.assertNoResult(self.stopped)
        self.assertEqual(self.ports, [])

    def test_polling_client_that_is_away(self) -> None:
        """One that never comes back keeps them open only as long as the stop lasts."""
        self.serve(0)
        self.assertEqual(Wire(self.site).get(POLLING).status, 200)
        self.stop()
        self.clock.pump([0, 0, 2.9])
        self.assertEqual(len(self.ports), 1)
        self.clock.pump([0.1, 0])
        self.successResultOf(self.stopped)
        self.assertEqual(self.ports, [])

    def test_port_that_cannot_be_closed(self) -> None:
        """It is logged, and the stop goes on."""
        self.serve(0)
        self.connect("a")
        ((_, port),) = self.service._listening._ports
        port.stopListening = lambda: fail(OSError("as asked"))
        self.stop()
        self.assertEqual(self.names(), ["a"])
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)


class BoundTests(DrainTestCase):
    def test_clients_that_never_answer(self) -> None:
        """DRAIN_SECONDS and three more, to the hundredth, whatever clients do."""
        self.serve(0.1)
        wires = []
        for _ in range(4):
            socket = WebSocketWire(self.site, WEBSOCKET)
            socket.wire.transport.stalled = True
            wires.append(socket)
        self.service.emit("x" * 100_000)
        self.stop()
        # The last of four is told after 0.075 seconds.
        self.clock.pump([0.025] * 3 + [0, 0])
        self.clock.advance(2.99)
        self.assertNoResult(self.stopped)
        self.clock.pump([0.01, 0])
        self.successResultOf(self.stopped)
        self.assertEqual([w.closed for w in wires], ["aborted"] * 4)

    def test_handler_that_never_returns(self) -> None:
        """Its client is closed, and nobody waits for it."""
        never: Deferred[None] = Deferred()
        self.chat.on_message = lambda handler, message: never
        self.serve(0)
        client = self.connect("a")
        client.send('2/ChatSocket,["message","hi"]')
        self.stop()
        self.assertTrue(client.closed)
        self.clock.pump([0, 0, 3, 0])
        self.successResultOf(self.stopped)
        never.callback(None)

    def test_handlers_finish(self) -> None:
        """An event that is being handled, and then on_close, are over before the end is."""
        work: list[Deferred[None]] = [Deferred(), Deferred()]

        async def on_message(handler, message):
            await work[0]

        async def on_close(handler, reason):
            await work[1]
            self.left.append(("done", self.clock.seconds()))

        self.chat.on_message, self.chat.on_close = on_message, on_close
        self.serve(0)
        client = self.connect("a")
        client.send('2/ChatSocket,["message","hi"]')
        client.vanish()
        self.stop()
        self.clock.pump([0, 0, 1])
        work[0].callback(None)
        self.clock.pump([1])
        self.assertNoResult(self.stopped)
        work[1].callback(None)
        self.clock.pump([0.02, 0])
        self.successResultOf(self.stopped)
        self.assertEqual(self.names(), ["done"])

    def test_sessions_that_cannot_be_saved(self) -> None:
        """A store that does not answer has three seconds."""
        self.serve(0)
        never: Deferred[None] = Deferred()
        self.service._live_sessions.close = lambda: never
        self.stop()
        self.clock.pump([0, 0, 0])
        self.clock.advance(2.9)
        self.assertNoResult(self.stopped)
        self.clock.advance(0.1)
        self.successResultOf(self.stopped)

    def test_hurry_past_a_child(self) -> None:
        """A service of the app's that does not end is waited for by whoever wants to."""
        never: Deferred[None] = Deferred()

        class Stubborn(Service):
            def stopService(self):
                return never

        self.serve(0)
        Stubborn().setServiceParent(self.service)
        self.stop()
        self.clock.pump([0, 0, 0, 100])
        self.assertNoResult(self.stopped)
        self.service.hurry()
        self.clock.pump([0])
        self.successResultOf(self.stopped)
        self.assertFalse(never.called)  # it was not blamed

    def test_hurry(self) -> None:
        """Nobody is waited for any more, neither those in line nor their answers."""
        self.serve(1)
        sockets = [WebSocketWire(self.site, WEBSOCKET) for _ in range(15)]
        self.stop()
        self.clock.advance(0)
        self.service.hurry()
        self.clock.pump([0] * 6)
        self.successResultOf(self.stopped)
        for socket in sockets:
            self.assertEqual(socket.frames()[-1].code, 1001)
            self.assertEqual(socket.closed, "aborted")

    def test_hurry_during_the_farewell(self) -> None:
        self.serve(0)
        socket = WebSocketWire(self.site, WEBSOCKET)
        self.stop()
        self.clock.pump([0, 0, 0.5])
        self.assertNoResult(self.stopped)
        self.service.hurry()
        self.clock.pump([0] * 3)
        self.successResultOf(self.stopped)
        self.assertEqual(socket.closed, "aborted")

    def test_hurry_past_a_hook(self) -> None:
        """The app's hook of a user who is offline has three seconds, and then none."""
        self.settings["on_user_offline"] = lambda user_id, service: Deferred()
        self.serve(0)
        for hurries in (False, True):
            cookie = f"logged_in={self.service.cookies.seal('logged_in', 'ada')}"
            client = self.connect("a", Cookie=cookie)
            self.stop()
            client.vanish()
            self.clock.pump([0] * 5)
            self.clock.advance(2.9)
            self.assertNoResult(self.stopped)
            if hurries:
                self.service.hurry()
                self.clock.pump([0] * 2)
            else:
                self.clock.pump([0.1, 0, 0])
            self.successResultOf(self.stopped)
            self.clock.advance(1)
            settle(self.service)
            self.service.startService()

    def test_nobody_is_there(self) -> None:
        """The end does not take any time."""
        self.serve(5)
        self.stop()
        self.clock.pump([0] * 3)
        self.successResultOf(self.stopped)

    def test_good_clients(self) -> None:
        """Who answers the farewell is not waited for longer than that."""
        self.serve(5)
        socket = WebSocketWire(self.site, WEBSOCKET)
        self.stop()
        socket.send_raw(client_frame(CLOSE, b"\x03\xe9"))
        self.clock.pump([0] * 4)
        self.successResultOf(self.stopped)
