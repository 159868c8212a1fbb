"""`mojo.redis.resp`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mojo.redis.resp import TOO_LONG, BrokenRespError, RespError, RespReader, command


class CommandTests(SynchronousTestCase):
    def test_parts(self) -> None:
        self.assertEqual(
            command("PUBLISH", b"\xff\r\n", "ü"),
            b"*3\r\n$7\r\nPUBLISH\r\n$3\r\n\xff\r\n\r\n$2\r\n\xc3\xbc\r\n",
        )

    def test_half_characters(self) -> None:
        self.assertEqual(command("\ud800"), b"*1\r\n$3\r\n\xed\xa0\x80\r\n")


class ReaderTests(SynchronousTestCase):
    replies = (
        b"+OK\r\n:-5\r\n$2\r\n\r\n\r\n$-1\r\n*-1\r\n*0\r\n$0\r\n\r\n"
        b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$3\r\n1\r\n\r\n*2\r\n*1\r\n:1\r\n+x\r\n"
    )
    values = (
        b"OK", -5, b"\r\n", None, None, [], b"", [b"message", b"a", b"1\r\n"], [[1], b"x"],
    )  # fmt: skip

    def test_replies(self) -> None:
        self.assertEqual(RespReader(100).feed(self.replies), list(self.values))

    def test_in_pieces(self) -> None:
        """Wherever the stream is cut."""
        for size in (1, 2, 3, 7):
            reader, read = RespReader(100), []
            for start in range(0, len(self.replies), size):
                read += reader.feed(self.replies[start : start + size])
            self.assertEqual(read, list(self.values))

    def test_error(self) -> None:
        (error,) = RespReader(100).feed(b"-NOAUTH Authentication required.\r\n")
        self.assertIsInstance(error, RespError)
        self.assertEqual(str(error), "NOAUTH Authentication required.")

    def test_too_long(self) -> None:
        """It is passed over, and not kept, and what follows is read."""
        reader = RespReader(10)
        data = b"*2\r\n$5\r\nhello\r\n$100000\r\n"
        self.assertEqual(reader.feed(data), [])
        for _ in range(100):
            self.assertEqual(reader.feed(b"x" * 1000), [])
            self.assertLess(len(reader._buffer), 10)
        self.assertEqual(reader.feed(b"\r"), [])
        self.assertEqual(reader.feed(b"\n+OK\r\n"), [[b"hello", TOO_LONG], b"OK"])
        self.assertEqual(reader.feed(b"$10\r\n0123456789\r\n"), [b"0123456789"])

    def test_broken(self) -> None:
        for data in (
            b"HTTP/1.1 400\r\n", b"\r\n", b"$x\r\n", b"*\r\n", b":1.5\r\n",
            b"+" + b"x" * 70_000, b"*1\r\n" * 9,
        ):  # fmt: skip
            self.assertRaises(BrokenRespError, RespReader(100).feed, data)
