"""The move from long-polling to WebSocket, through a real Site."""

from twisted.trial.unittest import SynchronousTestCase

from mojo.testing.frames import CLOSE, TEXT, client_frame
from tests.engineio.endpoint import WEBSOCKET, Endpoint

UPGRADE = WEBSOCKET + "&sid=eid1"


class UpgradeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.endpoint = Endpoint()
        self.uri = self.endpoint.open_polling()

    def test_upgrade(self) -> None:
        """Probe, pong, the waiting GET ends, upgrade; then the WebSocket carries all."""
        wire = self.endpoint.wire()
        wire.get(self.uri)
        socket = self.endpoint.open_websocket(UPGRADE)
        socket.send("2probe")
        self.assertEqual(socket.messages(), ["3probe"])
        self.assertEqual(wire.answer().text, "6")
        self.endpoint.session.send("waits")
        self.endpoint.turn()
        self.assertEqual(socket.messages(), [])
        socket.send("5")
        self.assertEqual(socket.messages(), ["4waits"])
        socket.send("4up")
        self.assertEqual(self.endpoint.log, ["up"])
        self.assertEqual(self.endpoint.get(self.uri).json["code"], 3)
        self.assertEqual(self.endpoint.session.transport.name, "websocket")

    def test_probes_without_end(self) -> None:
        """A client that probes on and does not read fills no memory: its upgrade is given up."""
        socket = self.endpoint.open_websocket(UPGRADE)
        transport = socket.wire.transport
        transport.stalled = True
        probe = client_frame(TEXT, b"2probe")
        for _ in range(30):
            socket.send_raw(probe * 1000)
        # An answer is 8 bytes; Twisted says at 64 KiB that it is enough.
        self.assertLessEqual(len(transport.waiting), 65_536 + 8)
        self.assertIsNone(self.endpoint.session.upgrade)
        self.assertEqual(self.endpoint.log, [])

    def test_messages_meanwhile(self) -> None:
        """Until the upgrade packet, long-polling carries the messages, both ways."""
        socket = self.endpoint.open_websocket(UPGRADE)
        socket.send("2probe")
        self.assertEqual(self.endpoint.post(self.uri, b"4a").text, "ok")
        self.endpoint.session.send("b")
        self.endpoint.turn()
        self.assertEqual(self.endpoint.get(self.uri).text, "4b")
        self.assertEqual(self.endpoint.log, ["a"])

    def test_late_get(self) -> None:
        """A GET that comes after the probe ends a tenth of a second later."""
        socket = self.endpoint.open_websocket(UPGRADE)
        socket.send("2probe")
        wire = self.endpoint.wire()
        self.assertIsNone(wire.get(self.uri))
        self.endpoint.clock.advance(0.1)
        self.assertEqual(wire.answer().text, "6")

    def test_get_still_waiting(self) -> None:
        """A GET that waits when the upgrade packet comes ends with a noop."""
        socket = self.endpoint.open_websocket(UPGRADE)
        socket.send("2probe")
        wire = self.endpoint.wire()
        wire.get(self.uri)
        socket.send("5")
        self.assertEqual(wire.answer().text, "6")

    def test_anything_else_closes_the_websocket(self) -> None:
        """And leaves the session where it was."""
        for packet in ("5", "4a", "2", "2other", "3probe", "abc", b"\x01", "1"):
            socket = self.endpoint.open_websocket(UPGRADE)
            socket.send(packet)
            self.assertEqual([f.opcode for f in socket.frames()], [CLOSE], packet)
            self.assertEqual(self.endpoint.log, [])
        self.assertEqual(self.endpoint.post(self.uri, b"4a").text, "ok")

    def test_timeout(self) -> None:
        """10 s without the upgrade packet."""
        socket = self.endpoint.open_websocket(UPGRADE)
        socket.send("2probe")
        socket.messages()
        self.endpoint.clock.pump([0.1] * 99)
        self.assertEqual(socket.frames(), [])
        self.endpoint.clock.pump([0.1] * 2)
        self.assertEqual([f.opcode for f in socket.frames()], [CLOSE])
        self.assertEqual(self.endpoint.post(self.uri, b"4a").text, "ok")
        again = self.endpoint.open_websocket(UPGRADE)
        again.send("2probe")
        self.assertEqual(again.messages(), ["3probe"])

    def test_websocket_vanishes(self) -> None:
        """A reset during the upgrade leaves the session alone (GHSA-r7qp)."""
        for step in ([], ["2probe"]):
            socket = self.endpoint.open_websocket(UPGRADE)
            for packet in step:
                socket.send(packet)
            socket.wire.hang_up()
        self.assertEqual(self.endpoint.post(self.uri, b"4a").text, "ok")
        self.assertEqual(self.endpoint.log, ["a"])

    def test_second_websocket(self) -> None:
        """While one upgrades, and after it has, another is closed."""
        first = self.endpoint.open_websocket(UPGRADE)
        for packet in ("2probe", "5"):
            second = self.endpoint.open_websocket(UPGRADE)
            self.assertEqual([f.opcode for f in second.frames()], [CLOSE])
            first.send(packet)
        third = self.endpoint.open_websocket(UPGRADE)
        self.assertEqual([f.opcode for f in third.frames()], [CLOSE])
        first.send("4a")
        self.assertEqual(self.endpoint.log, ["a"])

    def test_session_ends_meanwhile(self) -> None:
        for end in ("close", b"1", b"abc"):
            self.endpoint = Endpoint()
            self.uri = self.endpoint.open_polling()
            socket = self.endpoint.open_websocket(UPGRADE)
            socket.send("2probe")
            socket.messages()
            if end == "close":
                self.endpoint.session.close()
            else:
                self.endpoint.post(self.uri, end)
            self.assertEqual([f.opcode for f in socket.frames()], [CLOSE])
            socket.send("5")
            self.assertEqual(len(self.endpoint.log), 1)

    def test_heartbeat_goes_on(self) -> None:
        """A ping sent before the move is answered after it."""
        self.endpoint.clock.advance(25)
        socket = self.endpoint.open_websocket(UPGRADE)
        socket.send("2probe")
        socket.send("5")
        self.assertEqual(socket.messages(), ["3probe", "2"])
        socket.send("3")
        self.endpoint.clock.advance(20)
        self.assertEqual(self.endpoint.log, [])

    def test_no_timer_is_left(self) -> None:
        socket = self.endpoint.open_websocket(UPGRADE)
        socket.send("2probe")
        socket.send("5")
        socket.wire.hang_up()
        self.endpoint.clock.advance(25)
        self.assertEqual(self.endpoint.clock.getDelayedCalls(), [])

    def test_paused_session(self) -> None:
        """A session that is not being read stays so on its new transport."""
        socket = self.endpoint.open_websocket(UPGRADE)
        socket.send("2probe")
        self.endpoint.session.pause()
        socket.send("5")
        self.assertFalse(socket.wire.transport.reading)
