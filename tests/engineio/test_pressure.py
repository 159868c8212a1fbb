"""A client that does not take what it is sent, or takes it slowly; both transports."""

from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from mojo.engineio import EngineOptions
from mojo.engineio.packet import message
from mojo.engineio.transports.outlet import CHUNK
from mojo.errors import Disconnected
from mojo.testing.frames import CLOSE, PING, PONG, TEXT, client_frame
from tests.engineio.endpoint import POLLING, Endpoint

KB = 1000


class PressureTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.lines: list[str] = []
        globalLogPublisher.addObserver(self._note)
        self.addCleanup(globalLogPublisher.removeObserver, self._note)

    def _note(self, event: dict) -> None:
        if event["log_namespace"].startswith("mojo") and event["log_level"].name == "info":
            self.lines.append(event["log_format"].format(**event))

    def open(self, **options: object) -> Endpoint:
        """An endpoint with one WebSocket, whose client reads nothing more."""
        self.endpoint = Endpoint(**options)
        self.socket = self.endpoint.open_websocket()
        self.transport = self.socket.wire.transport
        self.transport.stalled = True
        self.session = self.endpoint.session
        return self.endpoint

    def open_polling(self, **options: object) -> Endpoint:
        """An endpoint with one session by long-polling, between two GETs."""
        self.endpoint = Endpoint(**options)
        self.uri = self.endpoint.open_polling()
        self.session = self.endpoint.session
        return self.endpoint

    def send(self, *data: str | bytes) -> None:
        """Send messages, and end the turn."""
        for item in data:
            self.session.send(item)
        self.endpoint.turn()

    def send_whole(self, *data: str | bytes) -> None:
        """Send one message of several packets that may be dropped, and end the turn."""
        packets = tuple(map(message, data))
        for followers, packet in enumerate(reversed(packets)):
            packet.followers = followers
            packet.droppable = True
        self.session.send_packets(packets)
        self.endpoint.turn()


class WebSocketTests(PressureTestCase):
    def test_piles_up_where_it_is_counted(self) -> None:
        """Twisted holds two chunks at most; the rest waits in the session, in order."""
        self.open()
        texts = [f"{number:04}" * 25 * KB for number in range(40)]  # 100 KB each
        self.send(*texts)
        self.assertLessEqual(len(self.transport.waiting), 2 * CHUNK)
        held = len(self.transport.waiting) + self.session.buffered
        # A frame has a head of 10 bytes and the type; a waiting packet counts for 128 more.
        self.assertTrue(4000 * KB <= held <= 4000 * KB + 40 * 128, held)
        self.assertFalse(self.session.writable)
        self.transport.catch_up()
        self.assertEqual(self.socket.messages(), [f"4{text}" for text in texts])
        self.assertEqual(self.session.buffered, 0)
        self.assertTrue(self.session.writable)

    def test_control_frames(self) -> None:
        """A pong and a Close wait for the frame that is under way to end."""
        self.open()
        self.send("x" * 500 * KB)
        self.socket.send_raw(client_frame(PING, b"there?"))
        self.session.close()
        self.transport.catch_up()
        long, pong, close = self.socket.frames()
        self.assertEqual((long.payload[:2], len(long.payload)), (b"4x", 500 * KB + 1))
        self.assertEqual((pong.opcode, pong.payload), (PONG, b"there?"))
        self.assertEqual((close.opcode, close.code), (CLOSE, 1000))

    def test_pings_without_end(self) -> None:
        """A client that pings and does not read is not read until it does."""
        self.open()
        self.send("x" * 500 * KB)
        self.assertTrue(self.transport.reading)
        self.socket.send_raw(client_frame(PING))
        self.assertFalse(self.transport.reading)
        self.transport.catch_up()
        self.assertTrue(self.transport.reading)

    def test_client_closes(self) -> None:
        """A client that closes while much is on its way gets its Close frame after it."""
        self.open()
        self.send("x" * 500 * KB)
        self.socket.send_raw(client_frame(CLOSE, b"\x03\xe8"))
        self.transport.catch_up()
        _, close = self.socket.frames()
        self.assertEqual((close.opcode, close.code), (CLOSE, 1000))
        self.assertEqual(self.socket.closed, "closed")
        self.assertEqual(self.endpoint.log, [("closed", "transport close")])

    def test_client_closes_and_does_not_read(self) -> None:
        """Its socket is gone after close_timeout."""
        self.open()
        self.send("x" * 500 * KB)
        self.socket.send_raw(client_frame(CLOSE, b"\x03\xe8"))
        self.endpoint.clock.advance(30)
        self.assertEqual(self.socket.closed, "aborted")

    def test_not_read_before_it_reads(self) -> None:
        """From half of max_buffered on: each of its messages could be answered by another."""
        self.open(max_buffered=1000 * KB)
        self.send("x" * 100 * KB, *["y" * 100 * KB] * 4)
        self.assertTrue(self.transport.reading)
        self.send("z" * 200 * KB)
        self.assertFalse(self.transport.reading)
        self.transport.catch_up()
        self.assertTrue(self.transport.reading)

    def test_two_reasons_not_to_read(self) -> None:
        """Reading goes on when neither side has a reason to wait."""
        self.open(max_buffered=1000 * KB)
        self.session.pause()
        self.send("x" * 100 * KB, "y" * 600 * KB, "z")
        self.transport.catch_up()
        self.assertFalse(self.transport.reading)
        self.session.resume()
        self.assertTrue(self.transport.reading)

    def test_close_while_paused(self) -> None:
        """The answer to our Close frame is read."""
        self.open()
        self.session.pause()
        self.session.close()
        self.assertTrue(self.transport.reading)


