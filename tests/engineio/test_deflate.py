"""permessage-deflate: offers, frames by RFC 7692, bombs, and who is sent what."""

import zlib

from twisted.trial.unittest import SynchronousTestCase

from mojo.engineio.packet import message
from mojo.engineio.transports.deflate import read_offers
from mojo.testing.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    TEXT,
    Frame,
    WebSocketWire,
    client_frame,
    parse_frames,
)
from tests.engineio.endpoint import WEBSOCKET, Endpoint

OFFER = "permessage-deflate; client_max_window_bits"


def pack(data: bytes, bits: int = 15) -> bytes:
    compressor = zlib.compressobj(wbits=-bits)
    packed = compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)
    return packed.removesuffix(b"\x00\x00\xff\xff")


def unpack(data: bytes, bits: int = 15) -> bytes:
    return zlib.decompressobj(-bits).decompress(data + b"\x00\x00\xff\xff")


class OfferTests(SynchronousTestCase):
    def test_good(self) -> None:
        for header, expected in (
            ("permessage-deflate", "permessage-deflate"),
            (OFFER, OFFER),
            ("permessage-deflate;client_max_window_bits=10", OFFER),
            ('permessage-deflate; server_max_window_bits="10"',
             "permessage-deflate; server_max_window_bits=10"),
            ("PerMessage-Deflate; Server_No_Context_Takeover; client_no_context_takeover",
             "permessage-deflate; server_no_context_takeover; client_no_context_takeover"),
            ("x-webkit-deflate-frame, permessage-deflate", "permessage-deflate"),
            ("permessage-deflate; other, permessage-deflate", "permessage-deflate"),
        ):  # fmt: skip
            self.assertEqual(read_offers([header]), expected, header)

    def test_declined(self) -> None:
        """An offer with anything unknown or malformed is none (RFC 7692 section 7)."""
        for parameter in (
            "other", "server_max_window_bits", "server_max_window_bits=8",
            "server_max_window_bits=16", "server_max_window_bits=09", "client_max_window_bits=7",
            "client_max_window_bits=", "server_no_context_takeover=1",
            "client_no_context_takeover=", "server_max_window_bits=1\u0661",
            "server_no_context_takeover; server_no_context_takeover", "", "=", 'a="b',
        ):  # fmt: skip
            self.assertEqual(read_offers([f"permessage-deflate; {parameter}"]), "", parameter)

    def test_bounded(self) -> None:
        self.assertEqual(read_offers([OFFER] * 1000), ", ".join([OFFER] * 8))


class DeflateTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.endpoint = Endpoint(per_message_deflate=True)

    def open(self, offer: str = OFFER, uri: str = WEBSOCKET):
        return self.endpoint.open_websocket(uri, headers={"Sec-WebSocket-Extensions": offer})

    def frames(self, socket) -> list[tuple[bool, Frame]]:
        """Take frames, of which the first reserved bit may be set."""
        self.endpoint.turn()
        data = socket.wire.read()
        result = []
        while data:
            compressed = bool(data[0] & 0x40)
            size, start = data[1], 2
            if size == 126:
                size, start = int.from_bytes(data[2:4], "big"), 4
            elif size == 127:
                size, start = int.from_bytes(data[2:10], "big"), 10
            head = bytes((data[0] & 0xBF,)) + data[1 : start + size]
            result.append((compressed, parse_frames(head)[0]))
            data = data[start + size :]
        return result


