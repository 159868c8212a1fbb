"""`mojo.engineio.packet`; expected bytes are the protocol text's own examples."""

from twisted.trial.unittest import SynchronousTestCase

from mojo.engineio.packet import (
    Packet,
    PacketType,
    decode_from_payload,
    decode_text,
    encode_for_payload,
    encode_text,
    message,
    size_of,
)
from mojo.errors import PacketError


class EncodeTests(SynchronousTestCase):
    def test_message(self) -> None:
        """A text message is its digit and its text."""
        self.assertEqual(encode_text(message("hello")), "4hello")

    def test_types(self) -> None:
        """The digits of protocol v4."""
        digits = [encode_text(Packet(packet_type)) for packet_type in PacketType]
        self.assertEqual(digits, ["0", "1", "2", "3", "4", "5", "6"])

    def test_binary_in_payload(self) -> None:
        """A binary message is ``b`` and base64, without a digit."""
        self.assertEqual(encode_for_payload(message(b"\x01\x02\x03\x04")), b"bAQIDBA==")

    def test_payload_form_is_computed_once(self) -> None:
        """The form is kept on the packet, for the other recipients."""
        packet = message("€")
        first = encode_for_payload(packet)
        self.assertEqual(first, "4€".encode())
        self.assertIs(encode_for_payload(packet), first)

    def test_repr_hides_the_data(self) -> None:
        """A packet in a traceback does not show what somebody wrote."""
        self.assertEqual(repr(message("secret")), "<Packet MESSAGE of 6>")


class DecodeTests(SynchronousTestCase):
    def test_message(self) -> None:
        packet = decode_text("4hello")
        self.assertEqual((packet.type, packet.data), (PacketType.MESSAGE, "hello"))

    def test_probe(self) -> None:
        packet = decode_text("2probe")
        self.assertEqual((packet.type, packet.data), (PacketType.PING, "probe"))

    def test_unknown_type(self) -> None:
        """Anything that is no digit from 0 to 6 is refused, also a digit of Unicode."""
        for text in ("", "abc", "7", "b", "\u0664x", " 4"):
            with self.assertRaises(PacketError):
                decode_text(text)

    def test_binary(self) -> None:
        packet = decode_from_payload("bAQIDBA==")
        self.assertEqual((packet.type, packet.data), (PacketType.MESSAGE, b"\x01\x02\x03\x04"))

    def test_empty_binary(self) -> None:
        self.assertEqual(decode_from_payload("b").data, b"")

    def test_base64_is_strict(self) -> None:
        """No foreign letters, no missing padding, nothing that is not ASCII."""
        for text in ("bAQ", "bA Q=", "b====", "bAQI$", "b€"):
            with self.assertRaises(PacketError):
                decode_from_payload(text)


class SizeTests(SynchronousTestCase):
    def test_bytes_and_the_packet_itself(self) -> None:
        """Data counts in bytes, as UTF-8 if it is text; an empty packet counts for 128."""
        for data, size in (("", 128), ("abc", 131), ("€", 131), (b"\x00" * 1000, 1128)):
            self.assertEqual(size_of(message(data)), size)

    def test_is_computed_once(self) -> None:
        """The size is kept on the packet, for the other recipients."""
        packet = message("abc")
        size_of(packet)
        packet.data = "longer than before"
        self.assertEqual(size_of(packet), 131)
