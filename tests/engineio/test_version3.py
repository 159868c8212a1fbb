"""`mojo.engineio.version3`: payloads and frames, byte by byte from the protocol text."""

from twisted.trial.unittest import SynchronousTestCase

from mojo.engineio.packet import Packet, PacketType, message
from mojo.engineio.version3 import VERSION_3, VERSION_3_BASE64
from mojo.errors import PacketError

NOOP = Packet(PacketType.NOOP)


def decoded(body: bytes, *, is_binary: bool = False) -> list:
    return [
        (packet.type.value, packet.data)
        for packet in VERSION_3.decode_payload(body, is_binary=is_binary)
    ]


def encoded(*packets: Packet, allow_binary: bool = True, limit: int = 1000):
    return VERSION_3.encode_payload(packets, limit, allow_binary=allow_binary)


class TextPayloadTests(SynchronousTestCase):
    def test_protocol_examples(self) -> None:
        self.assertEqual(decoded(b"6:4hello"), [(4, "hello")])
        self.assertEqual(decoded("6:4hello2:4€".encode()), [(4, "hello"), (4, "€")])
        self.assertEqual(decoded(b"10:b4AQIDBA=="), [(4, b"\x01\x02\x03\x04")])
        self.assertEqual(encoded(message("hello"), message("€")).body, "6:4hello2:4€".encode())
        self.assertEqual(
            encoded(message(b"\x01\x02\x03\x04"), allow_binary=False).body, b"10:b4AQIDBA=="
        )

    def test_length_in_utf16(self) -> None:
        """A letter beyond U+FFFF counts twice, as JavaScript counts."""
        self.assertEqual(encoded(message("😀a")).body, "4:4😀a".encode())
        self.assertEqual(decoded("4:4😀a1:6".encode()), [(4, "😀a"), (6, "")])

    def test_cut_in_two(self) -> None:
        """A length that ends between the halves of such a letter is refused."""
        self.assertRaises(PacketError, decoded, "2:4😀".encode())

    def test_empty_packet(self) -> None:
        """``0:`` is a payload without packets."""
        self.assertEqual(decoded(b"0:"), [])
        self.assertEqual(decoded(b"0:1:2"), [(2, "")])

    def test_colons_and_digits_inside(self) -> None:
        self.assertEqual(decoded(b"6:41:2:31:2"), [(4, "1:2:3"), (2, "")])

    def test_refused(self) -> None:
        for body in (
            b"", b"abc", b"4hello", b":4a", b"-1:4a", b"+2:4a", b"2.0:4a", b" 2:4a", b"2 :4a",
            b"3:4a", b"2:4", b"1:9", b"2:xa", b"1:4a", b"\xff", b"2:4\xff", b"99999999999:4",
            b"1:b", b"2:b4A", b"6:b3AQID", b"6:bxAQID", b"6:b4AQ_D", b"\xd9\xa1:4",
        ):  # fmt: skip
            self.assertRaises(PacketError, decoded, body)

    def test_what_came_before_is_given(self) -> None:
        packets = VERSION_3.decode_payload(b"2:4axyz", is_binary=False)
        self.assertEqual(next(packets).data, "a")
        self.assertRaises(PacketError, next, packets)


class BinaryPayloadTests(SynchronousTestCase):
    def test_protocol_example(self) -> None:
        """The bytes of the public conformance suite."""
        body = bytes([0, 6, 255, 52, 104, 101, 108, 108, 111, 1, 5, 255, 4, 1, 2, 3, 4])
        packets = [(4, "hello"), (4, b"\x01\x02\x03\x04")]
        self.assertEqual(decoded(body, is_binary=True), packets)
        payload = encoded(message("hello"), message(b"\x01\x02\x03\x04"))
        self.assertEqual((payload.body, payload.taken, payload.is_binary), (body, 2, True))

    def test_length_in_bytes(self) -> None:
        """Unlike in a text payload; its digits are bytes of their own."""
        payload = encoded(message("€" * 5), message(b""))
        self.assertEqual(
            payload.body, b"\x00\x01\x06\xff4" + "€€€€€".encode() + b"\x01\x01\xff\x04"
        )
        self.assertEqual(decoded(payload.body, is_binary=True), [(4, "€€€€€"), (4, b"")])

    def test_text_stays_text(self) -> None:
        payload = encoded(message("a"))
        self.assertEqual((payload.body, payload.is_binary), (b"2:4a", False))

    def test_base64_inside(self) -> None:
        self.assertEqual(decoded(b"\x00\x06\xffb4AQID", is_binary=True), [(4, b"\x01\x02\x03")])

    def test_refused(self) -> None:
        for body in (
            b"", b"\x00", b"\x00\xff", b"\x02\x01\xff4", b"\x00\x02\xff4", b"\x00\x0a\xff4",
            b"\x00\x01\x01", b"\x01\x00\xff", b"\x01\x01\xff\x03", b"\x00\x01\xff\xff",
            b"\x00" + b"\x09" * 11 + b"\xff4", b"2:4a", b"\x00\x01\xff9", b"\x01\x02\xff44",
        ):  # fmt: skip
            self.assertRaises(PacketError, decoded, body, is_binary=True)


class LimitTests(SynchronousTestCase):
    def test_limit(self) -> None:
        """As many as fit, and one at least."""
        packets = [message("aaaa")] * 3
        for limit, taken in ((1, 1), (7, 1), (13, 1), (14, 2), (20, 2), (21, 3)):
            self.assertEqual(encoded(*packets, limit=limit).taken, taken, limit)


class FrameTests(SynchronousTestCase):
    def test_binary(self) -> None:
        """The type is the first byte, unlike in version 4."""
        self.assertEqual(VERSION_3.encode_message(message(b"\x01\x02")), (0x82, b"\x04\x01\x02"))
        self.assertEqual(VERSION_3.decode_message(b"\x04\x01\x02").data, b"\x01\x02")
        for data in (b"", b"\x02", b"4a"):
            self.assertRaises(PacketError, VERSION_3.decode_message, data)

    def test_base64(self) -> None:
        """A client that takes no bytes sends and gets text, also here."""
        self.assertEqual(
            VERSION_3_BASE64.encode_message(message(b"\x01\x02\x03\x04")), (0x81, b"b4AQIDBA==")
        )
        for version in (VERSION_3, VERSION_3_BASE64):
            self.assertEqual(version.decode_message("b4AQIDBA==").data, b"\x01\x02\x03\x04")
        self.assertRaises(PacketError, VERSION_3.decode_message, "b2AQIDBA==")

    def test_text(self) -> None:
        self.assertEqual(VERSION_3.encode_message(message("€")), (0x81, "4€".encode()))
        self.assertEqual(VERSION_3.encode_message(NOOP), (0x81, b"6"))