class CloseTests(PressureTestCase):
    def test_close_waits(self) -> None:
        """A session that is closed ends when the client has taken what it was sent."""
        self.open()
        self.send(*["x" * 100 * KB] * 3)
        self.session.close()
        self.assertEqual(self.endpoint.log, [("closed", "forced close")])
        self.assertEqual(len(self.endpoint.engine.sessions), 1)
        self.transport.catch_up()
        *messages, close = self.socket.frames()
        self.assertEqual([len(frame.payload) for frame in messages], [100 * KB + 1] * 3)
        self.assertEqual((close.opcode, close.code), (CLOSE, 1000))
        self.assertEqual(self.endpoint.engine.sessions, {})

    def test_close_does_not_wait_for_ever(self) -> None:
        """After close_timeout the session is gone, and after another its socket."""
        self.open(close_timeout=7)
        self.send(*["x" * 100 * KB] * 3)
        self.endpoint.engine.stop()
        self.endpoint.clock.advance(7)
        self.assertEqual(self.endpoint.engine.sessions, {})
        self.endpoint.clock.advance(7)
        self.assertEqual(self.socket.closed, "aborted")
        self.endpoint.clock.advance(100)
        self.assertEqual(self.endpoint.clock.getDelayedCalls(), [])


class OverflowTests(PressureTestCase):
    def test_close(self) -> None:
        """
        Too much waits: the session ends when the turn does, not inside a send.

        The client is told nothing that would keep it from connecting again.
        """
        self.open(max_buffered=1000 * KB)
        self.send(*["x" * 100 * KB] * 9)
        for _ in range(20):
            self.session.send("x" * 100 * KB)
        self.assertEqual(self.endpoint.log, [])
        self.assertEqual(self.session.buffered, self.session.transport.unsent)
        self.endpoint.turn()
        self.assertEqual(self.endpoint.log, [("closed", "transport error")])
        self.assertEqual(self.endpoint.engine.sessions, {})
        (line,) = self.lines
        self.assertRegex(
            line,
            r"^198.51.100.7 on /engine.io/: transport error: \d+ bytes wait, and "
            "max_buffered is 1000000$",
        )
        self.assertEqual(self.endpoint.engine.stats.closes, {"transport error": 1})
        self.transport.catch_up()
        self.assertEqual(self.socket.frames()[-1].code, 1008)

    def test_close_polling(self) -> None:
        """Between two GETs as well; the next is told that there is no such session."""
        self.open_polling(max_buffered=1000)
        self.send(*["x" * 100] * 4)
        self.assertEqual(self.endpoint.log, [])
        self.send("x")
        self.assertEqual(self.endpoint.log, [("closed", "transport error")])
        self.assertEqual(self.endpoint.get(self.uri).json["code"], 1)

    def test_a_client_that_reads(self) -> None:
        """Much more than max_buffered in a turn is no trouble while the client takes it."""
        self.open(max_buffered=200 * KB)
        self.transport.stalled = False
        self.send(*["x" * 100 * KB] * 20)
        self.assertEqual(len(self.socket.messages()), 20)
        self.assertEqual(self.endpoint.log, [])

    def test_longer_than_the_limit(self) -> None:
        """A message that is longer than max_buffered is sent if nothing else waits."""
        for overflow in ("close", "drop_oldest"):
            self.open(max_buffered=200 * KB, overflow=overflow)
            self.send("x" * 500 * KB)
            self.transport.catch_up()
            (text,) = self.socket.messages()
            self.assertEqual(len(text), 500 * KB + 1)

    def test_longer_than_the_limit_polling(self) -> None:
        self.open_polling(max_buffered=1000)
        self.send("x" * 5000)
        self.assertEqual(self.endpoint.get(self.uri).text, "4" + "x" * 5000)

    def test_drop_oldest(self) -> None:
        """The client gets what is newest; the log has one line until it has caught up."""
        self.open(max_buffered=1000 * KB, overflow="drop_oldest")
        self.send(*[f"{number:02}" + "x" * 100 * KB for number in range(60)])
        self.assertLessEqual(self.session.buffered, 1000 * KB)
        self.transport.catch_up()
        got = [text[1:3] for text in self.socket.messages()]
        self.assertEqual(got, sorted(got))
        self.assertEqual((got[0], got[-1]), ("00", "59"))
        self.assertEqual(len(got) + self.session.dropped, 60)
        self.assertEqual(self.endpoint.engine.stats.dropped, self.session.dropped)
        self.assertEqual(self.endpoint.log, [])
        (line,) = self.lines
        self.assertRegex(
            line, r"^198.51.100.7 on /engine.io/: \d+ bytes wait, messages are dropped$"
        )
        self.transport.stalled = True
        self.send(*["x" * 100 * KB] * 20)
        self.assertEqual(len(self.lines), 2)

    def test_drop_oldest_polling(self) -> None:
        """The open packet, pings and the close are never dropped."""
        self.open_polling(max_buffered=1000, overflow="drop_oldest")
        self.send(*["a" * 100] * 4)
        self.endpoint.clock.advance(25)
        self.send(*["b" * 100] * 4)
        self.assertEqual(
            self.endpoint.get(self.uri).text, "\x1e".join(["2"] + ["4" + "b" * 100] * 3)
        )
        self.assertEqual(self.session.dropped, 5)

    def test_messages_are_whole(self) -> None:
        """No message loses its attachments, nor an attachment its message."""
        self.open(max_buffered=1000 * KB, overflow="drop_oldest")
        for number in range(60):
            first = f"{number}-" + "x" * 30 * KB
            self.send_whole(first, b"%d" % number * 20 * KB, b"%d" % number * 20 * KB)
            if number % 7 == 0:
                self.transport.take()
        self.assertGreater(self.session.dropped, 10)
        self.transport.catch_up()
        packets = self.socket.messages()
        self.assertEqual(len(packets), 3 * (60 - self.session.dropped))
        for index in range(0, len(packets), 3):
            number = packets[index][1:].partition("-")[0]
            self.assertEqual(packets[index + 1], number.encode() * 20 * KB)
            self.assertEqual(packets[index + 2], number.encode() * 20 * KB)

    def test_messages_are_whole_polling(self) -> None:
        """Also when one payload has no room for all of a message."""
        self.open_polling(max_buffered=3000, max_payload=500, overflow="drop_oldest")
        got = []
        for number in range(60):
            self.send_whole(f"{number:02}" + "x" * 200, b"%02d" % number * 100, b"%02d" % number)
            if number % 5 == 0:
                got += self.endpoint.get(self.uri).text.split("\x1e")
        while self.session.buffered:
            got += self.endpoint.get(self.uri).text.split("\x1e")
        self.assertGreater(self.session.dropped, 10)
        self.assertEqual(len(got), 3 * (60 - self.session.dropped))
        for index in range(0, len(got), 3):
            self.assertEqual([got[index][0], got[index + 1][0], got[index + 2][0]], ["4", "b", "b"])
            # The same two digits begin both attachments, so the same base64 does.
            self.assertEqual(got[index + 1][1:3], got[index + 2][1:3])

    def test_options(self) -> None:
        """A policy that there is not is refused."""
        with self.assertRaises(ValueError):
            EngineOptions(overflow="drop")


