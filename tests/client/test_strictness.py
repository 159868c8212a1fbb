"""Servers that break the protocol: a clean close, a reason, and another attempt."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mojo.client.websocket_protocol import WebSocketFactory
from mojo.engineio.packet import message
from mojo.engineio.transports.frames import encode_frame
from tests.client.scripted import Script, open_packet
from tests.client.world import Heard

CLOSE = 8


class ScriptTestCase(SynchronousTestCase):
    options: dict = {}  # noqa: RUF012

    def setUp(self) -> None:
        self.start()

    def start(self, **options) -> None:
        self.script = Script(**{**self.options, **options})
        self.heard = Heard()
        self.socket = self.script.manager.socket("/")
        self.heard.by(self.socket, "connect", "disconnect", "connect_error", "news", "message")

    def errors(self) -> list[str]:
        return [str(error) for name, error in self.heard.take() if name == "connect_error"]


class BrokenServerTests(ScriptTestCase):
    def assert_closed(self, code: int | None = 1002) -> None:
        """The socket has heard of it, and the server was sent a Close frame."""
        self.assertEqual(self.heard.take(), [("disconnect", "parse error")])
        frames = self.script.server.frames()
        self.assertEqual(frames[-1][0], CLOSE)
        self.assertEqual(int.from_bytes(frames[-1][1][:2], "big"), code)
        self.assertTrue(self.script.manager.reconnecting)

    def broken(self, *messages, **options) -> None:
        self.start(**options)
        self.script.join()
        self.heard.take()
        self.script.heard()
        self.script.say(*messages)

    def test_socketio_packets(self) -> None:
        for packet in (
            "4", "49", "42", "42{}", '42["connect"]', '43["no id"]', '45-["x"]',
            '4511-["x"]', '40{"sid":"again"}', '42["x",NaN]',
        ):  # fmt: skip
            self.broken(packet)
            self.assert_closed()

    def test_attachments(self) -> None:
        """One that belongs to nothing, text in place of one, and illegal places."""
        for packets in (
            (b"binary",),
            ('451-["x",{"_placeholder":true,"num":0}]', '42["y"]'),
            ('451-["x",{"_placeholder":true,"num":1}]', b"binary"),
        ):
            self.broken(*packets)
            self.assert_closed()

    def test_an_attachment_that_does_not_come(self) -> None:
        self.broken('451-["x",{"_placeholder":true,"num":0}]', attachment_timeout=30)
        self.assertEqual(self.heard.take(), [])
        self.script.advance(30)
        self.assert_closed()

    def test_lost_between_attachments(self) -> None:
        """No timer is left of what did not come."""
        self.broken('451-["x",{"_placeholder":true,"num":0}]', reconnection=False)
        self.script.network.cut()
        self.assertEqual(self.heard.take(), [("disconnect", "transport error")])
        self.assertEqual(self.script.clock.getDelayedCalls(), [])

    def test_engineio_packets(self) -> None:
        for packet in ("", "x", "9", "5", "3", open_packet()):
            self.broken(packet)
            self.assert_closed()

    def test_frames(self) -> None:
        """Masked, with a reserved bit, an unknown opcode, text that is not UTF-8."""
        for frame, code in (
            (b"\x81\x81\0\0\0\x006", 1002),
            (b"\xc1\x016", 1002),
            (b"\x83\x016", 1002),
            (b"\x81\x01\xff", 1007),
        ):
            self.broken()
            self.script.server.transport.write(frame)
            self.script.settle()
            self.assert_closed(code)

    def test_too_long(self) -> None:
        """A message longer than ``max_payload``, in one frame or many."""
        self.broken("4" + "x" * 1001, max_payload=1000)
        self.assert_closed(1009)
        self.broken(max_payload=1000)
        for first in (0x01, 0x00, 0x00):
            self.script.server.transport.write(encode_frame(first, b"4" * 500))
        self.script.settle()
        self.assert_closed(1009)

    def test_again_after_it(self) -> None:
        """The next connection is a new one, in every respect."""
        self.broken('451-["x",{"_placeholder":true,"num":0}]', "text")
        self.heard.take()
        self.script.advance(1)
        self.script.join()
        self.script.say('42["news",1]')
        self.assertEqual(self.heard.take(), [("connect",), ("news", 1)])

    def test_nothing_is_taken_after_it(self) -> None:
        """What came in one piece with the violation does not count."""
        self.broken("4x", '42["news",1]')
        self.assertEqual(self.heard.take(), [("disconnect", "parse error")])

    def test_a_server_that_does_not_let_go(self) -> None:
        """After ``close_timeout`` the connection is dropped."""
        self.broken("4x", reconnection=False)
        self.assertIsNone(self.script.server.lost)
        self.script.advance(5)
        self.assertIsNotNone(self.script.server.lost)
        self.assertEqual(self.script.clock.getDelayedCalls(), [])

    def test_what_may_have_been_on_its_way(self) -> None:
        """Packets for a namespace that was left, and unknown acknowledgements."""
        self.broken('42/other,["x"]', "43/other,1[]", "437[]", "41/other,")
        self.assertEqual(self.heard.take(), [])
        self.assertTrue(self.socket.connected)


class OpeningTests(ScriptTestCase):
    """Before a connection is open."""

    WRONG_ACCEPT = (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Accept: wrong\r\n\r\n"
    )

    def test_requests(self) -> None:
        """The opening handshake says what it should, and no more."""
        self.start(
            url="http://example.com:8080/?room=1",
            path="/ws",
            extra_headers={"X-Token": "t"},
            cookies={"a": "1", "b": "2"},
        )
        self.script.settle()
        line, headers = self.script.server.accept()
        self.assertEqual(line, "GET /ws/?room=1&EIO=4&transport=websocket")
        self.assertEqual(headers["host"], "example.com:8080")
        self.assertEqual(headers["x-token"], "t")
        self.assertEqual(headers["cookie"], "a=1; b=2")
        self.assertEqual(headers["user-agent"], "Mojo")
        self.assertNotIn("origin", headers)
        self.assertNotIn("sec-websocket-extensions", headers)

    def test_own_user_agent(self) -> None:
        self.start(extra_headers={"User-Agent": "Me"})
        self.script.settle()
        self.assertEqual(self.script.server.accept()[1]["user-agent"], "Me")

    def test_packets_before_the_open_packet(self) -> None:
        self.script.settle()
        self.script.server.accept()
        self.script.say('42["x"]')
        self.assertEqual(self.errors(), ["MESSAGE packet before the open packet"])
        self.assertTrue(self.script.manager.reconnecting)

    def test_bad_open_packet(self) -> None:
        self.script.settle()
        self.script.server.accept()
        self.script.say(open_packet(sid=None))
        self.assertEqual(self.errors(), ["the open packet has no sid"])

    def test_no_websocket(self) -> None:
        """The status is in the error."""
        self.script.settle()
        self.script.server.respond("no", 403)
        self.script.settle()
        (error,) = self.errors()
        self.assertIn("403", error)
        self.assertIsNotNone(self.script.server.lost)

    def test_bad_answers(self) -> None:
        """None of them is more than an error: neither a traceback nor a hang."""
        for answer in (
            b"\xff\xfe nonsense\r\n\r\n",
            b"\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
            self.WRONG_ACCEPT,
            b"x" * 70_000,
        ):
            self.start()
            self.script.settle()
            self.script.server.transport.write(answer)
            self.script.settle()
            self.assertEqual(len(self.errors()), 1, answer[:20])
            self.assertIsNotNone(self.script.server.lost, answer[:20])

    def test_silence(self) -> None:
        """After ``timeout``, 20 s, the attempt has failed, at whatever it was."""
        for step in range(3):
            self.start(reconnection=False)
            self.script.settle()
            if step:
                self.script.server.accept()
            if step == 2:
                self.script.server.say("0")  # which is half a packet
                self.start(reconnection=False)
                self.script.settle()
            self.script.advance(19.5)
            self.assertEqual(self.errors(), [])
            self.script.advance(0.5)
            self.assertEqual(self.errors(), ["timeout"])
            self.script.settle()
            self.assertIsNotNone(self.script.server.lost)
            self.assertEqual(self.script.clock.getDelayedCalls(), [])

    def test_lost(self) -> None:
        """A connection that breaks before it is open is an attempt that failed."""
        self.script.settle()
        self.script.server.accept()
        self.script.settle()
        self.script.network.cut()
        self.assertEqual(len(self.errors()), 1)
        self.assertTrue(self.script.manager.reconnecting)

    def test_lost_before_it_was_let_in(self) -> None:
        """No ``disconnect`` without a ``connect``: the attempt has failed."""
        self.script.open()
        self.script.network.cut()
        self.assertEqual([name for name, *_ in self.heard.take()], ["connect_error"])
        self.assertTrue(self.script.manager.reconnecting)

    def test_old_server(self) -> None:
        """The server of Socket.IO 2 lets in without an id: that is said, and not tried again."""
        self.script.join("40")
        self.assertEqual(
            self.errors(), ["the server speaks an old version of the protocol, that of Socket.IO 2"]
        )
        self.assertFalse(self.socket.active)

    def test_refusal_in_words(self) -> None:
        """Some servers send a text in place of an object."""
        self.script.join('44"Unable to connect"')
        self.assertEqual(self.errors(), ["Unable to connect"])

    def test_events_before_we_are_let_in(self) -> None:
        """They wait until we are."""
        self.script.open()
        self.script.say('42["news",1]')
        self.assertEqual(self.heard.take(), [])
        self.script.say('40{"sid":"cid1"}')
        self.assertEqual(self.heard.take(), [("news", 1), ("connect",)])

    def test_all_transports(self) -> None:
        """With ``try_all_transports`` the next one is tried before the attempt has failed."""
        self.start(transports=("websocket", "polling"), try_all_transports=True)
        self.script.settle()
        self.script.server.respond("no", 403)
        self.script.settle()
        line, _, _ = self.script.server.request()
        self.assertEqual(line, "GET /socket.io/?EIO=4&transport=polling")
        self.script.server.respond(open_packet(upgrades=[]))
        self.script.settle()
        self.assertEqual(self.script.manager.engine.transport.name, "polling")
        self.assertEqual(self.errors(), [])


class WireTests(ScriptTestCase):
    """Packets as they are on a WebSocket."""

    def setUp(self) -> None:
        super().setUp()
        self.script.join()
        self.heard.take()

    def test_ping(self) -> None:
        self.script.say("2")
        self.assertEqual(self.script.heard(), ["3"])

    def test_binary(self) -> None:
        """Texts with placeholders, and the bytes after them."""
        self.socket.emit("x", b"\x01", {"a": [b"\x02"]})
        self.assertEqual(
            self.script.heard(),
            [
                '452-["x",{"_placeholder":true,"num":0},{"a":[{"_placeholder":true,"num":1}]}]',
                b"\x01",
                b"\x02",
            ],
        )
        self.script.say('461-0[{"_placeholder":true,"num":0}]', b"late")
        self.script.say('451-["news",{"_placeholder":true,"num":0}]', b"\x03")
        self.assertEqual(self.heard.take(), [("news", b"\x03")])

    def test_a_number_for_a_name(self) -> None:
        """As JavaScript has it."""
        self.heard.by(self.socket, "1")
        self.script.say("42[1]", "42[1.0]")
        self.assertEqual(self.heard.take(), [("1",), ("1",)])

    def test_acknowledging(self) -> None:
        """``None`` is no argument, a tuple several, anything else one; once each."""
        for answer, text in ((None, "435[]"), ((1, 2), "435[1,2]"), ([1], "435[[1]]")):
            self.socket.off("news")
            self.socket.on("news", lambda answer=answer: answer)
            self.script.say('425["news"]')
            self.assertEqual(self.script.heard(), [text])

    def test_first_answer(self) -> None:
        """Of several listeners, the first that has one gives the answer."""
        self.socket.off("news")
        for answer in (None, "first", "second"):
            self.socket.on("news", lambda answer=answer: answer)
        self.script.say('425["news"]')
        self.assertEqual(self.script.heard(), ['435["first"]'])

    def test_disconnecting(self) -> None:
        """What was sent before, DISCONNECT, and a Close frame."""
        self.socket.emit("x")
        self.socket.disconnect()
        self.script.settle()
        *messages, (opcode, payload) = self.script.server.frames()
        self.assertEqual(messages, [(1, b'42["x"]'), (1, b"41")])
        self.assertEqual((opcode, payload), (CLOSE, b"\x03\xe8"))

    def test_one_write(self) -> None:
        """What one turn of the reactor sends leaves in one write."""
        writes: list[bytes] = []
        transport = self.script.network.links[0].client
        transport.writeSequence = lambda pieces: writes.append(b"".join(pieces))
        for number in range(100):
            self.socket.emit("x", number)
        self.script.clock.advance(0)
        self.assertEqual(len(writes), 1)

    def test_answers_to_another_connection(self) -> None:
        """An acknowledgement that takes longer than its connection is not sent on the next."""
        gate: Deferred = Deferred()
        self.socket.on("slow", lambda: gate)
        self.script.say('425["slow"]')
        self.script.network.cut()
        self.script.advance(1)
        self.script.join()
        gate.callback("late")
        self.assertEqual(self.script.heard(), [])

    def test_the_server_closes(self) -> None:
        """A Close frame is answered; a server that does not hang up is hung up on."""
        self.script.server.transport.write(encode_frame(0x88, b"\x03\xe9"))
        self.script.settle()
        self.assertEqual(self.heard.take(), [("disconnect", "transport close")])
        ((opcode, _),) = self.script.server.frames()
        self.assertEqual(opcode, CLOSE)

    def test_close_packet(self) -> None:
        self.script.say("1")
        self.assertEqual(self.heard.take(), [("disconnect", "transport close")])


class AutobahnTests(SynchronousTestCase):
    def test_every_option_is_set(self) -> None:
        """None of Autobahn's timers, a limit on messages, and masks."""
        script = Script(max_payload=1234)
        script.manager.open()
        script.settle()
        factory = script.network.links[0].client.protocol.factory
        self.assertIsInstance(factory, WebSocketFactory)
        expected = {
            "version": 18, "utf8validateIncoming": True, "acceptMaskedServerFrames": False,
            "maskClientFrames": True, "applyMask": True, "maxFramePayloadSize": 1234,
            "maxMessagePayloadSize": 1234, "autoFragmentSize": 0, "failByDrop": False,
            "echoCloseCodeReason": False, "serverConnectionDropTimeout": 0,
            "openHandshakeTimeout": 0, "closeHandshakeTimeout": 0, "tcpNoDelay": True,
            "perMessageCompressionOffers": [], "autoPingInterval": 0, "autoPingTimeout": 0,
        }  # fmt: skip
        self.assertEqual({name: getattr(factory, name) for name in expected}, expected)

    def test_masks_differ(self) -> None:
        """Each frame has a mask of its own."""
        script = Script()
        script.manager.open()
        script.open()
        carrier = script.manager.engine.transport
        script.server.unread = b""
        carrier.write([message("x" * 4), message("x" * 4)], 0)
        script.settle()
        first, second = script.server.unread[2:6], script.server.unread[13:17]
        self.assertNotEqual(first, second)
