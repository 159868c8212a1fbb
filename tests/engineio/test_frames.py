"""Frames, held against the bytes of RFC 6455."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mojo.engineio.packet import message, size_of
from mojo.engineio.transports.fragments import Fragments
from mojo.engineio.transports.frames import encode_frame, mask_frame, masked_frame_of
from mojo.engineio.transports.joining import Joiner
from mojo.engineio.transports.outlet import CHUNK
from mojo.testing.frames import client_frame

MASK = b"\x37\xfa\x21\x3d"


class MaskTests(SynchronousTestCase):
    def test_example(self) -> None:
        """RFC 6455 section 5.7: a masked "Hello"."""
        self.assertEqual(
            mask_frame(0x81, b"Hello", MASK), b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
        )

    def test_unmasked_example(self) -> None:
        """RFC 6455 section 5.7: an unmasked "Hello"."""
        self.assertEqual(encode_frame(0x81, b"Hello"), b"\x81\x05Hello")

    def test_lengths(self) -> None:
        """Each form of the length, at both its ends."""
        for size in (0, 1, 3, 4, 5, 125, 126, 65535, 65536):
            payload = bytes(range(251)) * (size // 251 + 1)
            payload = payload[:size]
            self.assertEqual(mask_frame(0x82, payload, MASK), client_frame(2, payload, mask=MASK))

    def test_leading_zeros(self) -> None:
        """Payload and mask that begin with zeros keep their length."""
        self.assertEqual(
            mask_frame(0x82, b"\0\0\0\0\0", b"\0\0\0\0"), b"\x82\x85\0\0\0\0" + bytes(5)
        )

    def test_packets(self) -> None:
        """Text has its type digit in front, bytes have none."""
        self.assertEqual(masked_frame_of(message("Hi"), bytes(4)), b"\x81\x83\0\0\0\x004Hi")
        self.assertEqual(masked_frame_of(message(b"Hi"), bytes(4)), b"\x82\x82\0\0\0\0Hi")


class JoinerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.joiner = Joiner()

    def test_the_same_packets(self) -> None:
        """Each who is sent them is given the same bytes."""
        packets = [message("a"), message(b"b")]
        pieces, size, count = self.joiner.join(packets)
        self.assertEqual((pieces, size, count), ((b"\x81\x024a\x82\x01b",), 7, 2))
        again, *numbers = self.joiner.join(packets.copy())
        self.assertIs(again[0], pieces[0])
        self.assertEqual(numbers, [7, 2])

    def test_others(self) -> None:
        """One more, one less, another one or another order is something else."""
        a, b, c = packets = [message("a"), message("b"), message("c")]
        self.joiner.join(packets)
        for others, expected in (
            ([a, b], b"\x81\x024a\x81\x024b"),
            ([a, b, c, a], b"\x81\x024a\x81\x024b\x81\x024c\x81\x024a"),
            ([b, a, c], b"\x81\x024b\x81\x024a\x81\x024c"),
            ([message("x"), b, c], b"\x81\x024x\x81\x024b\x81\x024c"),
        ):
            pieces, size, count = self.joiner.join(others)
            self.assertEqual((pieces, size, count), ((expected,), len(expected), len(others)))

    def test_list_that_changes(self) -> None:
        """What is kept is its packets: whose list it is goes on with it."""
        packets = [message("a"), message("b")]
        self.joiner.join(packets)
        packets[1] = message("c")
        self.assertEqual(self.joiner.join(packets)[0], (b"\x81\x024a\x81\x024c",))

    def test_long(self) -> None:
        """A chunk is as much as is taken, in pieces, and nothing of it is kept."""
        data = bytes(CHUNK)
        packets = [message("a"), message(data), message("b")]
        for packet in packets:
            size_of(packet)
        pieces, size, count = self.joiner.join(packets)
        self.assertEqual((size, count), (4 + 10 + CHUNK, 2))
        self.assertIs(pieces[2], data)
        self.assertEqual(self.joiner._packets, [])


class FragmentsTests(SynchronousTestCase):
    def test_text(self) -> None:
        """A character may come in two pieces."""
        fragments = Fragments()
        fragments.begin(is_binary=False)
        fragments.add(b"4\xc3")
        fragments.add(b"\xbc")
        self.assertEqual(fragments.message(), "4ü")

    def test_binary(self) -> None:
        fragments = Fragments()
        fragments.begin(is_binary=True)
        fragments.add(b"a")
        fragments.add(b"b")
        self.assertEqual(fragments.message(), b"ab")

    def test_a_message_forgets_the_one_before(self) -> None:
        fragments = Fragments()
        fragments.begin(is_binary=True)
        fragments.add(b"left behind")
        fragments.begin(is_binary=True)
        self.assertEqual(fragments.message(), b"")

    def test_tiny_pieces(self) -> None:
        """A million one-byte pieces are not a million objects."""
        fragments = Fragments()
        fragments.begin(is_binary=True)
        for _ in range(5000):
            fragments.add(b"x")
            self.assertLess(len(fragments), 1024)
        self.assertEqual(fragments.message(), b"x" * 5000)