class VolatileTests(PressureTestCase):
    def test_dropped_at_once(self) -> None:
        """A volatile message does not wait, and is counted."""
        self.open()
        self.send("x" * 200 * KB)
        self.session.send("lost", volatile=True)
        self.transport.catch_up()
        self.session.send("found", volatile=True)
        self.endpoint.turn()
        self.assertEqual([text[:6] for text in self.socket.messages()], ["4xxxxx", "4found"])
        self.assertEqual((self.session.dropped, self.endpoint.engine.stats.dropped), (1, 1))
        self.assertEqual(self.lines, [])

    def test_a_turn_full(self) -> None:
        """Volatile messages of one turn do not pile up either."""
        self.open()
        for _ in range(50):
            self.session.send("x" * 10 * KB, volatile=True)
        self.assertLess(self.session.buffered, 100 * KB)
        self.assertGreater(self.session.dropped, 40)

    def test_polling(self) -> None:
        """Between two GETs a client can take nothing."""
        self.open_polling()
        self.session.send("lost", volatile=True)
        self.send("kept")
        self.assertEqual(self.endpoint.get(self.uri).text, "4kept")
        wire = self.endpoint.wire()
        wire.ask("GET", self.uri)
        self.assertTrue(self.session.writable)
        self.session.send("found", volatile=True)
        self.endpoint.turn()
        self.assertEqual(wire.answer().text, "4found")

    def test_drop_volatile(self) -> None:
        """They wait while there is room, and go before anything else does."""
        self.open_polling(max_buffered=1000, overflow="drop_volatile")
        self.session.send("1" * 100, volatile=True)
        self.session.send("2" * 100, volatile=True)
        self.send("3" * 100)
        self.session.send("4" * 100, volatile=True)
        self.send("5" * 100)
        self.assertEqual(
            self.endpoint.get(self.uri).text,
            "\x1e".join("4" + digit * 100 for digit in "2345"),
        )
        self.assertEqual(self.session.dropped, 1)

    def test_drop_volatile_and_then_close(self) -> None:
        self.open_polling(max_buffered=1000, overflow="drop_volatile")
        self.session.send("1" * 100, volatile=True)
        self.send(*["2" * 100] * 5)
        self.assertEqual(self.endpoint.log, [("closed", "transport error")])

    def test_writable(self) -> None:
        """A session that has ended takes nothing."""
        self.open()
        self.assertTrue(self.session.writable)
        self.session.close()
        self.assertFalse(self.session.writable)


