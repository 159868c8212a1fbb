"""
WebSocket through a real Site: opening, RFC 6455, limits, closing.

Where a violation is tested, the bytes come in one piece, byte by byte, and cut in two
at every position: the close code must be the same.
"""

import inspect

from twisted.internet.error import ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from mojo.engineio import EngineOptions
from mojo.engineio.transports.autobahn_options import set_protocol_options
from mojo.engineio.transports.autobahn_protocol import AutobahnFactory, AutobahnProtocol
from mojo.engineio.transports.frames import encode_frame
from mojo.testing.frames import (
    ACCEPT,
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Frame,
    WebSocketWire,
    client_frame,
    parse_frames,
)
from tests.engineio.endpoint import POLLING, WEBSOCKET, Endpoint


class OpeningTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.endpoint = Endpoint()

    def test_open(self) -> None:
        """101 with the key's answer, then the open packet; nothing to upgrade to."""
        socket = WebSocketWire(self.endpoint.site, WEBSOCKET)
        self.assertEqual(socket.status, 101)
        self.assertIn(f"Sec-WebSocket-Accept: {ACCEPT}".encode(), socket.head)
        self.assertNotIn(b"Server:", socket.head)
        (opened,) = socket.messages()
        self.assertEqual(
            opened,
            '0{"sid":"eid1","upgrades":[],"pingInterval":25000,'
            '"pingTimeout":20000,"maxPayload":1000000}',
        )

    def test_subprotocol(self) -> None:
        """The first that the client offers is spoken; a browser insists on one."""
        socket = WebSocketWire(self.endpoint.site, WEBSOCKET, {"Sec-WebSocket-Protocol": "a, b"})
        self.assertIn(b"Sec-WebSocket-Protocol: a\r\n", socket.head + b"\r\n")

    def test_no_compression(self) -> None:
        """The offer that every browser makes is not taken up."""
        offer = {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}
        socket = WebSocketWire(self.endpoint.site, WEBSOCKET, offer)
        self.assertEqual(socket.status, 101)
        self.assertNotIn(b"Extensions", socket.head)

    def test_bad_headers(self) -> None:
        """Each is answered before Autobahn hears of it."""
        for headers, status in (
            ({"Sec-WebSocket-Version": "8"}, 426),
            ({"Sec-WebSocket-Version": "13, 8"}, 426),
            ({"Sec-WebSocket-Key": "short"}, 400),
            ({"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==x"}, 400),
            ({"Sec-WebSocket-Key": ""}, 400),
            ({"Connection": "keep-alive"}, 400),
            ({"Sec-WebSocket-Protocol": "a,,b"}, 400),
            ({"Sec-WebSocket-Protocol": "a,a"}, 400),
            ({"Sec-WebSocket-Protocol": "a b"}, 400),
        ):
            socket = WebSocketWire(self.endpoint.site, WEBSOCKET, headers)
            self.assertEqual(socket.status, status, headers)
        self.assertEqual(self.endpoint.engine.sessions, {})

    def test_line_ends_of_other_parsers(self) -> None:
        r"""
        A value with \x0b, \x0c, \x1c, \x1d, \x1e or \x85 is refused.

        Autobahn would see ``Cookie: ...`` behind it as a header of its own.
        """
        for character in "\x0b\x0c\x1c\x1d\x1e\x85":
            value = f"a{character}Cookie: session_id=stolen"
            socket = WebSocketWire(self.endpoint.site, WEBSOCKET, {"X-Other": value})
            self.assertEqual(socket.status, 400, repr(character))

    def test_utf8_in_a_header(self) -> None:
        r"""``Å`` is C3 85 in UTF-8: a cookie that holds it is no attack."""
        cookie = "name=Å".encode().decode("latin-1")
        socket = WebSocketWire(self.endpoint.site, WEBSOCKET, {"Cookie": cookie})
        self.assertEqual(socket.status, 101)

    def test_many_headers(self) -> None:
        """twisted.web's own limits: 500 headers, 16 KiB."""
        headers = {f"X-{number}": "a" for number in range(600)}
        socket = WebSocketWire(self.endpoint.site, WEBSOCKET, headers)
        self.assertEqual(socket.status, 400)

    def test_frames_behind_the_request(self) -> None:
        """A message that comes in one piece with the request is not lost."""
        rest = client_frame(TEXT, b"4a") + client_frame(TEXT, b"4b")
        WebSocketWire(self.endpoint.site, WEBSOCKET, rest=rest)
        self.assertEqual(self.endpoint.log, ["a", "b"])

    def test_unknown_sid(self) -> None:
        socket = WebSocketWire(self.endpoint.site, WEBSOCKET + "&sid=nobody")
        self.assertEqual(socket.status, 400)

    def test_transport_not_served(self) -> None:
        socket = WebSocketWire(Endpoint(transports=("polling",)).site, WEBSOCKET)
        self.assertEqual(socket.status, 400)

    def test_invalid_frame_right_after_101(self) -> None:
        """It closes the one WebSocket, with its code (GHSA-r7qp-cfhv-p84w)."""
        socket = WebSocketWire(self.endpoint.site, WEBSOCKET, rest=b"\xff\xff\xff\xff")
        opened, close = socket.frames()
        self.assertEqual((opened.opcode, close.opcode, close.code), (TEXT, CLOSE, 1002))
        self.assertEqual(self.endpoint.log, [("closed", "transport error")])


class MessageTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.endpoint = Endpoint()
        self.socket = self.endpoint.open_websocket()

    def test_both_kinds(self) -> None:
        self.socket.send("4hello €")
        self.socket.send(b"\x01\x02\x03\x04")
        self.assertEqual(self.endpoint.log, ["hello €", b"\x01\x02\x03\x04"])
        self.endpoint.session.send("back €")
        self.endpoint.session.send(b"\x05\x06")
        self.endpoint.turn()
        self.assertEqual(self.socket.messages(), ["4back €", b"\x05\x06"])

    def test_sizes(self) -> None:
        """Each form of the length: 7 bits, 16 bits and 64 bits, both ways."""
        for size in (0, 1, 125, 126, 127, 65535, 65536, 200_000):
            payload = bytes(range(256)) * (size // 256 + 1)
            self.socket.send(payload[:size])
            self.assertEqual(self.endpoint.log.pop(), payload[:size])
            self.endpoint.session.send(payload[:size])
            self.endpoint.turn()
            self.assertEqual(self.socket.messages(), [payload[:size]])

    def test_bytewise(self) -> None:
        self.socket.wire.send_bytewise(client_frame(TEXT, "4€".encode()) * 2)
        self.assertEqual(self.endpoint.log, ["€", "€"])

    def test_fragments(self) -> None:
        """A letter may be cut in two, and a ping may come between."""
        euro = "4€".encode()
        self.socket.send_raw(client_frame(TEXT, euro[:2], fin=False))
        self.socket.send_raw(client_frame(PING, b"between"))
        self.socket.send_raw(client_frame(CONTINUATION, euro[2:3], fin=False))
        self.socket.send_raw(client_frame(CONTINUATION, b"", fin=False))
        self.socket.send_raw(client_frame(CONTINUATION, euro[3:]))
        self.assertEqual(self.endpoint.log, ["€"])
        self.assertEqual(self.socket.frames(), [Frame(PONG, b"between")])

    def test_tiny_fragments(self) -> None:
        """10,000 fragments of a byte, and as many of none, are a few objects."""
        self.socket.send_raw(client_frame(BINARY, b"", fin=False))
        for _ in range(10_000):
            self.socket.send_raw(
                client_frame(CONTINUATION, b"x", fin=False)
                + client_frame(CONTINUATION, b"", fin=False)
            )
            self.assertLess(len(self.endpoint.session.transport._autobahn._fragments), 1025)
        self.socket.send_raw(client_frame(CONTINUATION, b""))
        self.assertEqual(self.endpoint.log, [b"x" * 10_000])

    def test_burst_is_one_write(self) -> None:
        """What a turn sends leaves in one piece."""
        writes: list[bytes] = []
        self.socket.wire.transport.write = writes.append
        for number in range(5):
            self.endpoint.session.send(str(number))
        self.assertEqual(writes, [])
        self.endpoint.turn()
        self.assertEqual(
            [f.payload for f in parse_frames(b"".join(writes))], [b"40", b"41", b"42", b"43", b"44"]
        )
        self.assertEqual(len(writes), 1)

    def test_heartbeat(self) -> None:
        self.endpoint.clock.advance(25)
        self.endpoint.turn()
        self.assertEqual(self.socket.messages(), ["2"])
        self.socket.send("3")
        self.endpoint.clock.advance(25)
        self.endpoint.turn()
        self.assertEqual(self.socket.messages(), ["2"])
        self.endpoint.clock.advance(20)
        self.assertEqual(self.socket.frames()[-1].opcode, CLOSE)
        self.assertEqual(self.endpoint.log, [("closed", "ping timeout")])

    def test_message_that_fails(self) -> None:
        """The other frames of the same piece are not lost."""
        self.socket.send_raw(client_frame(TEXT, b"4raise") + client_frame(TEXT, b"4after"))
        self.assertEqual(self.endpoint.log, ["after"])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_unsendable_text(self) -> None:
        """What would break a payload or a frame is refused where it is sent."""
        for text in ("a\x1e1", "\ud800"):
            with self.assertRaises(ValueError):
                self.endpoint.session.send(text)


class ViolationTests(SynchronousTestCase):
    def check(self, data: bytes, code: int, reason: str = "transport error") -> None:
        """The bytes end the session with that close code, however they are cut."""
        ways = [[data], [data[i : i + 1] for i in range(len(data))]]
        ways += [[data[:i], data[i:]] for i in range(1, min(len(data), 60))]
        for pieces in ways:
            endpoint = Endpoint(max_payload=1000)
            other = endpoint.open_websocket()
            socket = endpoint.open_websocket()
            for piece in pieces:
                socket.send_raw(piece)
            frames = [frame for frame in socket.frames() if frame.opcode != PONG]
            self.assertEqual([f.opcode for f in frames], [CLOSE], (data[:20], len(pieces)))
            self.assertEqual(frames[0].code, code)
            self.assertEqual(endpoint.log, [("closed", reason)])
            socket.send_raw(client_frame(TEXT, b"4too late"))
            other.send("4other")
            self.assertEqual(endpoint.log, [("closed", reason), "other"])

    def test_unmasked(self) -> None:
        self.check(client_frame(TEXT, b"4a", mask=None), 1002)

    def test_reserved_bits(self) -> None:
        for rsv in (1, 2, 4):
            self.check(client_frame(TEXT, b"4a", rsv=rsv), 1002)

    def test_reserved_opcodes(self) -> None:
        for opcode in (3, 7, 11, 15):
            self.check(client_frame(opcode, b"4a"), 1002)

    def test_fragmented_control(self) -> None:
        self.check(client_frame(PING, b"a", fin=False), 1002)

    def test_long_control(self) -> None:
        self.check(client_frame(PING, b"a" * 126), 1002)

    def test_stray_continuation(self) -> None:
        self.check(client_frame(CONTINUATION, b"4a"), 1002)

    def test_new_message_inside_another(self) -> None:
        self.check(client_frame(TEXT, b"4a", fin=False) + client_frame(TEXT, b"4b"), 1002)

    def test_length_not_minimal(self) -> None:
        self.check(b"\x81\xfe\x00\x02\x00\x00\x00\x004a", 1002)
        self.check(b"\x81\xff" + b"\x00" * 7 + b"\x02" + b"\x00" * 4 + b"4a", 1002)

    def test_bad_utf8(self) -> None:
        """Also where a sequence is cut by a fragment, or by the end of the message."""
        self.check(client_frame(TEXT, b"4\xff"), 1007)
        self.check(client_frame(TEXT, b"4\xc3"), 1007)
        self.check(client_frame(TEXT, b"4\xed\xa0\x80"), 1007)  # a surrogate
        self.check(
            client_frame(TEXT, b"4\xe2\x82", fin=False) + client_frame(CONTINUATION, b"x"), 1007
        )

    def test_bad_close(self) -> None:
        """A close code nobody may send, one byte of it, a reason that is not UTF-8."""
        for payload, code in (
            (b"\x03\xed", 1002),
            (b"\x03\xee", 1002),
            (b"\x00\x01", 1002),
            (b"\x03", 1002),
            (b"\x03\xe8\xff", 1007),
        ):
            self.check(client_frame(CLOSE, payload), code)

    def test_too_long(self) -> None:
        """1009 when the frame begins, before its payload is read; also in fragments."""
        self.check(client_frame(BINARY, b"x" * 1001)[:8], 1009)
        self.check(b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00", 1009)
        self.check(
            client_frame(BINARY, b"x" * 999, fin=False) + client_frame(CONTINUATION, b"xx"), 1009
        )

    def test_longest(self) -> None:
        endpoint = Endpoint(max_payload=1000)
        endpoint.open_websocket().send(b"x" * 1000)
        self.assertEqual(endpoint.log, [b"x" * 1000])

    def test_bad_packets(self) -> None:
        for payload in (b"abc", b"", b"7", b"0", b"5"):
            self.check(client_frame(TEXT, payload), 1008, "parse error")
        self.check(client_frame(TEXT, b"2"), 1008)

    def test_data_after_a_violation_is_not_kept(self) -> None:
        """A control frame of gigabytes is a violation, and is not gathered."""
        endpoint = Endpoint()
        socket = endpoint.open_websocket()
        transport = endpoint.session.transport
        socket.send_raw(b"\x89\xff" + b"\x00" * 4 + b"\xff" * 4 + b"\x00" * 4)
        for _ in range(100):
            socket.send_raw(b"x" * 65536)
        self.assertEqual(transport._autobahn.data, b"")
        self.assertEqual(transport._autobahn.control_frame_data, [])

    def test_socket_does_not_stay(self) -> None:
        """A client that ignores our Close frame is cut off after close_timeout."""
        endpoint = Endpoint()
        socket = endpoint.open_websocket()
        socket.send_raw(client_frame(TEXT, b"4\xff"))
        self.assertTrue(socket.wire.transport.half_closed)
        endpoint.clock.advance(29)
        self.assertIsNone(socket.closed)
        endpoint.clock.advance(1)
        self.assertEqual(socket.closed, "aborted")
        self.assertEqual(endpoint.clock.getDelayedCalls(), [])


class ClosingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.endpoint = Endpoint()
        self.socket = self.endpoint.open_websocket()

    def test_client_closes(self) -> None:
        self.socket.send_raw(client_frame(CLOSE, b"\x03\xe8bye"))
        (frame,) = self.socket.frames()
        self.assertEqual((frame.opcode, frame.code), (CLOSE, 1000))
        self.assertEqual(self.socket.closed, "closed")
        self.assertEqual(self.endpoint.log, [("closed", "transport close")])

    def test_close_packet(self) -> None:
        self.socket.send("1")
        (frame,) = self.socket.frames()
        self.assertEqual((frame.opcode, frame.code), (CLOSE, 1000))
        self.assertEqual(self.endpoint.log, [("closed", "transport close")])

    def test_client_vanishes(self) -> None:
        self.socket.wire.hang_up()
        self.assertEqual(self.endpoint.log, [("closed", "transport close")])

    def test_connection_breaks(self) -> None:
        self.socket.wire.hang_up(ConnectionLost())
        self.assertEqual(self.endpoint.log, [("closed", "transport error")])

    def test_server_closes(self) -> None:
        """What was sent leaves first; nothing follows the Close frame."""
        self.endpoint.session.send("bye")
        self.endpoint.session.close()
        self.endpoint.session.send("too late")
        self.endpoint.turn()
        bye, close = self.socket.frames()
        self.assertEqual((bye.payload, close.opcode, close.code), (b"4bye", CLOSE, 1000))
        self.assertEqual(self.endpoint.log, [("closed", "forced close")])
        self.socket.send_raw(client_frame(TEXT, b"4ignored") + client_frame(CLOSE, b"\x03\xe8"))
        self.assertEqual(self.socket.closed, "aborted")
        self.assertEqual(self.endpoint.log, [("closed", "forced close")])

    def test_shutdown_code(self) -> None:
        self.endpoint.engine.stop()
        (frame,) = self.socket.frames()
        self.assertEqual((frame.code, frame.payload[2:]), (1001, b"server shutting down"))

    def test_client_that_does_not_read(self) -> None:
        """
        After the client's Close frame its socket goes, even if it never reads.

        Autobahn waits for the buffer to empty; the heartbeat ends the session, and
        close_timeout the socket.
        """
        transport = self.socket.wire.transport
        transport.loseConnection = lambda: None  # the buffer is never empty
        self.socket.send_raw(client_frame(CLOSE, b"\x03\xe8"))
        self.endpoint.clock.advance(25)
        self.endpoint.clock.advance(20)
        self.assertEqual(self.endpoint.log, [("closed", "ping timeout")])
        self.endpoint.clock.advance(30)
        self.assertEqual(self.socket.closed, "aborted")

    def test_nothing_is_left(self) -> None:
        self.socket.wire.hang_up()
        self.endpoint.clock.advance(100)
        self.assertEqual(self.endpoint.engine.sessions, {})
        self.assertEqual(self.endpoint.clock.getDelayedCalls(), [])


class OptionTests(SynchronousTestCase):
    def autobahn_of(self, endpoint: Endpoint) -> AutobahnProtocol:
        """The state machine that reads a message in fragments."""
        endpoint.open_websocket().send_raw(client_frame(TEXT, b"4", fin=False))
        return endpoint.session.transport._autobahn

    def test_every_option_is_set(self) -> None:
        """Autobahn's defaults are open doors; each value is read back here."""
        endpoint = Endpoint(max_payload=777)
        protocol = self.autobahn_of(endpoint)
        factory = protocol.factory
        expected = {
            "versions": [13],
            "webStatus": False,
            "utf8validateIncoming": True,
            "maskServerFrames": False,
            "requireMaskedClientFrames": True,
            "applyMask": True,
            "maxFramePayloadSize": 777,
            "maxMessagePayloadSize": 777,
            "autoFragmentSize": 0,
            "failByDrop": False,
            "echoCloseCodeReason": False,
            "openHandshakeTimeout": 0,
            "closeHandshakeTimeout": 0,
            "autoPingInterval": 0,
            "autoPingTimeout": 0,
            "tcpNoDelay": True,
            "serveFlashSocketPolicy": False,
            "maxConnections": 0,
            "trustXForwardedFor": 0,
        }
        for name, value in expected.items():
            self.assertEqual(getattr(factory, name), value, name)
            self.assertEqual(getattr(protocol, name), value, name)
        self.assertEqual(factory.allowedOrigins, [])
        self.assertFalse(factory.allowNullOrigin)
        self.assertIsNone(factory.perMessageCompressionAccept([object()]))

    def test_no_option_is_forgotten(self) -> None:
        """An option that a newer Autobahn adds must be looked at."""
        known = set(inspect.signature(AutobahnFactory.setProtocolOptions).parameters) - {"self"}
        source = inspect.getsource(set_protocol_options)
        self.assertEqual({name for name in known if f"{name}=" not in source}, set())

    def test_settings_are_not_copied(self) -> None:
        """They are on the class, once, and not on every connection."""
        self.assertNotIn("maxFramePayloadSize", vars(self.autobahn_of(Endpoint())))

    def test_status_page_is_gone(self) -> None:
        """``?redirect=`` on the WebSocket's URL leads nowhere."""
        response = Endpoint().get(WEBSOCKET + "&redirect=https://evil.example&after=x")
        self.assertEqual(response.status, 400)
        self.assertNotIn("location", response.headers)


class FrameTests(SynchronousTestCase):
    def test_lengths(self) -> None:
        """RFC 6455 section 5.2: the shortest of the three forms."""
        self.assertEqual(encode_frame(0x81, b"a" * 125)[:2], b"\x81\x7d")
        self.assertEqual(encode_frame(0x81, b"a" * 126)[:4], b"\x81\x7e\x00\x7e")
        self.assertEqual(encode_frame(0x81, b"a" * 65535)[:4], b"\x81\x7e\xff\xff")
        self.assertEqual(
            encode_frame(0x82, b"a" * 65536)[:10], b"\x82\x7f" + b"\x00" * 5 + b"\x01\x00\x00"
        )


class SharedPathTests(SynchronousTestCase):
    def test_second_websocket_of_a_session(self) -> None:
        """It gets its 101 and is then closed; the first goes on."""
        endpoint = Endpoint()
        first = endpoint.open_websocket()
        second = endpoint.open_websocket(WEBSOCKET + "&sid=eid1")
        self.assertEqual([f.opcode for f in second.frames()], [CLOSE])
        first.send("4a")
        self.assertEqual(endpoint.log, ["a"])

    def test_no_upgrade_allowed(self) -> None:
        endpoint = Endpoint(allow_upgrades=False)
        uri = endpoint.open_polling()
        socket = endpoint.open_websocket(WEBSOCKET + "&sid=eid1")
        self.assertEqual([f.opcode for f in socket.frames()], [CLOSE])
        self.assertEqual(endpoint.post(uri, b"4a").text, "ok")
        self.assertNotIn("websocket", endpoint.get(POLLING).text)

    def test_options_default(self) -> None:
        """The reference's defaults."""
        options = EngineOptions()
        self.assertEqual(
            (options.ping_interval, options.ping_timeout, options.upgrade_timeout),
            (25.0, 20.0, 10.0),
        )
        self.assertEqual(options.max_payload, 1_000_000)
