"""`mojo.workers.frames` and `mojo.workers.subscriptions`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mojo.errors import PacketError
from mojo.workers import frames
from mojo.workers.frames import FrameReader, first_of, flags_of, kind_of, pack, unpack
from mojo.workers.subscriptions import Subscriptions

FRAME = b"\x00\x00\x00\x0fm\x01\x00\x00\x00\x02x#\x00\x00\x00\x03\x00\xffa"


class FrameTests(SynchronousTestCase):
    def test_limits(self) -> None:
        """A frame has room for what its limit was made of: 2 * 100 + 6 * 10 and the names."""
        self.assertEqual(frames.most_for(100, 10), 2_000_260)
        self.assertEqual(frames.max_message_in(2_000_260), 130)
        self.assertEqual(frames.max_session_in(2_000_260), 43)

    def test_bytes(self) -> None:
        self.assertEqual(pack(frames.MESSAGE, frames.WAITS, b"x#", b"\x00\xffa"), FRAME)
        self.assertEqual((kind_of(FRAME), flags_of(FRAME)), (b"m", 1))
        self.assertEqual((first_of(FRAME), unpack(FRAME)), (b"x#", [b"x#", b"\x00\xffa"]))

    def test_pieces(self) -> None:
        """Frames come in whatever pieces a pipe has, and none is lost between them."""
        stream = FRAME + frames.pack_control("ready") + FRAME
        for size in (1, 2, 3, 5, 7, 100):
            reader = FrameReader(100)
            found = []
            for at in range(0, len(stream), size):
                found += reader.feed(stream[at : at + size])
            self.assertEqual(found, [FRAME, frames.pack_control("ready"), FRAME])

    def test_too_long(self) -> None:
        """It is refused by what it says of itself, before it is there; one that fits is not."""
        self.assertEqual(list(FrameReader(15).feed(FRAME)), [FRAME])
        with self.assertRaises(PacketError):
            list(FrameReader(14).feed(FRAME[:4]))
        with self.assertRaises(PacketError):
            list(FrameReader(14).feed(b"\0\0\0\1m"))

    def test_broken(self) -> None:
        for fields in (b"", b"\0\0", b"\0\0\0\2x", b"\0\0\0\1xy"):
            broken = (2 + len(fields)).to_bytes(4, "big") + b"m\1" + fields
            with self.assertRaises(PacketError):
                unpack(broken)

    def test_control(self) -> None:
        frame = frames.pack_control("ask", args=["ü", None])
        self.assertEqual(frames.unpack_control(frame), {"said": "ask", "args": ["ü", None]})
        for text in (b"{", b"[]", b'{"said": 1}', b"[" * 100_000):
            with self.assertRaises(PacketError):
                frames.unpack_control(pack(frames.CONTROL, 1, text))


class SubscriptionsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.subscriptions: Subscriptions[str] = Subscriptions()
        self.subscriptions.add("a", [b"x", b"y"], b"x#")
        self.subscriptions.add("b", [b"x"], b"x#y#")

    def found(self, channel: bytes) -> list[str]:
        return list(self.subscriptions.find(channel))

    def test_find(self) -> None:
        """By the name, or by what it begins with."""
        for channel, found in (
            (b"x", ["a", "b"]), (b"y", ["a"]), (b"x#", ["a"]), (b"x#z", ["a"]),
            (b"x#y#", ["a", "b"]), (b"x#y", ["a"]), (b"", []), (b"xy", []),
        ):  # fmt: skip
            self.assertEqual(self.found(channel), found, channel)

    def test_once(self) -> None:
        """Whoever listens twice hears it once, and until both have ended."""
        self.subscriptions.add("a", [b"x"], b"x#")
        self.assertEqual(self.found(b"x#"), ["a"])
        self.assertEqual(self.subscriptions.count(b"x"), 2)
        self.subscriptions.remove("a", [b"x"], b"x#")
        self.assertEqual((self.found(b"x"), self.found(b"x#")), (["b", "a"], ["a"]))

    def test_remove(self) -> None:
        self.subscriptions.remove("a", [b"x", b"y"], b"x#")
        self.assertEqual((self.found(b"x"), self.found(b"y"), self.found(b"x#")), (["b"], [], []))
        self.assertEqual(self.found(b"x#y#z"), ["b"])
        self.subscriptions.remove("b", [b"x"], b"x#y#")
        self.assertEqual(self.found(b"x#y#z"), [])
        self.assertEqual(vars(self.subscriptions), vars(Subscriptions()))
