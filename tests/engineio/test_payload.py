"""`mojo.engineio.payload`."""

from twisted.trial.unittest import SynchronousTestCase

from mojo.engineio.packet import message
from mojo.engineio.payload import decode_payload, encode_payload
from mojo.errors import PacketError


class DecodePayloadTests(SynchronousTestCase):
    def test_several(self) -> None:
        """The example of the protocol text."""
        packets = list(decode_payload(b"4hello\x1e2\x1e4world"))
        self.assertEqual(
            [(p.type.value, p.data) for p in packets], [(4, "hello"), (2, ""), (4, "world")]
        )

    def test_mixed(self) -> None:
        packets = list(decode_payload(b"4hello\x1ebAQIDBA=="))
        self.assertEqual([p.data for p in packets], ["hello", b"\x01\x02\x03\x04"])

    def test_packets_before_a_broken_one(self) -> None:
        """They come out before the error does."""
        packets = decode_payload(b"4a\x1e4b\x1ex\x1e4c")
        self.assertEqual([next(packets).data, next(packets).data], ["a", "b"])
        with self.assertRaises(PacketError):
            next(packets)

    def test_empty(self) -> None:
        """An empty body holds an empty packet, which is none."""
        with self.assertRaises(PacketError):
            list(decode_payload(b""))

    def test_not_utf8(self) -> None:
        with self.assertRaises(PacketError) as caught:
            list(decode_payload(b"4ab\xff"))
        self.assertEqual(str(caught.exception), "payload is not UTF-8 at byte 3")


class EncodePayloadTests(SynchronousTestCase):
    def test_join(self) -> None:
        body, count = encode_payload([message("hello"), message(b"\x01\x02\x03\x04")], 1000)
        self.assertEqual((body, count), (b"4hello\x1ebAQIDBA==", 2))

    def test_limit_counts_bytes_and_separators(self) -> None:
        """``4€`` is 4 bytes: two of them and a separator are 9."""
        packets = [message("€"), message("€"), message("€")]
        self.assertEqual(encode_payload(packets, 9), ("4€\x1e4€".encode(), 2))
        self.assertEqual(encode_payload(packets, 8), ("4€".encode(), 1))

    def test_long_packet_goes_alone(self) -> None:
        self.assertEqual(
            encode_payload([message("x" * 20), message("y")], 5), (b"4" + b"x" * 20, 1)
        )
