"""Frames, held against the bytes of RFC 6455."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mojo.engineio.packet import message
from mojo.engineio.transports.fragments import Fragments
from mojo.engineio.transports.frames import encode_frame, mask_frame, masked_frame_of
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
