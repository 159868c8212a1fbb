"""
One common frame that has come in part.

What it takes in it checks as Autobahn would: a text that is not UTF-8 is noticed with its first
bad byte, and not when the frame is complete.  And it can give back what the client sent, so
that at any moment Autobahn can go on in its place.

It keeps what has come, in the pieces in which it came, and no more: to make room for as much as
the head says would cost whoever sends 14 bytes nothing, and us a megabyte.  To grow one buffer
instead took three times as long, most of it in the kernel, for its pages.  Pure: no I/O.
"""

from __future__ import annotations

import codecs

from mojo.engineio.transports.frames import encode_head
from mojo.engineio.transports.masking import rotate, unmask
from mojo.engineio.versions import FIN_TEXT

_decoder = codecs.getincrementaldecoder("utf-8")

# Pieces that are kept apart: a megabyte that comes byte by byte would be a million objects.
_MAX_LOOSE = 1024


class Gathering:
    """
    The payload of an incomplete frame.

    Args:
        first: the first byte of the frame.
        size: how long the payload is to be.
        mask: its mask.

    Attributes:
        missing: how many bytes are yet to come.
    """

    __slots__ = ("_first", "_mask", "_size", "missing")

    def __init__(self, first: int, size: int, mask: bytes) -> None:
        self._first = first
        self._size = size
        self._mask = mask
        self.missing = size

    def add(self, piece: bytes) -> None:
        """
        Take a piece, of no more bytes than are `missing`.

        Raises:
            UnicodeDecodeError: the text is not UTF-8; nothing was taken.
        """
        raise NotImplementedError

    def message(self) -> str | bytes:
        """Give the message, when nothing is missing."""
        raise NotImplementedError

    def as_sent(self) -> bytes:
        """Give what has come of the frame, as it came."""
        head = encode_head(self._first, self._size, is_masked=True)
        return head + self._mask + self._masked()

    def _masked(self) -> bytes:
        raise NotImplementedError


class GatheringBytes(Gathering):
    """A binary one: masked until it is complete, and then unmasked in one piece."""

    __slots__ = ("_pieces",)

    def __init__(self, first: int, size: int, mask: bytes) -> None:
        super().__init__(first, size, mask)
        self._pieces: list[bytes] = []

    def add(self, piece: bytes) -> None:
        """See `Gathering`."""
        self.missing -= len(piece)
        self._pieces.append(piece)
        if len(self._pieces) >= _MAX_LOOSE:
            self._pieces = [b"".join(self._pieces)]

    def message(self) -> bytes:
        """See `Gathering`."""
        # Joined as an argument: by a name here the bytes would be somebody's, and be copied.
        return unmask(b"".join(self._pieces), self._mask)

    def _masked(self) -> bytes:
        return b"".join(self._pieces)


class GatheringText(Gathering):
    """A text: each piece is unmasked and read when it comes."""

    __slots__ = ("_decoder", "_pieces")

    def __init__(self, first: int, size: int, mask: bytes) -> None:
        super().__init__(first, size, mask)
        self._pieces: list[str] = []
        self._decoder = _decoder()

    def add(self, piece: bytes) -> None:
        """See `Gathering`."""
        plain = unmask(piece, rotate(self._mask, self._size - self.missing))
        missing = self.missing - len(piece)
        self._pieces.append(self._decoder.decode(plain, not missing))
        self.missing = missing
        if len(self._pieces) >= _MAX_LOOSE:
            self._pieces = ["".join(self._pieces)]

    def message(self) -> str:
        """See `Gathering`."""
        return "".join(self._pieces)

    def _masked(self) -> bytes:
        begun, _ = self._decoder.getstate()
        return unmask("".join(self._pieces).encode() + begun, self._mask)


def gather(first: int, size: int, mask: bytes) -> Gathering:
    """Begin with the payload of a frame; see `Gathering`."""
    kind = GatheringText if first == FIN_TEXT else GatheringBytes
    return kind(first, size, mask)