class HeartbeatTests(PressureTestCase):
    """Pings go out at 25 s; an answer is due 20 s later."""

    def test_ping_passes(self) -> None:
        """A ping does not wait behind what the client has not taken."""
        self.open()
        self.send(*["x" * 100 * KB] * 20)
        self.endpoint.clock.advance(25)
        self.transport.take()
        self.transport.take()
        self.transport.catch_up()
        texts = self.socket.messages()
        self.assertEqual(texts.index("2"), 1)

    def test_slow_client_lives(self) -> None:
        """While it takes something every few seconds it is there, if its pong is late too."""
        self.open()
        self.send(*["x" * 500 * KB] * 4)
        self.endpoint.clock.advance(25)
        for _ in range(8):
            self.endpoint.clock.advance(15)
            self.transport.take()
        self.assertEqual(self.endpoint.log, [])
        self.socket.send_raw(client_frame(TEXT, b"3"))
        self.endpoint.clock.advance(24)
        self.assertEqual(self.endpoint.log, [])

    def test_client_that_takes_nothing(self) -> None:
        """It is gone after ping_interval and ping_timeout, whatever waits."""
        self.open()
        self.send(*["x" * 500 * KB] * 4)
        self.endpoint.clock.advance(25)
        self.endpoint.clock.advance(20)
        self.assertEqual(self.endpoint.log, [("closed", "ping timeout")])

    def test_client_that_takes_all_and_does_not_answer(self) -> None:
        """To read is not to answer: once nothing waits, the pong is due."""
        self.open()
        self.send("x" * 500 * KB)
        self.endpoint.clock.advance(25)
        self.endpoint.clock.advance(10)
        self.transport.catch_up()
        self.endpoint.clock.advance(20)
        self.assertEqual(self.endpoint.log, [("closed", "ping timeout")])