class DeflateTests(DeflateTestCase):
    def test_negotiation(self) -> None:
        for offer, options, answer in (
            (OFFER, True, "permessage-deflate; client_no_context_takeover"),
            ("permessage-deflate; server_max_window_bits=10; server_no_context_takeover",
             {"client_no_context_takeover": False},
             "permessage-deflate; server_no_context_takeover; server_max_window_bits=10"),
            (OFFER, {"client_max_window_bits": 9, "client_no_context_takeover": False},
             "permessage-deflate; client_max_window_bits=9"),
            # Who does not say that it can be told is not told.
            ("permessage-deflate", {"client_max_window_bits": 9},
             "permessage-deflate; client_no_context_takeover"),
        ):  # fmt: skip
            self.endpoint = Endpoint(per_message_deflate=options)
            head = self.open(offer).head + b"\r\n"
            self.assertIn(f"Sec-WebSocket-Extensions: {answer}\r\n".encode(), head)

    def test_not_negotiated(self) -> None:
        """Off, not offered, or not as it must be: nothing is compressed, or may be."""
        for options, offer in (
            (False, OFFER),
            (True, "x-other"),
            (True, "permessage-deflate; server_max_window_bits=99"),
        ):
            self.endpoint = Endpoint(per_message_deflate=options)
            socket = self.open(offer)
            self.assertNotIn(b"Extensions", socket.head)
            self.endpoint.session.send("x" * 5000)
            self.assertEqual([compressed for compressed, _ in self.frames(socket)], [False])
            socket.send_raw(client_frame(TEXT, pack(b"4a"), rsv=4))
            ((_, close),) = self.frames(socket)
            self.assertEqual((close.opcode, close.code), (CLOSE, 1002))

    def test_incoming(self) -> None:
        """The example of RFC 7692 section 7.2.3.1, whole and in fragments; and plain text."""
        hello = bytes((0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00))
        self.assertEqual(unpack(hello), b"Hello")
        socket = self.open()
        socket.send_raw(client_frame(BINARY, hello, rsv=4))
        socket.send_raw(client_frame(BINARY, hello[:3], fin=False, rsv=4))
        socket.send_raw(client_frame(CONTINUATION, hello[3:]))
        socket.send("4plain")
        socket.send_raw(client_frame(TEXT, pack("4€".encode()), rsv=4))
        self.assertEqual(self.endpoint.log, [b"Hello", b"Hello", "plain", "€"])

    def test_outgoing(self) -> None:
        """From 1,024 bytes on, both kinds."""
        socket = self.open()
        for data, compressed in (("x" * 1022, False), ("x" * 1023, True), (b"y" * 1024, True)):
            self.endpoint.session.send(data)
            ((flag, frame),) = self.frames(socket)
            self.assertEqual(flag, compressed)
            expected = b"4" + data.encode() if isinstance(data, str) else data
            self.assertEqual(unpack(frame.payload) if flag else frame.payload, expected)
            self.assertEqual(len(frame.payload) < 100, compressed)

    def test_threshold(self) -> None:
        self.endpoint = Endpoint(per_message_deflate={"threshold": 0})
        socket = WebSocketWire(self.endpoint.site, WEBSOCKET, {"Sec-WebSocket-Extensions": OFFER})
        socket._unread = b""
        self.endpoint.session.send("")
        ((flag, frame),) = self.frames(socket)
        self.assertTrue(flag)
        self.assertEqual(unpack(frame.payload), b"4")

    def test_packets_that_are_not_compressed(self) -> None:
        socket = self.open()
        packet = message("x" * 5000)
        packet.compress = False
        self.endpoint.session.send_packets([packet])
        ((flag, frame),) = self.frames(socket)
        self.assertEqual((flag, len(frame.payload)), (False, 5001))

    def test_one_for_all(self) -> None:
        """
        A message to many is packed once, and never reaches who cannot unpack it.

        That is a client without the extension, with a smaller dictionary, or of version 3.
        """
        self.endpoint = Endpoint(per_message_deflate=True, allow_eio3=True)
        small = "permessage-deflate; server_max_window_bits=9"
        sockets = [
            self.open(),
            self.open(),
            self.open(small),
            self.endpoint.open_websocket(),
            self.open(uri=WEBSOCKET.replace("EIO=4", "EIO=3")),
        ]
        # Repeats itself at a distance that a dictionary of 512 bytes does not reach.
        data = bytes(range(256)) * 2 + b"-" * 600 + bytes(range(256)) * 2
        packet = message(data)
        made = []
        for application in self.endpoint.applications:
            application.session.send_packets([packet])
            self.endpoint.turn()
            made.append(packet.deflated_form)
        self.assertIs(made[0], made[1])
        frames = [self.frames(socket)[0] for socket in sockets]
        self.assertEqual([flag for flag, _ in frames], [True, True, True, False, True])
        self.assertEqual(frames[0], frames[1])
        self.assertNotEqual(frames[0], frames[2])
        self.assertEqual(unpack(frames[0][1].payload), data)
        self.assertEqual(unpack(frames[2][1].payload, 9), data)
        self.assertEqual(frames[3][1].payload, data)
        self.assertEqual(unpack(frames[4][1].payload), b"\x04" + data)

    def test_smaller_dictionary_first(self) -> None:
        """What was packed for the smaller one, the others can unpack."""
        small = self.open("permessage-deflate; server_max_window_bits=9")
        large = self.open()
        packet = message("x" * 5000)
        for application in self.endpoint.applications:
            application.session.send_packets([packet])
        self.assertEqual(self.frames(small), self.frames(large))

    def test_context_takeover(self) -> None:
        """If allowed, a message is packed with the one before it in mind."""
        self.endpoint = Endpoint(per_message_deflate={"server_no_context_takeover": False})
        socket = self.open()
        data = bytes((7 * i * i + i // 3) % 251 for i in range(2000))
        for _ in range(2):
            self.endpoint.session.send(data)
        (_, first), (_, second) = self.frames(socket)
        self.assertLess(len(second.payload), len(first.payload) / 10)
        inflater = zlib.decompressobj(-15)
        for frame in (first, second):
            self.assertEqual(inflater.decompress(frame.payload + b"\x00\x00\xff\xff"), data)

    def test_client_asks_for_none(self) -> None:
        self.endpoint = Endpoint(per_message_deflate={"server_no_context_takeover": False})
        socket = self.open("permessage-deflate; server_no_context_takeover")
        for _ in range(2):
            self.endpoint.session.send("x" * 5000)
        (_, first), (_, second) = self.frames(socket)
        self.assertEqual(first, second)


class BombTests(DeflateTestCase):
    def explode(self, *pieces: bytes) -> None:
        """Send a compressed message in pieces; it must be refused, and not be unpacked."""
        socket = self.open()
        for number, piece in enumerate(pieces):
            socket.send_raw(
                client_frame(
                    CONTINUATION if number else BINARY,
                    piece,
                    fin=number == len(pieces) - 1,
                    rsv=0 if number else 4,
                )
            )
        frames = [frame for _, frame in self.frames(socket)]
        self.assertEqual([(f.opcode, f.code) for f in frames], [(CLOSE, 1009)])
        self.assertEqual(self.endpoint.log, [("closed", "transport error")])
        self.endpoint.log.clear()

    def test_bomb(self) -> None:
        """Under a megabyte becomes 900: 1009, after no more than ``max_payload`` of it."""
        import tracemalloc

        compressor = zlib.compressobj(wbits=-15)
        block = compressor.compress(bytes(10_000_000)) + compressor.flush(zlib.Z_FULL_FLUSH)
        packed = block * 90
        self.assertLess(len(packed), 1_000_000)
        self.assertGreater(len(packed), 800_000)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.explode(packed)
        self.assertLess(tracemalloc.get_traced_memory()[1], 20_000_000)

    def test_bomb_in_fragments(self) -> None:
        """The limit is the message's: no fragment is too long by itself."""
        packed = pack(bytes(1_100_000))
        self.explode(*(packed[i : i + 100] for i in range(0, len(packed), 100)))

    def test_longest(self) -> None:
        """To the byte; Autobahn alone would cut off the one too many."""
        self.open().send_raw(client_frame(BINARY, pack(bytes(1_000_000)), rsv=4))
        self.assertEqual([len(data) for data in self.endpoint.log], [1_000_000])
        self.endpoint.log.clear()
        self.explode(pack(bytes(1_000_001)))

    def test_broken_data(self) -> None:
        socket = self.open()
        socket.send_raw(client_frame(BINARY, b"\xff\xff\xff", rsv=4))
        ((_, close),) = self.frames(socket)
        self.assertEqual((close.opcode, close.code), (CLOSE, 1007))
        self.assertEqual(self.endpoint.log, [("closed", "transport error")])