class DrainTests(PressureTestCase):
    def test_nothing_waits(self) -> None:
        self.open()
        self.assertIsNone(self.successResultOf(self.session.drain()))

    def test_websocket(self) -> None:
        """It fires when the client has taken what waited, also the last of a long frame."""
        self.open()
        self.send(*["x" * 300 * KB] * 2)
        drained = self.session.drain()
        self.transport.take()
        self.assertNoResult(drained)
        self.transport.catch_up()
        self.assertIsNone(self.successResultOf(drained))

    def test_polling(self) -> None:
        self.open_polling()
        self.session.send("x")
        drained = self.session.drain()
        self.endpoint.turn()
        self.assertNoResult(drained)
        self.endpoint.get(self.uri)
        self.assertIsNone(self.successResultOf(drained))

    def test_end(self) -> None:
        """It fails when the session ends, and at once when it has."""
        self.open()
        self.send(*["x" * 300 * KB] * 2)
        drained = self.session.drain()
        self.socket.wire.hang_up()
        for failed in (drained, self.session.drain()):
            error = self.failureResultOf(failed, Disconnected).value
            self.assertEqual(str(error), "transport close")

    def test_cancel(self) -> None:
        """Who waits no more is not told."""
        self.open()
        self.send(*["x" * 300 * KB] * 2)
        drained = self.session.drain()
        drained.addErrback(lambda _: "cancelled")
        drained.cancel()
        self.transport.catch_up()
        self.assertEqual(self.successResultOf(drained), "cancelled")


class PollingTests(PressureTestCase):
    def test_post_is_held_back(self) -> None:
        """A client that asks and does not fetch the answers has to wait, from half the limit on."""
        self.open_polling(max_buffered=1000)
        self.send(*["x" * 100] * 3)
        wire = self.endpoint.wire()
        wire.ask("POST", self.uri, body=b"4more")
        self.assertIsNone(wire.answer())
        self.endpoint.get(self.uri)
        self.assertEqual(wire.answer().text, "ok")

    def test_pipelined(self) -> None:
        """An answer that lets the next GET in at once does not send its packets twice."""
        self.open_polling()
        wire = self.endpoint.wire()
        wire.ask("GET", self.uri)
        wire.ask("GET", self.uri)
        self.send("one")
        self.assertEqual(wire.answer().text, "4one")
        self.send("two")
        self.assertEqual(wire.answer().text, "4two")

    def test_upgrade(self) -> None:
        """What waits leaves on the WebSocket, and its client is read again."""
        self.open_polling(max_buffered=1000)
        socket = self.endpoint.open_websocket(self.uri.replace(POLLING, WEBSOCKET_UPGRADE))
        socket.send("2probe")
        self.send(*["x" * 100] * 3)
        self.assertEqual(socket.messages(), ["3probe"])
        socket.send("5")
        self.assertEqual(socket.messages(), ["4" + "x" * 100] * 3)
        self.assertTrue(socket.wire.transport.reading)
        self.assertEqual(+self.endpoint.engine.stats.transports, {"websocket": 1})


WEBSOCKET_UPGRADE = POLLING.replace("polling", "websocket")
